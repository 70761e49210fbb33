/* SPDX-License-Identifier: MIT */
#include "encoder.h"

#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

#define TRIAL_LIMIT (5 * GST_SECOND)

struct encoder {
    const char *name;
    const char *caps; /* of the pictures it is given */
    const char *text; /* {kbit}, {bit}, {interval} stand for numbers */
    const char *payloader;
};

#define H264_PAYLOADER "rtph264pay config-interval=-1 aggregate-mode=zero-latency"
#define NO_B_FRAMES    "b-frames=0"

/* Those of graphics cards and systems on a chip first. All without frames that depend on later ones: those
 * would have to be waited for. */
static const struct encoder encoders[] = {
    {"vah264", "format=NV12", "vah264enc rate-control=cbr bitrate={kbit} key-int-max={interval} " NO_B_FRAMES,
     H264_PAYLOADER},
    {"vah264lp", "format=NV12",
     "vah264lpenc rate-control=cbr bitrate={kbit} key-int-max={interval} " NO_B_FRAMES, H264_PAYLOADER},
    {"vaapi", "format=NV12",
     "vaapih264enc rate-control=cbr bitrate={kbit} keyframe-period={interval} max-bframes=0", H264_PAYLOADER},
    {"nvenc", "format=NV12",
     "nvh264enc rc-mode=cbr bitrate={kbit} gop-size={interval} zerolatency=true bframes=0 ! h264parse",
     H264_PAYLOADER},
    /* Without a level the drivers of some boards refuse pictures that they can encode. */
    {"v4l2", "format=NV12",
     "v4l2h264enc extra-controls=\"controls,video_bitrate={bit},h264_i_frame_period={interval}\" "
     "! video/x-h264,level=(string)4 ! h264parse",
     H264_PAYLOADER},
    {"x264", "format={NV12,I420}",
     "x264enc tune=zerolatency speed-preset=superfast bitrate={kbit} key-int-max={interval}", H264_PAYLOADER},
    {"openh264", "format=I420",
     "openh264enc rate-control=bitrate complexity=low bitrate={bit} gop-size={interval} ! h264parse",
     H264_PAYLOADER},
    /* JPEG knows no other colours. (From BT.601 of limited range GStreamer 1.22 takes a short cut that leaves
     * the range as it is: a little grey.) */
    {"jpeg", "format=I420,colorimetry=(string)1:4:0:0", "jpegenc quality=85", "rtpjpegpay"},
};

const struct encoder *encoder_find(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(encoders); i++)
        if (strcmp(encoders[i].name, name) == 0)
            return &encoders[i];
    return NULL;
}

const char *encoder_name(const struct encoder *encoder)
{
    return encoder->name;
}

const char *encoder_caps(const struct encoder *encoder)
{
    return encoder->caps;
}

static void fill_in(GString *text, const char *what, unsigned number)
{
    g_autofree char *digits = g_strdup_printf("%u", number);

    g_string_replace(text, what, digits, 0);
}

static char *elements_of(const struct encoder *encoder, unsigned kbit, unsigned interval)
{
    GString *text = g_string_new(encoder->text);

    fill_in(text, "{kbit}", kbit);
    fill_in(text, "{bit}", kbit * 1000);
    fill_in(text, "{interval}", interval);
    return g_string_free(text, FALSE);
}

char *encoder_launch(const struct encoder *encoder, unsigned kbit, unsigned interval)
{
    g_autofree char *elements = elements_of(encoder, kbit, interval);

    return g_strdup_printf("%s ! %s name=pay0 pt=96", elements, encoder->payloader);
}

/* Runs a pipeline to its end, and something must come out. A registry knows elements whose device is missing
 * or taken. */
static bool runs_to_its_end(const char *text, char **why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GstElement) pipeline = gst_parse_launch_full(text, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
    g_autoptr(GstBus) bus = NULL;
    g_autoptr(GstMessage) message = NULL;
    g_autoptr(GstElement) sink = NULL;
    g_autoptr(GstSample) sample = NULL;
    bool works;

    if (!pipeline) {
        *why = g_strdup(error->message);
        return false;
    }
    bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered(bus, TRIAL_LIMIT, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        gst_message_parse_error(message, &error, NULL);
    sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_object_get(sink, "last-sample", &sample, NULL);
    works = message && !error && sample;
    if (!works)
        *why = g_strdup(error     ? error->message
                        : message ? "nothing comes out of it"
                                  : "it does not come to an end");
    gst_element_set_state(pipeline, GST_STATE_NULL);
    return works;
}

bool encoder_works(const struct encoder *encoder, char **why)
{
    g_autofree char *launch = encoder_launch(encoder, 1000, 30);
    g_autofree char *text = g_strdup_printf(
        "videotestsrc num-buffers=3 ! video/x-raw,width=640,height=480,framerate=30/1 ! videoconvert "
        "! video/x-raw,%s ! %s ! fakesink name=sink",
        encoder->caps, launch);

    return runs_to_its_end(text, why);
}

const struct encoder *encoder_choose(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(encoders); i++) {
        g_autofree char *why = NULL;

        if (encoder_works(&encoders[i], &why))
            return &encoders[i];
    }
    return NULL;
}

int encoder_list(void)
{
    int working = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(encoders); i++) {
        g_autofree char *why = NULL;
        bool works = encoder_works(&encoders[i], &why);

        printf("%-9s %s%s\n", encoders[i].name, works ? "works" : "no: ", works ? "" : why);
        working += works;
    }
    return working;
}
