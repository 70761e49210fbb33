/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "caps.h"
#include "clock.h"
#include "mkv.h"
#include "stream.h"

#define LOOK_NS (50 * GST_MSECOND)

/* What decodebin can make nothing of it keeps without a word. */
#define STALL_NS INT64_C(8000000000)

struct reader {
    struct source source;
    int interrupts;
    gboolean payload;
    GstElement *pipeline, *sink;
    GstSample *sample; /* the one at hand */
    GstCaps *caps;     /* what the format below was made of */
    char *text;
    GstVideoInfo info;
    struct framebus_format format;
};

static gboolean is_raw(const GstCaps *caps)
{
    return gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw");
}

/* Whether decodebin goes on with what it has found. */
static gboolean on_autoplug_continue(GstElement *bin, GstPad *pad, GstCaps *caps, gpointer user)
{
    const struct reader *reader = user;
    const char *media = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    gboolean parsed = FALSE;

    (void)bin, (void)pad;
    gst_structure_get_boolean(gst_caps_get_structure(caps, 0), "parsed", &parsed);
    return !(reader->payload &&
             (g_str_has_prefix(media, "image/") || (g_str_has_prefix(media, "video/") && parsed)));
}

static void on_pad_added(GstElement *bin, GstPad *pad, gpointer user)
{
    struct reader *reader = user;
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    g_autoptr(GstPad) sink = gst_element_get_static_pad(reader->sink, "sink");
    g_autoptr(GstPad) target = NULL;
    const char *media = caps ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";

    (void)bin;
    if (gst_pad_is_linked(sink) || !(g_str_has_prefix(media, "video/") || g_str_has_prefix(media, "image/")))
        return; /* sound, or a second track */
    if (is_raw(caps)) {
        /* Codecs have a few arrangements that the bus has not: the same values in another one. */
        GstElement *convert = gst_parse_bin_from_description(
            "videoconvert dither=none chroma-mode=none matrix-mode=none gamma-mode=none primaries-mode=none",
            TRUE, NULL);

        g_autoptr(GstCaps) pictures = caps_of_pictures();

        g_object_set(reader->sink, "caps", pictures, NULL);
        gst_bin_add(GST_BIN(reader->pipeline), convert);
        gst_element_link(convert, reader->sink);
        gst_element_sync_state_with_parent(convert);
        target = gst_element_get_static_pad(convert, "sink");
    }
    gst_pad_link(pad, target ? target : sink);
}

static int failed(struct reader *reader)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(reader->pipeline);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;

    if (!message)
        return 0;
    gst_message_parse_error(message, &error, NULL);
    complain("the file cannot be played: %s", error->message);
    return -EBADMSG;
}

static int take_caps(struct reader *reader, GstCaps *caps)
{
    if (reader->caps && gst_caps_is_equal(reader->caps, caps))
        return 0;
    gst_caps_replace(&reader->caps, caps);
    g_free(reader->text);
    reader->text = gst_caps_to_string(caps);
    if (caps_are_picture(caps, &reader->info)) {
        format_from_info(&reader->format, &reader->info, reader->text);
        return 0;
    }
    if (framebus_format_init_opaque(&reader->format, reader->text, 65536) == 0)
        return 0;
    complain("the file cannot be played: %s", framebus_last_error());
    return -EINVAL;
}

static int mkv_next(struct source *source, struct shot *shot)
{
    struct reader *reader = (struct reader *)source;
    int64_t began = now_ns();
    GstBuffer *buffer;
    int r = 0;

    g_clear_pointer(&reader->sample, gst_sample_unref);
    while (!reader->sample) {
        if (serve_until(NULL, reader->interrupts, -1, 0) == -EINTR)
            return -EINTR;
        reader->sample = gst_app_sink_try_pull_sample(GST_APP_SINK(reader->sink), LOOK_NS);
        r = reader->sample ? 0 : failed(reader);
        if (r < 0)
            return r;
        if (!reader->sample && gst_app_sink_is_eos(GST_APP_SINK(reader->sink)))
            return 0;
        if (!reader->sample && now_ns() > began + STALL_NS) {
            complain("the file cannot be played: no picture came out of it for %d s",
                     (int)(STALL_NS / 1000000000));
            return -EBADMSG;
        }
    }
    r = take_caps(reader, gst_sample_get_caps(reader->sample));
    if (r < 0)
        return r;
    buffer = gst_sample_get_buffer(reader->sample);
    *shot = (struct shot){
        .format = &reader->format,
        .size = reader->format.fourcc ? reader->format.size : gst_buffer_get_size(buffer),
        .publish_ns = GST_BUFFER_PTS_IS_VALID(buffer) ? (int64_t)GST_BUFFER_PTS(buffer) : 0,
        .duration_ns = GST_BUFFER_DURATION_IS_VALID(buffer) ? (int64_t)GST_BUFFER_DURATION(buffer) : 0,
    };
    if (!reader->format.fourcc && GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT))
        shot->flags = FRAMEBUS_FRAME_DELTA;
    return 1;
}

static int mkv_read(struct source *source, const struct framebus_frame *frame)
{
    struct reader *reader = (struct reader *)source;
    GstBuffer *buffer = gst_sample_get_buffer(reader->sample);
    struct framebus_plane planes[FRAMEBUS_PLANES_MAX];
    GstVideoFrame picture;

    if (!reader->format.fourcc) {
        gst_buffer_extract(buffer, 0, frame->data, gst_buffer_get_size(buffer));
        return 0;
    }
    if (!gst_video_frame_map(&picture, &reader->info, buffer, GST_MAP_READ)) {
        complain("the file cannot be played: a picture is not as large as it is said to be");
        return -EBADMSG;
    }
    if (planes_of_frame(planes, &picture))
        format_copy_picture(&reader->format, frame->plane, planes);
    gst_video_frame_unmap(&picture);
    return 0;
}

static int mkv_rewind(struct source *source)
{
    struct reader *reader = (struct reader *)source;

    if (gst_element_seek_simple(reader->pipeline, GST_FORMAT_TIME,
                                (GstSeekFlags)(GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT), 0))
        return 0;
    complain("the file cannot be played again: it has no place to go back to");
    return -EIO;
}

static void mkv_close(struct source *source)
{
    struct reader *reader = (struct reader *)source;

    g_clear_pointer(&reader->sample, gst_sample_unref);
    if (reader->pipeline)
        gst_element_set_state(reader->pipeline, GST_STATE_NULL);
    gst_clear_object(&reader->sink);
    gst_clear_object(&reader->pipeline);
    gst_clear_caps(&reader->caps);
    g_free(reader->text);
    free(reader);
}

static const struct source_kind mkv_kind = {
    .next = mkv_next, .read = mkv_read, .rewind = mkv_rewind, .close = mkv_close};

static gboolean build(struct reader *reader, const char *path)
{
    g_autoptr(GstElement) file = NULL, bin = NULL;

    reader->pipeline = gst_parse_launch("filesrc name=file ! decodebin name=bin appsink name=sink sync=false "
                                        "max-buffers=4 wait-on-eos=false",
                                        NULL);
    if (!reader->pipeline)
        return FALSE;
    file = gst_bin_get_by_name(GST_BIN(reader->pipeline), "file");
    bin = gst_bin_get_by_name(GST_BIN(reader->pipeline), "bin");
    reader->sink = gst_bin_get_by_name(GST_BIN(reader->pipeline), "sink");
    if (!file || !bin || !reader->sink)
        return FALSE;
    g_object_set(file, "location", path, NULL);
    g_signal_connect(bin, "autoplug-continue", G_CALLBACK(on_autoplug_continue), reader);
    g_signal_connect(bin, "pad-added", G_CALLBACK(on_pad_added), reader);
    gst_element_set_state(reader->pipeline, GST_STATE_PLAYING);
    return TRUE;
}

struct source *mkv_source(const char *path, int interrupts, bool payload)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    g_autoptr(GError) error = NULL;

    if (!reader || !gst_init_check(NULL, NULL, &error)) {
        complain("GStreamer does not start: %s", error ? error->message : "out of memory");
        free(reader);
        return NULL;
    }
    *reader = (struct reader){
        .source = {.kind = &mkv_kind, .timed = true}, .interrupts = interrupts, .payload = payload};
    if (!build(reader, path)) {
        complain("GStreamer cannot play .mkv files here: gstreamer1.0-plugins-base brings what is missing");
        mkv_close(&reader->source);
        return NULL;
    }
    return &reader->source;
}
