/* SPDX-License-Identifier: MIT */
#include <drm_fourcc.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <libyuv.h>

#include "pixels/color.h"
#include "pixels/convert.h"
#include "pixels/jpeg.h"

#define TOLERANCE 4 /* of 255: some processors round otherwise */

static void every_format_of_the_table_is_known(void **state)
{
    (void)state;
    const struct framebus_format_info *info;

    for (size_t i = 0; (info = framebus_format_at(i)); i++)
        if (!convert_knows(info->fourcc))
            fail_msg("%s is not known", info->name);
}

static void matrix_and_range_are_those_of_the_frame(void **state)
{
    (void)state;
    static const struct {
        uint32_t fourcc, height;
        uint8_t matrix, range;
        struct color color;
    } cases[] = {
        {DRM_FORMAT_NV12, 719, 0, 0, {COLOR_BT601, false}},
        {DRM_FORMAT_NV12, 720, 0, 0, {COLOR_BT709, false}},
        {DRM_FORMAT_NV12, 720, 2, 0, {COLOR_BT709, false}},
        {DRM_FORMAT_NV12, 480, 1, 1, {COLOR_BT709, false}},
        {DRM_FORMAT_NV12, 2160, 5, 2, {COLOR_BT601, true}},
        {DRM_FORMAT_NV12, 2160, 6, 0, {COLOR_BT601, false}},
        {DRM_FORMAT_NV12, 480, 9, 0, {COLOR_BT2020, false}},
        {DRM_FORMAT_NV12, 480, 255, 9, {COLOR_BT601, false}},
        {DRM_FORMAT_R8, 480, 0, 0, {COLOR_BT601, true}},
        {DRM_FORMAT_R8, 480, 0, 1, {COLOR_BT601, false}},
        {DRM_FORMAT_XRGB8888, 720, 0, 0, {COLOR_BT709, true}},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct framebus_format format;
        assert_int_equal(framebus_format_init(&format, cases[i].fourcc, 64, cases[i].height), 0);
        format.color.matrix = cases[i].matrix;
        format.color.range = cases[i].range;
        struct color color = color_of(&format);
        assert_int_equal(color.matrix, cases[i].color.matrix);
        assert_int_equal(color.full, cases[i].color.full);
    }
}

#define ROOM 65536 /* for one of the pictures below, and a multiple of every page size */

/* The end of memory, full of anything, behind which nothing can be read or written. */
static uint8_t *end_of_memory(void)
{
    uint8_t *memory = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mprotect(memory + ROOM, ROOM, PROT_NONE), 0);
    for (unsigned i = 0; i < ROOM; i++)
        memory[i] = (uint8_t)rand();
    return memory + ROOM;
}

struct sweep {
    struct convert *convert;
    uint8_t *plane_end[FRAMEBUS_PLANES_MAX], *fast_end, *plain_end;
};

static void convert_with(int cpu_flags, const struct sweep *sweep, const struct framebus_frame *frame,
                         uint8_t *to)
{
    MaskCpuFlags(cpu_flags);
    assert_int_equal(convert_prepare(sweep->convert, frame->format), 0);
    assert_int_equal(convert_picture(sweep->convert, frame, to, (int)frame->format->width * 4), 0);
}

/* With vector instructions and without. */
static void convert_twice(const struct sweep *sweep, const struct framebus_format *format)
{
    struct framebus_frame frame = {.format = format};
    size_t size = (size_t)format->width * 4 * format->height;
    uint8_t *fast = sweep->fast_end - size, *plain = sweep->plain_end - size;

    for (unsigned i = 0; i < format->planes; i++) { /* the last row needs no padding */
        uint32_t stride = format->stride[i], rows = framebus_format_rows(format, i);
        size_t bytes = (size_t)stride * (rows - 1) + framebus_format_row_bytes(format, i);
        assert_true(bytes <= ROOM && size <= ROOM);
        frame.plane[i] = (struct framebus_plane){sweep->plane_end[i] - bytes, stride};
    }
    convert_with(-1, sweep, &frame, fast);
    convert_with(1, sweep, &frame, plain);
    for (size_t i = 0; i < size; i++)
        if (abs(fast[i] - plain[i]) > TOLERANCE)
            fail_msg("%s %ux%u, byte %zu: %u, without vector instructions %u",
                     framebus_format_find(format->fourcc)->name, format->width, format->height, i, fast[i],
                     plain[i]);
}

static void convert_all_colors(const struct sweep *sweep, uint32_t fourcc, uint32_t width, uint32_t height)
{
    static const struct framebus_color colors[] = {
        {.matrix = 6, .range = 1}, {.matrix = 1, .range = 1}, {.matrix = 1, .range = 2}};
    struct framebus_format format;

    assert_int_equal(framebus_format_init(&format, fourcc, width, height), 0);
    for (unsigned i = 0; i < sizeof(colors) / sizeof(*colors); i++) {
        format.color = colors[i];
        convert_twice(sweep, &format);
    }
}

/*
 * A slot may be the last thing in its mapping, and a texture's row is followed by the next. The functions of
 * libyuv for the last pixels of a row have been wrong before, each for widths of its own.
 */
static void every_width_is_converted_and_nothing_outside_is_read_or_written(void **state)
{
    (void)state;
    struct sweep sweep = {convert_create(), .fast_end = end_of_memory(), .plain_end = end_of_memory()};
    const struct framebus_format_info *info;

    for (unsigned i = 0; i < FRAMEBUS_PLANES_MAX; i++)
        sweep.plane_end[i] = end_of_memory();
    for (size_t i = 0; (info = framebus_format_at(i)); i++) {
        for (uint32_t width = 1; width <= 130; width++)
            convert_all_colors(&sweep, info->fourcc, width, 5);
        convert_all_colors(&sweep, info->fourcc, 17, 33);
        convert_all_colors(&sweep, info->fourcc, 1366, 3);
    }
    MaskCpuFlags(-1);
    convert_destroy(sweep.convert);
}

static void odd_strides_of_deep_formats_are_refused(void **state)
{
    (void)state;
    struct framebus_format format;
    uint8_t data[1024] = {0}, pixels[1024];
    struct framebus_frame frame = {.format = &format, .plane = {{data, 33}}};
    struct convert *convert = convert_create();

    assert_int_equal(framebus_format_init(&format, DRM_FORMAT_R16, 16, 4), 0);
    assert_int_equal(convert_prepare(convert, &format), 0);
    assert_int_equal(convert_picture(convert, &frame, pixels, 64), -EINVAL);
    convert_destroy(convert);
}

static void what_is_no_jpeg_picture_is_refused(void **state)
{
    (void)state;
    static const uint8_t nonsense[] = "GIF89a, or something of that kind, but surely no JPEG picture";
    static const uint8_t cut[] = {0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0};
    struct jpeg *jpeg;
    int width, height;

    assert_int_equal(jpeg_open(&jpeg, nonsense, sizeof(nonsense), &width, &height), -EBADMSG);
    assert_null(jpeg);
    assert_int_equal(jpeg_open(&jpeg, cut, sizeof(cut), &width, &height), -EBADMSG);
    assert_int_equal(jpeg_open(&jpeg, cut, 0, &width, &height), -EBADMSG);
    jpeg_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_of_the_table_is_known),
        cmocka_unit_test(matrix_and_range_are_those_of_the_frame),
        cmocka_unit_test(every_width_is_converted_and_nothing_outside_is_read_or_written),
        cmocka_unit_test(odd_strides_of_deep_formats_are_refused),
        cmocka_unit_test(what_is_no_jpeg_picture_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
