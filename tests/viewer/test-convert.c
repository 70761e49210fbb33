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
#include <unistd.h>

#include <cmocka.h>

#include "color.h"
#include "convert.h"
#include "jpeg.h"

/* Ten bits packed without gaps: no library here reads them. */
static const char *const refused[] = {"NV12_10LE40", "NV16_10LE40"};

static bool is_refused(const char *name)
{
    for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        if (strcmp(refused[i], name) == 0)
            return true;
    return false;
}

static void every_format_of_the_table_is_known(void **state)
{
    (void)state;
    const struct framebus_format_info *info;

    for (size_t i = 0; (info = framebus_format_at(i)); i++)
        if (convert_knows(info->fourcc) == is_refused(info->name))
            fail_msg("%s: %s", info->name, is_refused(info->name) ? "is known by now" : "is not known");
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

/* Memory that ends where the mapping does. */
static uint8_t *guarded(size_t bytes, void **mapping, size_t *size)
{
    size_t page = sysconf(_SC_PAGESIZE);

    *size = (bytes + page - 1) / page * page + page;
    *mapping = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(*mapping, MAP_FAILED);
    assert_int_equal(mprotect((uint8_t *)*mapping + *size - page, page, PROT_NONE), 0);
    return (uint8_t *)*mapping + *size - page - bytes;
}

/* A slot may be the last thing in its mapping, and a texture's row is followed by the next. */
static void nothing_outside_a_picture_is_read_or_written(void **state)
{
    (void)state;
    static const uint32_t sides[][2] = {{1, 1}, {2, 2}, {3, 5}, {17, 33}, {64, 64}, {65, 31}, {1366, 3}};
    struct convert *convert = convert_create();
    const struct framebus_format_info *info;

    for (size_t i = 0; (info = framebus_format_at(i)); i++) {
        for (unsigned k = 0; k < sizeof(sides) / sizeof(*sides); k++) {
            struct framebus_format format;
            struct framebus_frame frame = {.format = &format};
            void *from, *to;
            size_t from_size, to_size;
            if (!convert_knows(info->fourcc))
                continue;
            assert_int_equal(framebus_format_init(&format, info->fourcc, sides[k][0], sides[k][1]), 0);
            frame.data = guarded(format.size, &from, &from_size);
            for (unsigned p = 0; p < format.planes; p++)
                frame.plane[p] =
                    (struct framebus_plane){(uint8_t *)frame.data + format.offset[p], format.stride[p]};
            int stride = (int)format.width * 4;
            uint8_t *pixels = guarded((size_t)stride * format.height, &to, &to_size);
            assert_int_equal(convert_picture(convert, &frame, pixels, stride), 0);
            munmap(from, from_size);
            munmap(to, to_size);
        }
    }
    convert_destroy(convert);
}

static void odd_strides_of_deep_formats_are_refused(void **state)
{
    (void)state;
    struct framebus_format format;
    uint8_t data[1024] = {0}, pixels[1024];
    struct framebus_frame frame = {.format = &format, .plane = {{data, 33}}};
    struct convert *convert = convert_create();

    assert_int_equal(framebus_format_init(&format, DRM_FORMAT_R16, 16, 4), 0);
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
        cmocka_unit_test(nothing_outside_a_picture_is_read_or_written),
        cmocka_unit_test(odd_strides_of_deep_formats_are_refused),
        cmocka_unit_test(what_is_no_jpeg_picture_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
