/* SPDX-License-Identifier: MIT */
/* The rows of slots begin where devices want them, and the pictures in them are the same. */
#include "fixture.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#define CAPS "video/x-raw, format=(string)I420, width=(int)72, height=(int)32, framerate=(fraction)50/1"

static GstHarness *sink, *source;
static GstVideoInfo usual;

/* 200 is no power of two: it is 256. */
static void setup(void)
{
    directory_setup();
    sink = gst_harness_new_parse("framebussink name=s bus=b sync=false stride-align=200");
    source = gst_harness_new_parse("framebussrc bus=b");
    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, CAPS);
    gst_harness_play(sink);
    gst_harness_play(source);
    fail_unless(gst_video_info_set_format(&usual, GST_VIDEO_FORMAT_I420, 72, 32));
}

/* To be called in each test: the fixture would wait for the source's thread before it tears anything down. */
static void stop(void)
{
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
}

static void visit_picture(GstBuffer *buffer, gboolean fills)
{
    GstVideoFrame picture;

    fail_unless(gst_video_frame_map(&picture, &usual, buffer, fills ? GST_MAP_WRITE : GST_MAP_READ));
    for (guint i = 0; i < 3; i++) {
        for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&picture, i); y++) {
            guint8 *row = (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&picture, i) +
                          (gsize)y * GST_VIDEO_FRAME_PLANE_STRIDE(&picture, i);

            for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&picture, i); x++) {
                const guint8 value = (guint8)(i * 100 + y * 5 + x);

                if (fills)
                    row[x] = value;
                else
                    fail_unless_equals_int(row[x], value);
            }
        }
    }
    gst_video_frame_unmap(&picture);
}

/* Sends a buffer, and looks at it on the bus and behind it. */
static void check_rows(GstBuffer *buffer)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;

    visit_picture(buffer, TRUE);
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    reader = reader_new(NULL);
    fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
    for (guint i = 0; i < 3; i++) {
        fail_unless_equals_int(frame->format->stride[i] % 256, 0);
        fail_unless_equals_int(frame->format->offset[i] % 256, 0);
    }
    framebus_reader_release(reader, frame);
    framebus_reader_close(reader);
    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    visit_picture(buffer, FALSE);
    gst_buffer_unref(buffer);
}

/* The pool, and what its buffers are to be like if upstream makes them itself. */
static GstBufferPool *pool_of_sink(GstVideoInfo *wished)
{
    GstCaps *caps = gst_caps_from_string(CAPS);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    GstVideoAlignment align;
    GstBufferPool *pool;
    const GstStructure *wish;
    GstStructure *config;
    guint size, index;

    fail_unless(gst_pad_peer_query(sink->srcpad, query));
    gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, NULL, NULL);
    fail_unless(pool != NULL);
    fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, &index));
    gst_query_parse_nth_allocation_meta(query, index, &wish);
    gst_video_alignment_reset(&align);
    fail_unless(wish && gst_structure_get_uint(wish, "padding-right", &align.padding_right));
    *wished = usual;
    fail_unless(gst_video_info_align(wished, &align));
    fail_unless_equals_int(GST_VIDEO_INFO_SIZE(wished), size);

    config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    fail_unless(gst_buffer_pool_set_config(pool, config));
    fail_unless(gst_buffer_pool_set_active(pool, TRUE));
    gst_query_unref(query);
    gst_caps_unref(caps);
    return pool;
}

GST_START_TEST(rows_of_a_pool_begin_where_devices_want_them)
{
    GstVideoInfo wished;
    GstBufferPool *pool = pool_of_sink(&wished);
    const GstVideoMeta *meta;
    GstBuffer *buffer;

    fail_unless_equals_int(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), GST_FLOW_OK);
    meta = gst_buffer_get_video_meta(buffer);
    for (guint i = 0; i < 3; i++) {
        fail_unless_equals_int(meta->stride[i] % 256, 0);
        fail_unless_equals_int(meta->stride[i], wished.stride[i]);
        fail_unless_equals_uint64(meta->offset[i], wished.offset[i]);
    }
    check_rows(buffer);
    fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "zero-copy"), 1);
    fail_unless(gst_buffer_pool_set_active(pool, FALSE));
    gst_object_unref(pool);
    stop();
}
GST_END_TEST

GST_START_TEST(rows_of_copies_do_too)
{
    check_rows(gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&usual), NULL));
    fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "copied"), 1);
    stop();
}
GST_END_TEST

/* There need not be a /dev/udmabuf for what is only proposed. */
GST_START_TEST(upstream_is_told_how_wide_its_own_memory_had_best_be)
{
    static const struct {
        const char *sink;
        guint padding; /* of the 72 columns; chroma has half of them */
    } cases[] = {
        {"framebussink bus=d", 0},
        {"framebussink bus=d dmabuf=slots", 0}, /* a driver may have one stride only */
        {"framebussink bus=d stride-align=64", 128 - 72},
        {"framebussink bus=d dmabuf=slots stride-align=256", 512 - 72},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstHarness *harness = gst_harness_new_parse(cases[i].sink);
        GstCaps *caps = gst_caps_from_string(CAPS);
        GstQuery *query = gst_query_new_allocation(caps, FALSE);
        const GstStructure *wish;
        guint index, padding = 0;

        gst_harness_play(harness);
        fail_unless(gst_pad_peer_query(harness->srcpad, query));
        fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, &index));
        gst_query_parse_nth_allocation_meta(query, index, &wish);
        if (wish)
            gst_structure_get_uint(wish, "padding-right", &padding);
        fail_unless_equals_int(padding, cases[i].padding);
        gst_query_unref(query);
        gst_caps_unref(caps);
        gst_harness_teardown(harness);
    }
    stop();
}
GST_END_TEST

static Suite *strides_suite(void)
{
    Suite *suite = suite_create("strides");
    TCase *tcase = tcase_create("strides");

    tcase_add_checked_fixture(tcase, setup, directory_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, rows_of_a_pool_begin_where_devices_want_them);
    tcase_add_test(tcase, rows_of_copies_do_too);
    tcase_add_test(tcase, upstream_is_told_how_wide_its_own_memory_had_best_be);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, strides_suite);
}
