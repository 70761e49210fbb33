/* SPDX-License-Identifier: MIT */
/* What the elements leave undone while nobody needs it. */
#include "fixture.h"

#include <gst/check/gstharness.h>

static GstElement *sink, *source;

static void start(const char *reader)
{
    g_autofree char *text = g_strdup_printf("%s ! fakesink", reader);

    directory_setup();
    sink = pipeline_play("videotestsrc is-live=true ! video/x-raw,width=64,height=32 ! framebussink bus=b");
    source = pipeline_play(text);
}

static void finish(void)
{
    pipeline_end(source);
    pipeline_end(sink);
    directory_teardown();
}

static gint probes(GstElement *element)
{
    GstPad *pad = gst_element_get_static_pad(element, "src");
    gint count;

    GST_OBJECT_LOCK(pad);
    count = pad->num_probes;
    GST_OBJECT_UNLOCK(pad);
    gst_object_unref(pad);
    return count;
}

/* Returns TRUE if the statistics come before the end does. */
static gboolean stats_come_first(void)
{
    GstBus *bus = gst_element_get_bus(source);
    gboolean posted = FALSE, ended = FALSE;

    while (!ended) {
        GstMessage *message = gst_bus_timed_pop_filtered(
            bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);

        fail_unless(message && GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR);
        posted |= gst_message_has_name(message, "framebussrc-stats");
        ended = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    return posted;
}

/* A probe is looked for at every buffer. */
GST_START_TEST(no_probe_is_there_before_the_end_is_near)
{
    start("framebussrc name=s bus=b");
    wait_for_stat(child(source, "s"), "delivered", 3);
    fail_unless_equals_int(probes(child(source, "s")), 0);
    fail_unless(gst_element_send_event(source, gst_event_new_eos()));
    fail_unless(stats_come_first());
    fail_unless_equals_int(probes(child(source, "s")), 0);
    finish();
}
GST_END_TEST

GST_START_TEST(statistics_come_before_the_last_of_so_many_buffers_is_over)
{
    start("framebussrc name=s bus=b num-buffers=5");
    fail_unless(stats_come_first());
    fail_unless_equals_int(probes(child(source, "s")), 0);
    finish();
}
GST_END_TEST

GST_START_TEST(statistics_come_before_the_end_of_the_writers_stream)
{
    start("framebussrc name=s bus=b");
    wait_for_stat(child(source, "s"), "delivered", 3);
    fail_unless(gst_element_send_event(sink, gst_event_new_eos()));
    fail_unless(stats_come_first());
    fail_unless_equals_int(probes(child(source, "s")), 0);
    finish();
}
GST_END_TEST

/* Downstream keeps at a memory what it made of it, and finds it there when the slot comes again. */
GST_START_TEST(a_slot_has_one_memory)
{
    const GQuark quark = g_quark_from_static_string("test-cost");
    GstHarness *harness;
    guint found = 0;

    directory_setup();
    sink = pipeline_play("videotestsrc is-live=true ! video/x-raw,width=64,height=32,framerate=100/1 ! "
                         "framebussink bus=b");
    harness = gst_harness_new_parse("framebussrc bus=b");
    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    for (guint i = 0; i < 1000 && found < 20; i++) {
        GstBuffer *buffer = gst_harness_pull(harness);
        GstMiniObject *memory = GST_MINI_OBJECT_CAST(gst_buffer_peek_memory(buffer, 0));

        if (GST_MEMORY_IS_READONLY(GST_MEMORY_CAST(memory))) { /* else a copy: the test is slow */
            found += gst_mini_object_get_qdata(memory, quark) != NULL;
            gst_mini_object_set_qdata(memory, quark, &found, NULL);
            fail_unless_equals_uint64(GST_MEMORY_CAST(memory)->offset, 0);
            gst_buffer_resize(buffer, 16, 16); /* which the next buffer is not to see */
        }
        gst_buffer_unref(buffer);
    }
    fail_unless(found == 20, "%u memories were known", found);
    gst_harness_teardown(harness);
    pipeline_end(sink);
    directory_teardown();
}
GST_END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cost");
    TCase *tests = tcase_create("cost");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, no_probe_is_there_before_the_end_is_near);
    tcase_add_test(tests, statistics_come_before_the_last_of_so_many_buffers_is_over);
    tcase_add_test(tests, statistics_come_before_the_end_of_the_writers_stream);
    tcase_add_test(tests, a_slot_has_one_memory);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, suite);
}
