/* SPDX-License-Identifier: MIT */
/* The elements between an application's appsrc and appsink, and what it can do to pipelines that run. */
#include "tap.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPS  "video/x-raw, format=(string)GRAY8, width=(int)64, height=(int)32, framerate=(fraction)50/1"
#define BYTES (64 * 32)

/* Whoever does not pull loses the oldest. */
#define KEEPER "appsink name=out sync=false max-buffers=4 drop=true"

static char directory[] = "/tmp/fb-appl-XXXXXX";

static void setup(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    fail_unless(mkdtemp(directory) != NULL);
    g_setenv("FRAMEBUS_DIR", directory, TRUE);
}

/* Nothing may be left in the runtime directory but the lock. */
static void teardown(void)
{
    g_autofree char *lock = g_build_filename(directory, ".b.lock", NULL);

    unlink(lock);
    fail_unless_equals_int(rmdir(directory), 0);
}

static GstElement *play(const char *description)
{
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);

    fail_unless(error == NULL, "%s: %s", description, error ? error->message : "");
    fail_if(gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    return pipeline;
}

static void end(GstElement *pipeline)
{
    fail_if(gst_element_set_state(pipeline, GST_STATE_NULL) == GST_STATE_CHANGE_FAILURE);
    gst_object_unref(pipeline);
}

static GstElement *child(GstElement *pipeline, const char *name)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), name);

    fail_unless(element != NULL);
    gst_object_unref(element); /* the pipeline keeps it */
    return element;
}

static guint64 stat_of(GstElement *element, const char *name)
{
    GstStructure *stats;
    guint64 value = 0;

    g_object_get(element, "stats", &stats, NULL);
    fail_unless(gst_structure_get_uint64(stats, name, &value), "no %s in the statistics", name);
    gst_structure_free(stats);
    return value;
}

static void wait_for_stat(GstElement *element, const char *name, guint64 least)
{
    for (guint i = 0; i < 1000 && stat_of(element, name) < least; i++)
        g_usleep(10000);
    fail_unless(stat_of(element, name) >= least, "%s is %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT, name,
                stat_of(element, name), least);
}

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
    GstElement *writer = play("appsrc name=in format=time is-live=true caps=\"" CAPS "\" ! "
                              "framebussink name=s bus=b lossless=true wait-for-connection=true");
    GstElement *reader = play("framebussrc name=r bus=b delivery=lossless ! appsink name=out sync=false");

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
    end(reader);
    end(writer);
}
GST_END_TEST

/* As webrtcbin and the like do. With a quota that is far too small (0) and one that is enough (1). */
GST_START_TEST(samples_that_are_kept_stall_nothing)
{
    GstElement *writer = play("videotestsrc pattern=snow ! " CAPS " ! framebussink name=s bus=b history=60 "
                              "max-slots=256 wait-for-connection=true");
    GstElement *keeper = play(__i__ ? "framebussrc name=r bus=b hold=40 ! " KEEPER
                                    : "framebussrc name=r bus=b hold=2 ! " KEEPER);
    GstElement *other = play("framebussrc name=r bus=b ! fakesink");
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
    end(other);
    end(keeper);
    end(writer);
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
    GstElement *writer = play("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *readers[2];
    gint notified = 0;

    g_signal_connect(child(writer, "s"), "notify::num-readers", G_CALLBACK(count_notify), &notified);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++) {
        readers[i] = play("framebussrc bus=b ! fakesink");
        expect_message(writer, "framebus-reader-added", i + 1);
    }
    end(readers[0]);
    expect_message(writer, "framebus-reader-removed", 1);
    end(readers[1]);
    expect_message(writer, "framebus-reader-removed", 0);
    end(writer); /* and its thread: the last notification comes after the message */
    fail_unless_equals_int(notified, 4);
}
GST_END_TEST

static void set_state(GstElement *pipeline, GstState state)
{
    fail_if(gst_element_set_state(pipeline, state) == GST_STATE_CHANGE_FAILURE);
    fail_if(gst_element_get_state(pipeline, NULL, NULL, 10 * GST_SECOND) == GST_STATE_CHANGE_FAILURE);
}

GST_START_TEST(a_reader_that_is_flushed_or_paused_goes_on)
{
    GstElement *writer = play("videotestsrc ! " CAPS " ! framebussink bus=b");
    GstElement *reader = play("framebussrc name=r bus=b ! queue ! fakesink");
    GstElement *source = child(reader, "r");

    wait_for_stat(source, "delivered", 3);
    for (guint i = 0; i < 10; i++) {
        guint64 before = stat_of(source, "delivered");

        fail_unless(gst_element_send_event(source, gst_event_new_flush_start()));
        fail_unless(gst_element_send_event(source, gst_event_new_flush_stop(i % 2)));
        wait_for_stat(source, "delivered", before + 3);
        set_state(reader, GST_STATE_PAUSED);
        set_state(reader, GST_STATE_PLAYING);
        wait_for_stat(source, "delivered", before + 6);
    }
    for (guint i = 0; i < 5; i++) {
        set_state(reader, GST_STATE_READY);
        set_state(reader, GST_STATE_PLAYING);
        wait_for_stat(source, "delivered", 3);
    }
    end(reader);
    end(writer);
}
GST_END_TEST

#if GST_CHECK_VERSION(1, 24, 0)
/* One that the elements know nothing about. */
GST_START_TEST(metas_that_can_be_serialised_travel)
{
    GstElement *writer = play("appsrc name=in format=time is-live=true caps=\"" CAPS "\" ! "
                              "framebussink bus=b wait-for-connection=true");
    GstElement *reader = play("framebussrc bus=b ! appsink name=out sync=false");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, BYTES, NULL);
    GstCustomMeta *meta;
    GstSample *sample;
    gint weight = 0;

    gst_meta_register_custom_simple("TestLabel");
    meta = gst_buffer_add_custom_meta(buffer, "TestLabel");
    gst_structure_set(gst_custom_meta_get_structure(meta), "weight", G_TYPE_INT, 42, NULL);
    fail_unless_equals_int(gst_app_src_push_buffer(GST_APP_SRC(child(writer, "in")), buffer), GST_FLOW_OK);

    sample = pull(child(reader, "out"));
    meta = gst_buffer_get_custom_meta(gst_sample_get_buffer(sample), "TestLabel");
    fail_unless(meta != NULL);
    fail_unless(gst_structure_get_int(gst_custom_meta_get_structure(meta), "weight", &weight));
    fail_unless_equals_int(weight, 42);
    gst_sample_unref(sample);
    end(reader);
    end(writer);
}
GST_END_TEST
#endif

static Suite *application_suite(void)
{
    Suite *suite = suite_create("application");
    TCase *tests = tcase_create("application");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_an_application_pushes_is_copied_once);
    tcase_add_loop_test(tests, samples_that_are_kept_stall_nothing, 0, 2);
    tcase_add_test(tests, comings_and_goings_are_told_on_the_bus);
    tcase_add_test(tests, a_reader_that_is_flushed_or_paused_goes_on);
#if GST_CHECK_VERSION(1, 24, 0)
    tcase_add_test(tests, metas_that_can_be_serialised_travel);
#endif
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, application_suite);
}
