/* SPDX-License-Identifier: MIT */
#include "plan.h"
#include "cli/process.h"
#include "cli/report.h"

#include <gst/gst.h>
#include <string.h>

#include "caps.h"
#include "encoder.h"

/* A bus on which nothing comes within the timeout cannot be shown: the client is told rather than left
 * waiting. Once pictures flow there is no such limit. */
#define SOURCE "framebussrc name=source on-timeout=error timeout=5000000000"

/* Encoders for 4:2:0 want an even number of pixels, and a few of them. */
#define SIDE_LEAST 16

/* Seconds from one key frame to the next: a client that lost a packet sees rubbish until then. */
#define KEY_SECONDS   2
#define RATE_IF_NONE  30
#define KBIT_LEAST    300
#define KBIT_MOST     20000
#define BITS_OF_PIXEL 0.1

/* What is sent as it is, or nearly. */
static const struct {
    const char *media, *elements;
} payloads[] = {
    {"image/jpeg", "rtpjpegpay"},
    {"video/x-h264", "h264parse ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"},
    {"video/x-h265", "h265parse ! rtph265pay config-interval=-1 aggregate-mode=zero-latency"},
    {"video/x-vp8", "rtpvp8pay"},
    {"video/x-vp9", "rtpvp9pay"},
    {"audio/x-opus", "rtpopuspay"},
    {"audio/x-raw", "audioconvert ! audioresample ! audio/x-raw,channels=[1,2] ! opusenc ! rtpopuspay"},
};

static unsigned even(uint32_t side)
{
    return MAX(SIDE_LEAST, side & ~1u);
}

/* A change of size, shape or format on the bus ends at these caps: what follows sees none. */
static char *launch_of_picture(const struct framebus_format *format, const struct options *options)
{
    bool has_rate = format->rate_num && format->rate_den;
    double rate = has_rate ? (double)format->rate_num / format->rate_den : RATE_IF_NONE;
    unsigned width = even(format->width), height = even(format->height);
    double kbit = CLAMP(width * height * rate * BITS_OF_PIXEL / 1000, KBIT_LEAST, KBIT_MOST);
    unsigned interval = (unsigned)CLAMP(rate * KEY_SECONDS + 0.5, 1, 1000);
    g_autofree char *encoder =
        encoder_launch(options->encoder, options->kbit ? options->kbit : (unsigned)kbit, interval);

    return g_strdup_printf("( " SOURCE " ! videoconvert ! videoscale ! video/x-raw,%s,width=%u,height=%u,"
                           "pixel-aspect-ratio=%u/%u ! %s )",
                           encoder_caps(options->encoder), width, height,
                           format->aspect_num ? format->aspect_num : 1,
                           format->aspect_den ? format->aspect_den : 1, encoder);
}

static char *launch_of_payload(const char *media)
{
    for (gsize i = 0; i < G_N_ELEMENTS(payloads); i++)
        if (strcmp(payloads[i].media, media) == 0)
            return g_strdup_printf("( " SOURCE " ! %s name=pay0 pt=96 )", payloads[i].elements);
    return NULL;
}

/* False, and says why, if GStreamer has not all of the elements. */
static bool is_complete(const char *name, const char *launch)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GstElement) element = gst_parse_launch_full(
        launch, NULL, GST_PARSE_FLAG_FATAL_ERRORS | GST_PARSE_FLAG_PLACE_IN_BIN, &error);

    if (element)
        return true;
    report_error(
        "%s: GStreamer cannot send it here: %s; gstreamer1.0-plugins-good, -bad and -ugly bring what is "
        "usual",
        name, error->message);
    return false;
}

static char *launch_of_format(const struct framebus_bus_info *info, const struct options *options)
{
    const struct framebus_format *format = &info->format;
    g_autofree char *why = NULL;
    GstVideoInfo video;
    g_autoptr(GstCaps) caps = caps_from_format(format, &video, &why);
    char *launch;

    if (!caps) {
        report_error("%s: %s", info->name, why);
        return NULL;
    }
    if (format->fourcc && !options->encoder) {
        report_error("%s: there is no encoder that works here; 'framebus-rtsp --list-encoders' tells why",
                     info->name);
        return NULL;
    }
    launch = format->fourcc ? launch_of_picture(format, options)
                            : launch_of_payload(gst_structure_get_name(gst_caps_get_structure(caps, 0)));
    if (!launch)
        report_error("%s: there is no way to send %s by RTP here", info->name, format->caps);
    else if (!is_complete(info->name, launch))
        g_clear_pointer(&launch, g_free);
    return launch;
}

GstRTSPStatusCode plan_launch(const struct framebus_bus_info *info, const struct options *options,
                              char **launch)
{
    char writer[PROCESS_ROOM];
    *launch = NULL;
    switch (info->state) {
    case FRAMEBUS_BUS_STALE:
        return GST_RTSP_STS_NOT_FOUND;
    case FRAMEBUS_BUS_DENIED:
        report_error("%s: may not be read by this user", info->name);
        return GST_RTSP_STS_FORBIDDEN;
    case FRAMEBUS_BUS_SILENT:
        report_error("%s: its writer, %s, does not answer", info->name, process_name(info->pid, writer));
        return GST_RTSP_STS_SERVICE_UNAVAILABLE;
    case FRAMEBUS_BUS_INCOMPATIBLE:
        report_error("%s: its writer, %s, is of another release of framebus", info->name,
                     process_name(info->pid, writer));
        return GST_RTSP_STS_SERVICE_UNAVAILABLE;
    case FRAMEBUS_BUS_LIVE:
        break;
    }
    if (!info->has_format) {
        report_error("%s: its writer, %s, has not begun", info->name, process_name(info->pid, writer));
        return GST_RTSP_STS_SERVICE_UNAVAILABLE;
    }
    *launch = launch_of_format(info, options);
    return *launch ? GST_RTSP_STS_OK : GST_RTSP_STS_UNSUPPORTED_MEDIA_TYPE;
}
