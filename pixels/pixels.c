/* SPDX-License-Identifier: MIT */
#include "pixels.h"

#include "../lib/fourcc.h"

#include <libyuv.h>
#include <string.h>

typedef int packed8(const uint8_t *from, int from_stride, uint8_t *to, int to_stride, int width, int height);
typedef int packed16(const uint16_t *from, int from_stride, uint8_t *to, int to_stride, int width,
                     int height);
typedef int unpack422(const uint8_t *from, int from_stride, uint8_t *y, int y_stride, uint8_t *u,
                      int u_stride, uint8_t *v, int v_stride, int width, int height);

enum chroma {
    C420,
    C422,
    C444,
    NV12, /* 4:2:0, Cb and Cr in turns ... */
    NV21, /* ... or Cr and Cb */
};

struct pixels_rule {
    uint32_t fourcc;
    int (*run)(struct pixels_band *band);
    enum chroma chroma; /* of what the steps before the last one make */
    bool vu;            /* Cr before Cb */
    uint8_t bits;       /* of 16, counted from the low end: 16 also where the high bits are used */
    uint8_t at[3];      /* packed 4:4:4: which bytes Y, Cb and Cr are */
    union {
        packed8 *packed8;
        packed16 *packed16;
        unpack422 *unpack422;
    };
};

/* ---- Scratch: planes of a band, each wide enough for four bytes a pixel ---- */

enum {
    PLANE_Y,
    PLANE_U,
    PLANE_V,
    PLANE_A,
    PLANE_PACKED,
    PLANE_WIDE_Y,
    PLANE_WIDE_U,
    PLANE_WIDE_V,
    PLANE_SHORTS,
    PLANE_OFFSET,
    SCRATCH_PLANES,
};

static int scratch_stride(int width)
{
    return (width * 4 + 64 + 63) / 64 * 64;
}

static uint8_t *scratch(const struct pixels_band *band, unsigned plane)
{
    return band->scratch + (size_t)plane * scratch_stride(band->width) * PIXELS_BAND;
}

size_t pixels_scratch_size(int width)
{
    return (size_t)scratch_stride(width) * PIXELS_BAND * SCRATCH_PLANES;
}

/* ---- The last step of YUV ---- */

struct yuv {
    const uint8_t *plane[3]; /* Y, Cb, Cr; or Y and both */
    int stride[3];
};

static int divide_up(int value, int by)
{
    return (value + by - 1) / by;
}

static int chroma_width(const struct pixels_band *band)
{
    switch (band->rule->chroma) {
    case C444:
        return band->width;
    case NV12:
    case NV21:
        return divide_up(band->width, 2) * 2;
    default:
        return divide_up(band->width, 2);
    }
}

static int chroma_height(const struct pixels_band *band)
{
    return band->rule->chroma == C422 || band->rule->chroma == C444 ? band->height
                                                                    : divide_up(band->height, 2);
}

/* (value - 16) * gain, the gain being fixed-point. */
static void widen(struct pixels_band *band, struct yuv *yuv, unsigned i, int width, int height, int gain)
{
    int stride = scratch_stride(band->width);
    uint8_t *to = scratch(band, PLANE_WIDE_Y + i), *offset = scratch(band, PLANE_OFFSET);
    uint16_t *shorts = (uint16_t *)scratch(band, PLANE_SHORTS);

    memset(offset, 16, stride);
    CopyPlane(yuv->plane[i], yuv->stride[i], to, stride, width, height);
    ARGBSubtract(to, stride, offset, 0, to, stride, divide_up(width, 4), height);
    Convert8To16Plane(to, stride, shorts, stride / 2, 1 << 15, width, height);
    Convert16To8Plane(shorts, stride / 2, to, stride, gain, width, height);
    yuv->plane[i] = to;
    yuv->stride[i] = stride;
}

/*
 * libyuv's coefficients end at 2.0. Those of BT.709 and BT.2020 with limited range go up to 2.14,
 * which leaves blue up to 16 levels too dark. Their full-range coefficients fit; so the samples are
 * brought to full range before. 594 is 255/219 in steps of 1/510, 583 is the gain that makes 112
 * exactly 128: grey stays grey.
 */
static void widen_all(struct pixels_band *band, struct yuv *yuv)
{
    bool semi = band->rule->chroma == NV12 || band->rule->chroma == NV21;

    widen(band, yuv, 0, band->width, band->height, 594);
    for (unsigned i = 1; i < (semi ? 2 : 3); i++)
        widen(band, yuv, i, chroma_width(band), chroma_height(band), 583);
}

static int finish_yuv(struct pixels_band *band, struct yuv *yuv)
{
    static const struct YuvConstants *const full[] = {
        [COLOR_BT601] = &kYuvJPEGConstants,
        [COLOR_BT709] = &kYuvF709Constants,
        [COLOR_BT2020] = &kYuvV2020Constants,
    };
    const struct YuvConstants *constants = full[band->color.matrix];
    const uint8_t *const *p = yuv->plane;
    const int *stride = yuv->stride;

    if (!band->color.full && band->color.matrix == COLOR_BT601)
        constants = &kYuvI601Constants;
    else if (!band->color.full)
        widen_all(band, yuv);
    switch (band->rule->chroma) {
    case C420:
        return I420ToARGBMatrix(p[0], stride[0], p[1], stride[1], p[2], stride[2], band->to, band->to_stride,
                                constants, band->width, band->height);
    case C422:
        return I422ToARGBMatrix(p[0], stride[0], p[1], stride[1], p[2], stride[2], band->to, band->to_stride,
                                constants, band->width, band->height);
    case C444:
        return I444ToARGBMatrix(p[0], stride[0], p[1], stride[1], p[2], stride[2], band->to, band->to_stride,
                                constants, band->width, band->height);
    case NV12:
        return NV12ToARGBMatrix(p[0], stride[0], p[1], stride[1], band->to, band->to_stride, constants,
                                band->width, band->height);
    case NV21:
        return NV21ToARGBMatrix(p[0], stride[0], p[1], stride[1], band->to, band->to_stride, constants,
                                band->width, band->height);
    }
    return -1;
}

/* ---- The steps before it ---- */

/* Where the planes of a format in their own order are; cb and cr exchanged if the rule says so. */
static struct yuv arrange(const struct pixels_band *band, const uint8_t *y, int y_stride, const uint8_t *u,
                          int u_stride, const uint8_t *v, int v_stride)
{
    return band->rule->vu ? (struct yuv){{y, v, u}, {y_stride, v_stride, u_stride}}
                          : (struct yuv){{y, u, v}, {y_stride, u_stride, v_stride}};
}

static int run_planes(struct pixels_band *band)
{
    struct yuv yuv = arrange(band, band->from[0], band->from_stride[0], band->from[1], band->from_stride[1],
                             band->from[2], band->from_stride[2]);

    return finish_yuv(band, &yuv);
}

/* 16-bit samples, of which `bits` are used, to 8 bits. */
static void reduce(const struct pixels_band *band, unsigned from, unsigned to, int width, int height)
{
    Convert16To8Plane((const uint16_t *)band->from[from], band->from_stride[from] / 2, scratch(band, to),
                      scratch_stride(band->width), 1 << (24 - band->rule->bits), width, height);
}

static int run_deep_planes(struct pixels_band *band)
{
    int stride = scratch_stride(band->width);
    bool semi = band->rule->chroma == NV12;
    struct yuv yuv = {{scratch(band, PLANE_Y), scratch(band, PLANE_U), scratch(band, PLANE_V)},
                      {stride, stride, stride}};

    reduce(band, 0, PLANE_Y, band->width, band->height);
    reduce(band, 1, PLANE_U, chroma_width(band), chroma_height(band));
    if (!semi)
        reduce(band, 2, PLANE_V, chroma_width(band), chroma_height(band));
    return finish_yuv(band, &yuv);
}

static int finish_split(struct pixels_band *band, const uint8_t *y, int y_stride, const uint8_t *both,
                        int both_stride)
{
    int stride = scratch_stride(band->width);
    uint8_t *u = scratch(band, PLANE_U), *v = scratch(band, PLANE_V);
    struct yuv yuv = arrange(band, y, y_stride, u, stride, v, stride);

    SplitUVPlane(both, both_stride, u, stride, v, stride, chroma_width(band), band->height);
    return finish_yuv(band, &yuv);
}

static int run_split(struct pixels_band *band)
{
    return finish_split(band, band->from[0], band->from_stride[0], band->from[1], band->from_stride[1]);
}

static int run_deep_split(struct pixels_band *band)
{
    int stride = scratch_stride(band->width);

    reduce(band, 0, PLANE_Y, band->width, band->height);
    reduce(band, 1, PLANE_PACKED, chroma_width(band) * 2, band->height);
    return finish_split(band, scratch(band, PLANE_Y), stride, scratch(band, PLANE_PACKED), stride);
}

/* One sample of chroma for four pixels in a row: for two, then. */
static int run_coarse(struct pixels_band *band)
{
    int stride = scratch_stride(band->width), from_width = divide_up(band->width, 4);
    int from_height = band->rule->chroma == C420 ? divide_up(band->height, 4) : band->height;
    struct yuv yuv = arrange(band, band->from[0], band->from_stride[0], scratch(band, PLANE_U), stride,
                             scratch(band, PLANE_V), stride);

    for (unsigned i = 0; i < 2; i++)
        ScalePlane(band->from[i + 1], band->from_stride[i + 1], from_width, from_height,
                   scratch(band, PLANE_U + i), stride, chroma_width(band), chroma_height(band), kFilterNone);
    return finish_yuv(band, &yuv);
}

static int finish_packed422(struct pixels_band *band, const uint8_t *from, int from_stride)
{
    int stride = scratch_stride(band->width);
    uint8_t *y = scratch(band, PLANE_Y), *u = scratch(band, PLANE_U), *v = scratch(band, PLANE_V);
    struct yuv yuv = arrange(band, y, stride, u, stride, v, stride);
    int r =
        band->rule->unpack422(from, from_stride, y, stride, u, stride, v, stride, band->width, band->height);

    return r ? r : finish_yuv(band, &yuv);
}

static int run_packed422(struct pixels_band *band)
{
    return finish_packed422(band, band->from[0], band->from_stride[0]);
}

/* Of every 16-bit sample the byte that counts: the second one, or the first one of big-endian. */
static void take_high_bytes(struct pixels_band *band, bool big_endian, int samples)
{
    int stride = scratch_stride(band->width);
    uint8_t *high = scratch(band, PLANE_PACKED), *low = scratch(band, PLANE_SHORTS);

    SplitUVPlane(band->from[0], band->from_stride[0], big_endian ? high : low, stride,
                 big_endian ? low : high, stride, samples, band->height);
}

static int run_deep_packed422(struct pixels_band *band)
{
    take_high_bytes(band, false, divide_up(band->width, 2) * 4);
    return finish_packed422(band, scratch(band, PLANE_PACKED), scratch_stride(band->width));
}

static int finish_packed444(struct pixels_band *band, const uint8_t *from, int from_stride)
{
    const uint8_t *at = band->rule->at;
    int stride = scratch_stride(band->width);
    uint8_t *byte[4] = {scratch(band, PLANE_Y), scratch(band, PLANE_U), scratch(band, PLANE_V),
                        scratch(band, PLANE_A)};
    struct yuv yuv = {{byte[at[0]], byte[at[1]], byte[at[2]]}, {stride, stride, stride}};

    /* libyuv's R, G, B, A are the bytes 2, 1, 0, 3. */
    SplitARGBPlane(from, from_stride, byte[2], stride, byte[1], stride, byte[0], stride, byte[3], stride,
                   band->width, band->height);
    return finish_yuv(band, &yuv);
}

static int run_packed444(struct pixels_band *band)
{
    return finish_packed444(band, band->from[0], band->from_stride[0]);
}

static int run_packed444_24bit(struct pixels_band *band)
{
    int stride = scratch_stride(band->width);
    uint8_t *y = scratch(band, PLANE_Y), *u = scratch(band, PLANE_U), *v = scratch(band, PLANE_V);
    struct yuv yuv = {{y, u, v}, {stride, stride, stride}};

    SplitRGBPlane(band->from[0], band->from_stride[0], y, stride, u, stride, v, stride, band->width,
                  band->height);
    return finish_yuv(band, &yuv);
}

/* Three times ten bits, here no colours yet. */
static int run_packed444_30bit(struct pixels_band *band)
{
    int stride = scratch_stride(band->width);
    int r = AR30ToARGB(band->from[0], band->from_stride[0], scratch(band, PLANE_PACKED), stride, band->width,
                       band->height);

    return r ? r : finish_packed444(band, scratch(band, PLANE_PACKED), stride);
}

static int run_deep_packed444(struct pixels_band *band)
{
    take_high_bytes(band, false, band->width * 4);
    return finish_packed444(band, scratch(band, PLANE_PACKED), scratch_stride(band->width));
}

/* ---- Grey ---- */

static int finish_gray(struct pixels_band *band, const uint8_t *y, int stride)
{
    return I400ToARGBMatrix(y, stride, band->to, band->to_stride,
                            band->color.full ? &kYuvJPEGConstants : &kYuvI601Constants, band->width,
                            band->height);
}

static int run_gray(struct pixels_band *band)
{
    return finish_gray(band, band->from[0], band->from_stride[0]);
}

static int run_deep_gray(struct pixels_band *band)
{
    reduce(band, 0, PLANE_Y, band->width, band->height);
    return finish_gray(band, scratch(band, PLANE_Y), scratch_stride(band->width));
}

static int run_deep_gray_big_endian(struct pixels_band *band)
{
    take_high_bytes(band, true, band->width);
    return finish_gray(band, scratch(band, PLANE_PACKED), scratch_stride(band->width));
}

/* ---- RGB ---- */

/* From 16..235 to 0..255, in place. */
static int finish_rgb(struct pixels_band *band, int r)
{
    uint8_t table[256 * 4];

    if (r || band->color.full)
        return r;
    for (int i = 0; i < 256; i++) {
        int full = i < 16 ? 0 : i > 235 ? 255 : ((i - 16) * 255 + 109) / 219;
        memset(table + i * 4, full, 4);
    }
    return ARGBColorTable(band->to, band->to_stride, table, 0, 0, band->width, band->height);
}

static int run_rgb(struct pixels_band *band)
{
    return finish_rgb(band, band->rule->packed8(band->from[0], band->from_stride[0], band->to,
                                                band->to_stride, band->width, band->height));
}

/* The functions for R, G, B read B, G, R too, and leave red and blue exchanged. */
static int run_bgr(struct pixels_band *band)
{
    int r = run_rgb(band);

    return r ? r
             : ABGRToARGB(band->to, band->to_stride, band->to, band->to_stride, band->width, band->height);
}

static int run_deep_rgb(struct pixels_band *band)
{
    return finish_rgb(band, band->rule->packed16((const uint16_t *)band->from[0], band->from_stride[0] / 2,
                                                 band->to, band->to_stride, band->width, band->height));
}

static int run_deep_rgb_big_endian(struct pixels_band *band)
{
    take_high_bytes(band, true, band->width * 4);
    return finish_rgb(band, band->rule->packed8(scratch(band, PLANE_PACKED), scratch_stride(band->width),
                                                band->to, band->to_stride, band->width, band->height));
}

static int run_rgb30_big_endian(struct pixels_band *band)
{
    static const uint8_t reverse[16] = {3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12};
    int stride = scratch_stride(band->width);
    int r = ARGBShuffle(band->from[0], band->from_stride[0], scratch(band, PLANE_PACKED), stride, reverse,
                        band->width, band->height);

    if (!r)
        r = AR30ToARGB(scratch(band, PLANE_PACKED), stride, band->to, band->to_stride, band->width,
                       band->height);
    return finish_rgb(band, r);
}

/* ---- The table ---- */

/* clang-format off */
#define LE(drm, run_, ...) {.fourcc = DRM_FORMAT_##drm, .run = run_, __VA_ARGS__}
#define BE(drm, run_, ...) {.fourcc = DRM_FORMAT_##drm | DRM_FORMAT_BIG_ENDIAN, .run = run_, __VA_ARGS__}
#define VU             .vu = true
#define AT(y, cb, cr) .at = {y, cb, cr}

static const struct pixels_rule rules[] = {
    LE(R8,           run_gray),
    LE(R10,          run_deep_gray, .bits = 10),
    LE(R12,          run_deep_gray, .bits = 12),
    LE(R16,          run_deep_gray, .bits = 16),
    BE(R16,          run_deep_gray_big_endian),

    LE(XRGB1555,     run_rgb, .packed8 = ARGB1555ToARGB),
    LE(XBGR1555,     run_bgr, .packed8 = ARGB1555ToARGB),
    LE(RGB565,       run_rgb, .packed8 = RGB565ToARGB),
    LE(BGR565,       run_bgr, .packed8 = RGB565ToARGB),
    LE(RGB888,       run_rgb, .packed8 = RGB24ToARGB),
    LE(BGR888,       run_rgb, .packed8 = RAWToARGB),
    LE(XRGB8888,     run_rgb, .packed8 = ARGBCopy),
    LE(XBGR8888,     run_rgb, .packed8 = ABGRToARGB),
    LE(RGBX8888,     run_rgb, .packed8 = RGBAToARGB),
    LE(BGRX8888,     run_rgb, .packed8 = BGRAToARGB),
    LE(ARGB8888,     run_rgb, .packed8 = ARGBCopy),
    LE(ABGR8888,     run_rgb, .packed8 = ABGRToARGB),
    LE(RGBA8888,     run_rgb, .packed8 = RGBAToARGB),
    LE(BGRA8888,     run_rgb, .packed8 = BGRAToARGB),
    LE(XRGB2101010,  run_rgb, .packed8 = AR30ToARGB),
    LE(XBGR2101010,  run_rgb, .packed8 = AB30ToARGB),
    LE(ARGB2101010,  run_rgb, .packed8 = AR30ToARGB),
    LE(ABGR2101010,  run_rgb, .packed8 = AB30ToARGB),
    BE(XRGB2101010,  run_rgb30_big_endian),
    LE(XRGB16161616, run_deep_rgb, .packed16 = AR64ToARGB),
    LE(XBGR16161616, run_deep_rgb, .packed16 = AB64ToARGB),
    LE(ARGB16161616, run_deep_rgb, .packed16 = AR64ToARGB),
    LE(ABGR16161616, run_deep_rgb, .packed16 = AB64ToARGB),
    BE(ARGB16161616, run_deep_rgb_big_endian, .packed8 = BGRAToARGB),
    BE(ABGR16161616, run_deep_rgb_big_endian, .packed8 = RGBAToARGB),

    LE(YUYV,         run_packed422, .chroma = C422, .unpack422 = YUY2ToI422),
    LE(YVYU,         run_packed422, .chroma = C422, VU, .unpack422 = YUY2ToI422),
    LE(UYVY,         run_packed422, .chroma = C422, .unpack422 = UYVYToI422),
    LE(VYUY,         run_packed422, .chroma = C422, VU, .unpack422 = UYVYToI422),
    LE(Y210,         run_deep_packed422, .chroma = C422, .unpack422 = YUY2ToI422),
    LE(Y212,         run_deep_packed422, .chroma = C422, .unpack422 = YUY2ToI422),
    LE(Y216,         run_deep_packed422, .chroma = C422, .unpack422 = YUY2ToI422),
    LE(VUY888,       run_packed444_24bit, .chroma = C444),
    BE(AYUV,         run_packed444, .chroma = C444, AT(1, 2, 3)),
    LE(AYUV,         run_packed444, .chroma = C444, AT(2, 1, 0)),
    LE(XYUV8888,     run_packed444, .chroma = C444, AT(2, 1, 0)),
    LE(Y410,         run_packed444_30bit, .chroma = C444, AT(1, 0, 2)),
    LE(XVYU2101010,  run_packed444_30bit, .chroma = C444, AT(1, 0, 2)),
    LE(Y412,         run_deep_packed444, .chroma = C444, AT(1, 0, 2)),
    LE(Y416,         run_deep_packed444, .chroma = C444, AT(1, 0, 2)),

    LE(NV12,         run_planes, .chroma = NV12),
    LE(NV21,         run_planes, .chroma = NV21),
    LE(NV16,         run_split, .chroma = C422),
    LE(NV61,         run_split, .chroma = C422, VU),
    LE(NV24,         run_split, .chroma = C444),
    LE(NV42,         run_split, .chroma = C444, VU),
    LE(P010,         run_deep_planes, .chroma = NV12, .bits = 16),
    LE(P012,         run_deep_planes, .chroma = NV12, .bits = 16),
    LE(P016,         run_deep_planes, .chroma = NV12, .bits = 16),
    LE(P210,         run_deep_split, .chroma = C422, .bits = 16),

    LE(YUV410,       run_coarse, .chroma = C420),
    LE(YVU410,       run_coarse, .chroma = C420, VU),
    LE(YUV411,       run_coarse, .chroma = C422),
    LE(YUV420,       run_planes, .chroma = C420),
    LE(YVU420,       run_planes, .chroma = C420, VU),
    LE(YUV422,       run_planes, .chroma = C422),
    LE(YVU422,       run_planes, .chroma = C422, VU),
    LE(YUV444,       run_planes, .chroma = C444),
    LE(YVU444,       run_planes, .chroma = C444, VU),
    LE(S010,         run_deep_planes, .chroma = C420, .bits = 10),
    LE(S210,         run_deep_planes, .chroma = C422, .bits = 10),
    LE(S410,         run_deep_planes, .chroma = C444, .bits = 10),
    LE(S012,         run_deep_planes, .chroma = C420, .bits = 12),
    LE(S212,         run_deep_planes, .chroma = C422, .bits = 12),
    LE(S412,         run_deep_planes, .chroma = C444, .bits = 12),
    LE(S416,         run_deep_planes, .chroma = C444, .bits = 16),
};
/* clang-format on */

const struct pixels_rule *pixels_find(uint32_t fourcc)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (rules[i].fourcc == fourcc)
            return &rules[i];
    return NULL;
}

int pixels_convert(struct pixels_band *band)
{
    return band->rule->run(band);
}
