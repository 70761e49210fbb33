/* SPDX-License-Identifier: MIT */
/* framebussrc that expects its frames, and one that does not want them all. */
#include "fixture.h"

#define WRITER                                                                                               \
    "videotestsrc is-live=true ! video/x-raw, format=GRAY8, width=16, height=16, framerate=100/1 ! "         \
    "framebussink bus=b"

static void wait_for(GstElement *source, const char *name, guint64 least)
{
    const gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (stat_of(source, name) < least) {
        fail_unless(g_get_monotonic_time() < deadline, "%s stays %" G_GUINT64_FORMAT, name,
                    stat_of(source, name));
        g_usleep(10000);
    }
}

GST_START_TEST(expected_frames_arrive)
{
    GstElement *writer = pipeline_play(WRITER);
    GstElement *reader = pipeline_play("framebussrc name=r bus=b anticipate=50 ! fakesink sync=false");

    wait_for(child(reader, "r"), "delivered", 100);
    gst_element_set_state(reader, GST_STATE_PAUSED);
    gst_element_set_state(reader, GST_STATE_PLAYING);
    wait_for(child(reader, "r"), "delivered", 150);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

static gint discont;

static void count_discont(GstElement *sink G_GNUC_UNUSED, GstBuffer *buffer, GstPad *pad G_GNUC_UNUSED,
                          gpointer user G_GNUC_UNUSED)
{
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT))
        g_atomic_int_inc(&discont);
}

/* What is left out on purpose is no discontinuity. */
GST_START_TEST(unwanted_frames_are_left_out)
{
    GstElement *writer = pipeline_play(WRITER);
    GstElement *reader = pipeline_new(
        "framebussrc name=r bus=b max-rate=20 ! fakesink name=f sync=false signal-handoffs=true");
    guint64 delivered, missed;

    g_atomic_int_set(&discont, 0);
    g_signal_connect(child(reader, "f"), "handoff", G_CALLBACK(count_discont), NULL);
    pipeline_set_state(reader, GST_STATE_PLAYING);
    wait_for(child(reader, "r"), "delivered", 20);
    delivered = stat_of(child(reader, "r"), "delivered");
    missed = stat_of(child(reader, "r"), "missed");
    fail_unless(missed >= 2 * delivered, "%" G_GUINT64_FORMAT " delivered, %" G_GUINT64_FORMAT " missed",
                delivered, missed);
    fail_unless_equals_int(g_atomic_int_get(&discont), 1);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

static Suite *expect_suite(void)
{
    Suite *suite = suite_create("expect");
    TCase *tests = tcase_create("tests");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, expected_frames_arrive);
    tcase_add_test(tests, unwanted_frames_are_left_out);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, expect_suite);
}
