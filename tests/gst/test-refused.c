/* SPDX-License-Identifier: MIT */
/* What framebussink says to upstream that sends what it cannot share, and to readers at the end. */
#include "fixture.h"

#include <errno.h>
#include <gst/check/gstharness.h>
#include <string.h>

#define GL    "video/x-raw(memory:GLMemory), format=RGBA, width=64, height=32, framerate=25/1"
#define GRAY  "video/x-raw, format=GRAY8, width=64, height=32, framerate=25/1"
#define GRAY2 "video/x-raw, format=GRAY8, width=32, height=64, framerate=25/1"

static gboolean accepts(GstPad *pad, const char *text)
{
    GstCaps *caps = gst_caps_from_string(text);
    const gboolean is_accepted = gst_pad_peer_query_accept_caps(pad, caps);

    gst_caps_unref(caps);
    return is_accepted;
}

GST_START_TEST(who_sends_other_memory_is_told_what_to_do)
{
    GstHarness *harness;
    GstMessage *message;
    GstBus *bus = gst_bus_new();
    GError *error = NULL;

    directory_setup();
    harness = gst_harness_new_parse("framebussink bus=b");
    gst_element_set_bus(harness->element, bus);
    gst_harness_set_src_caps_str(harness, GRAY);
    fail_unless(accepts(harness->srcpad, GRAY));
    fail_if(accepts(harness->srcpad, GL)); /* who asks can still do something else */

    gst_harness_set_src_caps_str(harness, GL);
    fail_unless_equals_int(gst_harness_push(harness, gst_buffer_new_allocate(NULL, 64 * 32 * 4, NULL)),
                           GST_FLOW_NOT_NEGOTIATED);
    message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    fail_unless(message != NULL);
    gst_message_parse_error(message, &error, NULL);
    fail_unless(strstr(error->message, "gldownload") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    gst_element_set_bus(harness->element, NULL);
    gst_harness_teardown(harness);
    gst_object_unref(bus);
    directory_teardown();
}
GST_END_TEST

static void push_picture(GstHarness *harness, guint8 value)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32, NULL);

    gst_buffer_memset(buffer, 0, value, 64 * 32);
    fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
}

static gint ended; /* atomic */

static gpointer push_end(gpointer harness)
{
    gst_harness_push_event(harness, gst_event_new_eos());
    g_atomic_int_set(&ended, TRUE);
    return NULL;
}

/* The reader is still at the first picture of another format, and a lossless bus waits for it. */
GST_START_TEST(readers_are_told_of_the_end_after_any_number_of_pauses)
{
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstHarness *harness;
    GThread *thread;
    guint pictures = 0;
    int r;

    directory_setup();
    g_atomic_int_set(&ended, FALSE);
    harness = gst_harness_new_parse("framebussink bus=b sync=false lossless=true lossless-timeout=-1");
    gst_harness_set_src_caps_str(harness, GRAY);
    reader = reader_new(&options);
    push_picture(harness, 1);
    gst_harness_set_src_caps_str(harness, GRAY2);
    push_picture(harness, 2);
    thread = g_thread_new("upstream", push_end, harness);
    for (guint i = 0; i < 300; i++) {
        gst_element_set_state(harness->element, GST_STATE_PAUSED);
        gst_element_set_state(harness->element, GST_STATE_PLAYING);
    }
    fail_if(g_atomic_int_get(&ended));
    while ((r = framebus_reader_next(reader, &frame, 10 * GST_SECOND)) == 0) {
        pictures++;
        framebus_reader_release(reader, frame);
    }
    fail_unless_equals_int(r, -ENODATA);
    fail_unless_equals_int(pictures, 2);
    g_thread_join(thread);
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
    directory_teardown();
}
GST_END_TEST

/* Nor does the end keep a sink from stopping. */
GST_START_TEST(a_stop_ends_waiting_for_the_end)
{
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    struct framebus_reader *reader;
    GstHarness *harness;
    GThread *thread;

    directory_setup();
    harness = gst_harness_new_parse("framebussink bus=b sync=false lossless=true lossless-timeout=-1");
    gst_harness_set_src_caps_str(harness, GRAY);
    reader = reader_new(&options);
    push_picture(harness, 1);
    gst_harness_set_src_caps_str(harness, GRAY2);
    push_picture(harness, 2);
    thread = g_thread_new("upstream", push_end, harness);
    fail_if(gst_element_set_state(harness->element, GST_STATE_NULL) == GST_STATE_CHANGE_FAILURE);
    g_thread_join(thread);
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
    directory_teardown();
}
GST_END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("sink");
    TCase *tests = tcase_create("sink");

    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, who_sends_other_memory_is_told_what_to_do);
    tcase_add_test(tests, readers_are_told_of_the_end_after_any_number_of_pauses);
    tcase_add_test(tests, a_stop_ends_waiting_for_the_end);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, suite);
}
