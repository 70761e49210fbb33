/* SPDX-License-Identifier: MIT */
#include "pixels/formats.h"
#include "pixels/planar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define WIDTH  21
#define HEIGHT 9

static const struct sample *sample_of(const struct sample *sample, unsigned count, char name)
{
    for (unsigned i = 0; i < count; i++)
        if (sample[i].name == name)
            return &sample[i];
    return NULL;
}

/* Compares a plane of values with those that are stored. Returns its bytes. */
static size_t compare_plane(const struct framebus_format *format, const uint8_t *data, const uint8_t *plane,
                            const struct planar *planar, unsigned which)
{
    uint32_t sub_x = which ? planar->sub_x : 1, sub_y = which ? planar->sub_y : 1;
    uint32_t values = (WIDTH + sub_x - 1) / sub_x, rows = (HEIGHT + sub_y - 1) / sub_y;
    size_t bytes = planar->bits > 8 ? 2 : 1;
    for (uint32_t i = 0; i < values * rows; i++) {
        struct sample sample[SAMPLES_MAX];
        unsigned count = format_read_pixel(format, data, i % values * sub_x, i / values * sub_y, sample);
        const struct sample *stored = sample_of(sample, count, "YUV"[which]);
        uint32_t value = plane[i * bytes] | (bytes == 2 ? (uint32_t)plane[2 * i + 1] << 8 : 0);
        assert_non_null(stored);
        if (value != stored->value || stored->bits != planar->bits)
            fail_msg("%s, value %u of %c: %u is packed as %u", framebus_format_find(format->fourcc)->name, i,
                     "YUV"[which], stored -> value, value);
    }
    return bytes * values * rows;
}

static void planes_hold_the_values_that_are_stored(void **state)
{
    (void)state;
    const struct framebus_format_info *info;
    unsigned packed = 0;
    srand(1);
    for (size_t i = 0; (info = framebus_format_at(i)); i++) {
        struct framebus_format format;
        struct planar planar;
        bool alpha;
        if (!planar_of(info->fourcc, &planar, &alpha))
            continue;
        assert_int_equal(framebus_format_init(&format, info->fourcc, WIDTH, HEIGHT), 0);
        size_t size = planar_size(&planar, WIDTH, HEIGHT), at = 0;
        uint8_t *data = malloc(format.size), *planes = malloc(size);
        for (size_t k = 0; k < format.size; k++)
            data[k] = (uint8_t)(rand() >> 7);
        bool padded = info->planes != 2 && info->plane[0].bytes == 2 && info->depth < 16;
        for (size_t k = 1; k < format.size && padded; k += 2) /* padding above a value has to be zero */
            data[k] &= (1 << (info->depth - 8)) - 1;
        planar_pack(&format, data, planes);
        for (unsigned k = 0; k < planar.components; k++)
            at += compare_plane(&format, data, planes + at, &planar, k);
        assert_int_equal(at, size);
        assert_int_equal(alpha, info->alpha);
        free(data);
        free(planes);
        packed++;
    }
    assert_int_equal(packed, 47);
}

static void formats_that_are_not_yuv_have_no_planes(void **state)
{
    (void)state;
    const struct framebus_format_info *info;
    for (size_t i = 0; (info = framebus_format_at(i)); i++) {
        struct planar planar;
        bool alpha;
        assert_non_null(format_row_find(info->fourcc));
        if (planar_of(info->fourcc, &planar, &alpha))
            assert_true(info->yuv || planar.components == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_hold_the_values_that_are_stored),
        cmocka_unit_test(formats_that_are_not_yuv_have_no_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
