/* SPDX-License-Identifier: MIT */
/* The table of formats, and arithmetic on formats, which may come from anywhere. */
#include "base/clock.h"
#include "base/log.h"
#include "fourcc.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FORMAT_SIZE_MAX (UINT64_C(16) << 30)

/* ---- The table ---- */

/* clang-format off */
/* yuv, alpha */
#define GRAY false, false
#define RGB  false, false
#define RGBA false, true
#define YUV  true, false
#define YUVA true, true

/* Planes; pixels, bytes, horizontal and vertical subsampling of each. */
#define PACKED(pixels, bytes)       1, {{pixels, bytes, 1, 1}}
#define SEMI(bytes, sub_x, sub_y)   2, {{1, bytes, 1, 1}, {1, 2 * (bytes), sub_x, sub_y}}
#define SEMI_PACKED(sub_x, sub_y)   2, {{4, 5, 1, 1}, {2, 5, sub_x, sub_y}}
#define PLANAR(bytes, sub_x, sub_y) 3, {{1, bytes, 1, 1}, {1, bytes, sub_x, sub_y}, {1, bytes, sub_x, sub_y}}

#define ENTRY(...) ENTRY_(__VA_ARGS__)
#define ENTRY_(fourcc_, name_, drm_, depth_, yuv_, alpha_, planes_, ...) \
    {.fourcc = fourcc_, .name = name_, .drm = drm_, .planes = planes_, .depth = depth_, \
     .yuv = yuv_, .alpha = alpha_, .plane = __VA_ARGS__}
#define LE(drm, name, depth, ...) ENTRY(DRM_FORMAT_##drm, name, #drm, depth, __VA_ARGS__)
#define BE(drm, name, depth, ...) \
    ENTRY(DRM_FORMAT_##drm | DRM_FORMAT_BIG_ENDIAN, name, #drm "_BE", depth, __VA_ARGS__)

/*
 * DRM names spell a little-endian word from its high end, GStreamer's names mostly spell memory from
 * its low end: the same format reads backwards. Where GStreamer has no name, this has the DRM one.
 */
static const struct framebus_format_info format_table[] = {
    LE(R8,              "GRAY8",        8, GRAY, PACKED(1, 1)),
    LE(R10,             "GRAY10_LE16", 10, GRAY, PACKED(1, 2)),
    LE(R12,             "R12",         12, GRAY, PACKED(1, 2)),
    LE(R16,             "GRAY16_LE",   16, GRAY, PACKED(1, 2)),
    BE(R16,             "GRAY16_BE",   16, GRAY, PACKED(1, 2)),

    LE(XRGB1555,        "RGB15",        5, RGB,  PACKED(1, 2)),
    LE(XBGR1555,        "BGR15",        5, RGB,  PACKED(1, 2)),
    LE(RGB565,          "RGB16",        6, RGB,  PACKED(1, 2)),
    LE(BGR565,          "BGR16",        6, RGB,  PACKED(1, 2)),

    LE(RGB888,          "BGR",          8, RGB,  PACKED(1, 3)),
    LE(BGR888,          "RGB",          8, RGB,  PACKED(1, 3)),

    LE(XRGB8888,        "BGRx",         8, RGB,  PACKED(1, 4)),
    LE(XBGR8888,        "RGBx",         8, RGB,  PACKED(1, 4)),
    LE(RGBX8888,        "xBGR",         8, RGB,  PACKED(1, 4)),
    LE(BGRX8888,        "xRGB",         8, RGB,  PACKED(1, 4)),
    LE(ARGB8888,        "BGRA",         8, RGBA, PACKED(1, 4)),
    LE(ABGR8888,        "RGBA",         8, RGBA, PACKED(1, 4)),
    LE(RGBA8888,        "ABGR",         8, RGBA, PACKED(1, 4)),
    LE(BGRA8888,        "ARGB",         8, RGBA, PACKED(1, 4)),

    LE(XRGB2101010,     "BGR10x2_LE",  10, RGB,  PACKED(1, 4)),
    LE(XBGR2101010,     "RGB10x2_LE",  10, RGB,  PACKED(1, 4)),
    LE(ARGB2101010,     "BGR10A2_LE",  10, RGBA, PACKED(1, 4)),
    LE(ABGR2101010,     "RGB10A2_LE",  10, RGBA, PACKED(1, 4)),
    BE(XRGB2101010,     "r210",        10, RGB,  PACKED(1, 4)),

    LE(XRGB16161616,    "XRGB16161616", 16, RGB, PACKED(1, 8)),
    LE(XBGR16161616,    "XBGR16161616", 16, RGB, PACKED(1, 8)),
    LE(ARGB16161616,    "BGRA64_LE",   16, RGBA, PACKED(1, 8)),
    LE(ABGR16161616,    "RGBA64_LE",   16, RGBA, PACKED(1, 8)),
    BE(ARGB16161616,    "ARGB64_BE",   16, RGBA, PACKED(1, 8)),
    BE(ABGR16161616,    "ABGR64_BE",   16, RGBA, PACKED(1, 8)),

    LE(YUYV,            "YUY2",         8, YUV,  PACKED(2, 4)),
    LE(YVYU,            "YVYU",         8, YUV,  PACKED(2, 4)),
    LE(UYVY,            "UYVY",         8, YUV,  PACKED(2, 4)),
    LE(VYUY,            "VYUY",         8, YUV,  PACKED(2, 4)),
    LE(Y210,            "Y210",        10, YUV,  PACKED(2, 8)),
    LE(Y212,            "Y212_LE",     12, YUV,  PACKED(2, 8)),
    LE(Y216,            "Y216_LE",     16, YUV,  PACKED(2, 8)),

    LE(VUY888,          "v308",         8, YUV,  PACKED(1, 3)),
    BE(AYUV,            "AYUV",         8, YUVA, PACKED(1, 4)),
    LE(AYUV,            "VUYA",         8, YUVA, PACKED(1, 4)),
    LE(XYUV8888,        "XYUV8888",     8, YUV,  PACKED(1, 4)),
    LE(Y410,            "Y410",        10, YUVA, PACKED(1, 4)),
    LE(XVYU2101010,     "XVYU2101010", 10, YUV,  PACKED(1, 4)),
    LE(Y412,            "Y412_LE",     12, YUVA, PACKED(1, 8)),
    LE(Y416,            "Y416_LE",     16, YUVA, PACKED(1, 8)),

    LE(NV12,            "NV12",         8, YUV,  SEMI(1, 2, 2)),
    LE(NV21,            "NV21",         8, YUV,  SEMI(1, 2, 2)),
    LE(NV16,            "NV16",         8, YUV,  SEMI(1, 2, 1)),
    LE(NV61,            "NV61",         8, YUV,  SEMI(1, 2, 1)),
    LE(NV24,            "NV24",         8, YUV,  SEMI(1, 1, 1)),
    LE(NV42,            "NV42",         8, YUV,  SEMI(1, 1, 1)),
    LE(P010,            "P010_10LE",   10, YUV,  SEMI(2, 2, 2)),
    LE(P012,            "P012_LE",     12, YUV,  SEMI(2, 2, 2)),
    LE(P016,            "P016_LE",     16, YUV,  SEMI(2, 2, 2)),
    LE(P210,            "P210",        10, YUV,  SEMI(2, 2, 1)),
    LE(NV15,            "NV12_10LE40", 10, YUV,  SEMI_PACKED(2, 2)),
    LE(NV20,            "NV16_10LE40", 10, YUV,  SEMI_PACKED(2, 1)),

    LE(YUV410,          "YUV9",         8, YUV,  PLANAR(1, 4, 4)),
    LE(YVU410,          "YVU9",         8, YUV,  PLANAR(1, 4, 4)),
    LE(YUV411,          "Y41B",         8, YUV,  PLANAR(1, 4, 1)),
    LE(YUV420,          "I420",         8, YUV,  PLANAR(1, 2, 2)),
    LE(YVU420,          "YV12",         8, YUV,  PLANAR(1, 2, 2)),
    LE(YUV422,          "Y42B",         8, YUV,  PLANAR(1, 2, 1)),
    LE(YVU422,          "YVU422",       8, YUV,  PLANAR(1, 2, 1)),
    LE(YUV444,          "Y444",         8, YUV,  PLANAR(1, 1, 1)),
    LE(YVU444,          "YVU444",       8, YUV,  PLANAR(1, 1, 1)),
    LE(S010,            "I420_10LE",   10, YUV,  PLANAR(2, 2, 2)),
    LE(S210,            "I422_10LE",   10, YUV,  PLANAR(2, 2, 1)),
    LE(S410,            "Y444_10LE",   10, YUV,  PLANAR(2, 1, 1)),
    LE(S012,            "I420_12LE",   12, YUV,  PLANAR(2, 2, 2)),
    LE(S212,            "I422_12LE",   12, YUV,  PLANAR(2, 2, 1)),
    LE(S412,            "Y444_12LE",   12, YUV,  PLANAR(2, 1, 1)),
    LE(S416,            "Y444_16LE",   16, YUV,  PLANAR(2, 1, 1)),
};
/* clang-format on */

#define TABLE_ROWS (sizeof format_table / sizeof *format_table)

const struct framebus_format_info *framebus_format_at(size_t index)
{
    return index < TABLE_ROWS ? &format_table[index] : NULL;
}

const struct framebus_format_info *framebus_format_find(uint32_t fourcc)
{
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (format_table[i].fourcc == fourcc)
            return &format_table[i];
    return NULL;
}

/* What ffmpeg calls a format (libavutil/pixfmt.h, `ffmpeg -pix_fmts`), where it is none of the two names
 * above. */
static const struct {
    const char *name;
    uint32_t fourcc;
} ffmpeg_names[] = {
    {"gray", DRM_FORMAT_R8},
    {"gray10le", DRM_FORMAT_R10},
    {"gray12le", DRM_FORMAT_R12},
    {"gray16le", DRM_FORMAT_R16},
    {"gray16be", DRM_FORMAT_R16 | DRM_FORMAT_BIG_ENDIAN},
    {"rgb555le", DRM_FORMAT_XRGB1555},
    {"bgr555le", DRM_FORMAT_XBGR1555},
    {"rgb565le", DRM_FORMAT_RGB565},
    {"bgr565le", DRM_FORMAT_BGR565},
    {"rgb24", DRM_FORMAT_BGR888},
    {"bgr24", DRM_FORMAT_RGB888},
    {"rgb0", DRM_FORMAT_XBGR8888},
    {"bgr0", DRM_FORMAT_XRGB8888},
    {"0rgb", DRM_FORMAT_BGRX8888},
    {"0bgr", DRM_FORMAT_RGBX8888},
    {"x2rgb10le", DRM_FORMAT_XRGB2101010},
    {"x2bgr10le", DRM_FORMAT_XBGR2101010},
    {"rgba64le", DRM_FORMAT_ABGR16161616},
    {"bgra64le", DRM_FORMAT_ARGB16161616},
    {"yuyv422", DRM_FORMAT_YUYV},
    {"yvyu422", DRM_FORMAT_YVYU},
    {"uyvy422", DRM_FORMAT_UYVY},
    {"y210le", DRM_FORMAT_Y210},
    {"y212le", DRM_FORMAT_Y212},
    {"vuyx", DRM_FORMAT_XYUV8888},
    {"xv30le", DRM_FORMAT_XVYU2101010},
    {"p010le", DRM_FORMAT_P010},
    {"p012le", DRM_FORMAT_P012},
    {"p016le", DRM_FORMAT_P016},
    {"p210le", DRM_FORMAT_P210},
    {"yuv410p", DRM_FORMAT_YUV410},
    {"yuv411p", DRM_FORMAT_YUV411},
    {"yuv420p", DRM_FORMAT_YUV420},
    {"yuv422p", DRM_FORMAT_YUV422},
    {"yuv444p", DRM_FORMAT_YUV444},
    {"yuv420p10le", DRM_FORMAT_S010},
    {"yuv422p10le", DRM_FORMAT_S210},
    {"yuv444p10le", DRM_FORMAT_S410},
    {"yuv420p12le", DRM_FORMAT_S012},
    {"yuv422p12le", DRM_FORMAT_S212},
    {"yuv444p12le", DRM_FORMAT_S412},
    {"yuv444p16le", DRM_FORMAT_S416},
};

const struct framebus_format_info *framebus_format_by_name(const char *name)
{
    if (!name)
        return NULL;
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (!strcasecmp(format_table[i].name, name))
            return &format_table[i];
    /* The other spellings come later: AYUV is one format to GStreamer and another to DRM. */
    for (size_t i = 0; i < TABLE_ROWS; i++)
        if (!strcasecmp(format_table[i].drm, name))
            return &format_table[i];
    for (size_t i = 0; i < sizeof ffmpeg_names / sizeof *ffmpeg_names; i++)
        if (!strcasecmp(ffmpeg_names[i].name, name))
            return framebus_format_find(ffmpeg_names[i].fourcc);
    return NULL;
}

const char *framebus_format_name(const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    return info ? info->name : NULL;
}

int64_t framebus_now(void)
{
    return clock_now();
}

/* ---- Geometry ---- */

static uint32_t divide_up(uint32_t value, uint32_t divisor)
{
    return value / divisor + (value % divisor != 0);
}

static const struct framebus_plane_layout *format_plane(const struct framebus_format *format, unsigned plane)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    return info && plane < info->planes ? &info->plane[plane] : NULL;
}

uint32_t framebus_format_row_bytes(const struct framebus_format *format, unsigned plane)
{
    const struct framebus_plane_layout *layout = format_plane(format, plane);
    if (!layout)
        return 0;
    uint32_t groups = divide_up(divide_up(format->width, layout->sub_x), layout->pixels);
    uint64_t bytes = (uint64_t)groups * layout->bytes;
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX; /* the width may not have been checked yet */
}

uint32_t framebus_format_rows(const struct framebus_format *format, unsigned plane)
{
    const struct framebus_plane_layout *layout = format_plane(format, plane);
    return layout ? divide_up(format->height, layout->sub_y) : 0;
}

/* The four characters of a fourcc and its number. The fourcc may be anything, the text is printable. */
struct fourcc_text {
    char text[40];
};

static struct fourcc_text fourcc_text(uint32_t fourcc)
{
    struct fourcc_text result;
    char c[5] = "";
    for (int i = 0; i < 4; i++) {
        unsigned char byte = (fourcc & ~DRM_FORMAT_BIG_ENDIAN) >> (8 * i) & 0xff;
        c[i] = byte >= ' ' && byte <= '~' ? (char)byte : '?';
    }
    snprintf(result.text, sizeof result.text, "'%s'%s (0x%08" PRIx32 ")", c,
             fourcc & DRM_FORMAT_BIG_ENDIAN ? " big-endian" : "", fourcc);
    return result;
}

static int format_check_side(const char *which, uint32_t pixels, uint32_t least)
{
    if (pixels < least || pixels > FRAMEBUS_SIDE_MAX)
        return fail(-EINVAL, "%s %" PRIu32 " is outside %" PRIu32 "..%d", which, pixels, least,
                    FRAMEBUS_SIDE_MAX);
    return 0;
}

int framebus_format_init(struct framebus_format *format, uint32_t fourcc, uint32_t width, uint32_t height)
{
    if (!format)
        return fail(-EINVAL, "no format to fill in");
    const struct framebus_format_info *info = framebus_format_find(fourcc);
    if (!info)
        return fail(-EINVAL, "fourcc %s is not in the format table", fourcc_text(fourcc).text);
    int r = format_check_side("width", width, 1);
    if (!r)
        r = format_check_side("height", height, 1);
    if (r)
        return r;

    *format =
        (struct framebus_format){.fourcc = fourcc, .width = width, .height = height, .planes = info->planes};
    /* GStreamer makes the number of rows even where two share chroma, and in I422_10LE and I422_12LE. */
    const struct framebus_plane_layout *last = &info->plane[info->planes - 1];
    bool even = last->sub_y == 2 || (info->planes == 3 && last->bytes == 2 && last->sub_x == 2);
    uint32_t picture_rows = even ? height + (height & 1) : height;
    for (unsigned i = 0; i < info->planes; i++) {
        uint32_t rows = divide_up(picture_rows, info->plane[i].sub_y);
        uint32_t pad = info->plane[i].bytes == 5 ? 1 : 4; /* GStreamer leaves groups of 40 bits unpadded */
        format->stride[i] = divide_up(framebus_format_row_bytes(format, i), pad) * pad;
        format->offset[i] = format->size;
        format->size += (uint64_t)format->stride[i] * rows;
    }
    return 0;
}

int framebus_format_init_name(struct framebus_format *format, const char *name, uint32_t width,
                              uint32_t height)
{
    const struct framebus_format_info *info = framebus_format_by_name(name);
    if (!info)
        return fail(-EINVAL, "\"%s\" is not a format such as NV12: 'framebus test --formats' lists them",
                    name ? name : "(null)");
    return framebus_format_init(format, info->fourcc, width, height);
}

int framebus_format_init_opaque(struct framebus_format *format, const char *caps, uint64_t size)
{
    if (!format)
        return fail(-EINVAL, "no format to fill in");
    const struct framebus_format wanted = {.caps = caps, .size = size};
    int r = framebus_format_check(&wanted);
    if (!r)
        *format = wanted;
    return r;
}

/* ---- Checking ---- */

/* Refuses x/0, what does not fit GStreamer's fractions (of int), and 0/y unless `zero`: there it has a
 * meaning. */
static int format_check_fraction(const char *what, uint32_t num, uint32_t den, bool zero)
{
    bool unset = !num && !den;
    if (!unset && (!den || (!num && !zero) || num > INT_MAX || den > INT_MAX))
        return fail(-EINVAL, "%s %" PRIu32 "/%" PRIu32 " is not a usable fraction", what, num, den);
    return 0;
}

static int format_check_caps(const char *caps, bool required)
{
    size_t length = caps ? strnlen(caps, FRAMEBUS_CAPS_MAX) : 0;
    if (length == FRAMEBUS_CAPS_MAX)
        return fail(-EINVAL, "caps text has no end within %d bytes", FRAMEBUS_CAPS_MAX);
    if (!length && required)
        return fail(-EINVAL, "fourcc 0 (an opaque payload) needs caps text that says what it is");
    return 0;
}

static int format_check_payload(const struct framebus_format *format)
{
    if (format->planes)
        return fail(-EINVAL, "planes %" PRIu32 " with fourcc 0: opaque payloads have none", format->planes);
    if (format->modifier)
        return fail(-EINVAL, "modifier 0x%" PRIx64 " with fourcc 0: opaque payloads have none",
                    format->modifier);
    int r = format_check_side("width", format->width, 0);
    return r ? r : format_check_side("height", format->height, 0);
}

/* How a driver lays out tiles or compressed pictures cannot be checked, but where they are can. */
static int format_check_tiled(const struct framebus_format *format)
{
    if (format->modifier == DRM_FORMAT_MOD_INVALID)
        return fail(-EINVAL, "modifier is DRM_FORMAT_MOD_INVALID: the layout has to be known");
    for (unsigned i = 0; i < format->planes; i++)
        if (format->offset[i] >= format->size)
            return fail(-EINVAL, "offset of plane %u is %" PRIu64 ", past the size %" PRIu64, i,
                        format->offset[i], format->size);
    return 0;
}

static int format_check_linear(const struct framebus_format *format, const struct framebus_format_info *info)
{
    if (format->planes != info->planes)
        return fail(-EINVAL, "planes %" PRIu32 ": %s has %u", format->planes, info->name, info->planes);
    for (unsigned i = 0; i < format->planes; i++) {
        uint32_t row = framebus_format_row_bytes(format, i), stride = format->stride[i];
        if (stride < row || stride > INT_MAX)
            return fail(-EINVAL, "stride of plane %u is %" PRIu32 ", outside %" PRIu32 "..%d", i, stride, row,
                        INT_MAX);
        /* Cannot overflow: a stride below 2^31, at most 2^14 rows. The last row needs no padding. */
        uint64_t bytes = (uint64_t)stride * (framebus_format_rows(format, i) - 1) + row;
        if (format->offset[i] > format->size || bytes > format->size - format->offset[i])
            return fail(-EINVAL,
                        "plane %u, %" PRIu64 " bytes at offset %" PRIu64 ", exceeds the size %" PRIu64, i,
                        bytes, format->offset[i], format->size);
    }
    return 0;
}

static int format_check_picture(const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    if (!info)
        return fail(-EINVAL, "fourcc %s is not in the format table", fourcc_text(format->fourcc).text);
    int r = format_check_side("width", format->width, 1);
    if (!r)
        r = format_check_side("height", format->height, 1);
    if (r)
        return r;
    if (!format->planes || format->planes > FRAMEBUS_PLANES_MAX)
        return fail(-EINVAL, "planes %" PRIu32 " is outside 1..%d", format->planes, FRAMEBUS_PLANES_MAX);
    return format->modifier ? format_check_tiled(format) : format_check_linear(format, info);
}

int framebus_format_check(const struct framebus_format *format)
{
    if (!format)
        return fail(-EINVAL, "no format given");
    if (!format->size || format->size > FORMAT_SIZE_MAX)
        return fail(-EINVAL, "size %" PRIu64 " is outside 1..%" PRIu64, format->size, FORMAT_SIZE_MAX);
    if (format->color.range > 2)
        return fail(-EINVAL, "color.range %u is none of 0 (unknown), 1 (limited), 2 (full)",
                    format->color.range);
    if (format->orientation > FRAMEBUS_ORIENTATION_MIRROR_270)
        return fail(-EINVAL, "orientation %" PRIu32 " is outside 0..%d", format->orientation,
                    FRAMEBUS_ORIENTATION_MIRROR_270);
    for (unsigned i = 0; i < sizeof format->reserved / sizeof *format->reserved; i++)
        if (format->reserved[i])
            return fail(-EINVAL, "reserved[%u] of the format is not zero", i);
    int r = format_check_fraction("frame rate", format->rate_num, format->rate_den, true);
    if (!r)
        r = format_check_fraction("pixel aspect", format->aspect_num, format->aspect_den, false);
    if (!r)
        r = format_check_caps(format->caps, !format->fourcc);
    if (!r)
        r = format->fourcc ? format_check_picture(format) : format_check_payload(format);
    return r;
}

/* ---- Comparing and describing ---- */

bool framebus_format_equal(const struct framebus_format *a, const struct framebus_format *b)
{
    if (!a || !b)
        return a == b;
    if (a->fourcc != b->fourcc || a->width != b->width || a->height != b->height ||
        a->rate_num != b->rate_num || a->rate_den != b->rate_den || a->aspect_num != b->aspect_num ||
        a->aspect_den != b->aspect_den || a->color.primaries != b->color.primaries ||
        a->color.transfer != b->color.transfer || a->color.matrix != b->color.matrix ||
        a->color.range != b->color.range || a->modifier != b->modifier || a->size != b->size ||
        a->planes != b->planes || a->orientation != b->orientation)
        return false;
    for (unsigned i = 0; i < a->planes && i < FRAMEBUS_PLANES_MAX; i++)
        if (a->stride[i] != b->stride[i] || a->offset[i] != b->offset[i])
            return false;
    return !strcmp(a->caps ? a->caps : "", b->caps ? b->caps : "");
}

/* The media type: caps text up to a comma, features or a second structure. Terminals show it, so only
 * printable characters are left. */
static void caps_describe(const char *caps, char *text, size_t room)
{
    size_t length = strcspn(caps, ",;( \t");
    if (length >= room)
        length = room - 1;
    for (size_t i = 0; i < length; i++)
        text[i] = caps[i] > ' ' && caps[i] <= '~' ? caps[i] : '?';
    text[length] = 0;
}

char *framebus_format_describe(const struct framebus_format *format, char *text, size_t room)
{
    if (!text || !room)
        return text;
    if (!format) {
        snprintf(text, room, "no format");
        return text;
    }
    char kind[64];
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    if (info)
        snprintf(kind, sizeof kind, "%s", info->name);
    else if (format->fourcc)
        snprintf(kind, sizeof kind, "%s", fourcc_text(format->fourcc).text);
    else
        caps_describe(format->caps ? format->caps : "", kind, sizeof kind);

    static const char *const turned[] = {
        "",          " turned 90",           " turned 180",           " turned 270",
        " mirrored", " mirrored, turned 90", " mirrored, turned 180", " mirrored, turned 270"};
    char sides[32] = "", rate[32] = "", modifier[40] = "";
    if (format->width || format->height)
        snprintf(sides, sizeof sides, " %" PRIu32 "x%" PRIu32, format->width, format->height);
    if (format->rate_num && format->rate_den)
        snprintf(rate, sizeof rate, " %" PRIu32 "/%" PRIu32, format->rate_num, format->rate_den);
    if (format->modifier)
        snprintf(modifier, sizeof modifier, " modifier 0x%" PRIx64, format->modifier);
    snprintf(text, room, "%s%s%s%s%s", kind, sides, rate, modifier, turned[format->orientation & 7]);
    return text;
}
