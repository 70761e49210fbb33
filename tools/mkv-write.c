/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "caps.h"
#include "frameinfo.h"
#include "mkv.h"

/* 0.1 ms: clusters have 16 bits for times. */
#define TIME_SCALE_NS "100000"

/*
 * What pictures are compressed by, the best first, without loss all of them; docs/recording.md has the
 * figures. The formats in `from` become `to`, which holds the same values in another arrangement; the first
 * line whose encoder is installed is taken.
 */
static const struct {
    const char *encoder, *to, *from;
} plans[] = {
    {"x264enc", "NV12", "NV12"},
    {"x264enc", "I420", "I420 YV12 NV21"},
    {"x264enc", "Y42B", "Y42B YUY2 UYVY YVYU VYUY NV16 NV61"},
    {"x264enc", "Y444", "Y444 NV24 v308"},
    {"x264enc", "I420_10LE", "I420_10LE P010_10LE NV12_10LE40"},
    {"x264enc", "I422_10LE", "I422_10LE Y210 NV16_10LE40"},
    {"x264enc", "Y444_10LE", "Y444_10LE"},
    {"avenc_ffv1", "I420", "I420 YV12 NV12 NV21"},
    {"avenc_ffv1", "Y42B", "Y42B YUY2 UYVY YVYU VYUY NV16 NV61"},
    {"avenc_ffv1", "Y444", "Y444 NV24 v308"},
    {"avenc_ffv1", "I420_10LE", "I420_10LE P010_10LE NV12_10LE40"},
    {"avenc_ffv1", "I422_10LE", "I422_10LE Y210 NV16_10LE40"},
    {"avenc_ffv1", "Y444_10LE", "Y444_10LE"},
    {"avenc_ffv1", "I420_12LE", "I420_12LE P012_LE"},
    {"avenc_ffv1", "I422_12LE", "I422_12LE Y212_LE"},
    {"avenc_ffv1", "Y444_12LE", "Y444_12LE"},
    {"avenc_ffv1", "Y41B", "Y41B"},
    {"avenc_ffv1", "YUV9", "YUV9 YVU9"},
    {"avenc_ffv1", "GRAY8", "GRAY8"},
    {"avenc_ffv1", "GRAY16_LE", "GRAY16_LE GRAY16_BE"},
    {"avenc_ffv1", "BGRx", "BGRx RGBx xBGR xRGB RGB BGR RGB15 BGR15 RGB16 BGR16"},
    {"avenc_ffv1", "BGRA", "BGRA RGBA ABGR ARGB"},
    {"avenc_ffv1", "GBR_10LE", "BGR10x2_LE RGB10x2_LE r210"},
    {"identity", "AYUV", "AYUV VUYA"}, /* not compressed */
};

/* Payloads that Matroska has a place for, and what makes them fit into it. */
static const struct {
    const char *media, *parser;
} payloads[] = {
    {"image/jpeg", "jpegparse"}, {"video/x-h264", "h264parse"}, {"video/x-h265", "h265parse"},
    {"video/x-vp8", "identity"}, {"video/x-vp9", "identity"},   {"video/mpeg", "mpegvideoparse"},
};

struct writer {
    struct sink sink;
    int fd;
    GstElement *pipeline, *source;
    GstVideoInfo info;
    struct framebus_format *format;
    gint64 time_ns, last_ns; /* of the last frame: in the file, captured */
};

static gboolean has_word(const char *words, const char *word)
{
    g_auto(GStrv) list = g_strsplit(words, " ", -1);

    return g_strv_contains((const gchar *const *)list, word);
}

static gboolean is_installed(const char *name)
{
    g_autoptr(GstElementFactory) factory = gst_element_factory_find(name);

    return factory != NULL;
}

static char *encoder_text(const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    const char *missing = NULL;

    for (size_t i = 0; info && i < G_N_ELEMENTS(plans); i++) {
        const char *encoder = plans[i].encoder;

        if (!has_word(plans[i].from, info->name))
            continue;
        if (!is_installed(encoder)) {
            missing = encoder;
            continue;
        }
        return g_strdup_printf(
            "videoconvert dither=none chroma-mode=none matrix-mode=none gamma-mode=none primaries-mode=none "
            "n-threads=2 ! video/x-raw,format=%s ! %s%s",
            plans[i].to, encoder,
            strcmp(encoder, "x264enc") == 0
                ? " pass=quant quantizer=0 speed-preset=ultrafast bframes=0 key-int-max=60"
                : "");
    }
    if (missing)
        complain(
            "GStreamer has no %s here; gstreamer1.0-plugins-ugly or gstreamer1.0-libav bring the encoders",
            missing);
    else
        complain("no codec keeps %s without loss in a .mkv file; .fbr files hold every format",
                 info ? info->name : "such pictures");
    return NULL;
}

static char *parser_text(const GstCaps *caps)
{
    const char *media = gst_structure_get_name(gst_caps_get_structure(caps, 0));

    for (size_t i = 0; i < G_N_ELEMENTS(payloads); i++) {
        if (strcmp(payloads[i].media, media) != 0)
            continue;
        if (is_installed(payloads[i].parser))
            return g_strdup(payloads[i].parser);
        complain("GStreamer has no %s here, which %s needs; gstreamer1.0-plugins-good and -bad bring it",
                 payloads[i].parser, media);
        return NULL;
    }
    complain("a .mkv file has no place for %s; .fbr files hold everything", media);
    return NULL;
}

/* Says what went wrong in the pipeline. */
static int pipeline_failed(struct writer *writer)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(writer->pipeline);
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, GST_SECOND, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;

    if (message)
        gst_message_parse_error(message, &error, NULL);
    complain("GStreamer cannot write the file: %s", error ? error->message : "it does not say why");
    return -EIO;
}

static int begin(struct writer *writer, const struct shot *shot)
{
    g_autofree char *why = NULL, *text = NULL, *middle = NULL;
    g_autoptr(GstCaps) caps = caps_from_format(shot->format, &writer->info, &why);
    g_autoptr(GError) error = NULL;

    if (!caps)
        return complain("%s", why), -EINVAL;
    middle = shot->format->fourcc ? encoder_text(shot->format) : parser_text(caps);
    if (!middle)
        return -EINVAL;
    text = g_strdup_printf("appsrc name=source format=time block=true max-bytes=0 max-buffers=3 ! %s ! "
                           "matroskamux timecodescale=" TIME_SCALE_NS
                           " writing-app=framebus ! fdsink fd=%d sync=false",
                           middle, writer->fd);
    writer->pipeline = gst_parse_launch(text, &error);
    writer->format = format_copy(shot->format);
    writer->last_ns = shot->capture_ns;
    if (!writer->pipeline || error)
        return complain("GStreamer cannot write .mkv files here: %s", error ? error->message : "?"), -EIO;
    writer->source = gst_bin_get_by_name(GST_BIN(writer->pipeline), "source");
    gst_app_src_set_caps(GST_APP_SRC(writer->source), caps);
    if (!writer->format ||
        gst_element_set_state(writer->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        return pipeline_failed(writer);
    return 0;
}

/* Time in the file. It does not run backwards where capture times do, as those of an encoder's first frames
 * may. */
static gint64 next_time(struct writer *writer, const struct shot *shot)
{
    gint64 step = shot->capture_ns - writer->last_ns;

    writer->time_ns += step >= 0 ? step : MAX(shot->duration_ns, 0);
    writer->last_ns = shot->capture_ns;
    return writer->time_ns;
}

/* Encoded pictures travel in the order of decoding; framebussink tells how much later each is shown. */
static gint64 pts_after_dts(const struct shot *shot)
{
    gint64 after;
    size_t size;
    const void *block = shot_meta(shot, TAG_PTS_AFTER_DTS, &size);

    if (!block || size != sizeof(after))
        return 0;
    memcpy(&after, block, sizeof(after));
    return CLAMP(after, 0, 10 * GST_SECOND);
}

static GstBuffer *make_buffer(struct writer *writer, const struct shot *shot)
{
    const struct framebus_format *format = shot->format;
    GstBuffer *buffer = gst_buffer_new_memdup(shot->data, shot->size);
    GST_BUFFER_PTS(buffer) = (GstClockTime)MAX(next_time(writer, shot) + pts_after_dts(shot), 0);
    if (!format->fourcc)
        GST_BUFFER_DTS(buffer) = (GstClockTime)writer->time_ns;
    if (shot->duration_ns > 0)
        GST_BUFFER_DURATION(buffer) = (GstClockTime)shot->duration_ns;
    if (!format->fourcc) {
        if (shot->flags & FRAMEBUS_FRAME_DELTA)
            GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
        return buffer;
    }
    if (!format_has_layout(format, GST_VIDEO_INFO_N_PLANES(&writer->info), writer->info.offset,
                           writer->info.stride)) {
        gsize offset[GST_VIDEO_MAX_PLANES] = {0};
        gint stride[GST_VIDEO_MAX_PLANES] = {0};

        for (guint i = 0; i < format->planes; i++) {
            offset[i] = format->offset[i];
            stride[i] = (gint)format->stride[i];
        }
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE,
                                       GST_VIDEO_INFO_FORMAT(&writer->info), format->width, format->height,
                                       format->planes, offset, stride);
    }
    return buffer;
}

static int mkv_write(struct sink *sink, const struct shot *shot)
{
    struct writer *writer = (struct writer *)sink;
    off_t at;
    int r = writer->pipeline ? 0 : begin(writer, shot);

    if (r < 0)
        return r;
    /* Only a larger pool of payloads does not show. */
    writer->format->size = shot->format->size;
    if (!framebus_format_equal(writer->format, shot->format)) {
        char before[128], now[128];

        complain(
            "the format changes from %s to %s, which a .mkv file cannot hold; it ends here (.fbr files can)",
            framebus_format_describe(writer->format, before, sizeof(before)),
            framebus_format_describe(shot->format, now, sizeof(now)));
        return -EINVAL;
    }
    if (gst_app_src_push_buffer(GST_APP_SRC(writer->source), make_buffer(writer, shot)) != GST_FLOW_OK)
        return pipeline_failed(writer);
    at = lseek(writer->fd, 0, SEEK_CUR);
    if (at > 0)
        sink->bytes = (uint64_t)at;
    return 0;
}

static int mkv_finish(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;
    g_autoptr(GstBus) bus = NULL;
    g_autoptr(GstMessage) message = NULL;
    off_t size;

    if (!writer->pipeline)
        return 0;
    gst_app_src_end_of_stream(GST_APP_SRC(writer->source));
    bus = gst_element_get_bus(writer->pipeline);
    message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    size = lseek(writer->fd, 0, SEEK_END);
    if (size > 0)
        sink->bytes = (uint64_t)size;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
        return 0;
    gst_bus_post(bus, g_steal_pointer(&message));
    return pipeline_failed(writer);
}

static void mkv_close(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;

    if (writer->pipeline)
        gst_element_set_state(writer->pipeline, GST_STATE_NULL);
    gst_clear_object(&writer->source);
    gst_clear_object(&writer->pipeline);
    free(writer->format);
    free(writer);
}

static const struct sink_kind mkv_kind = {.write = mkv_write, .finish = mkv_finish, .close = mkv_close};

struct sink *mkv_sink(int fd)
{
    struct writer *writer = calloc(1, sizeof(*writer));
    g_autoptr(GError) error = NULL;

    if (!writer || !gst_init_check(NULL, NULL, &error)) {
        complain("GStreamer does not start: %s", error ? error->message : "out of memory");
        free(writer);
        return NULL;
    }
    *writer = (struct writer){.sink = {.kind = &mkv_kind}, .fd = fd};
    return &writer->sink;
}
