/* SPDX-License-Identifier: MIT */
/* Requests for key frames that come from behind a source, and reach the encoder in the writer's process. */
#include "fixture.h"

#include "../sanitized.h"

#include <gst/video/video.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* No key frame of the encoder's own accord. */
#define WRITER                                                                                               \
    "gst-launch-1.0 -q videotestsrc is-live=true ! "                                                         \
    "video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! "                                           \
    "x264enc tune=zerolatency key-int-max=100000 ! framebussink bus=b"

#define REQUESTS 20

static gint frames, keys;

static GstPadProbeReturn count(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, gpointer user G_GNUC_UNUSED)
{
    if (!GST_BUFFER_FLAG_IS_SET(GST_PAD_PROBE_INFO_BUFFER(info), GST_BUFFER_FLAG_DELTA_UNIT))
        g_atomic_int_inc(&keys);
    g_atomic_int_inc(&frames);
    return GST_PAD_PROBE_OK;
}

static void wait_for(gint *counter, gint least)
{
    for (guint i = 0; i < 3000 && g_atomic_int_get(counter) < least; i++)
        g_usleep(10000);
    fail_unless(g_atomic_int_get(counter) >= least, "%d, not %d, of %d frames", g_atomic_int_get(counter),
                least, g_atomic_int_get(&frames));
}

static GPid writer_start(void)
{
    GError *error = NULL;
    gchar **words = g_strsplit(WRITER, " ", -1);
    GPid writer;

    fail_unless(g_spawn_async(NULL, words, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                              &writer, &error),
                "%s", error ? error->message : "");
    g_strfreev(words);
    return writer;
}

static void writer_end(GPid writer)
{
    kill(writer, SIGINT);
    fail_unless_equals_int(waitpid(writer, NULL, 0), writer);
}

/* As a payloader does that was told to by a receiver. */
static gboolean request(GstElement *sink)
{
    GstPad *pad = gst_element_get_static_pad(sink, "sink");
    const gboolean done =
        gst_pad_push_event(pad, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));

    gst_object_unref(pad);
    return done;
}

GST_START_TEST(requests_reach_the_encoder_once_a_second)
{
    const GPid writer = writer_start();
    GstElement *reader = pipeline_new("framebussrc name=src bus=b ! fakesink name=sink sync=false");
    GstElement *sink = child(reader, "sink");
    GstPad *pad = gst_element_get_static_pad(sink, "sink");
    gint keys_before, frames_before;
    gint64 begun;
    guint seconds;

    frames = keys = 0;
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count, NULL, NULL);
    gst_object_unref(pad);
    fail_if(gst_element_set_state(reader, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    wait_for(&keys, 1);
    wait_for(&frames, 45); /* what was made since this reader joined is over */

    keys_before = g_atomic_int_get(&keys);
    fail_unless(request(sink));
    wait_for(&keys, keys_before + 1);

    frames_before = g_atomic_int_get(&frames);
    wait_for(&frames, frames_before + 45);
    keys_before = g_atomic_int_get(&keys);
    begun = g_get_monotonic_time();
    for (gint i = 0; i < REQUESTS; i++) {
        frames_before = g_atomic_int_get(&frames);
        fail_unless(request(sink));
        wait_for(&frames, frames_before + 1);
    }
    wait_for(&keys, keys_before + 1);
    frames_before = g_atomic_int_get(&frames);
    wait_for(&frames, frames_before + 45);
    seconds = (g_get_monotonic_time() - begun) / G_USEC_PER_SEC;
    fail_unless(g_atomic_int_get(&keys) - keys_before <= (gint)seconds + 1, "%d key frames in %u seconds",
                g_atomic_int_get(&keys) - keys_before, seconds);

    pipeline_end(reader);
    writer_end(writer);
}
GST_END_TEST

/* The requests come from other threads than the one that opens and closes the reader. */
static gpointer ask_again_and_again(gpointer sink)
{
    while (GST_STATE(sink) != GST_STATE_NULL)
        request(sink);
    return NULL;
}

GST_START_TEST(requests_come_at_any_time)
{
    GstElement *reader =
        pipeline_new("framebussrc name=src bus=b ! fakesink name=sink sync=false async=false");
    GThread *asker;

    fail_if(gst_element_set_state(reader, GST_STATE_READY) == GST_STATE_CHANGE_FAILURE);
    asker = g_thread_new("asker", ask_again_and_again, child(reader, "sink"));
    for (guint i = 0; i < 5; i++) {
        GstElement *writer = pipeline_play("videotestsrc ! framebussink bus=b");

        fail_if(gst_element_set_state(reader, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
        wait_for_stat(child(reader, "src"), "delivered", 1);
        pipeline_end(writer);
        fail_if(gst_element_set_state(reader, GST_STATE_READY) == GST_STATE_CHANGE_FAILURE);
    }
    pipeline_set_state(reader, GST_STATE_NULL);
    g_thread_join(asker);
    gst_object_unref(reader);
}
GST_END_TEST

static Suite *requests_suite(void)
{
    Suite *suite = suite_create("requests");
    TCase *tests = tcase_create("requests");
    GstElementFactory *encoder = gst_element_factory_find("x264enc");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    if (encoder && !SANITIZED) /* gst-launch-1.0 cannot load a plugin that was built so */
        tcase_add_test(tests, requests_reach_the_encoder_once_a_second);
    gst_clear_object(&encoder);
    tcase_add_test(tests, requests_come_at_any_time);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, requests_suite);
}
