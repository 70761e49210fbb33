/* SPDX-License-Identifier: MIT */
/* The latency that framebussrc tells its pipeline of, which costs each sink a calculation. */
#include "fixture.h"

#include <gst/check/gstharness.h>

static GstHarness *writer, *harness;
static GstBus *bus;

static void setup(void)
{
    directory_setup();
    writer = gst_harness_new_parse("framebussink bus=b sync=false");
    gst_harness_set_src_caps_str(writer, "video/x-raw,format=GRAY8,width=64,height=32,framerate=0/1");
    harness = gst_harness_new_parse("framebussrc bus=b");
    bus = gst_bus_new();
    gst_element_set_bus(harness->element, bus);
    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
}

/* At the end of each test: GStreamer waits for its threads before a fixture could end them. */
static void finish(void)
{
    gst_element_set_bus(harness->element, NULL);
    gst_harness_teardown(harness);
    gst_object_unref(bus);
    gst_harness_teardown(writer);
    directory_teardown();
}

/* Lets a frame that lasts so long pass from one to the other. */
static void pass(GstClockTime duration)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32, NULL);

    gst_buffer_memset(buffer, 0, 0, 64 * 32);
    GST_BUFFER_DURATION(buffer) = duration;
    fail_unless_equals_int(gst_harness_push(writer, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(harness);
    fail_unless(buffer != NULL);
    gst_buffer_unref(buffer);
}

static guint count_messages(void)
{
    GstMessage *message;
    guint count = 0;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_LATENCY))) {
        gst_message_unref(message);
        count++;
    }
    return count;
}

static GstClockTime latency(GstClockTime *most)
{
    GstQuery *query = gst_query_new_latency();
    GstClockTime least;

    fail_unless(gst_pad_peer_query(harness->sinkpad, query));
    gst_query_parse_latency(query, NULL, &least, most);
    gst_query_unref(query);
    return least;
}

/* 60 frames a second last 16,666,666 or 16,666,667 ns, which is no news. */
GST_START_TEST(durations_that_are_rounded_are_no_news)
{
    GstClockTime most;

    pass(16666667);
    fail_unless(count_messages() > 0);
    for (guint i = 0; i < 300; i++)
        pass(16666666 + i % 2);
    fail_unless(count_messages() <= 20); /* frames may be older on a busy machine */
    fail_unless(latency(&most) <= most);
    finish();
}
GST_END_TEST

/* The frames of a screen last as long as nothing happens. */
GST_START_TEST(the_shortest_frame_says_how_long_frames_stay)
{
    GstClockTime most, least;

    for (guint i = 0; i < 300; i++)
        pass(GST_MSECOND * (17 + i * 31 % 100));
    fail_unless(count_messages() <= 20);
    least = latency(&most);
    fail_unless_equals_uint64(most, least + (FRAMEBUS_HISTORY_DEFAULT - 1) * 17 * GST_MSECOND);
    finish();
}
GST_END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("latency");
    TCase *tests = tcase_create("latency");

    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, durations_that_are_rounded_are_no_news);
    tcase_add_test(tests, the_shortest_frame_says_how_long_frames_stay);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, suite);
}
