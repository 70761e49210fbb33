/* SPDX-License-Identifier: MIT */
/* The elements from within an application, with the library's own readers and writers at the other end. */
#include "fixture.h"

#include <errno.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

static guint count_entries(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    guint count = 0;

    while (g_dir_read_name(dir))
        count++;
    g_dir_close(dir);
    return count;
}

static guint count_maps(void)
{
    g_autofree char *text = NULL;
    guint count = 0;

    fail_unless(g_file_get_contents("/proc/self/maps", &text, NULL, NULL));
    for (const char *line = strstr(text, "framebus"); line; line = strstr(line + 1, "framebus"))
        count++;
    return count;
}

/* ---- The sink ------------------------------------------------------------------------------ */

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

/* Neither alone nor among others: the bus would give them to readers as if they were linear. */
GST_START_TEST(tiled_pictures_are_not_promised)
{
#if GST_CHECK_VERSION(1, 24, 0)
    GstHarness *harness = gst_harness_new_parse("framebussink bus=b");
    GstCaps *both =
        gst_caps_from_string("video/x-raw(memory:DMABuf), format=(string)DMA_DRM, drm-format=(string){ "
                             "NV12:0x0100000000000002, NV12 }, width=(int)64, height=(int)32");
    GstCaps *tiled = gst_caps_from_string("video/x-raw(memory:DMABuf), format=(string)DMA_DRM, "
                                          "drm-format=(string)NV12:0x0100000000000002");
    GstCaps *taken;

    gst_harness_play(harness);
    taken = gst_pad_peer_query_caps(harness->srcpad, both);
    fail_if(gst_caps_is_empty(taken));
    fail_if(gst_caps_can_intersect(taken, tiled));
    gst_caps_unref(taken);
    gst_caps_unref(tiled);
    gst_caps_unref(both);
    gst_harness_teardown(harness);
#endif
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

/* Publishes frames for so long, of which the reader misses most. */
static void publish_and_miss(GstHarness *harness, struct framebus_reader *reader, guint ms,
                             GstBufferFlags flags)
{
    struct framebus_frame *frame;

    for (guint i = 0; i < ms / 10; i++) {
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, 1000, NULL);

        GST_BUFFER_FLAG_SET(buffer, flags);
        fail_unless_equals_int(gst_harness_push(harness, buffer), GST_FLOW_OK);
        if (i % 10 == 9 && framebus_reader_next(reader, &frame, 0) == 0)
            framebus_reader_release(reader, frame);
        g_usleep(10000);
    }
}

static guint count_key_requests(GstHarness *harness)
{
    GstEvent *event;
    guint count = 0;

    while ((event = gst_harness_try_pull_upstream_event(harness))) {
        count += gst_video_event_is_force_key_unit(event);
        gst_event_unref(event);
    }
    return count;
}

/* Each key frame makes the stream larger for everybody. */
GST_START_TEST(key_frames_are_asked_for_once_a_second)
{
    const struct framebus_reader_options latest = {.delivery = FRAMEBUS_DELIVERY_LATEST};
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    const gint64 begun = g_get_monotonic_time();
    struct framebus_reader *reader;
    guint count, seconds;

    gst_harness_set_src_caps_str(harness, "video/x-h264, stream-format=(string)byte-stream");
    gst_harness_play(harness);
    reader = reader_new(&latest);
    publish_and_miss(harness, reader, 3000, GST_BUFFER_FLAG_DELTA_UNIT);
    seconds = (g_get_monotonic_time() - begun) / G_USEC_PER_SEC;
    count = count_key_requests(harness);
    fail_unless(count >= 1 && count <= seconds + 2, "%u requests in %u seconds", count, seconds);
    framebus_reader_close(reader);

    /* What the one that left has missed does not hide what another misses. */
    reader = reader_new(&latest);
    publish_and_miss(harness, reader, 2000, GST_BUFFER_FLAG_DELTA_UNIT);
    count_key_requests(harness);
    publish_and_miss(harness, reader, 2000, GST_BUFFER_FLAG_DELTA_UNIT);
    fail_unless(count_key_requests(harness) >= 1);
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
}
GST_END_TEST

GST_START_TEST(streams_of_key_frames_alone_are_not_asked_for_more)
{
    const struct framebus_reader_options latest = {.delivery = FRAMEBUS_DELIVERY_LATEST};
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    struct framebus_reader *reader;

    gst_harness_set_src_caps_str(harness, "image/jpeg, width=(int)64, height=(int)32");
    gst_harness_play(harness);
    reader = reader_new(&latest);
    publish_and_miss(harness, reader, 1000, 0);
    fail_unless_equals_int(count_key_requests(harness), 0);
    framebus_reader_close(reader);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* Pictures that depend on later ones, as Matroska has them: with PTS alone; and as MP4 has them, whose first
 * one is decoded before the segment begins. */
static const struct {
    gint pts[6];
    gint dts[6]; /* -1: none */
    gint start;  /* of the segment */
} reordered[] = {
    {{0, 120, 40, 80, 240, 160}, {-1, -1, -1, -1, -1, -1}, 0},
    {{80, 200, 120, 160, 320, 240}, {0, 40, 80, 120, 160, 200}, 80},
};

GST_START_TEST(pictures_keep_the_order_of_their_timestamps)
{
    GstHarness *sink = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstClockTime start = 0, start_dts = GST_CLOCK_TIME_NONE;
    GstSegment segment;

    gst_harness_use_systemclock(sink);
    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, "video/x-h264, stream-format=(string)byte-stream");
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = reordered[__i__].start * GST_MSECOND;
    gst_harness_push_event(sink, gst_event_new_segment(&segment));
    gst_harness_play(sink);
    gst_element_set_base_time(child(sink->element, "s"), g_get_monotonic_time() * 1000);
    gst_harness_play(source);
    g_usleep(200000); /* so that no timestamp of the reader is before its beginning */
    /* The first buffer is shown in PAUSED, when its timestamp has nothing to do with the time of day. */
    fail_unless_equals_int(gst_harness_push(sink, gst_buffer_new_allocate(NULL, 1000, NULL)), GST_FLOW_OK);
    gst_buffer_unref(gst_harness_pull(source));
    for (guint i = 0; i < 6; i++) {
        const gint pts = reordered[__i__].pts[i], dts = reordered[__i__].dts[i];
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, 1000, NULL);

        GST_BUFFER_PTS(buffer) = pts * GST_MSECOND;
        if (dts >= 0)
            GST_BUFFER_DTS(buffer) = dts * GST_MSECOND;
        fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
        buffer = gst_harness_pull(source);
        fail_unless(buffer != NULL);
        if (i == 0) {
            start = GST_BUFFER_PTS(buffer);
            start_dts = GST_BUFFER_DTS(buffer);
        }
        fail_unless_equals_int64((gint64)(GST_BUFFER_PTS(buffer) - start),
                                 (pts - reordered[__i__].pts[0]) * (gint64)GST_MSECOND);
        fail_unless_equals_int(GST_BUFFER_DTS_IS_VALID(buffer), dts >= 0);
        if (dts >= 0)
            fail_unless_equals_int64((gint64)(GST_BUFFER_DTS(buffer) - start_dts), dts * (gint64)GST_MSECOND);
        gst_buffer_unref(buffer);
    }
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* ---- The source ---------------------------------------------------------------------------- */

/* A writer of no GStreamer: no caps text, rows with room between them. */
static struct framebus_writer *writer_new(void)
{
    struct framebus_format format;
    struct framebus_writer *writer;

    fail_unless_equals_int(framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 62, 30), 0);
    format.stride[0] = format.stride[1] = 256;
    format.offset[1] = 256 * 40;
    format.size = 256 * 60;
    format.rate_num = 50;
    format.rate_den = 1;
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
    return writer;
}

static void write_frame(struct framebus_writer *writer)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
}

/* It asks for a larger quota, which is answered late, and goes on asking for more. */
GST_START_TEST(a_stopped_writer_does_not_cost_the_source_its_quota)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc name=s bus=b");
    struct framebus_writer *writer = writer_new();
    gint64 limit = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;
    gboolean was_stopped = FALSE;
    guint quota = 0;

    gst_harness_use_systemclock(harness);
    gst_harness_add_propose_allocation_meta(harness, GST_VIDEO_META_API_TYPE, NULL);
    write_frame(writer);
    gst_harness_play(harness);
    while (quota < 17) {
        struct framebus_bus_info *info;

        fail_unless(g_get_monotonic_time() < limit);
        fail_unless_equals_int(framebus_writer_dispatch(writer), 0);
        if (!was_stopped && gst_harness_buffers_received(harness) > 0) {
            for (guint frames = 0; frames < 3; frames++)
                write_frame(writer);
            while (gst_harness_buffers_received(harness) < 4 && g_get_monotonic_time() < limit)
                g_usleep(1000); /* it is stopped */
            was_stopped = TRUE;
        } else if (was_stopped) {
            write_frame(writer);
        }
        fail_unless_equals_int(framebus_writer_get_info(writer, &info), 0);
        quota = info->readers ? info->reader->quota : 0;
        framebus_info_free(info, 1);
        g_usleep(10000);
    }
    gst_harness_teardown(harness);
    framebus_writer_close(writer);
}
GST_END_TEST

static gpointer write_frames(gpointer data)
{
    struct framebus_writer *writer = writer_new();
    struct framebus_frame *frame;
    gint *stop = data;

    while (!g_atomic_int_get(stop)) {
        fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
        for (guint y = 0; y < 30; y++)
            memset((guint8 *)frame->plane[0].data + y * 256, y, 62);
        for (guint y = 0; y < 15; y++)
            memset((guint8 *)frame->plane[1].data + y * 256, 100 + y, 62);
        frame->flags = FRAMEBUS_FRAME_CORRUPTED;
        fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
        framebus_writer_release(writer, frame);
        g_usleep(20000);
    }
    framebus_writer_close(writer);
    return NULL;
}

static void check_picture(GstBuffer *buffer, GstCaps *caps)
{
    GstVideoFrame picture;
    GstVideoInfo info;

    fail_unless(gst_video_info_from_caps(&info, caps));
    fail_unless(gst_video_frame_map(&picture, &info, buffer, GST_MAP_READ));
    for (guint y = 0; y < 30; y++) {
        const guint8 *row = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&picture, y < 15 ? 1 : 0) +
                            y * GST_VIDEO_FRAME_PLANE_STRIDE(&picture, y < 15 ? 1 : 0);

        fail_unless_equals_int(row[0], y < 15 ? 100 + y : y);
        fail_unless_equals_int(row[61], y < 15 ? 100 + y : y);
    }
    gst_video_frame_unmap(&picture);
}

/* With downstream that knows GstVideoMeta (1) and one that does not (0). */
GST_START_TEST(frames_of_a_plain_program_are_understood)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc name=s bus=b");
    gint stop = FALSE;
    GThread *thread;
    GstBuffer *buffer;
    GstCaps *caps;

    gst_harness_use_systemclock(harness);
    if (__i__)
        gst_harness_add_propose_allocation_meta(harness, GST_VIDEO_META_API_TYPE, NULL);
    thread = g_thread_new("writes", write_frames, &stop);
    gst_harness_play(harness);
    for (guint i = 0; i < 5; i++) {
        buffer = gst_harness_pull(harness);
        fail_unless(buffer != NULL);
        caps = gst_pad_get_current_caps(harness->sinkpad);
        check_picture(buffer, caps);
        fail_unless(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED));
        fail_unless_equals_uint64(GST_BUFFER_DURATION(buffer), 20 * GST_MSECOND);
        fail_unless(GST_BUFFER_PTS_IS_VALID(buffer));
        fail_unless(gst_buffer_get_reference_timestamp_meta(buffer, NULL) != NULL);
        fail_unless_equals_int(GST_MEMORY_IS_READONLY(gst_buffer_peek_memory(buffer, 0)), __i__ == 1);
        gst_caps_unref(caps);
        gst_buffer_unref(buffer);
    }
    fail_unless_equals_int(stat_of(child(harness->element, "s"), "copied") > 0, __i__ == 0);
    g_atomic_int_set(&stop, TRUE);
    g_thread_join(thread);
    gst_harness_teardown(harness);
}
GST_END_TEST

static void query_latency(GstHarness *harness, GstClockTime *min, GstClockTime *max)
{
    GstQuery *query = gst_query_new_latency();

    fail_unless(gst_pad_peer_query(harness->sinkpad, query));
    gst_query_parse_latency(query, NULL, min, max);
    gst_query_unref(query);
}

static const struct {
    const char *source;
    guint frames; /* that may wait on the bus beyond the first one */
} waits[] = {
    {"framebussrc bus=b", FRAMEBUS_HISTORY_DEFAULT - 1},
    {"framebussrc bus=b delivery=latest", 0},
};

/* Before there is a frame, too: many programs ask only then. */
GST_START_TEST(latency_is_what_the_bus_can_do)
{
    GstHarness *harness = gst_harness_new_parse(waits[__i__].source);
    const guint frames = waits[__i__].frames;
    GstClockTime min, max;
    gint stop = FALSE;
    GThread *thread;

    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    query_latency(harness, &min, &max);
    fail_unless(min > 30 * GST_MSECOND && max >= min);
    thread = g_thread_new("writes", write_frames, &stop);
    gst_buffer_unref(gst_harness_pull(harness));
    query_latency(harness, &min, &max);
    fail_unless(min >= 20 * GST_MSECOND);
    fail_unless_equals_uint64(max, min + frames * 20 * GST_MSECOND);
    g_atomic_int_set(&stop, TRUE);
    g_thread_join(thread);
    gst_harness_teardown(harness);
}
GST_END_TEST

GST_START_TEST(buffers_outlive_source_and_writer)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc name=s bus=b");
    gint stop = FALSE;
    GThread *thread = g_thread_new("writes", write_frames, &stop);
    GstBuffer *buffer;
    GstCaps *caps;

    gst_harness_use_systemclock(harness);
    gst_harness_add_propose_allocation_meta(harness, GST_VIDEO_META_API_TYPE, NULL);
    gst_harness_play(harness);
    buffer = gst_harness_pull(harness);
    caps = gst_pad_get_current_caps(harness->sinkpad);
    gst_harness_teardown(harness);
    g_atomic_int_set(&stop, TRUE);
    g_thread_join(thread);
    check_picture(buffer, caps);
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
}
GST_END_TEST

static struct framebus_writer *publish_to_nobody_yet(const struct framebus_format *format, guint32 flags,
                                                     gint64 duration_ns)
{
    struct framebus_writer *writer;
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_open(&writer, "b", format, NULL), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    frame->flags = flags;
    frame->duration_ns = duration_ns;
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    return writer;
}

static void dispatch_for(struct framebus_writer *writer, guint ms)
{
    for (guint i = 0; i < ms / 10; i++) {
        fail_unless_equals_int(framebus_writer_dispatch(writer), 0);
        g_usleep(10000);
    }
}

/* Of pictures alone, without the marks of the first time, and not as fast as a writer says. */
GST_START_TEST(the_last_picture_is_repeated_sensibly)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc name=s bus=b keep-last=true");
    struct framebus_format format;
    struct framebus_writer *writer;
    GstBuffer *buffer;
    guint repeated;

    if (__i__) {
        fail_unless_equals_int(framebus_format_init_opaque(&format, "image/jpeg", 1000), 0);
    } else {
        fail_unless_equals_int(framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 64, 32),
                               0);
    }
    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    writer = publish_to_nobody_yet(&format, 0, 1);
    dispatch_for(writer, 300);
    buffer = gst_harness_pull(harness);
    fail_unless(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
    gst_buffer_unref(buffer);
    framebus_writer_close(writer);
    g_usleep(500000);
    gst_element_set_state(harness->element, GST_STATE_PAUSED);
    repeated = gst_harness_buffers_in_queue(harness);
    fail_unless(__i__ ? repeated == 0 : repeated > 0 && repeated < 1000, "%u", repeated);
    while ((buffer = gst_harness_try_pull(harness))) {
        fail_if(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
        gst_buffer_unref(buffer);
    }
    gst_harness_teardown(harness);
}
GST_END_TEST

static void publish_flagged(struct framebus_writer *writer, guint32 flags)
{
    struct framebus_frame *frame;

    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    frame->flags = flags;
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
}

/* It has published more than its history before the reader finds it. */
GST_START_TEST(the_stream_of_the_next_writer_begins_with_a_key_frame)
{
    GstHarness *harness = gst_harness_new_parse("framebussrc name=s bus=b");
    struct framebus_format format;
    struct framebus_writer *writer;
    GstBuffer *buffer;

    fail_unless_equals_int(framebus_format_init_opaque(&format, "video/x-h264", 1000), 0);
    gst_harness_use_systemclock(harness);
    writer = publish_to_nobody_yet(&format, 0, 0);
    gst_harness_play(harness);
    dispatch_for(writer, 200);
    gst_buffer_unref(gst_harness_pull(harness));
    framebus_writer_close(writer);

    writer = publish_to_nobody_yet(&format, 0, 0);
    for (guint i = 0; i < 10; i++)
        publish_flagged(writer, FRAMEBUS_FRAME_DELTA);
    dispatch_for(writer, 500);
    publish_flagged(writer, 0);
    dispatch_for(writer, 200);
    buffer = gst_harness_pull(harness);
    fail_unless(buffer != NULL);
    fail_if(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
    fail_unless(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
    gst_buffer_unref(buffer);
    framebus_writer_close(writer);
    gst_harness_teardown(harness);
}
GST_END_TEST

/* An encoded stream that is waited for is not a silent one. */
GST_START_TEST(frames_that_wait_for_a_key_frame_are_signs_of_life)
{
    GstElement *pipeline =
        pipeline_new("framebussrc name=r bus=b timeout=1500000000 on-timeout=error ! fakesink");
    struct framebus_format format;
    struct framebus_writer *writer;
    GstMessage *message;

    fail_unless_equals_int(framebus_format_init_opaque(&format, "video/x-h264", 1000), 0);
    writer = publish_to_nobody_yet(&format, FRAMEBUS_FRAME_DELTA, 0);
    fail_if(gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    for (guint i = 0; i < 30; i++) {
        publish_flagged(writer, FRAMEBUS_FRAME_DELTA);
        dispatch_for(writer, 100);
    }
    fail_unless(stat_of(child(pipeline, "r"), "skipped") > 0);
    message = gst_bus_pop_filtered(GST_ELEMENT_BUS(pipeline), GST_MESSAGE_ERROR);
    fail_unless(message == NULL);
    pipeline_end(pipeline);
    framebus_writer_close(writer);
}
GST_END_TEST

/* ---- Both ---------------------------------------------------------------------------------- */

GST_START_TEST(metas_travel)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstCaps *clock = gst_caps_new_empty_simple("timestamp/x-ptp");
    GstCaps *unix_time = gst_caps_new_empty_simple("timestamp/x-unix");
    guint references = 0;
    GstVideoRegionOfInterestMeta *region;
    GstReferenceTimestampMeta *reference;
    const GstStructure *param;
    GstVideoCropMeta *crop;
    gpointer state = NULL;
    GstBuffer *buffer;

    gst_harness_use_systemclock(source);
    gst_harness_add_propose_allocation_meta(source, GST_VIDEO_CROP_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);

    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    for (guint i = 0; i < 3; i++) {
        region = gst_buffer_add_video_region_of_interest_meta(buffer, i ? "face" : "plate", 1 + i, 2, 3, 4);
        region->id = 10 + i;
        region->parent_id = i;
        if (i == 2) {
            gst_video_region_of_interest_meta_add_param(
                region, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.5, NULL));
            gst_video_region_of_interest_meta_add_param(
                region, gst_structure_new("tracker", "track", G_TYPE_INT, 77, NULL));
        }
    }
    crop = gst_buffer_add_video_crop_meta(buffer);
    crop->x = 4;
    crop->y = 2;
    crop->width = 32;
    crop->height = 16;
    gst_buffer_add_reference_timestamp_meta(buffer, clock, 123456789, 40);
    gst_buffer_add_reference_timestamp_meta(buffer, unix_time, 1700000000 * GST_SECOND, GST_CLOCK_TIME_NONE);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);

    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    for (guint i = 0; i < 3; i++) {
        region = (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
            buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
        fail_unless(region != NULL);
        fail_unless_equals_string(g_quark_to_string(region->roi_type), i ? "face" : "plate");
        fail_unless_equals_int(region->x, 1 + i);
        fail_unless_equals_int(region->h, 4);
        fail_unless_equals_int(region->id, 10 + i);
        fail_unless_equals_int(region->parent_id, i);
    }
    fail_unless_equals_int(g_list_length(region->params), 2);
    param = gst_video_region_of_interest_meta_get_param(region, "tracker");
    fail_unless(gst_structure_has_field_typed(param, "track", G_TYPE_INT));
    fail_unless(
        gst_buffer_iterate_meta_filtered(buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) == NULL);
    crop = gst_buffer_get_video_crop_meta(buffer);
    fail_unless(crop && crop->x == 4 && crop->y == 2 && crop->width == 32 && crop->height == 16);
    reference = gst_buffer_get_reference_timestamp_meta(buffer, clock);
    fail_unless(reference != NULL);
    fail_unless_equals_uint64(reference->timestamp, 123456789);
    fail_unless_equals_uint64(reference->duration, 40);
    reference = gst_buffer_get_reference_timestamp_meta(buffer, unix_time);
    fail_unless(reference && reference->timestamp == 1700000000 * GST_SECOND);
    for (state = NULL; gst_buffer_iterate_meta_filtered(buffer, &state, reference->parent.info->api);)
        references++;
    fail_unless_equals_int(references, 3); /* with the time of capture: each once */

    gst_buffer_unref(buffer);
    gst_caps_unref(clock);
    gst_caps_unref(unix_time);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* What a reader in C and an application are told of a buffer with these flags. */
static void send_flags(const char *caps, guint buffer_flags, guint32 frame_flags)
{
    const guint all = GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF |
                      GST_VIDEO_BUFFER_FLAG_RFF | GST_VIDEO_BUFFER_FLAG_ONEFIELD |
                      GST_VIDEO_BUFFER_FLAG_MULTIPLE_VIEW | GST_VIDEO_BUFFER_FLAG_FIRST_IN_BUNDLE |
                      GST_VIDEO_BUFFER_FLAG_MARKER;
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, caps);
    gst_harness_play(sink);
    gst_harness_play(source);
    reader = reader_new(NULL);
    GST_BUFFER_FLAG_SET(buffer, buffer_flags);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    fail_unless_equals_int(frame->flags & ~(guint32)FRAMEBUS_FRAME_DISCONT, frame_flags);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    buffer = gst_harness_pull(source);
    fail_unless_equals_int(GST_BUFFER_FLAGS(buffer) & all, frame_flags ? buffer_flags : 0);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}

static GstBuffer *gradient_new(void)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    GstMapInfo map;

    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    for (guint y = 0; y < 48; y++) {
        for (guint x = 0; x < 64; x++)
            map.data[y * 64 + x] = y * 5 + x;
    }
    gst_buffer_unmap(buffer, &map);
    return buffer;
}

/* Downstream that does not crop gets the part alone: by GstVideoMeta (1), or as a copy (0). */
GST_START_TEST(a_picture_is_cropped_for_who_cannot)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gradient_new();
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    GstVideoRegionOfInterestMeta *region;
    GstVideoFrame picture;
    GstVideoInfo info;
    GstCaps *caps;

    gst_harness_use_systemclock(source);
    if (__i__)
        gst_harness_add_propose_allocation_meta(source, GST_VIDEO_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    crop->x = 8;
    crop->y = 4;
    crop->width = 32;
    crop->height = 16;
    gst_buffer_add_video_region_of_interest_meta(buffer, "face", 10, 9, 3, 4)->id = 1;
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);

    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    caps = gst_pad_get_current_caps(source->sinkpad);
    fail_unless(gst_video_info_from_caps(&info, caps));
    fail_unless_equals_int(GST_VIDEO_INFO_WIDTH(&info), 32);
    fail_unless_equals_int(GST_VIDEO_INFO_HEIGHT(&info), 16);
    fail_unless(gst_buffer_get_video_crop_meta(buffer) == NULL);
    region = gst_buffer_get_video_region_of_interest_meta_id(buffer, 1);
    fail_unless(region && region->x == 2 && region->y == 5);
    fail_unless(gst_video_frame_map(&picture, &info, buffer, GST_MAP_READ));
    for (guint y = 0; y < 24; y++) {
        const guint plane = y >= 16, row = plane ? y - 16 : y;
        const guint8 *data = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&picture, plane) +
                             row * GST_VIDEO_FRAME_PLANE_STRIDE(&picture, plane);

        for (guint x = 0; x < 32; x++)
            fail_unless_equals_int(data[x], (guint8)((plane ? 32 + 2 + row : 4 + row) * 5 + 8 + x));
    }
    gst_video_frame_unmap(&picture);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

GST_START_TEST(captions_travel)
{
    const guint8 data[] = {0x94, 0x2c, 0xff};
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    const GstVideoCaptionMeta *captions;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    gst_buffer_add_video_caption_meta(buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, data, sizeof(data));
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    captions = gst_buffer_get_video_caption_meta(buffer);
    fail_unless(captions != NULL);
    fail_unless_equals_int(captions->caption_type, GST_VIDEO_CAPTION_TYPE_CEA708_RAW);
    fail_unless(captions->size == sizeof(data) && memcmp(captions->data, data, sizeof(data)) == 0);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

GST_START_TEST(fields_and_views_travel)
{
    send_flags(CAPS, GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF | GST_VIDEO_BUFFER_FLAG_RFF,
               FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF | FRAMEBUS_FRAME_RFF);
    send_flags(CAPS, GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_BOTTOM_FIELD,
               FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_ONE_FIELD);
    send_flags(CAPS ",multiview-mode=frame-by-frame",
               GST_VIDEO_BUFFER_FLAG_MULTIPLE_VIEW | GST_VIDEO_BUFFER_FLAG_FIRST_IN_BUNDLE,
               FRAMEBUS_FRAME_MULTIVIEW | FRAMEBUS_FRAME_FIRST_IN_BUNDLE);
    send_flags("video/x-h264,stream-format=byte-stream", GST_VIDEO_BUFFER_FLAG_INTERLACED,
               FRAMEBUS_FRAME_INTERLACED);
    send_flags("audio/x-raw,format=S16LE,rate=8000,channels=1,layout=interleaved",
               GST_VIDEO_BUFFER_FLAG_INTERLACED, 0); /* some other flag, in this medium */
}
GST_END_TEST

static void add_block(GstBuffer *buffer, const char *tag, const char *text)
{
    GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, "GstFramebusBlock");
    GBytes *bytes = g_bytes_new(text, strlen(text));

    gst_structure_set(gst_custom_meta_get_structure(meta), "tag", G_TYPE_STRING, tag, "data", G_TYPE_BYTES,
                      bytes, NULL);
    g_bytes_unref(bytes);
}

/* From an application through the bus to a reader in C, and to another application. */
GST_START_TEST(blocks_of_an_application_travel)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    guint blocks = 0;
    gpointer state = NULL;
    const char *data;
    GstBuffer *buffer;
    GstMeta *meta;
    size_t size;

    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    reader = reader_new(NULL);

    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    add_block(buffer, "GPS1", "48.2N 16.4E");
    add_block(buffer, "GPS1", "48.3N 16.5E");
    add_block(buffer, "note", "");
    add_block(buffer, "fbxx", "not an application's tag");
    add_block(buffer, "toolong", "nor is this one");
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);

    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    data = framebus_frame_get_meta(frame, 'G' | 'P' << 8 | 'S' << 16 | '1' << 24, 1, &size);
    fail_unless(data && size == 11 && memcmp(data, "48.3N 16.5E", size) == 0);
    fail_unless(framebus_frame_get_meta(frame, 'f' | 'b' << 8 | 'x' << 16 | 'x' << 24, 0, &size) == NULL);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);

    buffer = gst_harness_pull(source);
    while ((meta = gst_buffer_iterate_meta(buffer, &state))) {
        GstStructure *fields;
        GBytes *bytes;

        if (!gst_meta_info_is_custom(meta->info))
            continue;
        fail_unless(gst_custom_meta_has_name((GstCustomMeta *)meta, "GstFramebusBlock"));
        fields = gst_custom_meta_get_structure((GstCustomMeta *)meta);
        fail_unless_equals_string(gst_structure_get_string(fields, "tag"), blocks < 2 ? "GPS1" : "note");
        fail_unless(gst_structure_get(fields, "data", G_TYPE_BYTES, &bytes, NULL));
        fail_unless_equals_int(g_bytes_get_size(bytes), blocks < 2 ? 11 : 0);
        g_bytes_unref(bytes);
        blocks++;
    }
    fail_unless_equals_int(blocks, 3);
    gst_buffer_unref(buffer);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}
GST_END_TEST

/* Returns how many of a thousand regions a reader finds. */
static guint regions_through(const char *sink_text)
{
    const guint32 tag = 'f' | 'b' << 8 | 'r' << 16 | 'i' << 24;
    GstHarness *sink = gst_harness_new_parse(sink_text);
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstBuffer *buffer;
    guint regions = 0;
    size_t size;

    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    reader = reader_new(NULL);
    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    for (guint i = 0; i < 1000; i++)
        gst_buffer_add_video_region_of_interest_meta(buffer, "face", i, 2, 3, 4);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    while (framebus_frame_get_meta(frame, tag, regions, &size))
        regions++;
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    gst_harness_teardown(sink);
    return regions;
}

GST_START_TEST(metas_that_do_not_fit_are_left_out)
{
    fail_unless_equals_int(regions_through("framebussink name=s bus=b sync=false"), 102); /* in 4 KiB */
    fail_unless_equals_int(regions_through("framebussink name=s bus=b sync=false metadata-size=40000"), 1000);
}
GST_END_TEST

static guint count_devices(GstDeviceProvider *provider)
{
    GList *devices = gst_device_provider_get_devices(provider);
    guint count = g_list_length(devices);

    g_list_free_full(devices, gst_object_unref);
    return count;
}

static void wait_for_devices(GstDeviceProvider *provider, guint count)
{
    for (guint i = 0; i < 1000 && count_devices(provider) != count; i++)
        g_usleep(10000);
    fail_unless_equals_int(count_devices(provider), count);
}

GST_START_TEST(buses_are_devices_while_they_are_served)
{
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GstElement *pipeline = pipeline_new("videotestsrc ! " CAPS " ! framebussink bus=b");
    GstElement *element;
    GList *devices;
    GstCaps *caps;
    char *bus;

    fail_unless_equals_int(count_devices(provider), 0);
    fail_unless(gst_device_provider_start(provider));
    pipeline_set_state(pipeline, GST_STATE_PLAYING);
    wait_for_devices(provider, 1);

    devices = gst_device_provider_get_devices(provider);
    fail_unless(gst_device_has_classes(devices->data, "Video/Source"));
    caps = gst_device_get_caps(devices->data);
    fail_unless(strstr(gst_structure_get_string(gst_caps_get_structure(caps, 0), "format"), "NV12") != NULL);
    element = gst_device_create_element(devices->data, NULL);
    g_object_get(element, "bus", &bus, NULL);
    fail_unless_equals_string(bus, "b");
    g_free(bus);
    gst_object_unref(element);
    gst_caps_unref(caps);
    g_list_free_full(devices, gst_object_unref);

    pipeline_end(pipeline);
    wait_for_devices(provider, 0);
    gst_device_provider_stop(provider);
    gst_object_unref(provider);
}
GST_END_TEST

/* Puts a frame on the bus whose caps, and whose blocks of metadata, GStreamer would parse for weeks. */
static struct framebus_writer *writer_of_nested_text(void)
{
    const guint32 head[6] = {1, 1, 1, 1, 1, 1};
    GString *text = g_string_new("video/x-raw,a=");
    GByteArray *region = g_byte_array_new(), *reference = g_byte_array_new();
    struct framebus_format format;
    struct framebus_writer *writer;
    struct framebus_frame *frame;

    for (guint i = 0; i < 40; i++)
        g_string_append(text, "[s,b=");
    g_byte_array_append(region, (const guint8 *)head, 24);
    g_byte_array_append(region, (const guint8 *)"face", 5);
    g_byte_array_append(region, (const guint8 *)text->str, text->len + 1);
    g_byte_array_append(reference, (const guint8 *)head, 16);
    g_byte_array_append(reference, (const guint8 *)text->str, text->len + 1);

    fail_unless_equals_int(framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, 64, 32), 0);
    format.caps = text->str;
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    fail_unless_equals_int(
        framebus_frame_add_meta(frame, 'f' | 'b' << 8 | 'r' << 16 | 'i' << 24, region->data, region->len), 0);
    fail_unless_equals_int(framebus_frame_add_meta(frame, 'f' | 'b' << 8 | 'r' << 16 | 't' << 24,
                                                   reference->data, reference->len),
                           0);
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    g_byte_array_unref(region);
    g_byte_array_unref(reference);
    g_string_free(text, TRUE);
    return writer;
}

static gpointer serve(gpointer data)
{
    struct framebus_writer *writer = data;

    for (guint i = 0; i < 200; i++) {
        framebus_writer_dispatch(writer);
        g_usleep(10000);
    }
    framebus_writer_close(writer);
    return NULL;
}

GST_START_TEST(nested_text_of_a_writer_keeps_nobody_busy)
{
    GThread *thread = g_thread_new("serves", serve, writer_of_nested_text());
    GstHarness *harness = gst_harness_new_parse("framebussrc bus=b");
    GstDeviceProvider *provider = gst_device_provider_factory_get_by_name("framebusdeviceprovider");
    GstVideoRegionOfInterestMeta *region;
    GstBuffer *buffer;

    gst_harness_use_systemclock(harness);
    gst_harness_play(harness);
    fail_unless_equals_int(count_devices(provider), 1);
    buffer = gst_harness_pull(harness);
    fail_unless(buffer != NULL);
    region = gst_buffer_get_video_region_of_interest_meta_id(buffer, 1);
    fail_unless(region && region->params == NULL);
    gst_buffer_unref(buffer);
    gst_harness_teardown(harness);
    gst_object_unref(provider);
    g_thread_join(thread);
}
GST_END_TEST

/* autovideosrc, and camerabin by it, take the first source of video with a rank that can be started. */
GST_START_TEST(automatic_sources_are_not_ours)
{
    GstElement *automatic = gst_element_factory_make("autovideosrc", NULL);

    if (!automatic)
        return;
    gst_element_set_state(automatic, GST_STATE_READY);
    for (GList *item = GST_BIN_CHILDREN(automatic); item; item = item->next) {
        GstElementFactory *factory = gst_element_get_factory(item->data);

        fail_if(g_str_has_prefix(GST_OBJECT_NAME(factory), "framebus"));
    }
    gst_element_set_state(automatic, GST_STATE_NULL);
    gst_object_unref(automatic);
}
GST_END_TEST

GST_START_TEST(nothing_leaks_over_a_hundred_runs)
{
    GstElement *sink = pipeline_new("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *source = pipeline_new("framebussrc name=r bus=b ! fakesink");
    guint files = 0, threads = 0, maps = 0;

    for (guint i = 0; i < 105; i++) {
        pipeline_set_state(sink, GST_STATE_PLAYING);
        fail_if(gst_element_set_state(source, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
        wait_for_stat(child(source, "r"), "delivered", 1);
        pipeline_set_state(i % 2 ? sink : source, GST_STATE_READY);
        pipeline_set_state(i % 2 ? source : sink, i % 3 ? GST_STATE_READY : GST_STATE_NULL);
        if (i == 4) {
            files = count_entries("/proc/self/fd");
            threads = count_entries("/proc/self/task");
            maps = count_maps();
        }
    }
    fail_unless(count_entries("/proc/self/fd") <= files + 4, "%u file descriptors, then %u", files,
                count_entries("/proc/self/fd"));
    fail_unless(count_entries("/proc/self/task") <= threads + 4, "%u threads, then %u", threads,
                count_entries("/proc/self/task"));
    fail_unless(count_maps() <= maps, "%u mappings of buses, then %u", maps, count_maps());
    pipeline_end(sink);
    pipeline_end(source);
}
GST_END_TEST

GST_START_TEST(many_pipelines_in_one_process)
{
    GstElement *pipelines[24];

    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i++) {
        g_autofree char *text =
            i % 2 ? g_strdup_printf("framebussrc name=r bus=b%u ! fakesink", i / 2)
                  : g_strdup_printf("videotestsrc ! " CAPS " ! framebussink name=s bus=b%u", i / 2);

        pipelines[i] = pipeline_new(text);
        fail_if(gst_element_set_state(pipelines[i], GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
    }
    for (guint i = 1; i < G_N_ELEMENTS(pipelines); i += 2)
        wait_for_stat(child(pipelines[i], "r"), "delivered", 10);
    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i += 2)
        fail_unless_equals_uint64(stat_of(child(pipelines[i], "s"), "copied"), 0);
    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i++)
        pipeline_end(pipelines[i]);
}
GST_END_TEST

static Suite *elements_suite(void)
{
    Suite *suite = suite_create("elements");
    TCase *tests = tcase_create("elements");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, preroll_and_playing_publish_a_frame_once);
    tcase_add_test(tests, a_buffer_that_is_pushed_twice_is_copied);
    tcase_add_test(tests, a_pool_that_nobody_starts_changes_nothing);
    tcase_add_test(tests, what_has_to_travel_beside_the_memory_decides);
    tcase_add_test(tests, memory_that_is_not_the_systems_is_refused);
    tcase_add_loop_test(tests, who_gives_dmabufs_learns_what_it_needs, 0, G_N_ELEMENTS(in_dmabufs));
    tcase_add_test(tests, tiled_pictures_are_not_promised);
    tcase_add_test(tests, readers_are_announced);
    tcase_add_loop_test(tests, waiting_for_a_reader_ends_with_one_or_when_told, 0, 2);
    tcase_add_test(tests, seeking_and_pausing_go_on);
    tcase_add_test(tests, a_stream_after_the_end_of_one_reaches_the_same_reader);
    tcase_add_test(tests, key_frames_are_asked_for_once_a_second);
    tcase_add_test(tests, streams_of_key_frames_alone_are_not_asked_for_more);
    tcase_add_loop_test(tests, pictures_keep_the_order_of_their_timestamps, 0, G_N_ELEMENTS(reordered));
    tcase_add_test(tests, a_buffer_without_memory_is_no_picture);
    tcase_add_test(tests, rows_of_other_raw_formats_are_packed);
    tcase_add_test(tests, a_stream_at_double_speed_has_short_frames);
    tcase_add_test(tests, few_buffers_are_asked_of_upstream);
    tcase_add_test(tests, a_source_that_tells_late_that_it_is_live_is_heard);
    tcase_add_loop_test(tests, the_last_picture_is_repeated_sensibly, 0, 2);
    tcase_add_test(tests, the_stream_of_the_next_writer_begins_with_a_key_frame);
    tcase_add_test(tests, frames_that_wait_for_a_key_frame_are_signs_of_life);
    tcase_add_loop_test(tests, frames_of_a_plain_program_are_understood, 0, 2);
    tcase_add_test(tests, a_stopped_writer_does_not_cost_the_source_its_quota);
    tcase_add_loop_test(tests, latency_is_what_the_bus_can_do, 0, G_N_ELEMENTS(waits));
    tcase_add_test(tests, buffers_outlive_source_and_writer);
    tcase_add_test(tests, metas_travel);
    tcase_add_test(tests, fields_and_views_travel);
    tcase_add_loop_test(tests, a_picture_is_cropped_for_who_cannot, 0, 2);
    tcase_add_test(tests, captions_travel);
    tcase_add_test(tests, blocks_of_an_application_travel);
    tcase_add_test(tests, metas_that_do_not_fit_are_left_out);
    tcase_add_test(tests, buses_are_devices_while_they_are_served);
    tcase_add_test(tests, nested_text_of_a_writer_keeps_nobody_busy);
    tcase_add_test(tests, automatic_sources_are_not_ours);
    tcase_add_test(tests, nothing_leaks_over_a_hundred_runs);
    tcase_add_test(tests, many_pipelines_in_one_process);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, elements_suite);
}
