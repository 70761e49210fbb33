/* SPDX-License-Identifier: MIT */
/*
 * The ways from the formats' pixels to 32-bit ones, band by band of a picture: what has more than 8 bits is
 * narrowed to 8, then the function of the format's way (formats.c) calls those of libyuv.
 */
#include "convert.h"
#include "color.h"
#include "formats.h"

#include <drm_fourcc.h>
#include <endian.h>
#include <errno.h>
#include <libyuv.h>
#include <stdlib.h>
#include <string.h>

/* Ways to components of 8 bits. */
enum convert_narrow {
    NARROW_NOT,    /* they have no more than 8 */
    NARROW_PLANES, /* planes of little-endian 16-bit samples */
    NARROW_BYTES,  /* words of 16-bit samples, or big-endian ones */
    NARROW_30,     /* words of three times ten bits */
    NARROW_24,     /* pixels of three bytes, which become four */
    NARROW_40,     /* planes of ten-bit samples without gaps, four in five bytes */
};

/* The arrangement of chroma after the steps of a way. */
enum convert_chroma {
    CHROMA_420,
    CHROMA_422,
    CHROMA_444,
    CHROMA_NV12, /* 4:2:0, Cb and Cr in turns */
    CHROMA_NV21, /* 4:2:0, Cr and Cb in turns */
};

typedef int rgb_function(const uint8_t *from, int from_stride, uint8_t *to, int to_stride, int width,
                         int height);

struct convert {
    const struct framebus_format_info *info;
    struct framebus_format format;
    struct color color;
    enum format_way way;
    enum convert_narrow narrow;
    enum convert_chroma chroma;
    bool big_endian;
    bool vu;           /* Cr before Cb */
    uint8_t deep_bits; /* bits up to the highest one of a 16-bit sample */
    uint8_t at[3];     /* bytes of a narrowed pixel that hold Y, Cb, Cr or R, G, B */
    int width;
    uint8_t *scratch;
    size_t scratch_room;
    uint8_t *pixels; /* of convert_to_444() */
    size_t pixels_room;
};

/* Some rows of a picture. */
struct band {
    const struct convert *convert;
    const uint8_t *from[FRAMEBUS_PLANES_MAX];
    int from_stride[FRAMEBUS_PLANES_MAX];
    uint8_t *to;
    int to_stride;
    int height;
};

static int divide_up(int value, int by)
{
    return (value + by - 1) / by;
}

/* ---- Scratch: planes of a band, each wide enough for four bytes a pixel ---- */

enum {
    SCRATCH_NARROW, /* what was narrowed, a plane for each of the picture's */
    SCRATCH_Y = SCRATCH_NARROW + FRAMEBUS_PLANES_MAX,
    SCRATCH_U,
    SCRATCH_V,
    SCRATCH_A,
    SCRATCH_WIDE, /* Y, Cb and Cr of full range */
    SCRATCH_SHORTS = SCRATCH_WIDE + 3,
    SCRATCH_OFFSET,
    SCRATCH_PLANES,
};

static int scratch_stride(const struct convert *convert)
{
    return (convert->width * 4 + 64 + 63) / 64 * 64;
}

static uint8_t *scratch_plane(const struct convert *convert, unsigned plane)
{
    return convert->scratch + (size_t)plane * scratch_stride(convert) * CONVERT_BAND_ROWS;
}

static int scratch_allocate(struct convert *convert)
{
    size_t room = (size_t)scratch_stride(convert) * CONVERT_BAND_ROWS * SCRATCH_PLANES;
    if (convert->scratch_room >= room)
        return 0;
    free(convert->scratch);
    convert->scratch = malloc(room);
    convert->scratch_room = convert->scratch ? room : 0;
    return convert->scratch ? 0 : -ENOMEM;
}

/* ---- Narrowing to 8 bits ---- */

/* libyuv takes 16-bit samples in this processor's order. */
static void narrow_plane(const struct band *band, unsigned plane, uint8_t *to, int width, int height)
{
    const struct convert *convert = band->convert;
    const uint16_t *words = (const uint16_t *)band->from[plane];
    int stride = band->from_stride[plane] / 2;
    if (BYTE_ORDER == BIG_ENDIAN) {
        uint16_t *turned = (uint16_t *)scratch_plane(convert, SCRATCH_SHORTS);
        int turned_stride = scratch_stride(convert) / 2;
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                turned[y * turned_stride + x] = le16toh(words[(size_t)y * stride + x]);
        words = turned;
        stride = turned_stride;
    }
    Convert16To8Plane(words, stride, to, scratch_stride(convert), 1 << (24 - convert->deep_bits), width,
                      height);
}

/* The upper byte of 16 bits is the second, or the first of big-endian. */
static void narrow_bytes(const struct band *band, uint8_t *to, int samples)
{
    const struct convert *convert = band->convert;
    int stride = scratch_stride(convert);
    uint8_t *low = scratch_plane(convert, SCRATCH_SHORTS);
    SplitUVPlane(band->from[0], band->from_stride[0], convert->big_endian ? to : low, stride,
                 convert->big_endian ? low : to, stride, samples, band->height);
}

/* The upper eight bits of each ten, the lowest ten first. libyuv does it on little-endian processors only,
 * and no faster. */
static void narrow_30(const struct band *band, uint8_t *rows)
{
    const struct convert *convert = band->convert;
    for (int y = 0; y < band->height; y++) {
        const uint8_t *from = band->from[0] + (size_t)y * band->from_stride[0];
        uint8_t *to = rows + (size_t)y * scratch_stride(convert);
        for (int x = 0; x < convert->width; x++, from += 4, to += 4) {
            uint32_t word;
            memcpy(&word, from, sizeof word);
            word = convert->big_endian ? be32toh(word) : le32toh(word);
            to[0] = (uint8_t)(word >> 2);
            to[1] = (uint8_t)(word >> 12);
            to[2] = (uint8_t)(word >> 22);
            to[3] = 255;
        }
    }
}

/* The upper eight bits of each ten. */
static void narrow_40(const struct band *band, unsigned plane, uint8_t *rows, int samples, int height)
{
    for (int y = 0; y < height; y++) {
        const uint8_t *from = band->from[plane] + (size_t)y * band->from_stride[plane];
        uint8_t *to = rows + (size_t)y * scratch_stride(band->convert);
        for (int x = 0; x < samples; x += 4, from += 5, to += 4) {
            to[0] = (uint8_t)(from[0] >> 2 | from[1] << 6);
            to[1] = (uint8_t)(from[1] >> 4 | from[2] << 4);
            to[2] = (uint8_t)(from[2] >> 6 | from[3] << 2);
            to[3] = from[4];
        }
    }
}

/* Leaves 8-bit components in band->from. */
static int band_narrow(struct band *band)
{
    const struct convert *convert = band->convert;
    int r = 0;
    if (convert->narrow == NARROW_NOT)
        return 0;
    for (unsigned i = 0; i < convert->info->planes; i++) {
        int bytes = (int)framebus_format_row_bytes(&convert->format, i), samples = bytes / 2;
        int height = divide_up(band->height, convert->info->plane[i].sub_y);
        uint8_t *to = scratch_plane(convert, SCRATCH_NARROW + i);
        if (convert->narrow == NARROW_PLANES)
            narrow_plane(band, i, to, samples, height);
        else if (convert->narrow == NARROW_40)
            narrow_40(band, i, to, bytes / 5 * 4, height);
        else if (convert->narrow == NARROW_BYTES)
            narrow_bytes(band, to, samples);
        else if (convert->narrow == NARROW_30)
            narrow_30(band, to);
        else
            r = RGB24ToARGB(band->from[i], band->from_stride[i], to, scratch_stride(convert), convert->width,
                            band->height);
        band->from[i] = to;
        band->from_stride[i] = scratch_stride(convert);
    }
    return r;
}

/* ---- The last step of YUV ---- */

struct yuv {
    const uint8_t *plane[3]; /* Y, Cb, Cr; or Y and both */
    int stride[3];
};

static int yuv_chroma_width(const struct convert *convert)
{
    switch (convert->chroma) {
    case CHROMA_444:
        return convert->width;
    case CHROMA_NV12:
    case CHROMA_NV21:
        return divide_up(convert->width, 2) * 2;
    default:
        return divide_up(convert->width, 2);
    }
}

static int yuv_chroma_height(const struct band *band)
{
    bool whole = band->convert->chroma == CHROMA_422 || band->convert->chroma == CHROMA_444;
    return whole ? band->height : divide_up(band->height, 2);
}

/* (value - 16) * gain, the gain being fixed-point. */
static void yuv_widen_plane(const struct band *band, struct yuv *yuv, unsigned i, int width, int height,
                            int gain)
{
    const struct convert *convert = band->convert;
    int stride = scratch_stride(convert);
    uint8_t *to = scratch_plane(convert, SCRATCH_WIDE + i), *offset = scratch_plane(convert, SCRATCH_OFFSET);
    uint16_t *shorts = (uint16_t *)scratch_plane(convert, SCRATCH_SHORTS);
    memset(offset, 16, stride);
    CopyPlane(yuv->plane[i], yuv->stride[i], to, stride, width, height);
    ARGBSubtract(to, stride, offset, 0, to, stride, divide_up(width, 4), height);
    Convert8To16Plane(to, stride, shorts, stride / 2, 1 << 15, width, height);
    Convert16To8Plane(shorts, stride / 2, to, stride, gain, width, height);
    yuv->plane[i] = to;
    yuv->stride[i] = stride;
}

/*
 * libyuv's coefficients end at 2.0. Those of BT.709 and BT.2020 with limited range go up to 2.14, which
 * leaves blue up to 16 levels too dark. Their full-range coefficients fit; so the samples are brought to full
 * range before. 594 is 255/219 in steps of 1/510, 583 is the gain that makes 112 exactly 128: grey stays
 * grey.
 */
static void yuv_widen(const struct band *band, struct yuv *yuv)
{
    const struct convert *convert = band->convert;
    bool semi = convert->chroma == CHROMA_NV12 || convert->chroma == CHROMA_NV21;
    yuv_widen_plane(band, yuv, 0, convert->width, band->height, 594);
    for (unsigned i = 1; i < (semi ? 2 : 3); i++)
        yuv_widen_plane(band, yuv, i, yuv_chroma_width(convert), yuv_chroma_height(band), 583);
}

static int yuv_convert(const struct band *band, struct yuv *yuv)
{
    static const struct YuvConstants *const full[] = {
        [COLOR_BT601] = &kYuvJPEGConstants,
        [COLOR_BT709] = &kYuvF709Constants,
        [COLOR_BT2020] = &kYuvV2020Constants,
    };
    const struct convert *convert = band->convert;
    const struct YuvConstants *constants = full[convert->color.matrix];
    const uint8_t *const *p = yuv->plane;
    const int *stride = yuv->stride;
    uint8_t *to = band->to;
    int width = convert->width, height = band->height;
    if (!convert->color.full && convert->color.matrix == COLOR_BT601)
        constants = &kYuvI601Constants;
    else if (!convert->color.full)
        yuv_widen(band, yuv);
    switch (convert->chroma) {
    case CHROMA_420:
        return I420ToARGBMatrix(p[0], stride[0], p[1], stride[1], p[2], stride[2], to, band->to_stride,
                                constants, width, height);
    case CHROMA_422:
        return I422ToARGBMatrix(p[0], stride[0], p[1], stride[1], p[2], stride[2], to, band->to_stride,
                                constants, width, height);
    case CHROMA_444:
        return I444ToARGBMatrix(p[0], stride[0], p[1], stride[1], p[2], stride[2], to, band->to_stride,
                                constants, width, height);
    case CHROMA_NV12:
        return NV12ToARGBMatrix(p[0], stride[0], p[1], stride[1], to, band->to_stride, constants, width,
                                height);
    case CHROMA_NV21:
        return NV21ToARGBMatrix(p[0], stride[0], p[1], stride[1], to, band->to_stride, constants, width,
                                height);
    }
    return -1;
}

/* ---- The ways ---- */

/* Where the planes of a format in their own order are; Cb and Cr exchanged if it has Cr first. */
static struct yuv yuv_arrange(const struct band *band, const uint8_t *u, int u_stride, const uint8_t *v,
                              int v_stride)
{
    const uint8_t *y = band->from[0];
    int y_stride = band->from_stride[0];
    return band->convert->vu ? (struct yuv){{y, v, u}, {y_stride, v_stride, u_stride}}
                             : (struct yuv){{y, u, v}, {y_stride, u_stride, v_stride}};
}

static int band_planes(struct band *band)
{
    struct yuv yuv =
        yuv_arrange(band, band->from[1], band->from_stride[1], band->from[2], band->from_stride[2]);
    return yuv_convert(band, &yuv);
}

static int band_split(struct band *band)
{
    const struct convert *convert = band->convert;
    int stride = scratch_stride(convert);
    uint8_t *u = scratch_plane(convert, SCRATCH_U), *v = scratch_plane(convert, SCRATCH_V);
    struct yuv yuv = yuv_arrange(band, u, stride, v, stride);
    SplitUVPlane(band->from[1], band->from_stride[1], u, stride, v, stride, yuv_chroma_width(convert),
                 band->height);
    return yuv_convert(band, &yuv);
}

/* One value of chroma for four pixels in a row becomes one for two. */
static int band_coarse(struct band *band)
{
    const struct convert *convert = band->convert;
    int stride = scratch_stride(convert), from_width = divide_up(convert->width, 4);
    int from_height = divide_up(band->height, convert->info->plane[1].sub_y);
    struct yuv yuv = yuv_arrange(band, scratch_plane(convert, SCRATCH_U), stride,
                                 scratch_plane(convert, SCRATCH_V), stride);
    for (unsigned i = 0; i < 2; i++)
        ScalePlane(band->from[i + 1], band->from_stride[i + 1], from_width, from_height,
                   scratch_plane(convert, SCRATCH_U + i), stride, yuv_chroma_width(convert),
                   yuv_chroma_height(band), kFilterNone);
    return yuv_convert(band, &yuv);
}

static int band_packed_422(struct band *band)
{
    const struct convert *convert = band->convert;
    int stride = scratch_stride(convert);
    uint8_t *y = scratch_plane(convert, SCRATCH_Y), *u = scratch_plane(convert, SCRATCH_U),
            *v = scratch_plane(convert, SCRATCH_V);
    int r = (convert->at[0] == 0 ? YUY2ToI422 : UYVYToI422)(band->from[0], band->from_stride[0], y, stride, u,
                                                            stride, v, stride, convert->width, band->height);
    band->from[0] = y;
    band->from_stride[0] = stride;
    struct yuv yuv = yuv_arrange(band, u, stride, v, stride);
    return r ? r : yuv_convert(band, &yuv);
}

/* SplitRGBPlane() of libyuv 1898 to 1955 writes past its own arrays on the stack, with AVX2, at every width
 * that is not a multiple of 32: so pixels of 24 bits have become 32-bit ones before. */
static int band_packed_444(struct band *band)
{
    const struct convert *convert = band->convert;
    const uint8_t *at = convert->at;
    int stride = scratch_stride(convert);
    uint8_t *byte[4];
    for (unsigned i = 0; i < 4; i++)
        byte[i] = scratch_plane(convert, SCRATCH_Y + i);
    struct yuv yuv = {{byte[at[0]], byte[at[1]], byte[at[2]]}, {stride, stride, stride}};
    /* libyuv's R, G, B, A are the bytes 2, 1, 0, 3. */
    SplitARGBPlane(band->from[0], band->from_stride[0], byte[2], stride, byte[1], stride, byte[0], stride,
                   byte[3], stride, convert->width, band->height);
    return yuv_convert(band, &yuv);
}

static int band_gray(struct band *band)
{
    return I400ToARGBMatrix(band->from[0], band->from_stride[0], band->to, band->to_stride,
                            band->convert->color.full ? &kYuvJPEGConstants : &kYuvI601Constants,
                            band->convert->width, band->height);
}

static rgb_function *rgb_function_of(const struct convert *convert)
{
    /* By the byte of a pixel that red is in. */
    static rgb_function *const four[] = {ABGRToARGB, BGRAToARGB, ARGBCopy, RGBAToARGB};
    switch (convert->info->plane[0].bytes) {
    case 2:
        return convert->info->depth == 6 ? RGB565ToARGB : ARGB1555ToARGB;
    case 3:
        return convert->at[0] == 0 ? RAWToARGB : RGB24ToARGB;
    default:
        return four[convert->at[0]];
    }
}

/* From 16..235 to 0..255, in place. */
static int rgb_widen(const struct band *band)
{
    uint8_t table[256 * 4];
    for (int i = 0; i < 256; i++) {
        int full = i < 16 ? 0 : i > 235 ? 255 : ((i - 16) * 255 + 109) / 219;
        memset(table + i * 4, full, 4);
    }
    return ARGBColorTable(band->to, band->to_stride, table, 0, 0, band->convert->width, band->height);
}

static int band_rgb(struct band *band)
{
    const struct convert *convert = band->convert;
    int r = rgb_function_of(convert)(band->from[0], band->from_stride[0], band->to, band->to_stride,
                                     convert->width, band->height);
    /* The functions for 16 bits leave red and blue exchanged if red is the low one. */
    if (!r && convert->info->plane[0].bytes == 2 && convert->at[0] == 0)
        r = ABGRToARGB(band->to, band->to_stride, band->to, band->to_stride, convert->width, band->height);
    return r || convert->color.full ? r : rgb_widen(band);
}

static int (*const ways[])(struct band *band) = {
    [FORMAT_WAY_GRAY] = band_gray,
    [FORMAT_WAY_RGB] = band_rgb,
    [FORMAT_WAY_PACKED_422] = band_packed_422,
    [FORMAT_WAY_PACKED_444] = band_packed_444,
    [FORMAT_WAY_PLANES] = band_planes,
    [FORMAT_WAY_SPLIT] = band_split,
    [FORMAT_WAY_COARSE] = band_coarse,
};

/* ---- What to do with a format ---- */

static enum convert_narrow convert_narrow_of(const struct convert *convert,
                                             const struct format_component *first)
{
    bool planes = convert->info->planes > 1 || convert->way == FORMAT_WAY_GRAY;
    if (convert->info->plane[0].bytes == 5)
        return NARROW_40;
    if (planes)
        return first->bits <= 8 ? NARROW_NOT : convert->big_endian ? NARROW_BYTES : NARROW_PLANES;
    if (convert->info->plane[0].bytes == 8)
        return NARROW_BYTES;
    if (first->bits == 10)
        return NARROW_30;
    return convert->info->plane[0].bytes == 3 && convert->way == FORMAT_WAY_PACKED_444 ? NARROW_24
                                                                                       : NARROW_NOT;
}

/* The byte of a pixel, or of a group of two, that a component is in once narrowed. */
static uint8_t convert_byte_of(const struct convert *convert, const struct format_component *component)
{
    unsigned bytes = convert->info->plane[0].bytes, bits = bytes * 8, count = bytes == 3 ? 3 : 4;
    unsigned at = convert->big_endian && convert->narrow != NARROW_30
                      ? bits - component->shift - component->bits
                      : component->shift;
    return (uint8_t)(at * count / bits);
}

static enum convert_chroma convert_chroma_of(const struct convert *convert,
                                             const struct format_component *chroma)
{
    if (convert->way == FORMAT_WAY_PLANES && convert->info->planes == 2)
        return convert->vu ? CHROMA_NV21 : CHROMA_NV12;
    return chroma->sub_y > 1 ? CHROMA_420 : chroma->sub_x > 1 ? CHROMA_422 : CHROMA_444;
}

bool convert_knows(uint32_t fourcc)
{
    return format_row_find(fourcc);
}

int convert_prepare(struct convert *convert, const struct framebus_format *format)
{
    uint32_t fourcc = format->fourcc;
    struct format_component c[3] = {0};
    if (format->modifier || !convert_knows(fourcc))
        return -ENOTSUP;
    convert->info = framebus_format_find(fourcc);
    convert->format = *format;
    convert->format.caps = NULL;
    convert->color = color_of(format);
    convert->way = format_row_find(fourcc)->way;
    convert->big_endian = fourcc & DRM_FORMAT_BIG_ENDIAN;
    convert->width = (int)format->width;

    const char *names = convert->way == FORMAT_WAY_RGB ? "RGB" : "YUV";
    for (unsigned i = 0; i < 3; i++)
        format_component(fourcc, names[i], &c[i]);
    convert->narrow = convert_narrow_of(convert, &c[0]);
    convert->deep_bits = c[0].shift + c[0].bits;
    for (unsigned i = 0; i < 3; i++)
        convert->at[i] = convert_byte_of(convert, &c[i]);
    convert->vu = c[1].plane == c[2].plane ? c[2].shift < c[1].shift : c[2].plane < c[1].plane;
    convert->chroma = convert_chroma_of(convert, &c[1]);
    if (convert->chroma == CHROMA_NV21)
        convert->vu = false; /* libyuv exchanges them by itself */
    return scratch_allocate(convert);
}

struct convert *convert_create(void)
{
    return calloc(1, sizeof(struct convert));
}

void convert_destroy(struct convert *convert)
{
    if (!convert)
        return;
    free(convert->scratch);
    free(convert->pixels);
    free(convert);
}

int convert_band(struct convert *convert, const struct framebus_frame *frame, int y, uint8_t *pixels,
                 int stride)
{
    const struct framebus_format_info *info = convert->info;
    int left = (int)convert->format.height - y;
    struct band band = {
        .convert = convert,
        .to = pixels,
        .to_stride = stride,
        .height = left < CONVERT_BAND_ROWS ? left : CONVERT_BAND_ROWS,
    };
    for (unsigned i = 0; i < info->planes; i++) {
        size_t row = y / info->plane[i].sub_y;
        if (info->depth > 8 && convert->narrow != NARROW_40 && frame->plane[i].stride % 2)
            return -EINVAL; /* libyuv counts strides of 16-bit samples in samples */
        band.from[i] = (const uint8_t *)frame->plane[i].data + row * frame->plane[i].stride;
        band.from_stride[i] = (int)frame->plane[i].stride;
    }
    return band_narrow(&band) || ways[convert->way](&band) ? -EINVAL : 0;
}

int convert_picture(struct convert *convert, const struct framebus_frame *frame, uint8_t *pixels, int stride)
{
    int height = (int)convert->format.height, r = 0;
    for (int y = 0; !r && y < height; y += CONVERT_BAND_ROWS)
        r = convert_band(convert, frame, y, pixels + (size_t)y * stride, stride);
    return r;
}

int convert_to_444(struct convert *convert, const struct framebus_frame *frame, uint8_t *to)
{
    int width = convert->width, height = (int)convert->format.height;
    size_t plane = (size_t)width * (size_t)height;
    if (convert->pixels_room < 4 * plane) {
        free(convert->pixels);
        convert->pixels = malloc(4 * plane);
        convert->pixels_room = convert->pixels ? 4 * plane : 0;
    }
    if (!convert->pixels)
        return -ENOMEM;
    int r = convert_picture(convert, frame, convert->pixels, 4 * width);
    if (!r && ARGBToI444(convert->pixels, 4 * width, to, width, to + plane, width, to + 2 * plane, width,
                         width, height))
        r = -EINVAL;
    return r;
}

void convert_scale(const uint8_t *from, int from_stride, int from_width, int from_height, uint8_t *to,
                   int to_stride, int to_width, int to_height)
{
    ARGBScale(from, from_stride, from_width, from_height, to, to_stride, to_width, to_height, kFilterBox);
}
