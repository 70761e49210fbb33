/* SPDX-License-Identifier: MIT */
/* Planes of the values that formats.c says where to find. */
#include "planar.h"
#include "formats.h"

#include <drm_fourcc.h>
#include <string.h>

/* Bits in a row, counted from the lowest of the first byte. */
struct planar_component {
    uint8_t plane;
    uint8_t first; /* lowest bit of the first value */
    uint8_t step;  /* bits from one value to the next */
};

/* Finds Y, Cb and Cr. */
static bool planar_find(uint32_t fourcc, struct planar *planar, struct planar_component component[3])
{
    bool big_endian = fourcc & DRM_FORMAT_BIG_ENDIAN;
    struct format_component c;
    *planar = (struct planar){0};
    for (unsigned i = 0; i < 3 && format_component(fourcc, "YUV"[i], &c); i++) {
        if (big_endian && c.bits > 8)
            return false;
        *planar = (struct planar){(uint8_t)(i + 1), c.bits, c.sub_x, c.sub_y};
        component[i] = (struct planar_component){
            .plane = c.plane,
            .first = big_endian ? (uint8_t)(c.step - c.shift - c.bits) : c.shift,
            .step = c.step,
        };
    }
    return planar->components;
}

bool planar_of(uint32_t fourcc, struct planar *planar, bool *alpha)
{
    struct planar_component component[3];
    if (!planar_find(fourcc, planar, component))
        return false;
    *alpha = framebus_format_find(fourcc)->alpha;
    return true;
}

static uint32_t planar_divide(uint32_t value, uint32_t divisor)
{
    return (value + divisor - 1) / divisor;
}

size_t planar_size(const struct planar *planar, uint32_t width, uint32_t height)
{
    size_t chroma = (size_t)planar_divide(width, planar->sub_x) * planar_divide(height, planar->sub_y);
    size_t values = (size_t)width * height + (planar->components == 3 ? 2 * chroma : 0);
    return planar->bits > 8 ? 2 * values : values;
}

static void planar_pack_bytes(const uint8_t *from, unsigned step, uint32_t values, uint8_t *to)
{
    if (step == 1)
        memcpy(to, from, values);
    else if (step == 2) /* by far the most common: the compiler makes vectors of it */
        for (uint32_t i = 0; i < values; i++)
            to[i] = from[(size_t)2 * i];
    else
        for (uint32_t i = 0; i < values; i++)
            to[i] = from[(size_t)step * i];
}

static void planar_pack_words(const uint8_t *from, unsigned shift, unsigned step, uint32_t values,
                              uint8_t *to)
{
    if (step == 2 && !shift) {
        memcpy(to, from, (size_t)2 * values);
        return;
    }
    for (uint32_t i = 0; i < values; i++, from += step, to += 2) {
        unsigned value = (from[0] | (unsigned)from[1] << 8) >> shift;
        to[0] = (uint8_t)value;
        to[1] = (uint8_t)(value >> 8);
    }
}

/* Packs values that begin at any bit; reads no byte that has none of their bits. */
static void planar_pack_bits(const uint8_t *from, const struct planar_component *component, unsigned bits,
                             uint32_t values, uint8_t *to)
{
    for (uint32_t i = 0; i < values; i++, to += 2) {
        size_t bit = component->first + (size_t)i * component->step;
        unsigned shift = bit % 8, value = 0;
        for (unsigned got = 0; got * 8 < shift + bits; got++)
            value |= (unsigned)from[bit / 8 + got] << (8 * got);
        value = value >> shift & ((1U << bits) - 1);
        to[0] = (uint8_t)value;
        to[1] = (uint8_t)(value >> 8);
    }
}

static void planar_pack_row(const uint8_t *from, const struct planar_component *component, unsigned bits,
                            uint32_t values, uint8_t *to)
{
    unsigned word = component->first / 16 * 2, shift = component->first % 16;
    if (bits == 8)
        planar_pack_bytes(from + component->first / 8, component->step / 8, values, to);
    else if (component->step % 16 == 0 && shift + bits == 16)
        planar_pack_words(from + word, shift, component->step / 8, values, to);
    else if (component->step == 16)
        memcpy(to, from, (size_t)2 * values);
    else
        planar_pack_bits(from, component, bits, values, to);
}

void planar_pack(const struct framebus_format *format, const uint8_t *data, uint8_t *to)
{
    struct planar_component component[3];
    struct planar planar;
    planar_find(format->fourcc, &planar, component);
    for (unsigned i = 0; i < planar.components; i++) {
        const uint8_t *from = data + format->offset[component[i].plane];
        uint32_t values = planar_divide(format->width, i ? planar.sub_x : 1);
        uint32_t rows = planar_divide(format->height, i ? planar.sub_y : 1);
        size_t bytes = planar.bits > 8 ? (size_t)2 * values : values;
        for (uint32_t row = 0; row < rows; row++, to += bytes)
            planar_pack_row(from + (size_t)row * format->stride[component[i].plane], &component[i],
                            planar.bits, values, to);
    }
}
