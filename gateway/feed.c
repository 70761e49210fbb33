/* SPDX-License-Identifier: MIT */
#include "feed.h"
#include "cli/report.h"

#include <gst/rtp/rtp.h>
#include <gst/video/video.h>

/* After this many complaints of the payloader, with nothing sent, it is of no use to go on. A camera's first
 * picture may well be damaged. */
#define WARNINGS_MOST 5

struct _Feed {
    GstRTSPMedia parent;
    char *name;
    gint runs, ended; /* something has been sent; nothing more will be; atomic */

    /* Under the media's lock, as all of its messages. */
    guint warnings;
    gboolean complained;
};

G_DEFINE_TYPE(Feed, feed, GST_TYPE_RTSP_MEDIA)

static guint ended_signal;

static GstElement *child(Feed *feed, const char *name)
{
    g_autoptr(GstElement) bin = gst_rtsp_media_get_element(GST_RTSP_MEDIA(feed));

    return gst_bin_get_by_name(GST_BIN(bin), name);
}

static void feed_report_error(Feed *feed, GstMessage *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;

    gst_message_parse_error(message, &error, &debug);
    report_error("%s: %s", feed->name, error->message);
    if (debug)
        report_detail("%s: %s", feed->name, debug);
}

static void end(Feed *feed)
{
    if (g_atomic_int_compare_and_exchange(&feed->ended, FALSE, TRUE))
        g_signal_emit(feed, ended_signal, 0);
}

/* The message of that name does not always come: a sink that a client adds at this moment can miss it. An
 * error sends this event too, before its message is read. */
static GstPadProbeReturn see_end_of_stream(GstPad *pad G_GNUC_UNUSED, GstPadProbeInfo *info, gpointer user)
{
    Feed *feed = user;

    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS) {
        report_detail("%s: the stream has ended", feed->name);
        end(feed);
    }
    return GST_PAD_PROBE_OK;
}

/* Payloaders warn of what they cannot send and leave it out: a client would wait for it until it gives up. */
static void count_warning(Feed *feed, GstMessage *message)
{
    g_autoptr(GError) warning = NULL;

    if (g_atomic_int_get(&feed->runs) || !GST_IS_RTP_BASE_PAYLOAD(GST_MESSAGE_SRC(message)))
        return;
    gst_message_parse_warning(message, &warning, NULL);
    if (++feed->warnings == WARNINGS_MOST)
        GST_ELEMENT_ERROR(GST_MESSAGE_SRC(message), STREAM, FORMAT,
                          ("RTP has no way to send this: %s", warning->message), (NULL));
}

static gboolean handle_message(GstRTSPMedia *media, GstMessage *message)
{
    Feed *feed = GATEWAY_FEED(media);
    gboolean result = GST_RTSP_MEDIA_CLASS(feed_parent_class)->handle_message(media, message);

    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_WARNING:
        count_warning(feed, message);
        break;
    case GST_MESSAGE_ERROR:
        if (!feed->complained)
            feed_report_error(feed, message);
        feed->complained = TRUE;
        end(feed);
        break;
    default:
        break;
    }
    return result;
}

/* Pictures flow. From now on a writer that goes away is waited for. */
static void prepared(GstRTSPMedia *media)
{
    Feed *feed = GATEWAY_FEED(media);
    g_autoptr(GstElement) source = child(feed, "source");

    g_atomic_int_set(&feed->runs, TRUE);
    g_object_set(source, "timeout", (guint64)0, NULL);
    report_detail("%s: runs", feed->name);
}

static void unprepared(GstRTSPMedia *media)
{
    Feed *feed = GATEWAY_FEED(media);

    if (g_atomic_int_get(&feed->runs))
        report_detail("%s: nobody watches any more", feed->name);
    else if (!g_atomic_int_get(&feed->ended))
        report_error("%s: nothing came that can be sent: is it a stream without key frames?", feed->name);
}

void feed_set_bus(Feed *feed, const char *name, const char *bus)
{
    g_autoptr(GstElement) source = child(feed, "source");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(source, "src");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, see_end_of_stream, feed, NULL);
    feed->name = g_strdup(name);
    g_object_set(source, "bus", bus, NULL);
}

const char *feed_name(Feed *feed)
{
    return feed->name;
}

void feed_ask_for_key_frame(Feed *feed)
{
    g_autoptr(GstElement) payloader = child(feed, "pay0");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(payloader, "sink");

    gst_pad_push_event(pad, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

static void finalize(GObject *object)
{
    g_free(GATEWAY_FEED(object)->name);
    G_OBJECT_CLASS(feed_parent_class)->finalize(object);
}

static void feed_class_init(FeedClass *class)
{
    G_OBJECT_CLASS(class)->finalize = finalize;
    GST_RTSP_MEDIA_CLASS(class)->handle_message = handle_message;
    GST_RTSP_MEDIA_CLASS(class)->prepared = prepared;
    GST_RTSP_MEDIA_CLASS(class)->unprepared = unprepared;
    ended_signal =
        g_signal_new("ended", FEED_TYPE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0, G_TYPE_NONE);
}

static void feed_init(Feed *feed G_GNUC_UNUSED)
{
}
