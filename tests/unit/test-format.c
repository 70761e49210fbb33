/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <drm_fourcc.h>

static const struct framebus_format_info *info_of(const char *name)
{
    const struct framebus_format_info *info = framebus_format_by_name(name);
    if (!info)
        fail_msg("%s is not in the table", name);
    return info;
}

static struct framebus_format format_of(const char *name, uint32_t width, uint32_t height)
{
    struct framebus_format format;
    assert_int_equal(framebus_format_init(&format, info_of(name)->fourcc, width, height), 0);
    return format;
}

/* ---- The table ---- */

static void every_row_is_complete(void **state)
{
    (void)state;
    size_t rows = 0;
    for (const struct framebus_format_info *info; (info = framebus_format_at(rows)); rows++) {
        assert_int_not_equal(info->fourcc, 0);
        assert_true(info->name && *info->name && info->drm && *info->drm);
        assert_uint_in_range(info->planes, 1, FRAMEBUS_PLANES_MAX);
        assert_uint_in_range(info->depth, 5, 16);
        for (unsigned i = 0; i < FRAMEBUS_PLANES_MAX; i++) {
            struct framebus_plane_layout plane = info->plane[i];
            if (i < info->planes)
                assert_true(plane.pixels && plane.bytes && plane.sub_x && plane.sub_y);
            else
                assert_true(!plane.pixels && !plane.bytes && !plane.sub_x && !plane.sub_y);
        }
        assert_true(info->plane[0].sub_x == 1 && info->plane[0].sub_y == 1);
    }
    assert_true(rows >= 60);
    assert_null(framebus_format_at(SIZE_MAX));
}

static void names_and_fourccs_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; framebus_format_at(i); i++) {
        const struct framebus_format_info *a = framebus_format_at(i);
        for (size_t j = 0; j < i; j++) {
            const struct framebus_format_info *b = framebus_format_at(j);
            assert_int_not_equal(a->fourcc, b->fourcc);
            assert_string_not_equal(a->name, b->name);
            assert_string_not_equal(a->drm, b->drm);
        }
    }
}

static void rows_are_found_by_fourcc_and_by_either_name(void **state)
{
    (void)state;
    for (size_t i = 0; framebus_format_at(i); i++) {
        const struct framebus_format_info *info = framebus_format_at(i);
        assert_ptr_equal(framebus_format_find(info->fourcc), info);
        assert_ptr_equal(framebus_format_by_name(info->name), info);
        if (strcmp(info->drm, "AYUV")) /* the one name that both use, for different formats */
            assert_ptr_equal(framebus_format_by_name(info->drm), info);
    }
    assert_string_equal(framebus_format_by_name("AYUV")->name, "AYUV");
    assert_null(framebus_format_find(0));
    assert_null(framebus_format_find(0xffffffff));
    assert_null(framebus_format_by_name(NULL));
    assert_null(framebus_format_by_name(""));
    assert_null(framebus_format_by_name("NV13"));
}

/* A name in the other case, or ffmpeg's, must not mean another format than it did. */
static void names_are_found_in_any_case_and_by_ffmpegs_spelling(void **state)
{
    static const struct {
        const char *name, *found;
    } names[] = {{"nv12", "NV12"},          {"yuyv", "YUY2"},
                 {"bgra", "BGRA"},          {"ayuv", "AYUV"},
                 {"xrgb8888", "BGRx"},      {"rgb24", "RGB"},
                 {"bgr24", "BGR"},          {"bgr0", "BGRx"},
                 {"yuv420p", "I420"},       {"yuyv422", "YUY2"},
                 {"p010le", "P010_10LE"},   {"gray", "GRAY8"},
                 {"rgba64le", "RGBA64_LE"}, {"yuv422p10le", "I422_10LE"}};
    struct framebus_format format;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(framebus_format_init_name(&format, names[i].name, 64, 48), 0);
        assert_string_equal(framebus_format_name(&format), names[i].found);
    }
    for (size_t i = 0; framebus_format_at(i); i++)
        for (size_t j = 0; j < i; j++)
            assert_true(strcasecmp(framebus_format_at(i)->name, framebus_format_at(j)->name) &&
                        strcasecmp(framebus_format_at(i)->drm, framebus_format_at(j)->drm));
    assert_int_equal(framebus_format_init_name(&format, "NV13", 64, 48), -EINVAL);
    assert_non_null(strstr(framebus_last_error(), "\"NV13\""));
    assert_int_equal(framebus_format_init_name(&format, NULL, 64, 48), -EINVAL);
    assert_int_equal(framebus_format_init_name(&format, "NV12", 0, 48), -EINVAL);
    assert_int_equal(framebus_format_init_opaque(&format, "image/jpeg", 1000), 0);
    assert_null(framebus_format_name(&format));
}

/* How the kernel's drm_fourcc.h spells it, how GStreamer does: both describe the same bytes. */
static void names_belong_to_the_right_fourcc(void **state)
{
    (void)state;
    static const struct {
        uint32_t fourcc;
        const char *name;
        uint8_t depth, yuv, alpha;
    } known[] = {
        {DRM_FORMAT_R8, "GRAY8", 8, 0, 0},
        {DRM_FORMAT_R16, "GRAY16_LE", 16, 0, 0},
        {DRM_FORMAT_R16 | DRM_FORMAT_BIG_ENDIAN, "GRAY16_BE", 16, 0, 0},
        {DRM_FORMAT_RGB565, "RGB16", 6, 0, 0},
        {DRM_FORMAT_BGR565, "BGR16", 6, 0, 0},
        {DRM_FORMAT_XRGB1555, "RGB15", 5, 0, 0},
        {DRM_FORMAT_RGB888, "BGR", 8, 0, 0},
        {DRM_FORMAT_BGR888, "RGB", 8, 0, 0},
        {DRM_FORMAT_XRGB8888, "BGRx", 8, 0, 0},
        {DRM_FORMAT_XBGR8888, "RGBx", 8, 0, 0},
        {DRM_FORMAT_RGBX8888, "xBGR", 8, 0, 0},
        {DRM_FORMAT_BGRX8888, "xRGB", 8, 0, 0},
        {DRM_FORMAT_ARGB8888, "BGRA", 8, 0, 1},
        {DRM_FORMAT_ABGR8888, "RGBA", 8, 0, 1},
        {DRM_FORMAT_RGBA8888, "ABGR", 8, 0, 1},
        {DRM_FORMAT_BGRA8888, "ARGB", 8, 0, 1},
        {DRM_FORMAT_ARGB2101010, "BGR10A2_LE", 10, 0, 1},
        {DRM_FORMAT_ABGR2101010, "RGB10A2_LE", 10, 0, 1},
        {DRM_FORMAT_XRGB2101010 | DRM_FORMAT_BIG_ENDIAN, "r210", 10, 0, 0},
        {DRM_FORMAT_ABGR16161616, "RGBA64_LE", 16, 0, 1},
        {DRM_FORMAT_ARGB16161616 | DRM_FORMAT_BIG_ENDIAN, "ARGB64_BE", 16, 0, 1},
        {DRM_FORMAT_YUYV, "YUY2", 8, 1, 0},
        {DRM_FORMAT_UYVY, "UYVY", 8, 1, 0},
        {DRM_FORMAT_AYUV, "VUYA", 8, 1, 1},
        {DRM_FORMAT_AYUV | DRM_FORMAT_BIG_ENDIAN, "AYUV", 8, 1, 1},
        {DRM_FORMAT_VUY888, "v308", 8, 1, 0},
        {DRM_FORMAT_Y410, "Y410", 10, 1, 1},
        {DRM_FORMAT_Y210, "Y210", 10, 1, 0},
        {DRM_FORMAT_NV12, "NV12", 8, 1, 0},
        {DRM_FORMAT_NV61, "NV61", 8, 1, 0},
        {DRM_FORMAT_P010, "P010_10LE", 10, 1, 0},
        {DRM_FORMAT_NV15, "NV12_10LE40", 10, 1, 0},
        {DRM_FORMAT_YUV420, "I420", 8, 1, 0},
        {DRM_FORMAT_YVU420, "YV12", 8, 1, 0},
        {DRM_FORMAT_YUV422, "Y42B", 8, 1, 0},
        {DRM_FORMAT_YUV444, "Y444", 8, 1, 0},
        {DRM_FORMAT_YUV411, "Y41B", 8, 1, 0},
        {DRM_FORMAT_YUV410, "YUV9", 8, 1, 0},
        {fourcc_code('S', '0', '1', '0'), "I420_10LE", 10, 1, 0},
        {fourcc_code('S', '2', '1', '2'), "I422_12LE", 12, 1, 0},
        {fourcc_code('S', '4', '1', '6'), "Y444_16LE", 16, 1, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct framebus_format_info *info = info_of(known[i].name);
        if (info->fourcc != known[i].fourcc)
            fail_msg("%s is 0x%08x", known[i].name, info->fourcc);
        assert_int_equal(info->depth, known[i].depth);
        assert_int_equal(info->yuv, known[i].yuv);
        assert_int_equal(info->alpha, known[i].alpha);
    }
}

/* ---- Layouts ---- */

/* Taken from GstVideoInfo of GStreamer 1.22. */
static void layouts_are_those_of_gstreamer(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t width, height, planes, stride[3];
        uint64_t offset[3], size;
    } known[] = {
        {"GRAY8", 5, 3, 1, {8}, {0}, 24},
        {"RGB", 5, 3, 1, {16}, {0}, 48},
        {"RGB16", 3, 3, 1, {8}, {0}, 24},
        {"BGRx", 1920, 1080, 1, {7680}, {0}, 8294400},
        {"YUY2", 3, 3, 1, {8}, {0}, 24},
        {"Y210", 1, 1, 1, {8}, {0}, 8},
        {"NV12", 1920, 1080, 2, {1920, 1920}, {0, 2073600}, 3110400},
        {"NV12", 5, 5, 2, {8, 8}, {0, 48}, 72},
        {"NV16", 5, 5, 2, {8, 8}, {0, 40}, 80},
        {"NV24", 5, 5, 2, {8, 12}, {0, 40}, 100},
        {"P010_10LE", 3, 3, 2, {8, 8}, {0, 32}, 48},
        {"NV12_10LE40", 5, 3, 2, {10, 10}, {0, 40}, 60},
        {"I420", 1, 1, 3, {4, 4, 4}, {0, 8, 12}, 16},
        {"I420", 5, 5, 3, {8, 4, 4}, {0, 48, 60}, 72},
        {"YV12", 33, 3, 3, {36, 20, 20}, {0, 144, 184}, 224},
        {"I420_10LE", 5, 5, 3, {12, 8, 8}, {0, 72, 96}, 120},
        {"Y42B", 5, 5, 3, {8, 4, 4}, {0, 40, 60}, 80},
        {"I422_10LE", 1, 1, 3, {4, 4, 4}, {0, 8, 16}, 24},
        {"Y444", 5, 5, 3, {8, 8, 8}, {0, 40, 80}, 120},
        {"Y41B", 5, 5, 3, {8, 4, 4}, {0, 40, 60}, 80},
        {"YUV9", 5, 5, 3, {8, 4, 4}, {0, 40, 48}, 56},
        {"RGBA64_LE", 16384, 16384, 1, {131072}, {0}, 2147483648},
        {"I420", 16384, 16384, 3, {16384, 8192, 8192}, {0, 268435456, 335544320}, 402653184},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct framebus_format format = format_of(known[i].name, known[i].width, known[i].height);
        bool same = format.planes == known[i].planes && format.size == known[i].size;
        for (unsigned p = 0; p < format.planes && p < 3; p++)
            same &= format.stride[p] == known[i].stride[p] && format.offset[p] == known[i].offset[p];
        if (!same)
            fail_msg("%s %ux%u is laid out otherwise", known[i].name, known[i].width, known[i].height);
    }
}

static void every_format_fits_every_size(void **state)
{
    (void)state;
    static const uint32_t large[] = {639, 1920, 4095, 8191, 16383, 16384};
    const unsigned sides = 33 + sizeof large / sizeof *large;
    for (size_t row = 0; framebus_format_at(row); row++)
        for (unsigned x = 0; x < sides; x++)
            for (unsigned y = 0; y < sides; y++) {
                const struct framebus_format_info *info = framebus_format_at(row);
                uint32_t width = x < 33 ? x + 1 : large[x - 33], height = y < 33 ? y + 1 : large[y - 33];
                struct framebus_format format;
                assert_int_equal(framebus_format_init(&format, info->fourcc, width, height), 0);
                assert_int_equal(framebus_format_check(&format), 0);
                uint64_t end = 0;
                for (unsigned p = 0; p < format.planes; p++) {
                    assert_true(format.offset[p] >= end); /* planes do not overlap */
                    end = format.offset[p] + (uint64_t)format.stride[p] * framebus_format_rows(&format, p);
                }
                assert_true(end <= format.size);
            }
}

static void rows_and_row_bytes_cover_odd_sizes(void **state)
{
    (void)state;
    struct framebus_format format = format_of("I420", 5, 3);
    assert_int_equal(framebus_format_row_bytes(&format, 0), 5);
    assert_int_equal(framebus_format_row_bytes(&format, 1), 3);
    assert_int_equal(framebus_format_rows(&format, 0), 3);
    assert_int_equal(framebus_format_rows(&format, 2), 2);
    assert_int_equal(framebus_format_row_bytes(&format, 3), 0);
    assert_int_equal(framebus_format_rows(&format, UINT32_MAX), 0);
    format = format_of("NV12", 5, 3);
    assert_int_equal(framebus_format_row_bytes(&format, 1), 6);
    format = format_of("YUY2", 5, 3);
    assert_int_equal(framebus_format_row_bytes(&format, 0), 12);
    format = format_of("NV12_10LE40", 5, 3);
    assert_int_equal(framebus_format_row_bytes(&format, 0), 10);
    assert_int_equal(framebus_format_row_bytes(&format, 1), 10);

    struct framebus_format opaque = {.caps = "image/jpeg", .size = 1000, .width = 640, .height = 480};
    assert_int_equal(framebus_format_row_bytes(&opaque, 0), 0);
    assert_int_equal(framebus_format_rows(&opaque, 0), 0);

    struct framebus_format wide = {
        .fourcc = DRM_FORMAT_ABGR16161616, .width = UINT32_MAX, .height = UINT32_MAX};
    assert_int_equal(framebus_format_row_bytes(&wide, 0), UINT32_MAX);
    assert_int_equal(framebus_format_rows(&wide, 0), UINT32_MAX);
}

static void init_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct framebus_format format = {.width = 77};
    assert_fails(framebus_format_init(&format, 0x12345678, 4, 4), EINVAL, "0x12345678");
    assert_fails(framebus_format_init(&format, fourcc_code('A', 27, '[', 0xff & 0x7f), 4, 4), EINVAL,
                 "'A?[?'");
    assert_fails(framebus_format_init(&format, DRM_FORMAT_NV12, 0, 4), EINVAL, "width 0");
    assert_fails(framebus_format_init(&format, DRM_FORMAT_NV12, 4, 16385), EINVAL, "height 16385");
    assert_fails(framebus_format_init(NULL, DRM_FORMAT_NV12, 4, 4), EINVAL, "format");
    assert_fails(framebus_format_init_opaque(&format, NULL, 10), EINVAL, "caps");
    assert_fails(framebus_format_init_opaque(&format, "", 10), EINVAL, "caps");
    assert_fails(framebus_format_init_opaque(&format, "image/jpeg", 0), EINVAL, "size 0");
    assert_int_equal(format.width, 77); /* failures leave it alone */

    const char *caps = "image/jpeg";
    assert_int_equal(framebus_format_init_opaque(&format, caps, 10), 0);
    assert_ptr_equal(format.caps, caps);
    assert_true(!format.fourcc && !format.width && !format.planes && format.size == 10);
    assert_int_equal(framebus_format_check(&format), 0);
}

/* ---- Checking ---- */

#define WITH(field, value)                                                                                   \
    ({                                                                                                       \
        struct framebus_format changed_ = nv12;                                                              \
        changed_.field = (value);                                                                            \
        framebus_format_check(&changed_);                                                                    \
    })

static void check_names_the_field_that_is_wrong(void **state)
{
    (void)state;
    const struct framebus_format nv12 = format_of("NV12", 1920, 1080);
    assert_fails(framebus_format_check(NULL), EINVAL, "format");
    assert_fails(WITH(fourcc, fourcc_code('Q', 'Q', 7, 'Q')), EINVAL, "'QQ?Q'");
    assert_fails(WITH(fourcc, DRM_FORMAT_NV12 | DRM_FORMAT_BIG_ENDIAN), EINVAL, "'NV12' big-endian");
    assert_fails(WITH(fourcc, 0), EINVAL, "caps");
    assert_fails(WITH(width, 0), EINVAL, "width 0");
    assert_fails(WITH(width, 16385), EINVAL, "width 16385");
    assert_fails(WITH(height, UINT32_MAX), EINVAL, "height 4294967295");
    assert_fails(WITH(planes, 0), EINVAL, "planes 0");
    assert_fails(WITH(planes, 1), EINVAL, "planes 1");
    assert_fails(WITH(planes, 5), EINVAL, "planes 5");
    assert_fails(WITH(planes, UINT32_MAX), EINVAL, "planes");
    assert_fails(WITH(stride[0], 1919), EINVAL, "stride of plane 0 is 1919");
    assert_fails(WITH(stride[1], 0), EINVAL, "stride of plane 1");
    assert_fails(WITH(stride[1], 0x80000000), EINVAL, "stride of plane 1");
    assert_fails(WITH(stride[1], UINT32_MAX), EINVAL, "stride of plane 1");
    assert_fails(WITH(stride[1], 0x7fffffff), EINVAL, "plane 1");
    assert_fails(WITH(offset[1], nv12.offset[1] + 1), EINVAL, "plane 1");
    assert_fails(WITH(offset[1], nv12.size), EINVAL, "plane 1");
    assert_fails(WITH(offset[1], UINT64_MAX), EINVAL, "plane 1");
    assert_fails(WITH(offset[0], UINT64_MAX - 100), EINVAL, "plane 0");
    assert_fails(WITH(size, 0), EINVAL, "size 0");
    assert_fails(WITH(size, nv12.size - 1), EINVAL, "size");
    assert_fails(WITH(size, UINT64_MAX), EINVAL, "size 18446744073709551615");
    assert_fails(WITH(size, (UINT64_C(16) << 30) + 1), EINVAL, "size");
    assert_fails(WITH(color.range, 3), EINVAL, "range 3");
    assert_fails(WITH(orientation, 8), EINVAL, "orientation 8");
    assert_fails(WITH(orientation, UINT32_MAX), EINVAL, "orientation 4294967295");
    assert_fails(WITH(reserved[3], 1), EINVAL, "reserved[3]");
    assert_fails(WITH(modifier, DRM_FORMAT_MOD_INVALID), EINVAL, "modifier");
    assert_fails(WITH(rate_num, 60), EINVAL, "frame rate 60/0");
    assert_fails(WITH(aspect_num, 1), EINVAL, "aspect 1/0");
    assert_fails(WITH(aspect_den, 1), EINVAL, "aspect 0/1");

    assert_int_equal(WITH(size, nv12.size + 12345), 0);
    assert_int_equal(WITH(size, UINT64_C(16) << 30), 0);
    assert_int_equal(WITH(orientation, FRAMEBUS_ORIENTATION_MIRROR_270), 0);
    assert_int_equal(WITH(rate_den, 1), 0);
    assert_int_equal(WITH(color.primaries, 255), 0);
    assert_int_equal(WITH(stride[3], UINT32_MAX), 0); /* there is no such plane */
}

static void check_bounds_fractions(void **state)
{
    (void)state;
    struct framebus_format format = format_of("I420", 64, 64);
    format.rate_num = 60000;
    format.rate_den = 1001;
    format.aspect_num = 16;
    format.aspect_den = 11;
    assert_int_equal(framebus_format_check(&format), 0);
    format.rate_den = 0x80000000;
    assert_fails(framebus_format_check(&format), EINVAL, "60000/2147483648");
    format.rate_num = 0x80000000;
    format.rate_den = 1;
    assert_fails(framebus_format_check(&format), EINVAL, "2147483648/1");
    format.rate_num = format.rate_den = 0x7fffffff;
    assert_int_equal(framebus_format_check(&format), 0);
    format.aspect_num = UINT32_MAX;
    assert_fails(framebus_format_check(&format), EINVAL, "4294967295/11");
}

static void last_row_needs_no_padding(void **state)
{
    (void)state;
    struct framebus_format format = format_of("RGB", 5, 3); /* rows of 15 bytes, 16 apart */
    format.size = 47;
    assert_int_equal(framebus_format_check(&format), 0);
    format.size = 46;
    assert_fails(framebus_format_check(&format), EINVAL, "47 bytes");
}

static void strides_may_be_any_that_hold_a_row(void **state)
{
    (void)state;
    struct framebus_format format = format_of("YUY2", 5, 3);
    format.stride[0] = 13;
    format.offset[0] = 7;
    format.size = 7 + 13 * 3;
    assert_int_equal(framebus_format_check(&format), 0);
    format.stride[0] = 11;
    assert_fails(framebus_format_check(&format), EINVAL, "stride of plane 0 is 11");
}

static void tiled_layouts_are_the_drivers_affair(void **state)
{
    (void)state;
    struct framebus_format format = format_of("NV12", 1920, 1080);
    format.modifier = DRM_FORMAT_MOD_SAMSUNG_64_32_TILE;
    format.stride[0] = 0;
    format.planes = 4;
    assert_int_equal(framebus_format_check(&format), 0);
    format.offset[3] = format.size;
    assert_fails(framebus_format_check(&format), EINVAL, "offset of plane 3");
    format.planes = 5;
    assert_fails(framebus_format_check(&format), EINVAL, "planes 5");
}

static void payloads_need_caps_and_no_planes(void **state)
{
    (void)state;
    const struct framebus_format jpeg = {.caps = "image/jpeg, parsed=(boolean)true", .size = 1 << 20};
    struct framebus_format format = jpeg;
    assert_int_equal(framebus_format_check(&format), 0);
    format.width = 1280;
    format.height = 720;
    assert_int_equal(framebus_format_check(&format), 0);
    format.width = 16385;
    assert_fails(framebus_format_check(&format), EINVAL, "width 16385");
    format = jpeg;
    format.planes = 1;
    assert_fails(framebus_format_check(&format), EINVAL, "planes 1");
    format = jpeg;
    format.modifier = 5;
    assert_fails(framebus_format_check(&format), EINVAL, "modifier 0x5");
}

static void caps_must_end_within_the_limit(void **state)
{
    (void)state;
    /* Malloc'ed to the byte, so that a sanitizer sees the first one read past the limit. */
    char *caps = malloc(FRAMEBUS_CAPS_MAX);
    assert_non_null(caps);
    memset(caps, 'x', FRAMEBUS_CAPS_MAX);
    struct framebus_format format = {.caps = caps, .size = 10};
    assert_fails(framebus_format_check(&format), EINVAL, "no end within 65536");
    struct framebus_format picture = format_of("RGBA", 4, 4);
    picture.caps = caps;
    assert_fails(framebus_format_check(&picture), EINVAL, "no end within 65536");
    caps[FRAMEBUS_CAPS_MAX - 1] = 0;
    assert_int_equal(framebus_format_check(&format), 0);
    assert_int_equal(framebus_format_check(&picture), 0);
    free(caps);
}

/* Whatever check lets pass can be read without leaving the frame. */
static void nothing_that_passes_reaches_past_the_frame(void **state)
{
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15;
    unsigned passed = 0, refused = 0;
    for (unsigned round = 0; round < 400000; round++) {
        struct framebus_format format;
        size_t rows = 0;
        while (framebus_format_at(rows))
            rows++;
        const struct framebus_format_info *info = framebus_format_at(odd_number(&seed) % rows);
        assert_int_equal(framebus_format_init(&format, info->fourcc, 1 + odd_number(&seed) % 16384,
                                              1 + odd_number(&seed) % 16384),
                         0);
        for (unsigned changes = odd_number(&seed) % 4; changes > 0; changes--) {
            uint64_t value = odd_number(&seed);
            unsigned plane = odd_number(&seed) % FRAMEBUS_PLANES_MAX;
            switch (odd_number(&seed) % 7) {
            case 0:
                format.width = (uint32_t)value;
                break;
            case 1:
                format.height = (uint32_t)value;
                break;
            case 2:
                format.planes = (uint32_t)value;
                break;
            case 3:
                format.stride[plane] = (uint32_t)value;
                break;
            case 4:
                format.offset[plane] = value;
                break;
            case 5:
                format.size = value;
                break;
            default:
                format.fourcc = (uint32_t)value;
            }
        }
        if (framebus_format_check(&format)) {
            refused++;
            continue;
        }
        passed++;
        assert_uint_in_range(format.planes, format.fourcc ? 1 : 0, FRAMEBUS_PLANES_MAX);
        for (unsigned p = 0; p < format.planes; p++) {
            uint32_t rows_there = framebus_format_rows(&format, p);
            uint64_t end;
            assert_uint_in_range(rows_there, 1, FRAMEBUS_SIDE_MAX);
            assert_true(framebus_format_row_bytes(&format, p) >= 1);
            assert_false(
                __builtin_mul_overflow((uint64_t)format.stride[p], (uint64_t)(rows_there - 1), &end));
            assert_false(__builtin_add_overflow(end, framebus_format_row_bytes(&format, p), &end));
            assert_false(__builtin_add_overflow(end, format.offset[p], &end));
            assert_true(end <= format.size);
        }
    }
    assert_true(passed > 10000 && refused > 10000);
}

/* ---- Comparing and describing ---- */

static void equal_looks_at_every_field(void **state)
{
    (void)state;
    const struct framebus_format a = format_of("NV12", 64, 48);
    struct framebus_format b = a;
    assert_true(framebus_format_equal(&a, &b));
    assert_false(framebus_format_equal(&a, NULL));
    assert_true(framebus_format_equal(NULL, NULL));

#define DIFFERS(field)                                                                                       \
    b = a;                                                                                                   \
    b.field++;                                                                                               \
    assert_false(framebus_format_equal(&a, &b))
    DIFFERS(fourcc);
    DIFFERS(width);
    DIFFERS(height);
    DIFFERS(rate_num);
    DIFFERS(rate_den);
    DIFFERS(aspect_num);
    DIFFERS(aspect_den);
    DIFFERS(color.primaries);
    DIFFERS(color.transfer);
    DIFFERS(color.matrix);
    DIFFERS(color.range);
    DIFFERS(modifier);
    DIFFERS(size);
    DIFFERS(planes);
    DIFFERS(orientation);
    DIFFERS(stride[0]);
    DIFFERS(stride[1]);
    DIFFERS(offset[1]);

    b = a;
    b.stride[3] = 5; /* there is no such plane */
    assert_true(framebus_format_equal(&a, &b));
    b.caps = "";
    assert_true(framebus_format_equal(&a, &b));
    b.caps = "x";
    assert_false(framebus_format_equal(&a, &b));
    char text[] = "x";
    struct framebus_format c = b;
    c.caps = text;
    assert_true(framebus_format_equal(&b, &c));
}

static void describe_is_short_and_printable(void **state)
{
    (void)state;
    char text[80];
    struct framebus_format format = format_of("NV12", 1920, 1080);
    assert_string_equal(framebus_format_describe(&format, text, sizeof text), "NV12 1920x1080");
    format.rate_num = 60;
    format.rate_den = 1;
    assert_string_equal(framebus_format_describe(&format, text, sizeof text), "NV12 1920x1080 60/1");
    format.modifier = 0x300000000000001;
    assert_string_equal(framebus_format_describe(&format, text, sizeof text),
                        "NV12 1920x1080 60/1 modifier 0x300000000000001");
    format.modifier = 0;
    format.orientation = FRAMEBUS_ORIENTATION_90;
    assert_string_equal(framebus_format_describe(&format, text, sizeof text),
                        "NV12 1920x1080 60/1 turned 90");
    format.orientation = FRAMEBUS_ORIENTATION_MIRROR_270;
    assert_string_equal(framebus_format_describe(&format, text, sizeof text),
                        "NV12 1920x1080 60/1 mirrored, turned 270");
    format.orientation = UINT32_MAX; /* unchecked */
    assert_non_null(framebus_format_describe(&format, text, sizeof text));
    format.orientation = 0;
    format.fourcc = fourcc_code('X', '\n', 'Y', 'Z');
    assert_string_equal(framebus_format_describe(&format, text, sizeof text),
                        "'X?YZ' (0x5a590a58) 1920x1080 60/1");

    struct framebus_format payload = {.caps = "image/jpeg, parsed=(boolean)true", .size = 10};
    assert_string_equal(framebus_format_describe(&payload, text, sizeof text), "image/jpeg");
    payload.width = 1280;
    payload.height = 720;
    payload.rate_num = 30;
    payload.rate_den = 1;
    assert_string_equal(framebus_format_describe(&payload, text, sizeof text), "image/jpeg 1280x720 30/1");
    payload = (struct framebus_format){.caps = "video/x-h264(memory:DMABuf), a=1", .size = 10};
    assert_string_equal(framebus_format_describe(&payload, text, sizeof text), "video/x-h264");
    payload.caps = "a\033[31mb";
    assert_string_equal(framebus_format_describe(&payload, text, sizeof text), "a?[31mb");
    payload.caps = NULL;
    assert_string_equal(framebus_format_describe(&payload, text, sizeof text), "");
    assert_string_equal(framebus_format_describe(NULL, text, sizeof text), "no format");

    format = format_of("NV12", 1920, 1080);
    memset(text, '#', sizeof text);
    assert_string_equal(framebus_format_describe(&format, text, 6), "NV12 ");
    assert_int_equal(text[6], '#');
    assert_ptr_equal(framebus_format_describe(&format, text, 0), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(names_and_fourccs_are_unique),
        cmocka_unit_test(rows_are_found_by_fourcc_and_by_either_name),
        cmocka_unit_test(names_are_found_in_any_case_and_by_ffmpegs_spelling),
        cmocka_unit_test(names_belong_to_the_right_fourcc),
        cmocka_unit_test(layouts_are_those_of_gstreamer),
        cmocka_unit_test(every_format_fits_every_size),
        cmocka_unit_test(rows_and_row_bytes_cover_odd_sizes),
        cmocka_unit_test(init_refuses_what_cannot_be),
        cmocka_unit_test(check_names_the_field_that_is_wrong),
        cmocka_unit_test(check_bounds_fractions),
        cmocka_unit_test(last_row_needs_no_padding),
        cmocka_unit_test(strides_may_be_any_that_hold_a_row),
        cmocka_unit_test(tiled_layouts_are_the_drivers_affair),
        cmocka_unit_test(payloads_need_caps_and_no_planes),
        cmocka_unit_test(caps_must_end_within_the_limit),
        cmocka_unit_test(nothing_that_passes_reaches_past_the_frame),
        cmocka_unit_test(equal_looks_at_every_field),
        cmocka_unit_test(describe_is_short_and_printable),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
