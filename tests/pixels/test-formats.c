/* SPDX-License-Identifier: MIT */
#include <drm_fourcc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pixels/convert.h"
#include "pixels/formats.h"

#define WIDTH     12
#define HEIGHT    8
#define TOLERANCE 5 /* of 255: libyuv's fixed-point arithmetic, and 16 bits cut to 8 before it */

static void values_are_those_that_were_stored(void **state)
{
    (void)state;
    static const struct {
        uint32_t fourcc;
        uint32_t x, y;
        const char *text;
    } cases[] = {
        /* Bytes count up from 0 at the picture's first one. */
        {DRM_FORMAT_NV12, 0, 0, "Y 0  Cb 32  Cr 33"},
        {DRM_FORMAT_NV12, 7, 3, "Y 31  Cb 46  Cr 47"},
        {DRM_FORMAT_NV21, 2, 1, "Y 10  Cb 35  Cr 34"},
        {DRM_FORMAT_YUV420, 5, 2, "Y 21  Cb 38  Cr 46"},
        {DRM_FORMAT_YVU420, 5, 2, "Y 21  Cb 46  Cr 38"},
        {DRM_FORMAT_YUYV, 2, 0, "Y 4  Cb 5  Cr 7"},
        {DRM_FORMAT_YUYV, 3, 0, "Y 6  Cb 5  Cr 7"},
        {DRM_FORMAT_UYVY, 3, 1, "Y 23  Cb 20  Cr 22"},
        {DRM_FORMAT_XRGB8888, 1, 0, "R 6  G 5  B 4"},
        {DRM_FORMAT_ABGR8888, 1, 0, "R 4  G 5  B 6  A 7"},
        {DRM_FORMAT_RGB565, 1, 0, "R 0  G 24  B 2"},
        {DRM_FORMAT_R16, 1, 0, "Y 770"},
        {DRM_FORMAT_R16 | DRM_FORMAT_BIG_ENDIAN, 1, 0, "Y 515"},
        {DRM_FORMAT_P010, 1, 0, "Y 12  Cb 261  Cr 269"},
        {DRM_FORMAT_NV15, 1, 0, "Y 128  Cb 296  Cr 650"},
        {DRM_FORMAT_NV15, 2, 0, "Y 48  Cb 690  Cr 176"},
    };
    uint8_t data[1024];
    char text[64];

    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct framebus_format format;
        struct sample sample[SAMPLES_MAX];
        assert_int_equal(framebus_format_init(&format, cases[i].fourcc, 8, 4), 0);
        unsigned count = format_read_pixel(&format, data, cases[i].x, cases[i].y, sample);
        assert_string_equal(format_describe_pixel(sample, count, text, sizeof(text)), cases[i].text);
    }
}

static void what_is_outside_or_unknown_has_no_values(void **state)
{
    (void)state;
    struct framebus_format format;
    struct sample sample[SAMPLES_MAX];
    uint8_t data[1024] = {0};
    char text[8] = "before";

    assert_int_equal(framebus_format_init(&format, DRM_FORMAT_NV12, 8, 4), 0);
    assert_int_equal(format_read_pixel(&format, data, 7, 3, sample), 3);
    assert_int_equal(format_read_pixel(&format, data, 8, 3, sample), 0);
    assert_int_equal(format_read_pixel(&format, data, 7, 4, sample), 0);
    format.modifier = 1;
    assert_int_equal(format_read_pixel(&format, data, 0, 0, sample), 0);
    format.modifier = 0;
    format.fourcc = 0;
    assert_int_equal(format_read_pixel(&format, data, 0, 0, sample), 0);
    assert_string_equal(format_describe_pixel(sample, 0, text, sizeof(text)), "");
}

static double level(const struct sample *sample)
{
    return sample->value * 255.0 / ((1u << sample->bits) - 1);
}

/* What BT.601 with full range makes of it, B, G, R. */
static void to_bgr(const struct sample *s, unsigned count, double bgr[3])
{
    if (s[0].name == 'R') {
        for (unsigned i = 0; i < 3; i++)
            bgr[2 - i] = level(&s[i]);
        return;
    }
    double y = level(&s[0]), u = 0, v = 0;
    if (count > 1) {
        u = s[1].value * 256.0 / (1u << s[1].bits) - 128;
        v = s[2].value * 256.0 / (1u << s[2].bits) - 128;
    }
    bgr[0] = y + 1.772 * u;
    bgr[1] = y - 0.344136 * u - 0.714136 * v;
    bgr[2] = y + 1.402 * v;
}

static void compare(const struct framebus_format_info *info, struct convert *convert)
{
    struct framebus_format format;
    uint8_t data[WIDTH * HEIGHT * 8 * 2], pixels[WIDTH * 4 * HEIGHT];
    bool low_bits = strchr("SR", info->drm[0]) && (info->depth == 10 || info->depth == 12);
    struct framebus_frame frame = {.format = &format};

    assert_int_equal(framebus_format_init(&format, info->fourcc, WIDTH, HEIGHT), 0);
    format.color = (struct framebus_color){.matrix = 5, .range = 2};
    assert_true(format.size <= sizeof(data));
    for (size_t i = 0; i < format.size; i++) /* padding above the samples has to be zero */
        data[i] = rand() & (low_bits && info->planes != 2 && i % 2 ? (1 << (info->depth - 8)) - 1 : 255);
    for (unsigned i = 0; i < format.planes; i++)
        frame.plane[i] = (struct framebus_plane){data + format.offset[i], format.stride[i]};
    assert_int_equal(convert_prepare(convert, &format), 0);
    assert_int_equal(convert_picture(convert, &frame, pixels, WIDTH * 4), 0);

    for (unsigned i = 0; i < WIDTH * HEIGHT; i++) {
        struct sample sample[SAMPLES_MAX];
        double bgr[3];
        unsigned count = format_read_pixel(&format, data, i % WIDTH, i / WIDTH, sample);
        if (count != (info->yuv || sample[0].name == 'R' ? 3u : 1u) + info->alpha)
            fail_msg("%s has %u components", info->name, count);
        to_bgr(sample, count, bgr);
        for (unsigned k = 0; k < 3; k++)
            if (fabs(fmin(255, fmax(0, bgr[k])) - pixels[i * 4 + k]) > TOLERANCE)
                fail_msg("%s, pixel %u: %.1f is shown as %u", info->name, i, bgr[k], pixels[i * 4 + k]);
    }
}

/* The library that makes the colours reads the same bits. */
static void values_of_every_format_make_the_colours_that_are_shown(void **state)
{
    (void)state;
    struct convert *convert = convert_create();
    const struct framebus_format_info *info;
    unsigned compared = 0;

    srand(1);
    for (size_t i = 0; (info = framebus_format_at(i)); i++) {
        compare(info, convert);
        compared++;
    }
    assert_true(compared > 60);
    convert_destroy(convert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_that_were_stored),
        cmocka_unit_test(what_is_outside_or_unknown_has_no_values),
        cmocka_unit_test(values_of_every_format_make_the_colours_that_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
