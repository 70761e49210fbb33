/* SPDX-License-Identifier: MIT */
/* Writes .mkv files by GStreamer. */
#include "caps.h"
#include "cli/report.h"
#include "media/mkv-module.h"
#include "timing.h"

#include <errno.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 0.1 ms: clusters have 16 bits for times. */
#define TIME_SCALE_NS "100000"

/*
 * Encoders of pictures, the best first, all without loss; docs/using/recording.md has the figures. The
 * formats in `from` become `to`, which holds the same values in another arrangement. The first line counts
 * whose encoder is installed.
 */
static const struct {
    const char *encoder, *to, *from;
} encoders[] = {
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

/* Payloads that Matroska can hold, and the element that makes them fit. */
static const struct {
    const char *media, *parser;
} payloads[] = {
    {"image/jpeg", "jpegparse"}, {"video/x-h264", "h264parse"}, {"video/x-h265", "h265parse"},
    {"video/x-vp8", "identity"}, {"video/x-vp9", "identity"},   {"video/mpeg", "mpegvideoparse"},
};

struct mkv_sink {
    struct sink sink;
    int fd;
    GstElement *pipeline, *source;
    GstVideoInfo info;
    struct framebus_format *format;
    gint64 time_ns, last_ns; /* times of the last frame: in the file, of capture */
};

static gboolean words_have(const char *words, const char *word)
{
    g_auto(GStrv) list = g_strsplit(words, " ", -1);
    return g_strv_contains((const gchar *const *)list, word);
}

static gboolean element_is_installed(const char *name)
{
    g_autoptr(GstElementFactory) factory = gst_element_factory_find(name);
    return factory != NULL;
}

static char *encoder_text(const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    const char *missing = NULL;
    for (size_t i = 0; info && i < G_N_ELEMENTS(encoders); i++) {
        const char *encoder = encoders[i].encoder;
        if (!words_have(encoders[i].from, info->name))
            continue;
        if (!element_is_installed(encoder)) {
            missing = encoder;
            continue;
        }
        return g_strdup_printf(
            "videoconvert dither=none chroma-mode=none matrix-mode=none gamma-mode=none primaries-mode=none "
            "n-threads=2 ! video/x-raw,format=%s ! %s%s",
            encoders[i].to, encoder,
            strcmp(encoder, "x264enc") == 0
                ? " pass=quant quantizer=0 speed-preset=ultrafast bframes=0 key-int-max=60"
                : "");
    }
    if (missing)
        report_error(
            "GStreamer has no %s here; gstreamer1.0-plugins-ugly or gstreamer1.0-libav bring the encoders",
            missing);
    else
        report_error("no codec keeps %s without loss in a .mkv file; .fbr files hold every format",
                     info ? info->name : "such pictures");
    return NULL;
}

static char *parser_text(const GstCaps *caps)
{
    const char *media = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    for (size_t i = 0; i < G_N_ELEMENTS(payloads); i++) {
        if (strcmp(payloads[i].media, media) != 0)
            continue;
        if (element_is_installed(payloads[i].parser))
            return g_strdup(payloads[i].parser);
        report_error("GStreamer has no %s here, which %s needs; gstreamer1.0-plugins-good and -bad bring it",
                     payloads[i].parser, media);
        return NULL;
    }
    report_error("a .mkv file has no place for %s; .fbr files hold everything", media);
    return NULL;
}

/* Reports what went wrong in the pipeline. */
static int mkv_report(struct mkv_sink *mkv)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(mkv->pipeline);
    g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, GST_SECOND, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    if (message)
        gst_message_parse_error(message, &error, NULL);
    report_error("GStreamer cannot write the file: %s", error ? error->message : "it does not say why");
    return -EIO;
}

static int mkv_begin(struct mkv_sink *mkv, const struct framebus_frame *frame)
{
    g_autofree char *why = NULL, *text = NULL, *middle = NULL;
    g_autoptr(GstCaps) caps = caps_from_format(frame->format, &mkv->info, &why);
    g_autoptr(GError) error = NULL;
    if (!caps)
        return report_error("%s", why), -EINVAL;
    middle = frame->format->fourcc ? encoder_text(frame->format) : parser_text(caps);
    if (!middle)
        return -EINVAL;
    text = g_strdup_printf("appsrc name=source format=time block=true max-bytes=0 max-buffers=3 ! %s ! "
                           "matroskamux timecodescale=" TIME_SCALE_NS
                           " writing-app=framebus ! fdsink fd=%d sync=false",
                           middle, mkv->fd);
    mkv->pipeline = gst_parse_launch(text, &error);
    mkv->format = format_copy(frame->format);
    mkv->last_ns = frame->capture_ns;
    if (!mkv->pipeline || error)
        return report_error("GStreamer cannot write .mkv files here: %s", error ? error->message : "?"), -EIO;
    mkv->source = gst_bin_get_by_name(GST_BIN(mkv->pipeline), "source");
    gst_app_src_set_caps(GST_APP_SRC(mkv->source), caps);
    if (!mkv->format || gst_element_set_state(mkv->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        return mkv_report(mkv);
    return 0;
}

/* Time in the file. It does not run backwards where capture times do, as those of an encoder's first frames
 * may. */
static gint64 mkv_next_time(struct mkv_sink *mkv, const struct framebus_frame *frame)
{
    gint64 step = frame->capture_ns - mkv->last_ns;
    mkv->time_ns += step >= 0 ? step : MAX(frame->duration_ns, 0);
    mkv->last_ns = frame->capture_ns;
    return mkv->time_ns;
}

/* Encoded pictures travel in the order of decoding; the metadata of framebussink say how much later, or
 * earlier, each is shown. */
static gint64 pts_after_capture(const struct saved_frame *saved)
{
    gint64 after;
    guint32 tag;
    size_t size, at = 0;
    const void *block;
    do
        block = framebus_meta_next(saved->meta, saved->meta_size, &at, &tag, &size);
    while (block && tag != TAG_PTS);
    if (!block || size != sizeof after)
        return 0;
    memcpy(&after, block, sizeof after);
    return CLAMP(after, -10 * (gint64)GST_SECOND, 10 * (gint64)GST_SECOND);
}

static GstBuffer *mkv_make_buffer(struct mkv_sink *mkv, const struct saved_frame *saved)
{
    const struct framebus_frame *frame = &saved->frame;
    const struct framebus_format *format = frame->format;
    GstBuffer *buffer = gst_buffer_new_memdup(frame->data, frame->size);
    GST_BUFFER_PTS(buffer) = (GstClockTime)mkv_next_time(mkv, frame);
    if (!format->fourcc) {
        GST_BUFFER_DTS(buffer) = (GstClockTime)mkv->time_ns;
        GST_BUFFER_PTS(buffer) = (GstClockTime)MAX(mkv->time_ns + pts_after_capture(saved), 0);
    }
    if (frame->duration_ns > 0)
        GST_BUFFER_DURATION(buffer) = (GstClockTime)frame->duration_ns;
    if (!format->fourcc) {
        if (frame->flags & FRAMEBUS_FRAME_DELTA)
            GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
        return buffer;
    }
    if (!format_has_layout(format, GST_VIDEO_INFO_N_PLANES(&mkv->info), mkv->info.offset, mkv->info.stride)) {
        gsize offset[GST_VIDEO_MAX_PLANES] = {0};
        gint stride[GST_VIDEO_MAX_PLANES] = {0};
        for (guint i = 0; i < format->planes; i++) {
            offset[i] = format->offset[i];
            stride[i] = (gint)format->stride[i];
        }
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&mkv->info),
                                       format->width, format->height, format->planes, offset, stride);
    }
    return buffer;
}

static int mkv_write(struct sink *sink, const struct saved_frame *saved)
{
    struct mkv_sink *mkv = (struct mkv_sink *)sink;
    off_t at;
    int r = mkv->pipeline ? 0 : mkv_begin(mkv, &saved->frame);
    if (r < 0)
        return r;
    /* A larger pool of payloads makes no difference. */
    mkv->format->size = saved->frame.format->size;
    if (!framebus_format_equal(mkv->format, saved->frame.format))
        return format_refuse_change(mkv->format, saved->frame.format,
                                    "which a .mkv file cannot hold; it ends here (.fbr files can)");
    if (gst_app_src_push_buffer(GST_APP_SRC(mkv->source), mkv_make_buffer(mkv, saved)) != GST_FLOW_OK)
        return mkv_report(mkv);
    at = lseek(mkv->fd, 0, SEEK_CUR);
    if (at > 0)
        sink->bytes = (uint64_t)at;
    return 0;
}

static int mkv_finish(struct sink *sink)
{
    struct mkv_sink *mkv = (struct mkv_sink *)sink;
    g_autoptr(GstBus) bus = NULL;
    g_autoptr(GstMessage) message = NULL;
    off_t size;
    if (!mkv->pipeline)
        return 0;
    gst_app_src_end_of_stream(GST_APP_SRC(mkv->source));
    bus = gst_element_get_bus(mkv->pipeline);
    message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    size = lseek(mkv->fd, 0, SEEK_END);
    if (size > 0)
        sink->bytes = (uint64_t)size;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
        return 0;
    gst_bus_post(bus, g_steal_pointer(&message));
    return mkv_report(mkv);
}

static void mkv_sink_close(struct sink *sink)
{
    struct mkv_sink *mkv = (struct mkv_sink *)sink;
    if (mkv->pipeline)
        gst_element_set_state(mkv->pipeline, GST_STATE_NULL);
    gst_clear_object(&mkv->source);
    gst_clear_object(&mkv->pipeline);
    free(mkv->format);
    free(mkv);
}

static const struct sink_kind mkv_sink_kind = {
    .write = mkv_write, .finish = mkv_finish, .close = mkv_sink_close};

struct sink *mkv_module_sink_open(int fd)
{
    struct mkv_sink *mkv = calloc(1, sizeof *mkv);
    if (!mkv)
        report_out_of_memory();
    if (!mkv_module_start()) {
        free(mkv);
        return NULL;
    }
    *mkv = (struct mkv_sink){.sink = {.kind = &mkv_sink_kind}, .fd = fd};
    return &mkv->sink;
}
