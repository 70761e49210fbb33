/* SPDX-License-Identifier: MIT */
/* framebussink from within an application, with the library's own readers at the other end. */
#include "fixture.h"

#include <errno.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <unistd.h>

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

GST_START_TEST(preroll_and_playing_publish_a_frame_once)
{
    GstElement *pipeline = pipeline_new("videotestsrc num-buffers=10 ! " CAPS " ! framebussink name=s bus=b");
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstMessage *message;

    pipeline_set_state(pipeline, GST_STATE_PAUSED);
    fail_unless_equals_uint64(stat_of(child(pipeline, "s"), "published"), 1);

    /* A reader that comes while the pipeline stands still sees the picture. */
    reader = reader_new(NULL);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, GST_SECOND), 0);
    framebus_reader_release(reader, frame);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 50 * GST_MSECOND), -ETIMEDOUT);

    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), 10 * GST_SECOND, GST_MESSAGE_EOS);
    fail_unless(message != NULL);
    gst_message_unref(message);
    fail_unless_equals_uint64(stat_of(child(pipeline, "s"), "published"), 10);
    framebus_reader_close(reader);
    pipeline_end(pipeline);
}
GST_END_TEST

/* What the sink proposes to upstream, ready for use. */
static GstBufferPool *proposed_pool(GstHarness *harness)
{
    GstCaps *caps = gst_caps_from_string(CAPS);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    GstBufferPool *pool = NULL;

    fail_unless(gst_pad_peer_query(harness->srcpad, query));
    fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
    gst_query_parse_nth_allocation_pool(query, 0, &pool, NULL, NULL, NULL);
    fail_unless(pool != NULL);
    fail_unless(gst_buffer_pool_set_active(pool, TRUE));
    gst_query_unref(query);
    gst_caps_unref(caps);
    return pool;
}

GST_START_TEST(a_buffer_that_is_pushed_twice_is_copied)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    GstBufferPool *pool;
    GstBuffer *buffer;

    gst_harness_set_src_caps_str(harness, CAPS);
    gst_harness_play(harness);
    pool = proposed_pool(harness);
    fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), GST_FLOW_OK);
    for (guint i = 0; i < 3; i++)
        fail_unless_equals_int(gst_harness_push(harness, gst_buffer_ref(buffer)), GST_FLOW_OK);
    gst_buffer_unref(buffer);
    fail_unless_equals_uint64(stat_of(child(harness->element, "s"), "published"), 3);
    fail_unless_equals_uint64(stat_of(child(harness->element, "s"), "zero-copy"), 1);
    fail_unless_equals_uint64(stat_of(child(harness->element, "s"), "copied"), 2);
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* Asking must not disturb what runs: only a pool that is started gives the bus another format. */
GST_START_TEST(a_pool_that_nobody_starts_changes_nothing)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    GstCaps *other = gst_caps_from_string("video/x-raw, format=(string)RGB, width=(int)640, height=(int)480, "
                                          "framerate=(fraction)50/1");
    GstBufferPool *pool;
    GstBuffer *buffer;

    gst_harness_set_src_caps_str(harness, CAPS);
    gst_harness_play(harness);
    pool = proposed_pool(harness);
    fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), GST_FLOW_OK);
    for (guint i = 0; i < 10; i++) {
        GstQuery *query = gst_query_new_allocation(other, TRUE);

        fail_unless(gst_pad_peer_query(harness->srcpad, query));
        gst_query_unref(query);
    }
    fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
    fail_unless_equals_uint64(stat_of(child(harness->element, "s"), "zero-copy"), 1);
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    gst_caps_unref(other);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* The fields of an alternating stream have caps of their own; texts that lie over a picture do not travel. */
GST_START_TEST(what_has_to_travel_beside_the_memory_decides)
{
    GstHarness *harness = gst_harness_new_parse("framebussink bus=b");
    GstCaps *fields =
        gst_caps_from_string("video/x-raw(format:Interlaced), format=(string)NV12, width=(int)64, "
                             "height=(int)32, interlace-mode=(string)alternate");
    GstCaps *texts =
        gst_caps_from_string("video/x-raw(memory:SystemMemory, meta:GstVideoOverlayComposition), "
                             "format=(string)NV12, width=(int)64, height=(int)32");

    gst_harness_play(harness);
    fail_unless(gst_pad_peer_query_accept_caps(harness->srcpad, fields));
    fail_if(gst_pad_peer_query_accept_caps(harness->srcpad, texts));
    gst_caps_unref(fields);
    gst_caps_unref(texts);
    gst_harness_teardown(harness);
}
GST_END_TEST

GST_START_TEST(memory_that_is_not_the_systems_is_refused)
{
    GstHarness *harness = gst_harness_new_parse("framebussink bus=b");
    GstCaps *caps = gst_caps_from_string("video/x-raw(memory:GLMemory), format=(string)RGBA, width=(int)64, "
                                         "height=(int)32, framerate=(fraction)30/1");
    GstCaps *both = gst_caps_from_string("video/x-raw(memory:GLMemory), format=(string)RGBA; image/jpeg; "
                                         "video/x-raw, format=(string)GRAY8");
    GstCaps *jpeg = gst_caps_new_empty_simple("image/jpeg"), *taken;

    gst_harness_play(harness);
    fail_if(gst_pad_peer_query_accept_caps(harness->srcpad, caps));
    taken = gst_pad_peer_query_caps(harness->srcpad, both);
    fail_if(gst_caps_can_intersect(taken, caps));
    fail_if(gst_caps_is_any(taken));
    fail_unless(gst_caps_can_intersect(taken, jpeg));
    gst_caps_unref(jpeg);
    gst_caps_unref(taken);
    gst_caps_unref(both);
    gst_caps_unref(caps);
    gst_harness_teardown(harness);
}
GST_END_TEST

static const char *const in_dmabufs[] = {
    "video/x-raw(memory:DMABuf), format=(string)NV12, width=(int)64, height=(int)32, "
    "framerate=(fraction)50/1",
#if GST_CHECK_VERSION(1, 24, 0)
    "video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string)NV12, width=(int)64, "
    "height=(int)32, framerate=(fraction)50/1",
#endif
};

/* Decoders give up if they may not attach a GstVideoMeta, and cameras have to know how many buffers stay on
 * the bus. A pool of other memory is of no use to them. */
GST_START_TEST(who_gives_dmabufs_learns_what_it_needs)
{
    GstHarness *harness = gst_harness_new_parse("framebussink bus=b");
    GstCaps *caps = gst_caps_from_string(in_dmabufs[__i__]);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    GstBufferPool *pool;
    guint size, min;

    gst_harness_play(harness);
    fail_unless(gst_pad_peer_query_accept_caps(harness->srcpad, caps));
    fail_unless(gst_pad_peer_query(harness->srcpad, query));
    fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
    gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, NULL);
    fail_unless(pool == NULL);
    fail_unless_equals_int(size, 64 * 32 * 3 / 2);
    fail_unless(min > 4);
    gst_query_unref(query);
    gst_caps_unref(caps);
    gst_harness_teardown(harness);
}
GST_END_TEST

static void count_call(GstElement *sink G_GNUC_UNUSED, int pid, const char *name, gint *count)
{
    fail_unless_equals_int(pid, getpid());
    fail_unless(name[0] != '\0');
    g_atomic_int_inc(count);
}

static void wait_for_count(gint *count, gint expected)
{
    for (guint i = 0; i < 1000 && g_atomic_int_get(count) < expected; i++)
        g_usleep(10000);
    fail_unless_equals_int(g_atomic_int_get(count), expected);
}

GST_START_TEST(readers_are_announced)
{
    GstElement *pipeline = pipeline_new("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *sink = child(pipeline, "s");
    struct framebus_reader *readers[3];
    gint added = 0, removed = 0;
    guint number;

    g_signal_connect(sink, "reader-added", G_CALLBACK(count_call), &added);
    g_signal_connect(sink, "reader-removed", G_CALLBACK(count_call), &removed);
    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++)
        readers[i] = reader_new(NULL);
    wait_for_count(&added, 3);
    g_object_get(sink, "num-readers", &number, NULL);
    fail_unless_equals_int(number, 3);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++)
        framebus_reader_close(readers[i]);
    wait_for_count(&removed, 3);
    g_object_get(sink, "num-readers", &number, NULL);
    fail_unless_equals_int(number, 0);
    pipeline_end(pipeline);
}
GST_END_TEST

GST_START_TEST(waiting_for_a_reader_ends_with_one_or_when_told)
{
    GstElement *pipeline =
        pipeline_new("videotestsrc ! " CAPS " ! framebussink name=s bus=b wait-for-connection=true");
    GstElement *sink = child(pipeline, "s");
    struct framebus_reader *reader;

    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    g_usleep(200000);
    fail_unless_equals_uint64(stat_of(child(pipeline, "s"), "published"), 0);
    pipeline_set_state(pipeline, GST_STATE_PAUSED);
    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    if (__i__) {
        reader = reader_new(NULL);
        wait_for_stat(child(pipeline, "s"), "published", 3);
        framebus_reader_close(reader);
    } else {
        g_object_set(sink, "wait-for-connection", FALSE, NULL);
        wait_for_stat(child(pipeline, "s"), "published", 3);
    }
    pipeline_end(pipeline);
}
GST_END_TEST

GST_START_TEST(seeking_and_pausing_go_on)
{
    GstElement *pipeline = pipeline_new("videotestsrc ! " CAPS " ! queue ! framebussink name=s bus=b");
    struct framebus_reader *reader;
    guint64 before;

    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    reader = reader_new(NULL);
    for (guint i = 0; i < 5; i++) {
        before = stat_of(child(pipeline, "s"), "published");
        fail_unless(gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, i * GST_SECOND));
        wait_for_stat(child(pipeline, "s"), "published", before + 3);
        pipeline_set_state(pipeline, GST_STATE_PAUSED);
        pipeline_set_state(pipeline, GST_STATE_PLAYING);
        wait_for_stat(child(pipeline, "s"), "published", before + 6);
    }
    fail_unless_equals_uint64(stat_of(child(pipeline, "s"), "copied"), 0);
    framebus_reader_close(reader);
    pipeline_end(pipeline);
}
GST_END_TEST

GST_START_TEST(a_stream_after_the_end_of_one_reaches_the_same_reader)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    gst_harness_set_src_caps_str(harness, CAPS);
    gst_harness_play(harness);
    reader = reader_new(NULL);
    for (guint stream = 0; stream < 3; stream++) {
        for (guint i = 0; i < 3; i++) {
            fail_unless_equals_int(
                gst_harness_push(harness, gst_harness_create_buffer(harness, 64 * 32 * 3 / 2)), GST_FLOW_OK);
            fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
            framebus_reader_release(reader, frame);
        }
        fail_unless(gst_harness_push_event(harness, gst_event_new_eos()));
        fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), -ENODATA);
        gst_harness_push_event(harness, gst_event_new_flush_start());
        gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE));
        gst_harness_set_src_caps_str(harness, CAPS);
    }
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* Some sources say that there is no picture for a while. */
GST_START_TEST(a_buffer_without_memory_is_no_picture)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    const gsize size = 64 * 32 * 3 / 2;

    gst_harness_set_src_caps_str(harness, CAPS);
    gst_harness_play(harness);
    for (guint i = 0; i < 3; i++) {
        GstBuffer *gap = gst_buffer_new();

        GST_BUFFER_FLAG_SET(gap, GST_BUFFER_FLAG_GAP);
        fail_unless_equals_int(gst_harness_push(harness, gap), GST_FLOW_OK);
        fail_unless_equals_int(gst_harness_push(harness, gst_buffer_new_allocate(NULL, size, NULL)),
                               GST_FLOW_OK);
    }
    fail_unless_equals_uint64(stat_of(child(harness->element, "s"), "published"), 3);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* Formats that DRM does not know travel as GStreamer lays them out by default. */
GST_START_TEST(rows_of_other_raw_formats_are_packed)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    gsize offset[GST_VIDEO_MAX_PLANES] = {512};
    gint stride[GST_VIDEO_MAX_PLANES] = {512};
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 512 + 512 * 32, NULL);
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    gst_harness_set_src_caps_str(harness, "video/x-raw, format=(string)v210, width=(int)64, height=(int)32, "
                                          "framerate=(fraction)50/1");
    gst_harness_play(harness);
    reader = reader_new(NULL);
    gst_buffer_memset(buffer, 0, 0xff, gst_buffer_get_size(buffer));
    for (guint y = 0; y < 32; y++)
        gst_buffer_memset(buffer, 512 + y * 512, y, 256);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_v210, 64, 32, 1,
                                   offset, stride);
    fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    fail_unless_equals_int(frame->size, 256 * 32);
    for (guint i = 0; i < frame->size; i++)
        fail_unless_equals_int(((const guint8 *)frame->data)[i], i / 256);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
}
GST_END_TEST

GST_START_TEST(a_stream_at_double_speed_has_short_frames)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstSegment segment;

    gst_harness_set_src_caps_str(harness, CAPS);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = 2.0;
    gst_harness_push_event(harness, gst_event_new_segment(&segment));
    gst_harness_play(harness);
    reader = reader_new(NULL);
    GST_BUFFER_DURATION(buffer) = 20 * GST_MSECOND;
    fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    fail_unless_equals_uint64(frame->duration_ns, 10 * GST_MSECOND);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* A bus with a long history does not make upstream take buffers that it has no memory for. */
GST_START_TEST(few_buffers_are_asked_of_upstream)
{
    GstHarness *harness = gst_harness_new_parse("framebussink bus=b history=200 max-slots=400");
    GstCaps *caps = gst_caps_from_string(CAPS);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    guint min;

    gst_harness_play(harness);
    fail_unless(gst_pad_peer_query(harness->srcpad, query));
    gst_query_parse_nth_allocation_pool(query, 0, NULL, NULL, &min, NULL);
    fail_unless(min <= 16, "%u", min);
    gst_query_unref(query);
    gst_caps_unref(caps);
    gst_harness_teardown(harness);
}
GST_END_TEST

static gint tells_latency; /* atomic */

static gboolean answer_late(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
    return g_atomic_int_get(&tells_latency);
}

/* A live frame goes out at once, whatever its timestamp says. */
GST_START_TEST(a_source_that_tells_late_that_it_is_live_is_heard)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b async=false");
    GstElement *sink = child(harness->element, "s");

    gst_pad_set_query_function(harness->srcpad, answer_late);
    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    gst_harness_set_src_caps_str(harness, CAPS);
    g_object_set(sink, "sync", TRUE, NULL); /* harnesses turn that off */
    gst_element_set_base_time(sink, g_get_monotonic_time() * 1000);
    g_atomic_int_set(&tells_latency, TRUE);
    fail_unless(gst_element_send_event(harness->element, gst_event_new_latency(0)));
    for (guint i = 0; i < 2; i++) {
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);

        GST_BUFFER_PTS(buffer) = 1000 * GST_SECOND;
        fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
    }
    fail_unless_equals_uint64(stat_of(sink, "published"), 2);
    gst_harness_teardown(harness);
}
GST_END_TEST

static Suite *sink_suite(void)
{
    Suite *suite = suite_create("sink");
    TCase *tests = tcase_create("sink");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, preroll_and_playing_publish_a_frame_once);
    tcase_add_test(tests, a_buffer_that_is_pushed_twice_is_copied);
    tcase_add_test(tests, a_pool_that_nobody_starts_changes_nothing);
    tcase_add_test(tests, what_has_to_travel_beside_the_memory_decides);
    tcase_add_test(tests, memory_that_is_not_the_systems_is_refused);
    tcase_add_loop_test(tests, who_gives_dmabufs_learns_what_it_needs, 0, G_N_ELEMENTS(in_dmabufs));
    tcase_add_test(tests, readers_are_announced);
    tcase_add_loop_test(tests, waiting_for_a_reader_ends_with_one_or_when_told, 0, 2);
    tcase_add_test(tests, seeking_and_pausing_go_on);
    tcase_add_test(tests, a_stream_after_the_end_of_one_reaches_the_same_reader);
    tcase_add_test(tests, a_buffer_without_memory_is_no_picture);
    tcase_add_test(tests, rows_of_other_raw_formats_are_packed);
    tcase_add_test(tests, a_stream_at_double_speed_has_short_frames);
    tcase_add_test(tests, few_buffers_are_asked_of_upstream);
    tcase_add_test(tests, a_source_that_tells_late_that_it_is_live_is_heard);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, sink_suite);
}
