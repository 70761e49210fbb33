/* SPDX-License-Identifier: MIT */
#include "caps.h"
#include "fixture.h"

static const guint sizes[][2] = {
    {320, 240}, {1920, 1080}, {321, 241}, {1, 1},     {2, 2},    {3, 5},
    {7, 4},     {17, 9},      {33, 2},    {641, 359}, {4095, 3},
};

/* GStreamer has this format since 1.28, and rounds its rows up to an even number. Frames of a plain program
 * then need GstVideoMeta or a copy, like any layout that is not GStreamer's default. */
static gboolean is_laid_out_otherwise(const char *name, guint height)
{
    return strcmp(name, "NV16_10LE40") == 0 && height % 2;
}

GST_START_TEST(default_layout_is_gstreamers)
{
    const struct framebus_format_info *row;
    guint known = 0;

    for (size_t i = 0; (row = framebus_format_at(i)); i++) {
        GstVideoFormat video = gst_video_format_from_string(row->name);

        if (video == GST_VIDEO_FORMAT_UNKNOWN)
            continue;
        known++;
        for (guint k = 0; k < G_N_ELEMENTS(sizes); k++) {
            struct framebus_format format;
            GstVideoInfo info;

            fail_unless(gst_video_info_set_format(&info, video, sizes[k][0], sizes[k][1]));
            format_from_info(&format, &info, "");
            fail_unless_equals_int(framebus_format_check(&format), 0);
            fail_unless_equals_int(framebus_format_init(&format, row->fourcc, sizes[k][0], sizes[k][1]), 0);
            fail_unless_equals_int(framebus_format_check(&format), 0);
            if (is_laid_out_otherwise(row->name, sizes[k][1]))
                continue;
            fail_unless(
                format_has_layout(&format, GST_VIDEO_INFO_N_PLANES(&info), info.offset, info.stride) &&
                    format.size == GST_VIDEO_INFO_SIZE(&info),
                "%s %ux%u: size %" G_GUINT64_FORMAT " instead of %" G_GSIZE_FORMAT
                ", strides %u %u instead of %d %d, second plane at %" G_GUINT64_FORMAT
                " instead of %" G_GSIZE_FORMAT,
                row->name, sizes[k][0], sizes[k][1], format.size, GST_VIDEO_INFO_SIZE(&info),
                format.stride[0], format.stride[1], info.stride[0], info.stride[1], format.offset[1],
                info.offset[1]);
        }
    }
    fail_unless(known >= 40, "only %u formats have a name that GStreamer knows", known);
}
GST_END_TEST

static const char *const pictures[] = {
    "video/x-raw, format=(string)NV12, width=(int)1920, height=(int)1080, framerate=(fraction)60/1",
    "video/x-raw, format=(string)BGRx, width=(int)33, height=(int)17, framerate=(fraction)0/1, "
    "max-framerate=(fraction)30/1, pixel-aspect-ratio=(fraction)12/11",
    "video/x-raw, format=(string)P010_10LE, width=(int)640, height=(int)360, framerate=(fraction)30000/1001, "
    "colorimetry=(string)bt2100-pq, chroma-site=(string)cosited",
    "video/x-raw, format=(string)I420, width=(int)720, height=(int)576, framerate=(fraction)25/1, "
    "interlace-mode=(string)interleaved, field-order=(string)top-field-first",
};

GST_START_TEST(caps_of_a_picture_survive)
{
    GstCaps *caps = gst_caps_from_string(pictures[__i__]), *back;
    g_autofree char *text = gst_caps_to_string(caps), *why = NULL;
    struct framebus_format format;
    GstVideoInfo info, again;

    fail_unless(caps_are_picture(caps, &info));
    format_from_info(&format, &info, text);
    fail_unless_equals_int(framebus_format_check(&format), 0);
    back = caps_from_format(&format, &again, &why);
    fail_unless(back != NULL, "%s", why);
    fail_unless(gst_caps_is_equal(caps, back));
    fail_unless(gst_video_info_is_equal(&info, &again));
    gst_caps_unref(caps);
    gst_caps_unref(back);
}
GST_END_TEST

GST_START_TEST(colour_is_described_without_caps_too)
{
    GstCaps *caps = gst_caps_from_string(pictures[2]);
    struct framebus_format format;
    GstVideoInfo info;

    fail_unless(caps_are_picture(caps, &info));
    format_from_info(&format, &info, "");
    fail_unless_equals_int(format.color.primaries, 9);
    fail_unless_equals_int(format.color.transfer, 16);
    fail_unless_equals_int(format.color.matrix, 9);
    fail_unless_equals_int(format.color.range, 1);
    fail_unless_equals_int(format.rate_num, 30000);
    fail_unless_equals_int(format.rate_den, 1001);
    gst_caps_unref(caps);
}
GST_END_TEST

GST_START_TEST(caps_of_a_plain_program_come_from_its_description)
{
    const struct framebus_format_info *row = framebus_format_by_name("YUY2");
    struct framebus_format format;
    g_autofree char *why = NULL, *text = NULL;
    GstVideoInfo info;
    GstCaps *caps;

    fail_unless_equals_int(framebus_format_init(&format, row->fourcc, 640, 480), 0);
    format.rate_num = 25;
    format.rate_den = 2;
    format.aspect_num = 4;
    format.aspect_den = 3;
    format.color = (struct framebus_color){.primaries = 1, .transfer = 1, .matrix = 1, .range = 2};
    caps = caps_from_format(&format, &info, &why);
    fail_unless(caps != NULL, "%s", why);
    text = gst_caps_to_string(caps);
    fail_unless(strstr(text, "format=(string)YUY2") != NULL, "%s", text);
    fail_unless(strstr(text, "framerate=(fraction)25/2") != NULL, "%s", text);
    fail_unless(strstr(text, "pixel-aspect-ratio=(fraction)4/3") != NULL, "%s", text);
    fail_unless_equals_int(info.colorimetry.range, GST_VIDEO_COLOR_RANGE_0_255);
    fail_unless_equals_int(info.colorimetry.matrix, GST_VIDEO_COLOR_MATRIX_BT709);
    gst_caps_unref(caps);
}
GST_END_TEST

/* The described picture is what is in memory; caps text that says otherwise is not believed. */
static const char *const contradictions[] = {
    "video/x-raw, format=(string)NV12, width=(int)6400, height=(int)480, framerate=(fraction)30/1",
    "video/x-raw, format=(string)I420, width=(int)640, height=(int)480, framerate=(fraction)30/1",
    "video/x-raw, format=(string)NV12, width=(int)[1, 640], height=(int)480",
    "video/x-raw(memory:GLMemory), format=(string)NV12, width=(int)640, height=(int)480, "
    "framerate=(fraction)30/1",
    "video/x-raw(memory:DMABuf), format=(string)NV12, width=(int)640, height=(int)480, "
    "framerate=(fraction)30/1",
    "image/jpeg",
    "ANY",
    "EMPTY",
    "no caps at all !!",
};

GST_START_TEST(caps_text_that_contradicts_the_picture_is_not_believed)
{
    const struct framebus_format_info *row = framebus_format_by_name("NV12");
    struct framebus_format format;
    g_autofree char *why = NULL;
    GstVideoInfo info;
    GstCaps *caps;

    fail_unless_equals_int(framebus_format_init(&format, row->fourcc, 640, 480), 0);
    format.caps = contradictions[__i__];
    caps = caps_from_format(&format, &info, &why);
    fail_unless(caps != NULL, "%s", why);
    fail_unless_equals_int(GST_VIDEO_INFO_FORMAT(&info), GST_VIDEO_FORMAT_NV12);
    fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), 640);
    fail_unless(
        gst_caps_features_is_equal(gst_caps_get_features(caps, 0), GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY));
    gst_caps_unref(caps);
}
GST_END_TEST

static const char *const nonsense[] = {"",
                                       "ANY",
                                       "EMPTY",
                                       "no caps at all !!",
                                       "video/x-h264, width=(int)[1, 9]",
                                       "video/x-raw(memory:GLMemory), format=(string)v210"};

GST_START_TEST(payloads_need_caps_that_make_sense)
{
    struct framebus_format format = {.size = 1000, .caps = nonsense[__i__]};
    g_autofree char *why = NULL;
    GstVideoInfo info;

    fail_unless(caps_from_format(&format, &info, &why) == NULL);
    fail_unless(why != NULL && why[0] != '\0');
}
GST_END_TEST

GST_START_TEST(payloads_keep_their_caps)
{
    struct framebus_format format = {.size = 1000, .caps = "image/jpeg, width=(int)640, height=(int)480"};
    g_autofree char *why = NULL;
    GstVideoInfo info;
    GstCaps *caps = caps_from_format(&format, &info, &why);

    fail_unless(caps != NULL, "%s", why);
    fail_unless(info.finfo == NULL);
    fail_unless(gst_structure_has_name(gst_caps_get_structure(caps, 0), "image/jpeg"));
    gst_caps_unref(caps);
}
GST_END_TEST

GST_START_TEST(common_formats_come_first)
{
    GstCaps *caps = caps_of_pictures();
    const GValue *list = gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");
    guint count = gst_value_list_get_size(list);

    fail_unless_equals_string(g_value_get_string(gst_value_list_get_value(list, 0)), "NV12");
    fail_unless_equals_string(g_value_get_string(gst_value_list_get_value(list, 1)), "I420");
    for (guint i = 0; i < count; i++) {
        const char *name = g_value_get_string(gst_value_list_get_value(list, i));

        fail_unless(framebus_format_by_name(name) != NULL, "%s", name);
        for (guint k = 0; k < i; k++)
            fail_if(strcmp(name, g_value_get_string(gst_value_list_get_value(list, k))) == 0, "%s twice",
                    name);
    }
    gst_caps_unref(caps);
}
GST_END_TEST

GST_START_TEST(rows_are_copied_and_nothing_beside_them)
{
    const struct framebus_format_info *row = framebus_format_by_name("I420");
    struct plane_rows from[FRAMEBUS_PLANES_MAX] = {0}, to[FRAMEBUS_PLANES_MAX] = {0};
    struct framebus_format format;
    guint8 source[3][10 * 16], target[3][10 * 24];

    fail_unless_equals_int(framebus_format_init(&format, row->fourcc, 7, 5), 0);
    memset(target, 0xee, sizeof(target));
    for (guint i = 0; i < 3; i++) {
        for (guint k = 0; k < sizeof(source[i]); k++)
            source[i][k] = k;
        from[i] = (struct plane_rows){source[i], 16};
        to[i] = (struct plane_rows){target[i], 24};
    }
    format_copy_picture(&format, to, from);
    for (guint i = 0; i < 3; i++) {
        guint width = i ? 4 : 7, rows = i ? 3 : 5;

        for (guint y = 0; y < 10; y++) {
            for (guint x = 0; x < 24; x++)
                fail_unless_equals_int(target[i][y * 24 + x], y < rows && x < width ? y * 16 + x : 0xee);
        }
    }
}
GST_END_TEST

static Suite *caps_suite(void)
{
    Suite *suite = suite_create("caps");
    TCase *tests = tcase_create("caps");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, default_layout_is_gstreamers);
    tcase_add_loop_test(tests, caps_of_a_picture_survive, 0, G_N_ELEMENTS(pictures));
    tcase_add_test(tests, colour_is_described_without_caps_too);
    tcase_add_test(tests, caps_of_a_plain_program_come_from_its_description);
    tcase_add_loop_test(tests, caps_text_that_contradicts_the_picture_is_not_believed, 0,
                        G_N_ELEMENTS(contradictions));
    tcase_add_loop_test(tests, payloads_need_caps_that_make_sense, 0, G_N_ELEMENTS(nonsense));
    tcase_add_test(tests, payloads_keep_their_caps);
    tcase_add_test(tests, common_formats_come_first);
    tcase_add_test(tests, rows_are_copied_and_nothing_beside_them);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, caps_suite);
}
