/* SPDX-License-Identifier: MIT */
/* Plays .mkv files by GStreamer. */
#include "caps.h"
#include "cli/clock.h"
#include "cli/report.h"
#include "media/mkv-module.h"
#include "media/stream.h"

#include <errno.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>

#define POLL_NS (50 * GST_MSECOND) /* time between two polls for signals and errors */

/* decodebin does not report a file of which it makes nothing. */
#define STALL_NS (8 * NS_PER_S)

struct mkv_source {
    struct source source;
    int interrupts;
    gboolean payload;
    GstElement *pipeline, *sink;
    GstSample *sample; /* frame at hand */
    GstCaps *caps;     /* caps of which the format was made */
    char *text;        /* these caps as text */
    GstVideoInfo info;
    struct framebus_format format;
};

static gboolean caps_are_raw(const GstCaps *caps)
{
    return gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw");
}

/* False if decodebin is to leave what it has found as it is. */
static gboolean on_autoplug_continue(GstElement *bin, GstPad *pad, GstCaps *caps, gpointer user)
{
    const struct mkv_source *mkv = user;
    const char *media = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    gboolean parsed = FALSE;
    (void)bin, (void)pad;
    gst_structure_get_boolean(gst_caps_get_structure(caps, 0), "parsed", &parsed);
    return !(mkv->payload &&
             (g_str_has_prefix(media, "image/") || (g_str_has_prefix(media, "video/") && parsed)));
}

static void on_pad_added(GstElement *bin, GstPad *pad, gpointer user)
{
    struct mkv_source *mkv = user;
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    g_autoptr(GstPad) sink = gst_element_get_static_pad(mkv->sink, "sink");
    g_autoptr(GstPad) target = NULL;
    const char *media = caps ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
    (void)bin;
    if (gst_pad_is_linked(sink) || !(g_str_has_prefix(media, "video/") || g_str_has_prefix(media, "image/")))
        return; /* sound, or a second track */
    if (caps_are_raw(caps)) {
        /* Codecs have a few formats that the bus does not: the same values are put in another one. */
        GstElement *convert = gst_parse_bin_from_description(
            "videoconvert dither=none chroma-mode=none matrix-mode=none gamma-mode=none primaries-mode=none",
            TRUE, NULL);
        g_autoptr(GstCaps) pictures = caps_of_pictures();

        g_object_set(mkv->sink, "caps", pictures, NULL);
        gst_bin_add(GST_BIN(mkv->pipeline), convert);
        gst_element_link(convert, mkv->sink);
        gst_element_sync_state_with_parent(convert);
        target = gst_element_get_static_pad(convert, "sink");
    }
    gst_pad_link(pad, target ? target : sink);
}

static int mkv_check_errors(struct mkv_source *mkv)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(mkv->pipeline);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    if (!message)
        return 0;
    gst_message_parse_error(message, &error, NULL);
    report_error("the file cannot be played: %s", error->message);
    return -EBADMSG;
}

static int mkv_set_caps(struct mkv_source *mkv, GstCaps *caps)
{
    if (mkv->caps && gst_caps_is_equal(mkv->caps, caps))
        return 0;
    gst_caps_replace(&mkv->caps, caps);
    g_free(mkv->text);
    mkv->text = gst_caps_to_string(caps);
    if (caps_are_picture(caps, &mkv->info)) {
        format_from_info(&mkv->format, &mkv->info, mkv->text);
        return 0;
    }
    if (framebus_format_init_opaque(&mkv->format, mkv->text, 65536) == 0)
        return 0;
    report_error("the file cannot be played: %s", framebus_last_error());
    return -EINVAL;
}

static int mkv_next(struct source *source, struct saved_frame *saved)
{
    struct mkv_source *mkv = (struct mkv_source *)source;
    int64_t began = clock_now();
    GstBuffer *buffer;
    int r = 0;
    g_clear_pointer(&mkv->sample, gst_sample_unref);
    while (!mkv->sample) {
        if (stream_serve(NULL, mkv->interrupts, -1, 0) == -EINTR)
            return -EINTR;
        mkv->sample = gst_app_sink_try_pull_sample(GST_APP_SINK(mkv->sink), POLL_NS);
        r = mkv->sample ? 0 : mkv_check_errors(mkv);
        if (r < 0)
            return r;
        if (!mkv->sample && gst_app_sink_is_eos(GST_APP_SINK(mkv->sink)))
            return 0;
        if (!mkv->sample && clock_now() > began + STALL_NS) {
            report_error("the file cannot be played: no picture came out of it for %d s",
                         (int)(STALL_NS / NS_PER_S));
            return -EBADMSG;
        }
    }
    r = mkv_set_caps(mkv, gst_sample_get_caps(mkv->sample));
    if (r < 0)
        return r;
    buffer = gst_sample_get_buffer(mkv->sample);
    saved->meta_size = 0;
    saved->frame = (struct framebus_frame){
        .format = &mkv->format,
        .size = mkv->format.fourcc ? mkv->format.size : gst_buffer_get_size(buffer),
        .publish_ns = GST_BUFFER_PTS_IS_VALID(buffer) ? (int64_t)GST_BUFFER_PTS(buffer) : 0,
        .duration_ns = GST_BUFFER_DURATION_IS_VALID(buffer) ? (int64_t)GST_BUFFER_DURATION(buffer) : 0,
    };
    if (!mkv->format.fourcc && GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT))
        saved->frame.flags = FRAMEBUS_FRAME_DELTA;
    return 1;
}

static int mkv_read(struct source *source, const struct framebus_frame *frame)
{
    struct mkv_source *mkv = (struct mkv_source *)source;
    GstBuffer *buffer = gst_sample_get_buffer(mkv->sample);
    struct plane_rows to[FRAMEBUS_PLANES_MAX], from[GST_VIDEO_MAX_PLANES];
    GstVideoFrame picture;
    if (!mkv->format.fourcc) {
        gst_buffer_extract(buffer, 0, frame->data, gst_buffer_get_size(buffer));
        return 0;
    }
    if (!gst_video_frame_map(&picture, &mkv->info, buffer, GST_MAP_READ)) {
        report_error("the file cannot be played: a picture is smaller than its caps say");
        return -EBADMSG;
    }
    rows_of_frame(to, frame);
    rows_of_picture(from, &picture);
    format_copy_picture(&mkv->format, to, from);
    gst_video_frame_unmap(&picture);
    return 0;
}

static int mkv_rewind(struct source *source)
{
    struct mkv_source *mkv = (struct mkv_source *)source;
    if (gst_element_seek_simple(mkv->pipeline, GST_FORMAT_TIME,
                                (GstSeekFlags)(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT), 0))
        return 0;
    report_error("the file cannot be played again: it has no place to go back to");
    return -EIO;
}

static void mkv_source_close(struct source *source)
{
    struct mkv_source *mkv = (struct mkv_source *)source;
    g_clear_pointer(&mkv->sample, gst_sample_unref);
    if (mkv->pipeline)
        gst_element_set_state(mkv->pipeline, GST_STATE_NULL);
    gst_clear_object(&mkv->sink);
    gst_clear_object(&mkv->pipeline);
    gst_clear_caps(&mkv->caps);
    g_free(mkv->text);
    free(mkv);
}

static const struct source_kind mkv_source_kind = {
    .next = mkv_next, .read = mkv_read, .rewind = mkv_rewind, .close = mkv_source_close};

static gboolean mkv_build(struct mkv_source *mkv, const char *path)
{
    g_autoptr(GstElement) file = NULL, bin = NULL;
    mkv->pipeline = gst_parse_launch("filesrc name=file ! decodebin name=bin appsink name=sink sync=false "
                                     "max-buffers=4 wait-on-eos=false",
                                     NULL);
    if (!mkv->pipeline)
        return FALSE;
    file = gst_bin_get_by_name(GST_BIN(mkv->pipeline), "file");
    bin = gst_bin_get_by_name(GST_BIN(mkv->pipeline), "bin");
    mkv->sink = gst_bin_get_by_name(GST_BIN(mkv->pipeline), "sink");
    if (!file || !bin || !mkv->sink)
        return FALSE;
    g_object_set(file, "location", path, NULL);
    g_signal_connect(bin, "autoplug-continue", G_CALLBACK(on_autoplug_continue), mkv);
    g_signal_connect(bin, "pad-added", G_CALLBACK(on_pad_added), mkv);
    gst_element_set_state(mkv->pipeline, GST_STATE_PLAYING);
    return TRUE;
}

struct source *mkv_module_source_open(const char *path, int interrupts, bool payload)
{
    struct mkv_source *mkv = calloc(1, sizeof *mkv);
    if (!mkv)
        report_out_of_memory();
    if (!mkv_module_start()) {
        free(mkv);
        return NULL;
    }
    *mkv = (struct mkv_source){
        .source = {.kind = &mkv_source_kind, .timed = true}, .interrupts = interrupts, .payload = payload};
    if (!mkv_build(mkv, path)) {
        report_error(
            "GStreamer cannot play .mkv files here: gstreamer1.0-plugins-base brings what is missing");
        mkv_source_close(&mkv->source);
        return NULL;
    }
    return &mkv->source;
}
