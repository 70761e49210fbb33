/* SPDX-License-Identifier: MIT */
/* The elements between an application's appsrc and appsink, and what it can do to pipelines that run. */
#include "fixture.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <unistd.h>

#define CAPS  "video/x-raw, format=(string)GRAY8, width=(int)64, height=(int)32, framerate=(fraction)50/1"
#define BYTES (64 * 32)

/* Loses the oldest sample when nobody pulls. */
#define KEEPER "appsink name=out sync=false max-buffers=4 drop=true"

static GstSample *pull(GstElement *sink)
{
    GstSample *sample = gst_app_sink_try_pull_sample(GST_APP_SINK(sink), 10 * GST_SECOND);

    fail_unless(sample != NULL);
    return sample;
}

static guint sum_of(GstSample *sample)
{
    GstMapInfo map;
    guint sum = 0;

    fail_unless(gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ));
    fail_unless_equals_int(map.size, BYTES);
    for (gsize i = 0; i < map.size; i++)
        sum = sum * 31 + map.data[i];
    gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    return sum;
}

GST_START_TEST(what_an_application_pushes_is_copied_once)
{
    GstElement *writer = pipeline_play("appsrc name=in format=time is-live=true caps=\"" CAPS "\" ! "
                                       "framebussink name=s bus=b lossless=true wait-for-connection=true");
    GstElement *reader =
        pipeline_play("framebussrc name=r bus=b delivery=lossless ! appsink name=out sync=false");

    for (guint8 i = 0; i < 20; i++) {
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, BYTES, NULL);
        GstSample *sample;
        guint8 bytes[2];

        gst_buffer_memset(buffer, 0, i, BYTES);
        fail_unless_equals_int(gst_app_src_push_buffer(GST_APP_SRC(child(writer, "in")), buffer),
                               GST_FLOW_OK);

        sample = pull(child(reader, "out"));
        buffer = gst_sample_get_buffer(sample);
        fail_unless_equals_int(gst_buffer_extract(buffer, BYTES - 2, bytes, 2), 2);
        fail_unless(bytes[0] == i && bytes[1] == i);
        fail_unless(GST_MEMORY_IS_READONLY(gst_buffer_peek_memory(buffer, 0)));
        gst_sample_unref(sample);
    }
    gst_app_src_end_of_stream(GST_APP_SRC(child(writer, "in")));
    fail_unless(gst_app_sink_try_pull_sample(GST_APP_SINK(child(reader, "out")), 10 * GST_SECOND) == NULL);
    fail_unless(gst_app_sink_is_eos(GST_APP_SINK(child(reader, "out"))));
    fail_unless_equals_uint64(stat_of(child(writer, "s"), "copied"), 20);
    fail_unless_equals_uint64(stat_of(child(writer, "s"), "zero-copy"), 0);
    fail_unless_equals_uint64(stat_of(child(reader, "r"), "copied"), 0);
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

/* As webrtcbin and the like do. With a quota that is far too small (0) and one that is enough (1). */
GST_START_TEST(samples_that_are_kept_stall_nothing)
{
    GstElement *writer =
        pipeline_play("videotestsrc pattern=snow ! " CAPS " ! framebussink name=s bus=b history=60 "
                      "max-slots=256 wait-for-connection=true");
    GstElement *keeper = pipeline_play(__i__ ? "framebussrc name=r bus=b hold=40 ! " KEEPER
                                             : "framebussrc name=r bus=b hold=2 ! " KEEPER);
    GstElement *other = pipeline_play("framebussrc name=r bus=b ! fakesink");
    GstSample *samples[30];
    guint sums[30];

    for (guint i = 0; i < G_N_ELEMENTS(samples); i++) {
        samples[i] = pull(child(keeper, "out"));
        sums[i] = sum_of(samples[i]);
        if (i > 0)
            fail_unless(gst_sample_get_buffer(samples[i])->offset >
                        gst_sample_get_buffer(samples[i - 1])->offset);
    }
    wait_for_stat(child(writer, "s"), "published", stat_of(child(writer, "s"), "published") + 100);
    if (__i__) {
        fail_unless_equals_uint64(stat_of(child(keeper, "r"), "copied"), 0);
    } else {
        fail_unless(stat_of(child(keeper, "r"), "copied") >= 28);
    }
    fail_unless_equals_uint64(stat_of(child(writer, "s"), "copied"), 0);
    fail_unless_equals_uint64(stat_of(child(other, "r"), "missed"), 0);
    pipeline_end(other);
    pipeline_end(keeper);
    pipeline_end(writer);
    /* Neither a hundred later frames nor the end of everybody has touched them. */
    for (guint i = 0; i < G_N_ELEMENTS(samples); i++) {
        fail_unless_equals_int(sum_of(samples[i]), sums[i]);
        gst_sample_unref(samples[i]);
    }
}
GST_END_TEST

static void expect_message(GstElement *pipeline, const char *name, guint readers)
{
    GstMessage *message;
    const GstStructure *fields;
    gint pid = 0;
    guint number;

    do {
        message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), 10 * GST_SECOND, GST_MESSAGE_ELEMENT);
        fail_unless(message != NULL, "no %s", name);
        fields = gst_message_get_structure(message);
        if (gst_structure_has_name(fields, name))
            break;
        gst_message_unref(message);
    } while (TRUE);
    fail_unless(gst_structure_get_int(fields, "pid", &pid) && pid == getpid());
    fail_unless_equals_string(gst_structure_get_string(fields, "name"), g_get_prgname());
    fail_unless(gst_structure_get_uint(fields, "readers", &number) && number == readers);
    gst_message_unref(message);
}

static void count_notify(GObject *object G_GNUC_UNUSED, GParamSpec *pspec G_GNUC_UNUSED, gint *count)
{
    g_atomic_int_inc(count);
}

GST_START_TEST(comings_and_goings_are_told_on_the_bus)
{
    GstElement *writer = pipeline_play("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *readers[2];
    gint notified = 0;

    g_signal_connect(child(writer, "s"), "notify::num-readers", G_CALLBACK(count_notify), &notified);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++) {
        readers[i] = pipeline_play("framebussrc bus=b ! fakesink");
        expect_message(writer, "framebus-reader-added", i + 1);
    }
    pipeline_end(readers[0]);
    expect_message(writer, "framebus-reader-removed", 1);
    pipeline_end(readers[1]);
    expect_message(writer, "framebus-reader-removed", 0);
    pipeline_end(writer); /* and its thread: the last notification comes after the message */
    fail_unless_equals_int(notified, 4);
}
GST_END_TEST

GST_START_TEST(a_reader_that_is_flushed_or_paused_goes_on)
{
    GstElement *writer = pipeline_play("videotestsrc ! " CAPS " ! framebussink bus=b");
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! queue ! fakesink");
    GstElement *source = child(reader, "r");

    wait_for_stat(source, "delivered", 3);
    for (guint i = 0; i < 10; i++) {
        guint64 before = stat_of(source, "delivered");

        fail_unless(gst_element_send_event(source, gst_event_new_flush_start()));
        fail_unless(gst_element_send_event(source, gst_event_new_flush_stop(i % 2)));
        wait_for_stat(source, "delivered", before + 3);
        pipeline_set_state(reader, GST_STATE_PAUSED);
        pipeline_set_state(reader, GST_STATE_PLAYING);
        wait_for_stat(source, "delivered", before + 6);
    }
    for (guint i = 0; i < 5; i++) {
        pipeline_set_state(reader, GST_STATE_READY);
        pipeline_set_state(reader, GST_STATE_PLAYING);
        wait_for_stat(source, "delivered", 3);
    }
    pipeline_end(reader);
    pipeline_end(writer);
}
GST_END_TEST

/* The streaming thread may not go on waiting for a frame then. With a flush alone (0), and with the end
 * before it (1). */
GST_START_TEST(a_reader_without_a_writer_is_stopped_right_after_a_pause)
{
    GstElement *reader = pipeline_play("framebussrc name=r bus=b ! fakesink async=false");
    GstElement *source = child(reader, "r");

    for (guint i = 0; i < 10000; i++) {
        pipeline_set_state(reader, GST_STATE_PAUSED);
        pipeline_set_state(reader, GST_STATE_PLAYING);
        if (__i__)
            fail_unless(gst_element_send_event(source, gst_event_new_eos()));
        fail_unless(gst_element_send_event(source, gst_event_new_flush_start()));
        fail_unless(gst_element_send_event(source, gst_event_new_flush_stop(TRUE)));
    }
    pipeline_end(reader);
}
GST_END_TEST

static gpointer play(gpointer pipeline)
{
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    return NULL;
}

static void push_plain(GstElement *pipeline, guint count)
{
    for (guint i = 0; i < count; i++)
        fail_unless_equals_int(gst_app_src_push_buffer(GST_APP_SRC(child(pipeline, "in")),
                                                       gst_buffer_new_allocate(NULL, BYTES, NULL)),
                               GST_FLOW_OK);
}

/* A reader that is to get every frame and takes none holds the frames up, not the application. */
GST_START_TEST(a_pause_ends_though_a_lossless_reader_waits)
{
    GstElement *writer =
        pipeline_play("appsrc name=in format=time caps=\"" CAPS "\" ! framebussink name=s bus=b "
                      "sync=false lossless=true lossless-timeout=-1 wait-for-connection=true history=4");
    const struct framebus_reader_options lossless = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    struct framebus_reader *reader = NULL;
    struct framebus_frame *frame;
    GThread *thread;

    for (guint i = 0; i < 1000 && framebus_reader_open(&reader, "b", &lossless) < 0; i++)
        g_usleep(10000);
    push_plain(writer, 4);
    wait_for_stat(child(writer, "s"), "published", 4);
    g_object_set(child(writer, "s"), "wait-for-connection", FALSE, NULL);
    gst_element_set_state(writer, GST_STATE_PAUSED);
    push_plain(writer, 1);
    fail_unless_equals_int(gst_element_get_state(writer, NULL, NULL, 10 * GST_SECOND),
                           GST_STATE_CHANGE_SUCCESS);
    thread = g_thread_new("plays", play, writer);
    fail_unless_equals_int(gst_element_get_state(writer, NULL, NULL, 10 * GST_SECOND),
                           GST_STATE_CHANGE_SUCCESS);
    for (guint i = 0; i < 5; i++) {
        fail_unless_equals_int(framebus_reader_next(reader, &frame, 10 * GST_SECOND), 0);
        framebus_reader_release(reader, frame);
    }
    g_thread_join(thread);
    framebus_reader_close(reader);
    pipeline_end(writer);
}
GST_END_TEST

static Suite *application_suite(void)
{
    Suite *suite = suite_create("application");
    TCase *tests = tcase_create("application");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, what_an_application_pushes_is_copied_once);
    tcase_add_loop_test(tests, samples_that_are_kept_stall_nothing, 0, 2);
    tcase_add_test(tests, a_pause_ends_though_a_lossless_reader_waits);
    tcase_add_test(tests, comings_and_goings_are_told_on_the_bus);
    tcase_add_test(tests, a_reader_that_is_flushed_or_paused_goes_on);
    tcase_add_loop_test(tests, a_reader_without_a_writer_is_stopped_right_after_a_pause, 0, 2);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, application_suite);
}
