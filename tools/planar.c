/* SPDX-License-Identifier: MIT */
#include "planar.h"

#include <drm_fourcc.h>
#include <string.h>

/* Where the values of a component lie: from which bit of a row on, and how many bits apart. Bits count from
 * the lowest of the first byte. */
struct component {
    uint8_t plane, first, step;
};

struct arrangement {
    const char *name; /* the table's */
    struct planar planar;
    struct component component[3];
};

/* clang-format off */
#define S420(bits) {3, bits, 2, 2}
#define S422(bits) {3, bits, 2, 1}
#define S444(bits) {3, bits, 1, 1}
#define S411(bits) {3, bits, 4, 1}
#define MONO(bits) {1, bits, 1, 1}

#define PLANES(step)            {{0, 0, step}, {1, 0, step}, {2, 0, step}}
#define PLANES_VU(step)         {{0, 0, step}, {2, 0, step}, {1, 0, step}}
#define SEMI(step, first)       {{0, first, step}, {1, first, 2 * (step)}, {1, (step) + (first), 2 * (step)}}
#define SEMI_VU(step)           {{0, 0, step}, {1, step, 2 * (step)}, {1, 0, 2 * (step)}}
#define PAIRS(y, u, v, step)    {{0, y, (step) / 2}, {0, u, step}, {0, v, step}}
#define PACKED(y, u, v, step)   {{0, y, step}, {0, u, step}, {0, v, step}}

static const struct arrangement arrangements[] = {
    {"GRAY8",       MONO(8),  PLANES(8)},
    {"GRAY10_LE16", MONO(10), PLANES(16)},
    {"R12",         MONO(12), PLANES(16)},
    {"GRAY16_LE",   MONO(16), PLANES(16)},
    {"I420",        S420(8),  PLANES(8)},
    {"YV12",        S420(8),  PLANES_VU(8)},
    {"NV12",        S420(8),  SEMI(8, 0)},
    {"NV21",        S420(8),  SEMI_VU(8)},
    {"Y41B",        S411(8),  PLANES(8)},
    {"Y42B",        S422(8),  PLANES(8)},
    {"YVU422",      S422(8),  PLANES_VU(8)},
    {"NV16",        S422(8),  SEMI(8, 0)},
    {"NV61",        S422(8),  SEMI_VU(8)},
    {"YUY2",        S422(8),  PAIRS(0, 8, 24, 32)},
    {"YVYU",        S422(8),  PAIRS(0, 24, 8, 32)},
    {"UYVY",        S422(8),  PAIRS(8, 0, 16, 32)},
    {"VYUY",        S422(8),  PAIRS(8, 16, 0, 32)},
    {"Y444",        S444(8),  PLANES(8)},
    {"YVU444",      S444(8),  PLANES_VU(8)},
    {"NV24",        S444(8),  SEMI(8, 0)},
    {"NV42",        S444(8),  SEMI_VU(8)},
    {"v308",        S444(8),  PACKED(0, 8, 16, 24)},
    {"XYUV8888",    S444(8),  PACKED(16, 8, 0, 32)},
    {"AYUV",        S444(8),  PACKED(8, 16, 24, 32)},
    {"VUYA",        S444(8),  PACKED(16, 8, 0, 32)},
    {"I420_10LE",   S420(10), PLANES(16)},
    {"P010_10LE",   S420(10), SEMI(16, 6)},
    {"NV12_10LE40", S420(10), SEMI(10, 0)},
    {"I422_10LE",   S422(10), PLANES(16)},
    {"P210",        S422(10), SEMI(16, 6)},
    {"NV16_10LE40", S422(10), SEMI(10, 0)},
    {"Y210",        S422(10), PAIRS(6, 22, 54, 64)},
    {"Y444_10LE",   S444(10), PLANES(16)},
    {"XVYU2101010", S444(10), PACKED(10, 0, 20, 32)},
    {"Y410",        S444(10), PACKED(10, 0, 20, 32)},
    {"I420_12LE",   S420(12), PLANES(16)},
    {"P012_LE",     S420(12), SEMI(16, 4)},
    {"I422_12LE",   S422(12), PLANES(16)},
    {"Y212_LE",     S422(12), PAIRS(4, 20, 52, 64)},
    {"Y444_12LE",   S444(12), PLANES(16)},
    {"Y412_LE",     S444(12), PACKED(20, 4, 36, 64)},
    {"P016_LE",     S420(16), SEMI(16, 0)},
    {"Y216_LE",     S422(16), PAIRS(0, 16, 48, 64)},
    {"Y444_16LE",   S444(16), PLANES(16)},
    {"Y416_LE",     S444(16), PACKED(16, 0, 32, 64)},
};
/* clang-format on */

static const struct arrangement *find_arrangement(uint32_t fourcc)
{
    const struct framebus_format_info *info = framebus_format_find(fourcc);

    for (size_t i = 0; info && i < sizeof(arrangements) / sizeof(arrangements[0]); i++)
        if (strcmp(arrangements[i].name, info->name) == 0)
            return &arrangements[i];
    return NULL;
}

bool planar_of(uint32_t fourcc, struct planar *planar, bool *alpha)
{
    const struct arrangement *arrangement = find_arrangement(fourcc);

    if (!arrangement)
        return false;
    *planar = arrangement->planar;
    *alpha = framebus_format_find(fourcc)->alpha;
    return true;
}

static uint32_t divide_up(uint32_t value, uint32_t divisor)
{
    return (value + divisor - 1) / divisor;
}

size_t planar_size(const struct planar *planar, uint32_t width, uint32_t height)
{
    size_t chroma = (size_t)divide_up(width, planar->sub_x) * divide_up(height, planar->sub_y);
    size_t values = (size_t)width * height + (planar->components == 3 ? 2 * chroma : 0);

    return planar->bits > 8 ? 2 * values : values;
}

static void pack_bytes(const uint8_t *from, unsigned step, uint32_t values, uint8_t *to)
{
    if (step == 1)
        memcpy(to, from, values);
    else if (step == 2) /* by far the commonest: the compiler makes vectors of it */
        for (uint32_t i = 0; i < values; i++)
            to[i] = from[(size_t)2 * i];
    else
        for (uint32_t i = 0; i < values; i++)
            to[i] = from[(size_t)step * i];
}

static void pack_words(const uint8_t *from, unsigned shift, unsigned step, uint32_t values, uint8_t *to)
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

/* Values that begin at any bit; no byte is looked at that has none of their bits. */
static void pack_bits(const uint8_t *from, const struct component *component, unsigned bits, uint32_t values,
                      uint8_t *to)
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

static void pack_row(const uint8_t *from, const struct component *component, unsigned bits, uint32_t values,
                     uint8_t *to)
{
    unsigned word = component->first / 16 * 2, shift = component->first % 16;

    if (bits == 8)
        pack_bytes(from + component->first / 8, component->step / 8, values, to);
    else if (component->step % 16 == 0 && shift + bits == 16)
        pack_words(from + word, shift, component->step / 8, values, to);
    else if (component->step == 16)
        memcpy(to, from, (size_t)2 * values);
    else
        pack_bits(from, component, bits, values, to);
}

void planar_pack(const struct framebus_format *format, const uint8_t *data, uint8_t *to)
{
    const struct arrangement *arrangement = find_arrangement(format->fourcc);
    const struct planar *planar = &arrangement->planar;

    for (unsigned i = 0; i < planar->components; i++) {
        const struct component *component = &arrangement->component[i];
        const uint8_t *from = data + format->offset[component->plane];
        uint32_t values = divide_up(format->width, i ? planar->sub_x : 1);
        uint32_t rows = divide_up(format->height, i ? planar->sub_y : 1);
        size_t bytes = planar->bits > 8 ? (size_t)2 * values : values;

        for (uint32_t row = 0; row < rows; row++, to += bytes)
            pack_row(from + (size_t)row * format->stride[component->plane], component, planar->bits, values,
                     to);
    }
}
