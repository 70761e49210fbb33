/* SPDX-License-Identifier: MIT */
/* Texts of hostile writers of which GStreamer would warn, which fails these tests and ends some programs. */
#include "fixture.h"

#include "text.h"

static const char *const bad[] = {
    "",
    "1abc, x=(int)1",
    " /x, y=1",
    "\"1 x\", y=1",
    "a/b, x=(int)1; 2c",
    "a/b;;c",
    "a/b, x=(string)\"\xff\"",
    "a/b(memory:X, y=1",
    "a/b(1), y=1",
    "a/b(), y=1",
    "a/b(memory), y=1",
    "a/b(meta:Some_2), y=1",
    "a/b(memory:, y:1), y=1",
    "a/b, x={(int)1, 2",
    "a/b, x=(int)1 ]",
};

static const char *const good[] = {
    "video/x-raw, format=(string)NV12, width=(int)64",
    "video/x-raw(format:Interlaced), format=(string)NV12",
    "video/x-raw(memory:DMABuf, meta:Some2), format=(string)NV12;",
    "audio/x-raw, title=(string)\"a;\\ b\", channel-mask=(bitmask)0x3",
    "timestamp/x-unix",
    "ANY",
};

GST_START_TEST(caps_that_make_no_sense_are_refused_without_a_warning)
{
    GstCaps *caps = text_to_caps(bad[__i__]);

    fail_unless(caps == NULL, "%s", bad[__i__]);
}
GST_END_TEST

GST_START_TEST(structures_that_make_no_sense_are_refused_without_a_warning)
{
    GstStructure *structure = text_to_structure(bad[__i__]);

    g_clear_pointer(&structure, gst_structure_free);
}
GST_END_TEST

GST_START_TEST(caps_that_make_sense_are_taken)
{
    GstCaps *caps = text_to_caps(good[__i__]);

    fail_unless(caps != NULL, "%s", good[__i__]);
    gst_caps_unref(caps);
}
GST_END_TEST

static Suite *parse_suite(void)
{
    Suite *suite = suite_create("parse");
    TCase *tests = tcase_create("parse");

    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, caps_that_make_no_sense_are_refused_without_a_warning, 0, G_N_ELEMENTS(bad));
    tcase_add_loop_test(tests, structures_that_make_no_sense_are_refused_without_a_warning, 0,
                        G_N_ELEMENTS(bad));
    tcase_add_loop_test(tests, caps_that_make_sense_are_taken, 0, G_N_ELEMENTS(good));
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, parse_suite);
}
