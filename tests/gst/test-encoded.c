/* SPDX-License-Identifier: MIT */
/* Encoded streams: key frames, and pictures that depend on later ones. */
#include "fixture.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

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

static Suite *encoded_suite(void)
{
    Suite *suite = suite_create("encoded");
    TCase *tests = tcase_create("encoded");

    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 100);
    tcase_add_checked_fixture(tests, directory_setup, directory_teardown);
    tcase_add_test(tests, key_frames_are_asked_for_once_a_second);
    tcase_add_test(tests, streams_of_key_frames_alone_are_not_asked_for_more);
    tcase_add_loop_test(tests, pictures_keep_the_order_of_their_timestamps, 0, G_N_ELEMENTS(reordered));
    tcase_add_test(tests, the_stream_of_the_next_writer_begins_with_a_key_frame);
    tcase_add_test(tests, frames_that_wait_for_a_key_frame_are_signs_of_life);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, encoded_suite);
}
