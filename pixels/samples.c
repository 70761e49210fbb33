/* SPDX-License-Identifier: MIT */
#include "samples.h"

#include "../lib/fourcc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Every plane as one word for each of its groups, in the manner of drm_fourcc.h: fields from the
 * highest bit down, a letter and a number of bits; x is padding. A letter that comes more than once
 * belongs to the pixels of the group in turn, the lowest field to the first.
 */
struct layout {
    uint32_t fourcc;
    const char *word[3];
};

/* clang-format off */
#define LE(drm, ...) {DRM_FORMAT_##drm, {__VA_ARGS__}}
#define BE(drm, ...) {DRM_FORMAT_##drm | DRM_FORMAT_BIG_ENDIAN, {__VA_ARGS__}}

static const struct layout layouts[] = {
    LE(R8, "Y8"),
    LE(R10, "x6Y10"),
    LE(R12, "x4Y12"),
    LE(R16, "Y16"),
    BE(R16, "Y16"),

    LE(XRGB1555, "x1R5G5B5"),
    LE(XBGR1555, "x1B5G5R5"),
    LE(RGB565, "R5G6B5"),
    LE(BGR565, "B5G6R5"),
    LE(RGB888, "R8G8B8"),
    LE(BGR888, "B8G8R8"),
    LE(XRGB8888, "x8R8G8B8"),
    LE(XBGR8888, "x8B8G8R8"),
    LE(RGBX8888, "R8G8B8x8"),
    LE(BGRX8888, "B8G8R8x8"),
    LE(ARGB8888, "A8R8G8B8"),
    LE(ABGR8888, "A8B8G8R8"),
    LE(RGBA8888, "R8G8B8A8"),
    LE(BGRA8888, "B8G8R8A8"),
    LE(XRGB2101010, "x2R10G10B10"),
    LE(XBGR2101010, "x2B10G10R10"),
    LE(ARGB2101010, "A2R10G10B10"),
    LE(ABGR2101010, "A2B10G10R10"),
    BE(XRGB2101010, "x2R10G10B10"),
    LE(XRGB16161616, "x16R16G16B16"),
    LE(XBGR16161616, "x16B16G16R16"),
    LE(ARGB16161616, "A16R16G16B16"),
    LE(ABGR16161616, "A16B16G16R16"),
    BE(ARGB16161616, "A16R16G16B16"),
    BE(ABGR16161616, "A16B16G16R16"),

    LE(YUYV, "V8Y8U8Y8"),
    LE(YVYU, "U8Y8V8Y8"),
    LE(UYVY, "Y8V8Y8U8"),
    LE(VYUY, "Y8U8Y8V8"),
    LE(Y210, "V10x6Y10x6U10x6Y10x6"),
    LE(Y212, "V12x4Y12x4U12x4Y12x4"),
    LE(Y216, "V16Y16U16Y16"),
    LE(VUY888, "V8U8Y8"),
    BE(AYUV, "A8Y8U8V8"),
    LE(AYUV, "A8Y8U8V8"),
    LE(XYUV8888, "x8Y8U8V8"),
    LE(Y410, "A2V10Y10U10"),
    LE(XVYU2101010, "x2V10Y10U10"),
    LE(Y412, "A12x4V12x4Y12x4U12x4"),
    LE(Y416, "A16V16Y16U16"),

    LE(NV12, "Y8", "V8U8"),
    LE(NV21, "Y8", "U8V8"),
    LE(NV16, "Y8", "V8U8"),
    LE(NV61, "Y8", "U8V8"),
    LE(NV24, "Y8", "V8U8"),
    LE(NV42, "Y8", "U8V8"),
    LE(P010, "Y10x6", "V10x6U10x6"),
    LE(P012, "Y12x4", "V12x4U12x4"),
    LE(P016, "Y16", "V16U16"),
    LE(P210, "Y10x6", "V10x6U10x6"),
    LE(NV15, "Y10Y10Y10Y10", "V10U10V10U10"),
    LE(NV20, "Y10Y10Y10Y10", "V10U10V10U10"),

    LE(YUV410, "Y8", "U8", "V8"),
    LE(YVU410, "Y8", "V8", "U8"),
    LE(YUV411, "Y8", "U8", "V8"),
    LE(YUV420, "Y8", "U8", "V8"),
    LE(YVU420, "Y8", "V8", "U8"),
    LE(YUV422, "Y8", "U8", "V8"),
    LE(YVU422, "Y8", "V8", "U8"),
    LE(YUV444, "Y8", "U8", "V8"),
    LE(YVU444, "Y8", "V8", "U8"),
    LE(S010, "x6Y10", "x6U10", "x6V10"),
    LE(S210, "x6Y10", "x6U10", "x6V10"),
    LE(S410, "x6Y10", "x6U10", "x6V10"),
    LE(S012, "x4Y12", "x4U12", "x4V12"),
    LE(S212, "x4Y12", "x4U12", "x4V12"),
    LE(S412, "x4Y12", "x4U12", "x4V12"),
    LE(S416, "Y16", "U16", "V16"),
};
/* clang-format on */

/* In which order one reads them. */
static const char order[] = "YRGBUVA";

static const struct layout *find_layout(uint32_t fourcc)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
        if (layouts[i].fourcc == fourcc)
            return &layouts[i];
    return NULL;
}

static uint64_t load_word(const uint8_t *data, unsigned bytes, bool big_endian)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < bytes; i++)
        word |= (uint64_t)data[big_endian ? bytes - 1 - i : i] << 8 * i;
    return word;
}

/* Reads the next field; returns where the one after it begins. */
static const char *next_field(const char *text, char *name, unsigned *bits)
{
    *name = *text++;
    for (*bits = 0; *text >= '0' && *text <= '9'; text++)
        *bits = *bits * 10 + (unsigned)(*text - '0');
    return text;
}

bool samples_group(uint32_t fourcc, unsigned plane, struct samples_group *group)
{
    const struct framebus_format_info *info = framebus_format_find(fourcc);
    const struct layout *layout = find_layout(fourcc);
    const char *text;
    unsigned at, bits;

    *group = (struct samples_group){.big_endian = fourcc & DRM_FORMAT_BIG_ENDIAN};
    if (!info || !layout || plane >= info->planes)
        return false;
    group->bytes = info->plane[plane].bytes;
    at = group->bytes * 8u;
    for (text = layout->word[plane]; *text;) {
        struct samples_field *field = &group->field[group->fields++];

        text = next_field(text, &field->name, &bits);
        at -= bits;
        field->bits = (uint8_t)bits;
        field->shift = (uint8_t)at;
    }
    for (unsigned i = group->fields; i--;) /* the lowest one of a letter belongs to the first pixel */
        for (unsigned k = i; k--;)
            if (group->field[k].name == group->field[i].name)
                group->field[k].pixel = group->field[i].pixel + 1;
    return true;
}

static bool is_shared(const struct samples_group *group, char name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < group->fields; i++)
        count += group->field[i].name == name;
    return count == 1;
}

static unsigned read_group(const struct samples_group *group, const uint8_t *from, unsigned pixel,
                           struct sample *sample)
{
    uint64_t word = load_word(from, group->bytes, group->big_endian);
    unsigned found = 0;

    for (unsigned i = 0; i < group->fields && found < SAMPLES_MAX; i++) {
        const struct samples_field *field = &group->field[i];

        if (field->name == 'x' || (field->pixel != pixel && !is_shared(group, field->name)))
            continue;
        sample[found++] = (struct sample){
            .name = field->name,
            .bits = field->bits,
            .value = (uint32_t)(word >> field->shift & ((UINT64_C(1) << field->bits) - 1)),
        };
    }
    return found;
}

static void sort(struct sample *sample, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        for (unsigned k = i; k && strchr(order, sample[k].name) < strchr(order, sample[k - 1].name); k--) {
            struct sample other = sample[k];
            sample[k] = sample[k - 1];
            sample[k - 1] = other;
        }
    }
}

unsigned samples_read(const struct framebus_format *format, const uint8_t *data, uint32_t x, uint32_t y,
                      struct sample sample[SAMPLES_MAX])
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    struct samples_group group;
    unsigned count = 0;

    if (!info || format->modifier || x >= format->width || y >= format->height)
        return 0;
    for (unsigned i = 0; i < info->planes && samples_group(format->fourcc, i, &group); i++) {
        const struct framebus_plane_layout *plane = &info->plane[i];
        uint32_t column = x / plane->sub_x, row = y / plane->sub_y;
        const uint8_t *from = data + format->offset[i] + (size_t)row * format->stride[i] +
                              (size_t)(column / plane->pixels) * plane->bytes;
        count += read_group(&group, from, column % plane->pixels, sample + count);
    }
    sort(sample, count);
    return count;
}

char *samples_describe(const struct sample *sample, unsigned count, char *text, size_t room)
{
    size_t used = 0;

    *text = 0;
    for (unsigned i = 0; i < count && used < room; i++) {
        char name = sample[i].name;
        used += (size_t)snprintf(text + used, room - used, "%s%s %" PRIu32, i ? "  " : "",
                                 name == 'U'   ? "Cb"
                                 : name == 'V' ? "Cr"
                                               : (char[]){name, 0},
                                 sample[i].value);
    }
    return text;
}
