/* SPDX-License-Identifier: MIT */
/* Raw pictures in every format and layout that GStreamer has arrive as they were, or not at all. */
#include "fixture.h"

#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <string.h>

#define WIDTH  64
#define HEIGHT 32

static GstHarness *sink, *source;

static void start(const char *caps)
{
    directory_setup();
    sink = gst_harness_new_parse("framebussink name=s bus=b sync=false");
    source = gst_harness_new_parse("framebussrc bus=b");
    gst_harness_use_systemclock(source);
    gst_harness_set_src_caps_str(sink, caps);
    gst_harness_play(sink);
    gst_harness_play(source);
}

static void stop(void)
{
    gst_harness_teardown(source);
    gst_harness_teardown(sink);
    directory_teardown();
}

static GstBuffer *send(GstBuffer *buffer)
{
    fail_unless_equals_int(gst_harness_push(sink, buffer), GST_FLOW_OK);
    buffer = gst_harness_pull(source);
    fail_unless(buffer != NULL);
    return buffer;
}

/* ---- Layouts -------------------------------------------------------------------------------- */

/* Each byte of a picture says where it is. */
static guint8 value_at(guint plane, guint row, guint byte)
{
    return (guint8)(1 + plane * 83 + row * 7 + byte * 3);
}

/* Returns the rows of a plane and the bytes in each. Tiles are told as one row, without those that only pad
 * the plane. */
static guint rows_of(const GstVideoInfo *info, guint plane, guint *bytes)
{
    const gsize end = plane + 1 < GST_VIDEO_INFO_N_PLANES(info) ? info->offset[plane + 1] : info->size;
    gint component[GST_VIDEO_MAX_COMPONENTS];
    guint rows = 1;

    *bytes = 0;
    if (!GST_VIDEO_FORMAT_INFO_HAS_PALETTE(info->finfo) || plane == 0) {
        gst_video_format_info_component(info->finfo, plane, component);
        rows = GST_VIDEO_INFO_COMP_HEIGHT(info, component[0]);
        *bytes =
            GST_VIDEO_INFO_COMP_WIDTH(info, component[0]) * GST_VIDEO_INFO_COMP_PSTRIDE(info, component[0]);
    }
    if (GST_VIDEO_FORMAT_INFO_IS_TILED(info->finfo)) {
        *bytes *= rows;
        rows = 1;
    }
    if (*bytes == 0)
        *bytes = rows > 1 ? (gsize)info->stride[plane] : end - info->offset[plane];
    return rows;
}

enum layout { PADDED, BOTTOM_UP };

/* Describes a layout other than the default one. Returns how many bytes such a buffer has. */
static gsize layout_of(GstVideoInfo *info, enum layout layout)
{
    const GstVideoInfo usual = *info;
    gsize size = 192;

    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++) {
        guint bytes;
        const guint rows = rows_of(&usual, i, &bytes);
        const gint stride = usual.stride[i] + 48;

        info->offset[i] = size;
        if (rows > 1) {
            info->stride[i] = layout == BOTTOM_UP ? -stride : stride;
            info->offset[i] += layout == BOTTOM_UP ? (gsize)stride * (rows - 1) : 0;
        }
        size += rows > 1 ? (gsize)stride * rows : usual.size;
    }
    return size;
}

/* Fills a picture with this layout in, or compares it. */
static void visit(guint8 *data, const GstVideoInfo *info, const GstVideoInfo *usual, guint seed,
                  gboolean fills)
{
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++) {
        guint bytes;
        const guint rows = rows_of(usual, i, &bytes);

        for (guint y = 0; y < rows; y++) {
            guint8 *row = data + info->offset[i] + (gssize)y * info->stride[i];

            for (guint x = 0; x < bytes; x++) {
                if (fills)
                    row[x] = value_at(i + seed, y, x);
                else
                    fail_unless(row[x] == value_at(i + seed, y, x), "%s: plane %u, row %u, byte %u: %u",
                                info->finfo->name, i, y, x, row[x]);
            }
        }
    }
}

static void buffer_visit(GstBuffer *buffer, const GstVideoInfo *info, const GstVideoInfo *usual, guint seed,
                         gboolean fills)
{
    GstMapInfo map;

    fail_unless(gst_buffer_map(buffer, &map, fills ? GST_MAP_WRITE : GST_MAP_READ));
    visit(map.data, info, usual, seed, fills);
    gst_buffer_unmap(buffer, &map);
}

static void check_layout(GstVideoFormat format, enum layout layout)
{
    g_autofree char *caps = g_strdup_printf("video/x-raw, format=%s, width=%d, height=%d, framerate=50/1",
                                            gst_video_format_to_string(format), WIDTH, HEIGHT);
    GstVideoInfo usual, info;
    GstBuffer *buffer;
    gsize size;

    fail_unless(gst_video_info_set_format(&usual, format, WIDTH, HEIGHT));
    info = usual;
    size = layout_of(&info, layout);
    buffer = gst_buffer_new_allocate(NULL, size, NULL);
    gst_buffer_memset(buffer, 0, 0, size);
    buffer_visit(buffer, &info, &usual, 0, TRUE);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, WIDTH, HEIGHT,
                                   GST_VIDEO_INFO_N_PLANES(&info), info.offset, info.stride);
    start(caps);
    buffer = send(buffer);
    fail_unless(gst_buffer_get_size(buffer) >= GST_VIDEO_INFO_SIZE(&usual));
    buffer_visit(buffer, &usual, &usual, 0, FALSE);
    gst_buffer_unref(buffer);
    stop();
}

GST_START_TEST(every_format_arrives_from_a_padded_layout)
{
    guint count;
    const GstVideoFormat *formats = gst_video_formats_raw(&count);

    fail_unless(count > 100, "%u", count);
    for (guint i = 0; i < count; i++)
        check_layout(formats[i], PADDED);
}
GST_END_TEST

GST_START_TEST(pictures_that_are_stored_bottom_up_are_turned)
{
    static const char *const names[] = {"I420", "NV12", "BGRx", "GBR", "A420", "v210", "UYVP", "IYU1"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        check_layout(gst_video_format_from_string(names[i]), BOTTOM_UP);
}
GST_END_TEST

/* An upstream with rows of its own need not pack them. */
GST_START_TEST(upstream_is_told_that_any_layout_will_do)
{
    GstCaps *caps =
        gst_caps_from_string("video/x-raw, format=GBR, width=64, height=32, framerate=(fraction)50/1");
    GstQuery *query = gst_query_new_allocation(caps, TRUE);

    start("video/x-raw, format=GBR, width=64, height=32, framerate=50/1");
    fail_unless(gst_pad_peer_query(sink->srcpad, query));
    fail_unless(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
    fail_unless_equals_int(gst_query_get_n_allocation_pools(query), 0);
    gst_query_unref(query);
    gst_caps_unref(caps);
    stop();
}
GST_END_TEST

GST_START_TEST(a_buffer_without_memory_ends_no_stream)
{
    static const char *const names[] = {"I420", "v210"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *caps = g_strdup_printf("video/x-raw, format=%s, width=%d, height=%d, framerate=50/1",
                                                names[i], WIDTH, HEIGHT);
        GstVideoInfo info;
        GstBuffer *gap = gst_buffer_new();

        gst_video_info_set_format(&info, gst_video_format_from_string(names[i]), WIDTH, HEIGHT);
        start(caps);
        GST_BUFFER_FLAG_SET(gap, GST_BUFFER_FLAG_GAP);
        fail_unless_equals_int(gst_harness_push(sink, gap), GST_FLOW_OK);
        gst_buffer_unref(send(gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL)));
        fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "published"), 1);
        fail_unless_equals_uint64(stat_of(child(sink->element, "s"), "left-out"), 1);
        stop();
    }
}
GST_END_TEST

/* ---- Several pictures in a buffer ----------------------------------------------------------- */

/* Two views in memories of their own, as the GstVideoMeta of each says. */
static GstBuffer *views_new(const GstVideoInfo *usual)
{
    GstBuffer *buffer = gst_buffer_new();
    gsize before = 0;

    for (gint id = 0; id < 2; id++) {
        GstVideoInfo info = *usual;
        const gsize size = layout_of(&info, PADDED);
        GstBuffer *view = gst_buffer_new_allocate(NULL, size, NULL);
        GstVideoMeta *meta;

        buffer_visit(view, &info, usual, id * 11, TRUE);
        for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(&info); i++)
            info.offset[i] += before;
        before += size;
        gst_buffer_append_memory(buffer, gst_buffer_get_all_memory(view));
        gst_buffer_unref(view);
        meta = gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&info),
                                              WIDTH, HEIGHT, GST_VIDEO_INFO_N_PLANES(&info), info.offset,
                                              info.stride);
        meta->id = id;
    }
    return buffer;
}

GST_START_TEST(each_of_several_views_arrives)
{
    GstVideoInfo usual;
    GstBuffer *buffer;

    fail_unless(gst_video_info_set_format(&usual, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT));
    start("video/x-raw, format=I420, width=64, height=32, framerate=50/1, views=2, "
          "multiview-mode=separated");
    buffer = send(views_new(&usual));
    fail_unless_equals_int(gst_buffer_get_size(buffer), 2 * GST_VIDEO_INFO_SIZE(&usual));
    for (gint id = 0; id < 2; id++) {
        const GstVideoMeta *meta = gst_buffer_get_video_meta_id(buffer, id);
        GstVideoInfo info = usual;

        fail_unless(meta != NULL);
        memcpy(info.offset, meta->offset, sizeof(info.offset));
        memcpy(info.stride, meta->stride, sizeof(info.stride));
        buffer_visit(buffer, &info, &usual, id * 11, FALSE);
    }
    fail_unless(gst_buffer_get_video_meta_id(buffer, 2) == NULL);
    gst_buffer_unref(buffer);
    stop();
}
GST_END_TEST

/* A field is a picture of half the height. */
GST_START_TEST(fields_arrive_one_by_one)
{
    const guint fields[] = {GST_VIDEO_BUFFER_FLAG_TOP_FIELD, GST_VIDEO_BUFFER_FLAG_BOTTOM_FIELD};
    GstCaps *caps = gst_caps_from_string("video/x-raw(format:Interlaced), format=NV12, width=64, height=32, "
                                         "framerate=50/1, interlace-mode=alternate");
    GstVideoInfo usual;

    fail_unless(gst_video_info_from_caps(&usual, caps));
    start("video/x-raw(format:Interlaced), format=NV12, width=64, height=32, framerate=50/1, "
          "interlace-mode=alternate");
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        GstVideoInfo info = usual;
        const gsize size = layout_of(&info, PADDED);
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);

        buffer_visit(buffer, &info, &usual, i, TRUE);
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, WIDTH,
                                       HEIGHT, 2, info.offset, info.stride);
        GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED | fields[i]);
        buffer = send(buffer);
        fail_unless_equals_int(gst_buffer_get_size(buffer), GST_VIDEO_INFO_SIZE(&usual));
        fail_unless_equals_int(GST_BUFFER_FLAGS(buffer) & GST_VIDEO_BUFFER_FLAG_TOP_FIELD, fields[i]);
        buffer_visit(buffer, &usual, &usual, i, FALSE);
        gst_buffer_unref(buffer);
    }
    stop();
    gst_caps_unref(caps);
}
GST_END_TEST

/* ---- Fields --------------------------------------------------------------------------------- */

/* What a program in C is told of a buffer without a flag, of a stream with these caps. */
GST_START_TEST(caps_tell_programs_of_fields)
{
    static const struct {
        const char *caps;
        guint32 flags;
    } cases[] = {
        {"interlace-mode=progressive", 0},
        {"interlace-mode=mixed", 0},
        {"interlace-mode=interleaved", FRAMEBUS_FRAME_INTERLACED},
        {"interlace-mode=interleaved, field-order=top-field-first",
         FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF},
        {"interlace-mode=interleaved, field-order=bottom-field-first", FRAMEBUS_FRAME_INTERLACED},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *caps = g_strdup_printf(
            "video/x-raw, format=I420, width=64, height=32, framerate=25/1, %s", cases[i].caps);
        struct framebus_reader *reader;
        struct framebus_frame *frame;

        start(caps);
        gst_buffer_unref(send(gst_buffer_new_allocate(NULL, WIDTH * HEIGHT * 3 / 2, NULL)));
        reader = reader_new(NULL);
        fail_unless_equals_int(framebus_reader_next(reader, &frame, 5 * GST_SECOND), 0);
        fail_unless_equals_int(frame->flags & (FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF),
                               cases[i].flags);
        framebus_reader_release(reader, frame);
        framebus_reader_close(reader);
        stop();
    }
}
GST_END_TEST

/* Publishes a frame of a program in C, which has no caps, and returns the mode that the source tells of it.
 */
static const char *mode_of(struct framebus_writer *writer, guint32 flags)
{
    GstBuffer *buffer = NULL;
    struct framebus_frame *frame;
    const char *mode;
    GstCaps *caps;

    fail_unless_equals_int(framebus_writer_begin(writer, &frame), 0);
    frame->flags = flags;
    fail_unless_equals_int(framebus_writer_publish(writer, frame), 0);
    framebus_writer_release(writer, frame);
    for (guint i = 0; i < 1000 && !buffer; i++) {
        framebus_writer_dispatch(writer);
        buffer = gst_harness_try_pull(source);
        if (!buffer)
            g_usleep(10000);
    }
    fail_unless(buffer != NULL);
    caps = gst_pad_get_current_caps(source->sinkpad);
    mode = g_intern_string(gst_structure_get_string(gst_caps_get_structure(caps, 0), "interlace-mode"));
    gst_caps_unref(caps);
    gst_buffer_unref(buffer);
    return mode;
}

GST_START_TEST(fields_of_a_plain_program_are_known_from_flags)
{
    struct framebus_writer *writer;
    struct framebus_format format;

    directory_setup();
    fail_unless_equals_int(
        framebus_format_init(&format, framebus_format_by_name("NV12")->fourcc, WIDTH, HEIGHT), 0);
    fail_unless_equals_int(framebus_writer_open(&writer, "b", &format, NULL), 0);
    source = gst_harness_new_parse("framebussrc bus=b");
    gst_harness_use_systemclock(source);
    gst_harness_play(source);
    fail_unless_equals_string(mode_of(writer, 0), "progressive");
    fail_unless_equals_string(mode_of(writer, FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF), "mixed");
    fail_unless_equals_string(mode_of(writer, 0), "mixed"); /* caps need not change again and again */
    gst_harness_teardown(source);
    framebus_writer_close(writer);
    directory_teardown();
}
GST_END_TEST

static Suite *formats_suite(void)
{
    Suite *suite = suite_create("formats");
    TCase *tcase = tcase_create("formats");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_format_arrives_from_a_padded_layout);
    tcase_add_test(tcase, pictures_that_are_stored_bottom_up_are_turned);
    tcase_add_test(tcase, upstream_is_told_that_any_layout_will_do);
    tcase_add_test(tcase, a_buffer_without_memory_ends_no_stream);
    tcase_add_test(tcase, each_of_several_views_arrives);
    tcase_add_test(tcase, fields_arrive_one_by_one);
    tcase_add_test(tcase, caps_tell_programs_of_fields);
    tcase_add_test(tcase, fields_of_a_plain_program_are_known_from_flags);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, formats_suite);
}
