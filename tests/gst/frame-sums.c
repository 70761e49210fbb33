/* SPDX-License-Identifier: MIT */
/*
 * Runs a pipeline and prints one line for each buffer that arrives at a fakesink in it:
 *
 *     NAME N SUM pts=NS duration=NS flags=HEX offset=N age=NS memory=r|w caps=CAPS
 *
 * NAME is the fakesink's, N counts its buffers, age is how long ago the buffer was captured as its reference
 * timestamp says (-1: it has none), memory tells whether it may be written to. Pictures are unpacked line by
 * line by GStreamer before they are summed: what pads the rows does not count, a wrong stride or offset does.
 *
 * Usage: frame-sums [--draw] DESCRIPTION...
 * --draw: writes into a copy of each buffer, as elements do that work in place.
 */
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static gboolean draws;

static gboolean sum_picture(GChecksum *sum, const GstVideoInfo *info, GstBuffer *buffer)
{
    const GstVideoFormatInfo *unpacked = gst_video_format_get_info(info->finfo->unpack_format);
    gsize length = (gsize)GST_VIDEO_INFO_WIDTH(info) * GST_VIDEO_FORMAT_INFO_PSTRIDE(unpacked, 0);
    GstVideoFrame frame;
    guint8 *line;

    if (!gst_video_frame_map(&frame, info, buffer, GST_MAP_READ))
        return FALSE;
    line = g_malloc0(length + 64); /* unpacking writes whole groups of pixels */
    for (int y = 0; y < GST_VIDEO_INFO_FIELD_HEIGHT(info); y++) {
        info->finfo->unpack_func(info->finfo, GST_VIDEO_PACK_FLAG_NONE, line, frame.data, frame.info.stride,
                                 0, y, GST_VIDEO_INFO_WIDTH(info));
        g_checksum_update(sum, line, length);
    }
    g_free(line);
    gst_video_frame_unmap(&frame);
    return TRUE;
}

static gboolean sum_bytes(GChecksum *sum, GstBuffer *buffer)
{
    GstMapInfo map;

    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return FALSE;
    g_checksum_update(sum, map.data, map.size);
    gst_buffer_unmap(buffer, &map);
    return TRUE;
}

static gint64 age_of(GstBuffer *buffer)
{
    GstCaps *clock = gst_caps_new_empty_simple("timestamp/x-system-monotonic");
    GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, clock);
    struct timespec now;

    gst_caps_unref(clock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return meta ? (gint64)now.tv_sec * GST_SECOND + now.tv_nsec - (gint64)meta->timestamp : -1;
}

static void draw(GstBuffer *buffer)
{
    GstBuffer *own = gst_buffer_copy(buffer);
    GstMapInfo map;

    if (!gst_buffer_map(own, &map, GST_MAP_READWRITE))
        g_error("a copy of the buffer cannot be written to");
    memset(map.data, 0x55, map.size);
    gst_buffer_unmap(own, &map);
    gst_buffer_unref(own);
}

static void arrived(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
    guint *count = user;
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GChecksum *sum = g_checksum_new(G_CHECKSUM_MD5);
    char *text = gst_caps_to_string(caps);
    gint64 age = age_of(buffer);
    GstVideoInfo info;
    gboolean done;

    if (gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") &&
        gst_video_info_from_caps(&info, caps) && info.finfo->unpack_func)
        done = sum_picture(sum, &info, buffer);
    else
        done = sum_bytes(sum, buffer);
    g_print("%s %u %s pts=%" G_GINT64_FORMAT " duration=%" G_GINT64_FORMAT
            " flags=%x offset=%" G_GINT64_FORMAT " age=%" G_GINT64_FORMAT " memory=%c caps=%s\n",
            GST_OBJECT_NAME(sink), (*count)++, done ? g_checksum_get_string(sum) : "unreadable",
            (gint64)GST_BUFFER_PTS(buffer), (gint64)GST_BUFFER_DURATION(buffer), GST_BUFFER_FLAGS(buffer),
            (gint64)GST_BUFFER_OFFSET(buffer), age,
            GST_MEMORY_IS_READONLY(gst_buffer_peek_memory(buffer, 0)) ? 'r' : 'w', text);
    if (draws)
        draw(buffer);
    g_free(text);
    g_checksum_free(sum);
    gst_caps_unref(caps);
}

static void watch(const GValue *item, gpointer user G_GNUC_UNUSED)
{
    GstElement *element = g_value_get_object(item);

    if (strcmp(G_OBJECT_TYPE_NAME(element), "GstFakeSink") != 0)
        return;
    g_object_set(element, "signal-handoffs", TRUE, NULL);
    g_object_set_data_full(G_OBJECT(element), "count", g_new0(guint, 1), g_free);
    g_signal_connect(element, "handoff", G_CALLBACK(arrived), g_object_get_data(G_OBJECT(element), "count"));
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    GstElement *pipeline;
    GstIterator *elements;
    GstMessage *message;
    char *description;
    int status = EXIT_SUCCESS;

    gst_init(&argc, &argv);
    if (argc > 1 && strcmp(argv[1], "--draw") == 0) {
        draws = TRUE;
        argv++;
    }
    description = g_strjoinv(" ", argv + 1);
    pipeline = gst_parse_launch_full(description, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (error) {
        g_printerr("%s: %s\n", description, error->message);
        return EXIT_FAILURE;
    }
    elements = gst_bin_iterate_elements(GST_BIN(pipeline));
    gst_iterator_foreach(elements, watch, NULL);
    gst_iterator_free(elements);

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(GST_ELEMENT_BUS(pipeline), GST_CLOCK_TIME_NONE,
                                         GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, NULL);
        g_printerr("error: %s\n", error->message);
        g_clear_error(&error);
        status = EXIT_FAILURE;
    }
    gst_message_unref(message);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    g_free(description);
    return status;
}
