/* SPDX-License-Identifier: MIT */
/* The table of what pixels are made of, and single pixels read by it. */
#include "formats.h"

#include "../lib/fourcc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Every plane as one word for each of its groups, in the manner of drm_fourcc.h: fields from the highest bit
 * down, a letter and a number of bits; x is padding. A letter that comes more than once belongs to the pixels
 * of the group in turn, the lowest field to the first. LE and BE say in which order memory has the word's
 * bytes.
 */
/* clang-format off */
#define LE(drm, way, ...) {DRM_FORMAT_##drm, FORMAT_WAY_##way, {__VA_ARGS__}}
#define BE(drm, way, ...) {DRM_FORMAT_##drm | DRM_FORMAT_BIG_ENDIAN, FORMAT_WAY_##way, {__VA_ARGS__}}

static const struct format_row format_rows[] = {
    LE(R8,            GRAY,       "Y8"),
    LE(R10,           GRAY,       "x6Y10"),
    LE(R12,           GRAY,       "x4Y12"),
    LE(R16,           GRAY,       "Y16"),
    BE(R16,           GRAY,       "Y16"),

    LE(XRGB1555,      RGB,        "x1R5G5B5"),
    LE(XBGR1555,      RGB,        "x1B5G5R5"),
    LE(RGB565,        RGB,        "R5G6B5"),
    LE(BGR565,        RGB,        "B5G6R5"),
    LE(RGB888,        RGB,        "R8G8B8"),
    LE(BGR888,        RGB,        "B8G8R8"),
    LE(XRGB8888,      RGB,        "x8R8G8B8"),
    LE(XBGR8888,      RGB,        "x8B8G8R8"),
    LE(RGBX8888,      RGB,        "R8G8B8x8"),
    LE(BGRX8888,      RGB,        "B8G8R8x8"),
    LE(ARGB8888,      RGB,        "A8R8G8B8"),
    LE(ABGR8888,      RGB,        "A8B8G8R8"),
    LE(RGBA8888,      RGB,        "R8G8B8A8"),
    LE(BGRA8888,      RGB,        "B8G8R8A8"),
    LE(XRGB2101010,   RGB,        "x2R10G10B10"),
    LE(XBGR2101010,   RGB,        "x2B10G10R10"),
    LE(ARGB2101010,   RGB,        "A2R10G10B10"),
    LE(ABGR2101010,   RGB,        "A2B10G10R10"),
    BE(XRGB2101010,   RGB,        "x2R10G10B10"),
    LE(XRGB16161616,  RGB,        "x16R16G16B16"),
    LE(XBGR16161616,  RGB,        "x16B16G16R16"),
    LE(ARGB16161616,  RGB,        "A16R16G16B16"),
    LE(ABGR16161616,  RGB,        "A16B16G16R16"),
    BE(ARGB16161616,  RGB,        "A16R16G16B16"),
    BE(ABGR16161616,  RGB,        "A16B16G16R16"),

    LE(YUYV,          PACKED_422, "V8Y8U8Y8"),
    LE(YVYU,          PACKED_422, "U8Y8V8Y8"),
    LE(UYVY,          PACKED_422, "Y8V8Y8U8"),
    LE(VYUY,          PACKED_422, "Y8U8Y8V8"),
    LE(Y210,          PACKED_422, "V10x6Y10x6U10x6Y10x6"),
    LE(Y212,          PACKED_422, "V12x4Y12x4U12x4Y12x4"),
    LE(Y216,          PACKED_422, "V16Y16U16Y16"),
    LE(VUY888,        PACKED_444, "V8U8Y8"),
    BE(AYUV,          PACKED_444, "A8Y8U8V8"),
    LE(AYUV,          PACKED_444, "A8Y8U8V8"),
    LE(XYUV8888,      PACKED_444, "x8Y8U8V8"),
    LE(Y410,          PACKED_444, "A2V10Y10U10"),
    LE(XVYU2101010,   PACKED_444, "x2V10Y10U10"),
    LE(Y412,          PACKED_444, "A12x4V12x4Y12x4U12x4"),
    LE(Y416,          PACKED_444, "A16V16Y16U16"),

    LE(NV12,          PLANES,     "Y8", "V8U8"),
    LE(NV21,          PLANES,     "Y8", "U8V8"),
    LE(NV16,          SPLIT,      "Y8", "V8U8"),
    LE(NV61,          SPLIT,      "Y8", "U8V8"),
    LE(NV24,          SPLIT,      "Y8", "V8U8"),
    LE(NV42,          SPLIT,      "Y8", "U8V8"),
    LE(P010,          PLANES,     "Y10x6", "V10x6U10x6"),
    LE(P012,          PLANES,     "Y12x4", "V12x4U12x4"),
    LE(P016,          PLANES,     "Y16", "V16U16"),
    LE(P210,          SPLIT,      "Y10x6", "V10x6U10x6"),
    LE(NV15,          PLANES,     "Y10Y10Y10Y10", "V10U10V10U10"),
    LE(NV20,          SPLIT,      "Y10Y10Y10Y10", "V10U10V10U10"),

    LE(YUV410,        COARSE,     "Y8", "U8", "V8"),
    LE(YVU410,        COARSE,     "Y8", "V8", "U8"),
    LE(YUV411,        COARSE,     "Y8", "U8", "V8"),
    LE(YUV420,        PLANES,     "Y8", "U8", "V8"),
    LE(YVU420,        PLANES,     "Y8", "V8", "U8"),
    LE(YUV422,        PLANES,     "Y8", "U8", "V8"),
    LE(YVU422,        PLANES,     "Y8", "V8", "U8"),
    LE(YUV444,        PLANES,     "Y8", "U8", "V8"),
    LE(YVU444,        PLANES,     "Y8", "V8", "U8"),
    LE(S010,          PLANES,     "x6Y10", "x6U10", "x6V10"),
    LE(S210,          PLANES,     "x6Y10", "x6U10", "x6V10"),
    LE(S410,          PLANES,     "x6Y10", "x6U10", "x6V10"),
    LE(S012,          PLANES,     "x4Y12", "x4U12", "x4V12"),
    LE(S212,          PLANES,     "x4Y12", "x4U12", "x4V12"),
    LE(S412,          PLANES,     "x4Y12", "x4U12", "x4V12"),
    LE(S416,          PLANES,     "Y16", "U16", "V16"),
};
/* clang-format on */

const struct format_row *format_row_find(uint32_t fourcc)
{
    for (size_t i = 0; i < sizeof format_rows / sizeof *format_rows; i++)
        if (format_rows[i].fourcc == fourcc)
            return &format_rows[i];
    return NULL;
}

/* ---- Groups ---- */

/* Reads the next field of a word; returns where the one after it begins. */
static const char *format_field_parse(const char *text, char *name, unsigned *bits)
{
    *name = *text++;
    for (*bits = 0; *text >= '0' && *text <= '9'; text++)
        *bits = *bits * 10 + (unsigned)(*text - '0');
    return text;
}

bool format_group(uint32_t fourcc, unsigned plane, struct format_group *group)
{
    const struct framebus_format_info *info = framebus_format_find(fourcc);
    const struct format_row *row = format_row_find(fourcc);
    *group = (struct format_group){.big_endian = fourcc & DRM_FORMAT_BIG_ENDIAN};
    if (!info || !row || plane >= info->planes)
        return false;
    group->bytes = info->plane[plane].bytes;
    unsigned at = group->bytes * 8u, bits;
    for (const char *text = row->word[plane]; *text;) {
        struct format_field *field = &group->field[group->fields++];
        text = format_field_parse(text, &field->name, &bits);
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

uint64_t format_group_load(const struct format_group *group, const uint8_t *from)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < group->bytes; i++)
        word |= (uint64_t)from[group->big_endian ? group->bytes - 1u - i : i] << 8 * i;
    return word;
}

void format_group_store(const struct format_group *group, uint8_t *to, uint64_t word)
{
    for (unsigned i = 0; i < group->bytes; i++)
        to[group->big_endian ? group->bytes - 1u - i : i] = (uint8_t)(word >> 8 * i);
}

static unsigned format_group_count(const struct format_group *group, char name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < group->fields; i++)
        count += group->field[i].name == name;
    return count;
}

/* ---- Components ---- */

bool format_component(uint32_t fourcc, char name, struct format_component *component)
{
    const struct framebus_format_info *info = framebus_format_find(fourcc);
    struct format_group group;
    for (unsigned plane = 0; format_group(fourcc, plane, &group); plane++) {
        const struct framebus_plane_layout *layout = &info->plane[plane];
        unsigned count = format_group_count(&group, name);
        for (unsigned i = group.fields; i-- && count;) {
            const struct format_field *field = &group.field[i];
            if (field->name != name)
                continue;
            *component = (struct format_component){
                .plane = (uint8_t)plane,
                .bits = field->bits,
                .shift = field->shift,
                .step = (uint8_t)(group.bytes * 8u / count),
                .sub_x = (uint8_t)(layout->pixels * layout->sub_x / count),
                .sub_y = layout->sub_y,
            };
            return true;
        }
    }
    return false;
}

/* ---- Single pixels ---- */

static unsigned sample_read_group(const struct format_group *group, const uint8_t *from, unsigned pixel,
                                  struct sample *sample)
{
    uint64_t word = format_group_load(group, from);
    unsigned found = 0;
    for (unsigned i = 0; i < group->fields && found < SAMPLES_MAX; i++) {
        const struct format_field *field = &group->field[i];
        if (field->name == 'x' || (field->pixel != pixel && format_group_count(group, field->name) > 1))
            continue;
        sample[found++] = (struct sample){
            .name = field->name,
            .bits = field->bits,
            .value = (uint32_t)(word >> field->shift & ((UINT64_C(1) << field->bits) - 1)),
        };
    }
    return found;
}

static void sample_sort(struct sample *sample, unsigned count)
{
    static const char order[] = "YRGBUVA"; /* in which people read them */
    for (unsigned i = 1; i < count; i++) {
        for (unsigned k = i; k && strchr(order, sample[k].name) < strchr(order, sample[k - 1].name); k--) {
            struct sample other = sample[k];
            sample[k] = sample[k - 1];
            sample[k - 1] = other;
        }
    }
}

unsigned format_read_pixel(const struct framebus_format *format, const uint8_t *data, uint32_t x, uint32_t y,
                           struct sample sample[SAMPLES_MAX])
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    struct format_group group;
    unsigned count = 0;
    if (!info || format->modifier || x >= format->width || y >= format->height)
        return 0;
    for (unsigned i = 0; format_group(format->fourcc, i, &group); i++) {
        const struct framebus_plane_layout *plane = &info->plane[i];
        uint32_t column = x / plane->sub_x, row = y / plane->sub_y;
        const uint8_t *from = data + format->offset[i] + (size_t)row * format->stride[i] +
                              (size_t)(column / plane->pixels) * plane->bytes;
        count += sample_read_group(&group, from, column % plane->pixels, sample + count);
    }
    sample_sort(sample, count);
    return count;
}

char *format_describe_pixel(const struct sample *sample, unsigned count, char *text, size_t room)
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
