/* SPDX-License-Identifier: MIT */
/* framebussrc from within an application, with the library's own writers at the other end. */
#include "fixture.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

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
    fail_unless(min > 0);
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

static Suite *source_suite(void)
{
    Suite *suite = suite_create("source");
    TCase *tests = tcase_create("source");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_loop_test(tests, the_last_picture_is_repeated_sensibly, 0, 2);
    tcase_add_loop_test(tests, frames_of_a_plain_program_are_understood, 0, 2);
    tcase_add_test(tests, a_stopped_writer_does_not_cost_the_source_its_quota);
    tcase_add_loop_test(tests, latency_is_what_the_bus_can_do, 0, G_N_ELEMENTS(waits));
    tcase_add_test(tests, buffers_outlive_source_and_writer);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, source_suite);
}
