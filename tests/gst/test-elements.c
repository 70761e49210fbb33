/* SPDX-License-Identifier: MIT */
/* The elements from within an application, with the library's own readers and writers at the other end. */
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <framebus.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPS "video/x-raw, format=(string)NV12, width=(int)64, height=(int)32, framerate=(fraction)50/1"

static char directory[] = "/tmp/fb-elem-XXXXXX";

static void setup(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    fail_unless(mkdtemp(directory) != NULL);
    g_setenv("FRAMEBUS_DIR", directory, TRUE);
}

/* Nothing may be left in the runtime directory but the locks. */
static void teardown(void)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' && g_str_has_suffix(entry->d_name, ".lock"))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    fail_unless_equals_int(rmdir(directory), 0);
}

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

static GstElement *pipeline_new(const char *description)
{
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);

    fail_unless(error == NULL, "%s: %s", description, error ? error->message : "");
    return pipeline;
}

static void set_state(GstElement *pipeline, GstState state)
{
    fail_if(gst_element_set_state(pipeline, state) == GST_STATE_CHANGE_FAILURE);
    fail_if(gst_element_get_state(pipeline, NULL, NULL, 10 * GST_SECOND) == GST_STATE_CHANGE_FAILURE);
}

static void end(GstElement *pipeline)
{
    set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

static guint64 stat_of(GstElement *pipeline, const char *element, const char *name)
{
    GstElement *child = gst_bin_get_by_name(GST_BIN(pipeline), element);
    GstStructure *stats;
    guint64 value = 0;

    g_object_get(child, "stats", &stats, NULL);
    fail_unless(gst_structure_get_uint64(stats, name, &value), "no %s in the statistics", name);
    gst_structure_free(stats);
    gst_object_unref(child);
    return value;
}

static void wait_for_stat(GstElement *pipeline, const char *element, const char *name, guint64 least)
{
    for (guint i = 0; i < 1000; i++) {
        if (stat_of(pipeline, element, name) >= least)
            return;
        g_usleep(10000);
    }
    fail("%s of %s is %" G_GUINT64_FORMAT ", not %" G_GUINT64_FORMAT, name, element,
         stat_of(pipeline, element, name), least);
}

static struct framebus_reader *reader_new(void)
{
    struct framebus_reader *reader;

    fail_unless_equals_int(framebus_reader_open(&reader, "b", NULL), 0);
    return reader;
}

/* ---- The sink ------------------------------------------------------------------------------ */

GST_START_TEST(preroll_and_playing_publish_a_frame_once)
{
    GstElement *pipeline = pipeline_new("videotestsrc num-buffers=10 ! " CAPS " ! framebussink name=s bus=b");
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstMessage *message;

    set_state(pipeline, GST_STATE_PAUSED);
    fail_unless_equals_uint64(stat_of(pipeline, "s", "published"), 1);

    /* A reader that comes while the pipeline stands still sees the picture. */
    reader = reader_new();
    fail_unless_equals_int(framebus_reader_next(reader, &frame, GST_SECOND), 0);
    framebus_reader_release(reader, frame);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 50 * GST_MSECOND), -ETIMEDOUT);

    set_state(pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), 10 * GST_SECOND, GST_MESSAGE_EOS);
    fail_unless(message != NULL);
    gst_message_unref(message);
    fail_unless_equals_uint64(stat_of(pipeline, "s", "published"), 10);
    framebus_reader_close(reader);
    end(pipeline);
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
    fail_unless_equals_uint64(stat_of(harness->element, "s", "published"), 3);
    fail_unless_equals_uint64(stat_of(harness->element, "s", "zero-copy"), 1);
    fail_unless_equals_uint64(stat_of(harness->element, "s", "copied"), 2);
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
    fail_unless_equals_uint64(stat_of(harness->element, "s", "zero-copy"), 1);
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
    gst_caps_unref(other);
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
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    struct framebus_reader *readers[3];
    gint added = 0, removed = 0;
    guint number;

    g_signal_connect(sink, "reader-added", G_CALLBACK(count_call), &added);
    g_signal_connect(sink, "reader-removed", G_CALLBACK(count_call), &removed);
    set_state(pipeline, GST_STATE_PLAYING);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++)
        readers[i] = reader_new();
    wait_for_count(&added, 3);
    g_object_get(sink, "num-readers", &number, NULL);
    fail_unless_equals_int(number, 3);
    for (guint i = 0; i < G_N_ELEMENTS(readers); i++)
        framebus_reader_close(readers[i]);
    wait_for_count(&removed, 3);
    g_object_get(sink, "num-readers", &number, NULL);
    fail_unless_equals_int(number, 0);
    gst_object_unref(sink);
    end(pipeline);
}
GST_END_TEST

GST_START_TEST(waiting_for_a_reader_ends_with_one_or_when_told)
{
    GstElement *pipeline =
        pipeline_new("videotestsrc ! " CAPS " ! framebussink name=s bus=b wait-for-connection=true");
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    struct framebus_reader *reader;

    set_state(pipeline, GST_STATE_PLAYING);
    g_usleep(200000);
    fail_unless_equals_uint64(stat_of(pipeline, "s", "published"), 0);
    set_state(pipeline, GST_STATE_PAUSED);
    set_state(pipeline, GST_STATE_PLAYING);
    if (__i__) {
        reader = reader_new();
        wait_for_stat(pipeline, "s", "published", 3);
        framebus_reader_close(reader);
    } else {
        g_object_set(sink, "wait-for-connection", FALSE, NULL);
        wait_for_stat(pipeline, "s", "published", 3);
    }
    gst_object_unref(sink);
    end(pipeline);
}
GST_END_TEST

GST_START_TEST(seeking_and_pausing_go_on)
{
    GstElement *pipeline = pipeline_new("videotestsrc ! " CAPS " ! queue ! framebussink name=s bus=b");
    struct framebus_reader *reader;
    guint64 before;

    set_state(pipeline, GST_STATE_PLAYING);
    reader = reader_new();
    for (guint i = 0; i < 5; i++) {
        before = stat_of(pipeline, "s", "published");
        fail_unless(gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, i * GST_SECOND));
        wait_for_stat(pipeline, "s", "published", before + 3);
        set_state(pipeline, GST_STATE_PAUSED);
        set_state(pipeline, GST_STATE_PLAYING);
        wait_for_stat(pipeline, "s", "published", before + 6);
    }
    fail_unless_equals_uint64(stat_of(pipeline, "s", "copied"), 0);
    framebus_reader_close(reader);
    end(pipeline);
}
GST_END_TEST

GST_START_TEST(a_stream_after_the_end_of_one_reaches_the_same_reader)
{
    GstHarness *harness = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    gst_harness_set_src_caps_str(harness, CAPS);
    gst_harness_play(harness);
    reader = reader_new();
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
    fail_unless_equals_int(stat_of(harness->element, "s", "copied") > 0, __i__ == 0);
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

/* ---- Both ---------------------------------------------------------------------------------- */

GST_START_TEST(metas_travel)
{
    GstHarness *sink = gst_harness_new_parse("framebussink bus=b sync=false");
    GstHarness *source = gst_harness_new_parse("framebussrc bus=b");
    GstCaps *clock = gst_caps_new_empty_simple("timestamp/x-ptp");
    GstVideoRegionOfInterestMeta *region;
    GstReferenceTimestampMeta *reference;
    const GstStructure *param;
    GstVideoCropMeta *crop;
    gpointer state = NULL;
    GstBuffer *buffer;

    gst_harness_use_systemclock(source);
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

    gst_buffer_unref(buffer);
    gst_caps_unref(clock);
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
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
    reader = reader_new();

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

GST_START_TEST(metas_that_do_not_fit_are_left_out)
{
    GstHarness *sink = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    GstBuffer *buffer;
    size_t size;

    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    reader = reader_new();
    buffer = gst_buffer_new_allocate(NULL, 64 * 32 * 3 / 2, NULL);
    for (guint i = 0; i < 1000; i++)
        gst_buffer_add_video_region_of_interest_meta(buffer, "face", i, 2, 3, 4);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    fail_unless(framebus_frame_get_meta(frame, 'f' | 'b' << 8 | 'r' << 16 | 'i' << 24, 50, &size) != NULL);
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    gst_harness_teardown(sink);
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
    set_state(pipeline, GST_STATE_PLAYING);
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

    end(pipeline);
    wait_for_devices(provider, 0);
    gst_device_provider_stop(provider);
    gst_object_unref(provider);
}
GST_END_TEST

GST_START_TEST(nothing_leaks_over_a_hundred_runs)
{
    GstElement *sink = pipeline_new("videotestsrc ! " CAPS " ! framebussink name=s bus=b");
    GstElement *source = pipeline_new("framebussrc name=r bus=b ! fakesink");
    guint files = 0, threads = 0, maps = 0;

    for (guint i = 0; i < 105; i++) {
        set_state(sink, GST_STATE_PLAYING);
        fail_if(gst_element_set_state(source, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE);
        wait_for_stat(source, "r", "delivered", 1);
        set_state(i % 2 ? sink : source, GST_STATE_READY);
        set_state(i % 2 ? source : sink, i % 3 ? GST_STATE_READY : GST_STATE_NULL);
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
    end(sink);
    end(source);
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
        wait_for_stat(pipelines[i], "r", "delivered", 10);
    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i += 2)
        fail_unless_equals_uint64(stat_of(pipelines[i], "s", "copied"), 0);
    for (guint i = 0; i < G_N_ELEMENTS(pipelines); i++)
        end(pipelines[i]);
}
GST_END_TEST

static Suite *elements_suite(void)
{
    Suite *suite = suite_create("elements");
    TCase *tests = tcase_create("elements");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, preroll_and_playing_publish_a_frame_once);
    tcase_add_test(tests, a_buffer_that_is_pushed_twice_is_copied);
    tcase_add_test(tests, a_pool_that_nobody_starts_changes_nothing);
    tcase_add_test(tests, memory_that_is_not_the_systems_is_refused);
    tcase_add_test(tests, readers_are_announced);
    tcase_add_loop_test(tests, waiting_for_a_reader_ends_with_one_or_when_told, 0, 2);
    tcase_add_test(tests, seeking_and_pausing_go_on);
    tcase_add_test(tests, a_stream_after_the_end_of_one_reaches_the_same_reader);
    tcase_add_loop_test(tests, frames_of_a_plain_program_are_understood, 0, 2);
    tcase_add_test(tests, buffers_outlive_source_and_writer);
    tcase_add_test(tests, metas_travel);
    tcase_add_test(tests, blocks_of_an_application_travel);
    tcase_add_test(tests, metas_that_do_not_fit_are_left_out);
    tcase_add_test(tests, buses_are_devices_while_they_are_served);
    tcase_add_test(tests, nothing_leaks_over_a_hundred_runs);
    tcase_add_test(tests, many_pipelines_in_one_process);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, elements_suite);
}
