/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pixels/testpicture.h"

/* A frame of our own memory, as a writer would be lent it. */
struct canvas {
    struct framebus_format format;
    struct framebus_frame frame;
    struct testpicture *picture;
    struct luma luma;
};

static struct canvas make(uint32_t fourcc, uint32_t width, uint32_t height)
{
    struct canvas canvas = {0};

    assert_int_equal(framebus_format_init(&canvas.format, fourcc, width, height), 0);
    canvas.frame.data = malloc(canvas.format.size);
    memset(canvas.frame.data, 0x5a, canvas.format.size);
    canvas.frame.size = canvas.format.size;
    for (unsigned i = 0; i < canvas.format.planes; i++)
        canvas.frame.plane[i] = (struct framebus_plane){
            (uint8_t *)canvas.frame.data + canvas.format.offset[i], canvas.format.stride[i]};
    assert_int_equal(testpicture_create(&canvas.picture, &canvas.format), 0);
    assert_true(luma_init(&canvas.luma, &canvas.format));
    return canvas;
}

static void paint(struct canvas *canvas, uint32_t number)
{
    canvas->frame.format = &canvas->format;
    testpicture_paint(canvas->picture, &canvas->frame, number, "12:34:56.789");
}

static void drop(struct canvas *canvas)
{
    testpicture_destroy(canvas->picture);
    free(canvas->frame.data);
}

static void the_number_is_read_from_every_format_and_size(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{80, 48}, {83, 51}, {322, 241}, {1280, 720}};
    const struct framebus_format_info *info;
    size_t formats = 0;

    for (; (info = framebus_format_at(formats)); formats++) {
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            struct canvas canvas = make(info->fourcc, sizes[i][0], sizes[i][1]);

            for (uint32_t number = 0xfffffff0; number != 3; number++) { /* over and over into the same slot */
                uint32_t seen = 0;
                enum testpicture_verdict verdict;

                paint(&canvas, number);
                verdict = testpicture_read(&canvas.luma, &canvas.frame, &seen);
                if (verdict != TESTPICTURE_WHOLE || seen != number)
                    fail_msg("%s %ux%u: verdict %d, number %u instead of %u", info->name, sizes[i][0],
                             sizes[i][1], (int)verdict, seen, number);
            }
            drop(&canvas);
        }
    }
    assert_true(formats > 60);
}

static void a_picture_of_two_halves_is_torn(void **state)
{
    (void)state;
    for (uint32_t from = 8; from < 240; from += 8) { /* rows */
        struct canvas one = make(framebus_format_by_name("NV12")->fourcc, 320, 240);
        struct canvas other = make(framebus_format_by_name("NV12")->fourcc, 320, 240);
        size_t bytes = (size_t)from * one.format.stride[0];
        uint32_t number;

        paint(&one, 7);
        paint(&other, 8);
        memcpy(one.frame.data, other.frame.data, bytes);
        assert_int_equal(testpicture_read(&one.luma, &one.frame, &number), TESTPICTURE_TORN);
        drop(&one);
        drop(&other);
    }
}

static void a_picture_that_is_not_as_it_was_made_is_altered(void **state)
{
    (void)state;
    struct canvas canvas = make(framebus_format_by_name("YUY2")->fourcc, 320, 240);
    uint32_t number;

    paint(&canvas, 7);
    memset((uint8_t *)canvas.frame.data + 40 * canvas.format.stride[0], 99, 8 * canvas.format.stride[0]);
    assert_int_equal(testpicture_read(&canvas.luma, &canvas.frame, &number), TESTPICTURE_ALTERED);
    assert_int_equal(number, 7);
    drop(&canvas);
}

/* As a little endian machine writes it: others read it. */
static void the_cells_of_a_picture_are_the_same_on_every_machine(void **state)
{
    (void)state;
    struct canvas canvas = make(framebus_format_by_name("GRAY8")->fourcc, TESTPICTURE_CELLS, 48);
    uint32_t seal = 0;

    canvas.frame.format = &canvas.format;
    testpicture_write_code(&canvas.luma, &canvas.frame, 0x01020304);
    for (unsigned cell = 64; cell < TESTPICTURE_CELLS; cell++)
        seal = seal << 1 | (((const uint8_t *)canvas.frame.data)[cell] >= 128);
    assert_int_equal(seal, 0x0c5b);
    drop(&canvas);
}

static void other_pictures_have_no_number(void **state)
{
    (void)state;
    struct canvas canvas = make(framebus_format_by_name("I420")->fourcc, 320, 240);
    uint32_t number;

    for (unsigned level = 0; level < 256; level += 5) {
        memset(canvas.frame.data, (int)level, canvas.format.size);
        canvas.frame.format = &canvas.format;
        assert_int_equal(testpicture_read(&canvas.luma, &canvas.frame, &number), TESTPICTURE_NONE);
    }
    drop(&canvas);
}

static void each_picture_differs_from_the_one_before_also_tiny_ones(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{2, 1}, {16, 16}, {79, 200}, {640, 480}};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct canvas canvas = make(framebus_format_by_name("RGB")->fourcc, sizes[i][0], sizes[i][1]);
        uint8_t *before = malloc(canvas.format.size);

        for (uint32_t number = 0; number < 200; number++) {
            paint(&canvas, number);
            if (number)
                assert_memory_not_equal(before, canvas.frame.data, canvas.format.size);
            memcpy(before, canvas.frame.data, canvas.format.size);
        }
        free(before);
        drop(&canvas);
    }
}

static void a_format_with_a_modifier_is_refused(void **state)
{
    (void)state;
    struct framebus_format format;
    struct testpicture *picture;

    assert_int_equal(framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 320, 240), 0);
    format.modifier = 1;
    assert_true(testpicture_create(&picture, &format) < 0);
    assert_null(picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_is_read_from_every_format_and_size),
        cmocka_unit_test(a_picture_of_two_halves_is_torn),
        cmocka_unit_test(a_picture_that_is_not_as_it_was_made_is_altered),
        cmocka_unit_test(the_cells_of_a_picture_are_the_same_on_every_machine),
        cmocka_unit_test(other_pictures_have_no_number),
        cmocka_unit_test(each_picture_differs_from_the_one_before_also_tiny_ones),
        cmocka_unit_test(a_format_with_a_modifier_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
