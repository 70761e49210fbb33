/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "geometry.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-6)

static void assert_box(struct box box, double x, double y, double width, double height)
{
    assert_near(box.x, x);
    assert_near(box.y, y);
    assert_near(box.width, width);
    assert_near(box.height, height);
}

static void pixels_that_are_not_square_lengthen_a_side(void **state)
{
    (void)state;
    struct extent plain = geometry_square(720, 576, 0, 0);
    struct extent wide = geometry_square(720, 576, 64, 45);
    struct extent tall = geometry_square(720, 576, 1, 2);

    assert_int_equal(plain.width, 720);
    assert_int_equal(plain.height, 576);
    assert_int_equal(wide.width, 1024);
    assert_int_equal(wide.height, 576);
    assert_int_equal(tall.width, 720);
    assert_int_equal(tall.height, 1152);
}

static void absurd_pixel_shapes_stay_in_range(void **state)
{
    (void)state;
    struct extent wide = geometry_square(16384, 1, UINT32_MAX, 1);
    struct extent tall = geometry_square(1, 16384, 1, UINT32_MAX);

    assert_true(wide.width >= 16384 && wide.width <= 65535);
    assert_int_equal(wide.height, 1);
    assert_true(tall.height >= 16384 && tall.height <= 65535);
}

static void a_picture_too_large_is_shrunk_and_a_small_one_left_alone(void **state)
{
    (void)state;
    struct extent room = {1000, 1000};
    struct extent large = geometry_shrink((struct extent){4000, 2000}, room);
    struct extent small = geometry_shrink((struct extent){40, 20}, room);
    struct extent thin = geometry_shrink((struct extent){16384, 1}, room);

    assert_int_equal(large.width, 1000);
    assert_int_equal(large.height, 500);
    assert_int_equal(small.width, 40);
    assert_int_equal(small.height, 20);
    assert_int_equal(thin.height, 1);
}

static void a_picture_that_fits_is_enlarged_and_centred(void **state)
{
    (void)state;
    struct box cell = {100, 0, 400, 400};
    struct pose pose = {0};
    struct placement place = geometry_place(cell, (struct extent){200, 100}, &pose);

    assert_box(place.shown, 100, 100, 400, 200);
    assert_box(place.box, 100, 100, 400, 200);
}

static void a_turned_picture_keeps_its_middle_and_swaps_its_sides(void **state)
{
    (void)state;
    struct box cell = {0, 0, 400, 400};
    struct pose pose = {.turns = 1};
    struct placement place = geometry_place(cell, (struct extent){200, 100}, &pose);

    assert_box(place.shown, 100, 0, 200, 400);
    assert_box(place.box, 0, 100, 400, 200); /* to be turned about (200, 200) */
}

static void one_to_one_is_one_to_one(void **state)
{
    (void)state;
    struct box cell = {0, 0, 400, 300};
    struct extent size = {200, 100};
    struct pose pose = {0};

    geometry_set_zoom(&pose, cell, size, 1);
    assert_box(geometry_place(cell, size, &pose).shown, 100, 100, 200, 100);
    geometry_set_zoom(&pose, cell, size, 2);
    assert_box(geometry_place(cell, size, &pose).shown, 0, 50, 400, 200);
}

static void zooming_keeps_the_point_under_the_pointer(void **state)
{
    (void)state;
    struct box cell = {10, 20, 640, 480};
    struct extent size = {320, 200};

    for (unsigned turns = 0; turns < 4; turns++) {
        struct pose pose = {.turns = turns, .mirrored = turns == 2};
        double u0, v0, u1, v1, x = 333, y = 222;
        struct placement place = geometry_place(cell, size, &pose);
        assert_true(geometry_pick(&place, x, y, &u0, &v0));
        for (int i = 0; i < 12; i++)
            geometry_zoom(&pose, cell, size, i < 8 ? 1.3 : 0.8, x, y);
        place = geometry_place(cell, size, &pose);
        assert_true(geometry_pick(&place, x, y, &u1, &v1));
        assert_true(fabs(u0 - u1) < 0.005 && fabs(v0 - v1) < 0.005); /* pictures stand on whole pixels */
    }
}

static void zoom_has_limits(void **state)
{
    (void)state;
    struct box cell = {0, 0, 640, 480};
    struct pose pose = {0};

    for (int i = 0; i < 1000; i++)
        geometry_zoom(&pose, cell, (struct extent){640, 480}, 2, 1, 1);
    assert_true(pose.zoom >= 1 && pose.zoom <= 1000);
    for (int i = 0; i < 1000; i++)
        geometry_zoom(&pose, cell, (struct extent){640, 480}, 0.5, 1, 1);
    assert_true(pose.zoom > 0.001);
}

static void picking_follows_turns_and_mirrors(void **state)
{
    (void)state;
    static const struct {
        unsigned turns;
        bool mirrored;
        double u, v; /* of the point in the upper left of the screen */
    } cases[] = {
        {0, false, 0.1, 0.1}, {1, false, 0.1, 0.9}, {2, false, 0.9, 0.9}, {3, false, 0.9, 0.1},
        {0, true, 0.9, 0.1},  {1, true, 0.9, 0.9},  {2, true, 0.1, 0.9},  {3, true, 0.1, 0.1},
    };
    struct box cell = {0, 0, 100, 100};

    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pose pose = {.turns = cases[i].turns, .mirrored = cases[i].mirrored};
        struct placement place = geometry_place(cell, (struct extent){50, 50}, &pose);
        double u, v;
        assert_true(geometry_pick(&place, 10, 10, &u, &v));
        assert_near(u, cases[i].u);
        assert_near(v, cases[i].v);
    }
}

static void a_point_is_where_it_is_picked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        const struct pose pose = {.turns = i % 4, .mirrored = i >= 4, .zoom = 1.5, .shift_x = 20};
        struct placement place =
            geometry_place((struct box){5, 7, 640, 480}, (struct extent){300, 200}, &pose);
        double x, y, u, v;
        geometry_point(&place, 0.2, 0.7, &x, &y);
        assert_true(geometry_pick(&place, x, y, &u, &v));
        assert_true(fabs(u - 0.2) < 1e-9 && fabs(v - 0.7) < 1e-9);
    }
}

static void beside_the_picture_nothing_is_picked(void **state)
{
    (void)state;
    struct box cell = {0, 0, 400, 200};
    struct pose pose = {0};
    struct placement place = geometry_place(cell, (struct extent){100, 100}, &pose);
    double u, v;

    assert_false(geometry_pick(&place, 99, 100, &u, &v));
    assert_true(geometry_pick(&place, 100, 100, &u, &v));
    assert_false(geometry_pick(&place, 300, 100, &u, &v));
}

static void a_single_cell_is_the_whole_window(void **state)
{
    (void)state;
    assert_box(geometry_cell((struct extent){640, 480}, 1, 0, (struct extent){16, 9}, 2), 0, 0, 640, 480);
}

static void four_pictures_make_two_rows_and_two_columns(void **state)
{
    (void)state;
    struct extent area = {1282, 722}, wide = {16, 9};

    assert_box(geometry_cell(area, 4, 0, wide, 2), 0, 0, 640, 360);
    assert_box(geometry_cell(area, 4, 1, wide, 2), 642, 0, 640, 360);
    assert_box(geometry_cell(area, 4, 2, wide, 2), 0, 362, 640, 360);
    assert_box(geometry_cell(area, 4, 3, wide, 2), 642, 362, 640, 360);
}

static void a_last_row_that_is_not_full_is_centred(void **state)
{
    (void)state;
    struct box last = geometry_cell((struct extent){1000, 1000}, 3, 2, (struct extent){4, 4}, 0);

    assert_box(last, 250, 500, 500, 500);
}

static void cells_never_overlap_and_stay_inside(void **state)
{
    (void)state;
    struct extent area = {1003, 777}, typical = {16, 9};

    for (unsigned count = 1; count <= 30; count++) {
        for (unsigned i = 0; i < count; i++) {
            struct box a = geometry_cell(area, count, i, typical, 2);
            assert_true(a.x >= 0 && a.y >= 0 && a.x + a.width <= area.width && a.y + a.height <= area.height);
            for (unsigned j = 0; j < i; j++) {
                struct box b = geometry_cell(area, count, j, typical, 2);
                assert_true(a.x >= b.x + b.width || b.x >= a.x + a.width || a.y >= b.y + b.height ||
                            b.y >= a.y + a.height);
            }
        }
    }
}

static void window_sizes_are_read(void **state)
{
    (void)state;
    struct extent size;
    int x = 7, y = 7;

    assert_true(geometry_parse("640x480", &size, &x, &y));
    assert_int_equal(size.width, 640);
    assert_int_equal(size.height, 480);
    assert_int_equal(x, 7);
    assert_true(geometry_parse("800x600+10-20", &size, &x, &y));
    assert_int_equal(size.width, 800);
    assert_int_equal(x, 10);
    assert_int_equal(y, -20);
}

static void other_texts_are_no_window_sizes(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",          "640",      "640x",        "x480",         "0x480",
                                        "640x-480",  "-640x480", "640x480+1",   "640x480+1+2x", "640x480 ",
                                        "640*480",   " 640x480", "640x480+1 2", "640x480x3",    "99999x1",
                                        "640x480,5", "1e3x2"};
    struct extent size;
    int x, y;

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (geometry_parse(wrong[i], &size, &x, &y))
            fail_msg("'%s' was taken for a size", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_that_are_not_square_lengthen_a_side),
        cmocka_unit_test(absurd_pixel_shapes_stay_in_range),
        cmocka_unit_test(a_picture_too_large_is_shrunk_and_a_small_one_left_alone),
        cmocka_unit_test(a_picture_that_fits_is_enlarged_and_centred),
        cmocka_unit_test(a_turned_picture_keeps_its_middle_and_swaps_its_sides),
        cmocka_unit_test(one_to_one_is_one_to_one),
        cmocka_unit_test(zooming_keeps_the_point_under_the_pointer),
        cmocka_unit_test(zoom_has_limits),
        cmocka_unit_test(picking_follows_turns_and_mirrors),
        cmocka_unit_test(a_point_is_where_it_is_picked),
        cmocka_unit_test(beside_the_picture_nothing_is_picked),
        cmocka_unit_test(a_single_cell_is_the_whole_window),
        cmocka_unit_test(four_pictures_make_two_rows_and_two_columns),
        cmocka_unit_test(a_last_row_that_is_not_full_is_centred),
        cmocka_unit_test(cells_never_overlap_and_stay_inside),
        cmocka_unit_test(window_sizes_are_read),
        cmocka_unit_test(other_texts_are_no_window_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
