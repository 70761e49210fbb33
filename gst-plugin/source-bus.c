/* SPDX-License-Identifier: MIT */
/* The bus that framebussrc reads: connecting, waiting, going over to another one, and what goes wrong. */
#include "source.h"

#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_src_debug

/* How long a writer that did not answer, since it is stopped, is not asked for more. */
#define ASK_AGAIN_NS (2 * GST_SECOND)

/* How long to wait when no more frames may be held. */
#define FULL_MS 5

/* How often the last frame is repeated if its duration is unknown, and at most. */
#define REPEAT_NS       (100 * GST_MSECOND)
#define REPEAT_LEAST_NS ((gint64)(5 * GST_MSECOND))

/* ---- Statistics ---------------------------------------------------------------------------- */

GstStructure *src_stats_new(GstFramebusSrc *src)
{
    GstStructure *stats;

    GST_OBJECT_LOCK(src);
    stats = gst_structure_new(
        "framebussrc-stats", "delivered", G_TYPE_UINT64, src->delivered, "missed", G_TYPE_UINT64, src->missed,
        "copied", G_TYPE_UINT64, src->copied, "dmabuf", G_TYPE_UINT64, src->in_dmabufs, "skipped",
        G_TYPE_UINT64, src->skipped, "held", G_TYPE_UINT, src->held ? (guint)g_atomic_int_get(src->held) : 0,
        "quota", G_TYPE_UINT, src->stats.quota, "writers", G_TYPE_UINT64, src->stats.writers, "has-writer",
        G_TYPE_BOOLEAN, src->stats.has_writer, "writer-pid", G_TYPE_INT, src->stats.writer_pid, NULL);
    GST_OBJECT_UNLOCK(src);
    return stats;
}

void src_post_stats(GstFramebusSrc *src)
{
    gboolean news;

    GST_OBJECT_LOCK(src);
    news = src->posted != src->delivered;
    src->posted = src->delivered;
    GST_OBJECT_UNLOCK(src);
    if (news)
        element_post(GST_ELEMENT(src), src_stats_new(src));
}

static GstPadProbeReturn src_probe_event(GstPad *pad, GstPadProbeInfo *info, gpointer user G_GNUC_UNUSED)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(GST_PAD_PARENT(pad));

    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS)
        return GST_PAD_PROBE_OK;
    src_post_stats(src);
    g_atomic_int_set(&src->watches_end, FALSE);
    return GST_PAD_PROBE_REMOVE;
}

void src_watch_end(GstFramebusSrc *src)
{
    if (g_atomic_int_compare_and_exchange(&src->watches_end, FALSE, TRUE))
        gst_pad_add_probe(GST_BASE_SRC_PAD(src), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, src_probe_event, NULL,
                          NULL);
}

gboolean src_has_num_buffers(GstFramebusSrc *src)
{
    gint count;

    g_object_get(src, "num-buffers", &count, NULL);
    return count >= 0;
}

void src_update_stats(GstFramebusSrc *src)
{
    struct framebus_reader_stats stats;

    framebus_reader_get_stats(src->reader, &stats);
    GST_OBJECT_LOCK(src);
    src->stats = stats;
    GST_OBJECT_UNLOCK(src);
}

/* ---- Waiting for frames --------------------------------------------------------------------- */

void src_break_silence(GstFramebusSrc *src)
{
    src->silence.since = src->silence.counted = src->silence.asked = monotonic_now();
    src->silence.told = FALSE;
}

/* With the object lock held. Short enough to be added to a time. */
static gint64 src_timeout(const GstFramebusSrc *src)
{
    const guint rate = src->settings.max_rate;
    /* A frame may be late by half a period without being missed. */
    const guint64 least = src->settings.timeout && rate ? 2 * GST_SECOND / rate : 0;

    return CLAMP(src->settings.timeout, least, (guint64)G_MAXINT64 / 2);
}

/* With the object lock held. Returns when the last frame is to be repeated; G_MAXINT64: it is not. */
static gint64 src_repeat_at(const GstFramebusSrc *src)
{
    gint64 after = REPEAT_NS;

    if (!src->settings.keep_last || !src->last || !src->settings.is_live)
        return G_MAXINT64;
    if (GST_BUFFER_DURATION_IS_VALID(src->last))
        after = MIN(GST_BUFFER_DURATION(src->last), (guint64)G_MAXINT64 / 2);
    return src->silence.asked + MAX(after, REPEAT_LEAST_NS);
}

gint64 src_wait_ns(GstFramebusSrc *src)
{
    gint64 until;

    GST_OBJECT_LOCK(src);
    until = src_repeat_at(src);
    if (src->settings.timeout)
        until = MIN(until, src->silence.counted + src_timeout(src));
    GST_OBJECT_UNLOCK(src);
    if (!src->silence.told)
        until = MIN(until, src->silence.since + TELL_NS);
    return until == G_MAXINT64 ? -1 : MAX(0, until - monotonic_now());
}

/* ---- The reader ---------------------------------------------------------------------------- */

void src_post_connected(GstFramebusSrc *src)
{
    GST_INFO_OBJECT(src, "connected to process %d, the writer of bus %s", src->stats.writer_pid, src->name);
    src->is_connected = TRUE;
    src->writer_pid = src->stats.writer_pid;
    element_post(GST_ELEMENT(src), gst_structure_new("framebussrc-connected", "bus", G_TYPE_STRING, src->name,
                                                     "writer-pid", G_TYPE_INT, src->stats.writer_pid, NULL));
}

/* Posts that a writer of which was told is not read any more, and why: it is "gone", it has "evicted" the
 * element, or its bus was "left" for another one. */
static void src_post_disconnected(GstFramebusSrc *src, const char *why)
{
    if (!src->is_connected)
        return;
    GST_INFO_OBJECT(src, "no more frames from process %d, the writer of bus %s: %s", src->writer_pid,
                    src->name, why);
    src->is_connected = FALSE;
    element_post(GST_ELEMENT(src),
                 gst_structure_new("framebussrc-disconnected", "bus", G_TYPE_STRING, src->name, "writer-pid",
                                   G_TYPE_INT, src->writer_pid, "reason", G_TYPE_STRING, why, NULL));
}

void src_close_reader(GstFramebusSrc *src)
{
    struct framebus_reader *reader = src->reader;

    gst_clear_object(&src->dmabufs);
    GST_OBJECT_LOCK(src);
    src->reader = NULL;
    GST_OBJECT_UNLOCK(src);
    framebus_reader_close(reader);
    src->has_sequence = src->has_ended = FALSE;
    src->tags.writer = 0; /* what was heard does not hold for the next writer, whose number may be the same */
    src->serial = 0;
    src->writer = 0;
    GST_OBJECT_LOCK(src);
    g_clear_pointer(&src->held, g_atomic_rc_box_release);
    src->stats = (struct framebus_reader_stats){0};
    GST_OBJECT_UNLOCK(src);
}

int src_open_reader(GstFramebusSrc *src, const char *name, gint64 wait_ns, struct framebus_reader **reader,
                    gboolean *is_full)
{
    struct framebus_reader_options options = {.cancel_fd = src->wake.fd, .label = g_get_prgname()};
    int r;

    GST_OBJECT_LOCK(src);
    options.delivery = src->settings.delivery;
    options.dmabuf = src->settings.dmabuf == DMABUF_AUTO;
    options.quota = (src->settings.hold ? src->settings.hold : MAX(src->wanted_hold, HOLD_DEFAULT)) + 1;
    options.follow = options.tell_gone = name && src->settings.on_disconnect == ON_DISCONNECT_WAIT;
    options.fd = name ? 0 : src->given;
    options.anticipate = src->settings.anticipate;
    options.max_rate = 1000 * src->settings.max_rate;
    src->leaves_gaps = src->settings.max_rate != 0;
    GST_OBJECT_UNLOCK(src);

    options.wait_ns = options.follow ? 0 : wait_ns;
    *is_full = FALSE;
    r = framebus_reader_open(reader, name, &options);
    if (r == -EBUSY && options.quota > 2 && name) { /* a socket is good for one attempt */
        GST_INFO_OBJECT(src, "%s; asking for less", framebus_last_error());
        *is_full = TRUE;
        options.quota = 2;
        r = framebus_reader_open(reader, name, &options);
    }
    return r;
}

void src_take_reader(GstFramebusSrc *src, struct framebus_reader *reader, gboolean is_full)
{
    src->bus_full = is_full;
    src->wants_key = TRUE;
    src->skips_since = 0;
    src->dmabufs = dmabuf_allocator_new();
    GST_OBJECT_LOCK(src);
    src->reader = reader;
    src->held = g_atomic_rc_box_new0(gint);
    GST_OBJECT_UNLOCK(src);
}

int src_connect(GstFramebusSrc *src, gint64 wait_ns)
{
    struct framebus_reader *reader;
    gboolean is_full;
    int r = src_open_reader(src, src->name, wait_ns, &reader, &is_full);

    if (r == 0)
        src_take_reader(src, reader, is_full);
    return r;
}

/* Stays at its bus, since another one cannot be read, and makes `bus` name it again. */
static void src_refuse_bus(GstFramebusSrc *src, const char *refused, const char *why)
{
    gboolean is_last_word;

    GST_OBJECT_LOCK(src);
    is_last_word = g_strcmp0(src->settings.bus, refused) == 0;
    if (is_last_word) {
        g_free(src->settings.bus);
        src->settings.bus = src->is_given ? NULL : g_strdup(src->name);
    }
    GST_OBJECT_UNLOCK(src);
    GST_ELEMENT_WARNING(src, RESOURCE, SETTINGS,
                        ("%s stays at bus %s: %s.", GST_OBJECT_NAME(src), src->name, why), (NULL));
    if (is_last_word)
        g_object_notify(G_OBJECT(src), "bus");
}

/* Goes over to the bus that `bus` names, which need not have a writer yet. What is left on the old one is not
 * delivered. */
static void src_go_over(GstFramebusSrc *src, const char *name, struct framebus_reader *reader,
                        gboolean is_full)
{
    GST_INFO_OBJECT(src, "from bus %s to %s", src->name, name);
    src_post_disconnected(src, "left");
    src_close_reader(src);
    src_break_silence(src);
    g_free(src->name);
    src->name = g_strdup(name);
    if (reader)
        src_take_reader(src, reader, is_full);
}

gboolean src_heed(GstFramebusSrc *src)
{
    struct framebus_reader *reader = NULL;
    g_autofree char *name = NULL;
    gboolean is_full = FALSE;
    int r = -EINVAL;

    if (!wake_take(&src->wake))
        return FALSE;
    GST_OBJECT_LOCK(src);
    name = g_strdup(src->settings.bus);
    GST_OBJECT_UNLOCK(src);
    if (g_strcmp0(name, src->is_given ? NULL : src->name) == 0)
        return FALSE;
    if (src->is_given) {
        src_refuse_bus(src, name, "fd leads to one bus alone");
        return FALSE;
    }
    if (name && name[0])
        r = src_open_reader(src, name, 0, &reader, &is_full);
    switch (r) {
    case 0:
    case -ENOENT:
    case -ETIMEDOUT: /* there is a writer, which is stopped */
        src_go_over(src, name, reader, is_full);
        return TRUE;
    case -ECANCELED: /* or asked for yet another one */
    case -EINTR:
        wake_ask(&src->wake);
        return FALSE;
    default:
        src_refuse_bus(src, name, name && name[0] ? framebus_last_error() : "no other one is named");
        return FALSE;
    }
}

/* Asks for the least quota, once, after a writer that came back has refused the reader, perhaps for want of
 * slots. */
static gboolean src_ask_for_less(GstFramebusSrc *src)
{
    int r;

    if (src->bus_full)
        return FALSE;
    GST_INFO_OBJECT(src, "%s; asking for less", framebus_last_error());
    src->bus_full = TRUE;
    src_update_stats(src);
    r = framebus_reader_set_quota(src->reader, src->stats.held + 2);
    return r == 0 || r == -ENOTCONN;
}

void src_ask_for_hold(GstFramebusSrc *src, guint hold)
{
    gboolean is_auto;
    int r;

    GST_OBJECT_LOCK(src);
    is_auto = src->settings.hold == 0;
    GST_OBJECT_UNLOCK(src);
    if (!is_auto || src->bus_full || monotonic_now() < src->ask_again)
        return;
    r = framebus_reader_set_quota(src->reader, hold + 1);
    if (r < 0)
        GST_INFO_OBJECT(src, "cannot hold %u frames in place: %s", hold, framebus_last_error());
    src->bus_full = r == -EBUSY;
    if (r == -ETIMEDOUT)
        src->ask_again = monotonic_now() + ASK_AGAIN_NS;
    src_update_stats(src);
}

/* ---- Streaming ----------------------------------------------------------------------------- */

/* Does what `on-disconnect` says. */
static GstFlowReturn src_disconnected(GstFramebusSrc *src, int error)
{
    enum on_disconnect action;

    GST_OBJECT_LOCK(src);
    action = src->settings.on_disconnect;
    GST_OBJECT_UNLOCK(src);
    src_post_disconnected(src, error == -ECONNABORTED ? "evicted" : "gone");
    if (action == ON_DISCONNECT_WAIT && !src->is_given) {
        src_update_stats(src);
        src_break_silence(src);
        return AGAIN;
    }
    if (action != ON_DISCONNECT_EOS)
        element_post_error(GST_ELEMENT(src), error);
    src_close_reader(src);
    return action == ON_DISCONNECT_EOS ? GST_FLOW_EOS : GST_FLOW_ERROR;
}

/* Does what `on-timeout` says. */
static GstFlowReturn src_report_timeout(GstFramebusSrc *src, enum on_timeout action, gint64 waited)
{
    if (action == ON_TIMEOUT_ERROR) {
        GST_ELEMENT_ERROR(src, RESOURCE, READ,
                          ("Bus %s: no frame for %.1f s.", src->name, (double)waited / GST_SECOND),
                          ("%s", src->stats.connected ? "there is a writer" : "there is no writer"));
        return GST_FLOW_ERROR;
    }
    element_post(GST_ELEMENT(src), gst_structure_new("framebussrc-timeout", "bus", G_TYPE_STRING, src->name,
                                                     "waited", G_TYPE_UINT64, (guint64)waited, "connected",
                                                     G_TYPE_BOOLEAN, src->stats.connected, NULL));
    return action == ON_TIMEOUT_EOS ? GST_FLOW_EOS : AGAIN;
}

/* Says, once, why nothing comes. A stream that has begun may be as slow as it likes. */
static void src_tell_silence(GstFramebusSrc *src)
{
    const struct framebus_reader_stats *stats = &src->stats;
    const char *what = "has no writer yet";

    src->silence.told = TRUE;
    if (stats->connected && (src->writer == stats->writers || src->has_ended))
        return;
    if (stats->connected)
        what = "has a writer that has published nothing yet";
    else if (stats->has_writer)
        what = "has a writer that does not answer";
    GST_ELEMENT_INFO(src, RESOURCE, NOT_FOUND,
                     ("%s waits: bus %s %s.", GST_OBJECT_NAME(src), src->name, what), (NULL));
}

/* Reports that nothing comes, or repeats the last frame, when src_wait_ns() is over. */
static GstFlowReturn src_time_out(GstFramebusSrc *src, GstBuffer **buffer)
{
    const gint64 now = monotonic_now();
    GstFlowReturn flow = AGAIN;
    enum on_timeout action;
    gboolean is_over, repeat;

    if (src->reader)
        src_update_stats(src);
    if (!src->silence.told && now - src->silence.since >= TELL_NS)
        src_tell_silence(src);
    GST_OBJECT_LOCK(src);
    is_over = src->settings.timeout && now - src->silence.counted >= src_timeout(src);
    repeat = (src->has_ended || !src->stats.connected) && now >= src_repeat_at(src);
    action = src->settings.on_timeout;
    GST_OBJECT_UNLOCK(src);
    if (is_over) {
        flow = src_report_timeout(src, action, now - src->silence.counted);
        src->silence.counted = now;
    }
    if (flow != AGAIN || !repeat)
        return flow;

    *buffer = gst_buffer_copy(src->last);
    arrival_stamp_now(&src->arrival, GST_ELEMENT(src), *buffer);
    GST_BUFFER_FLAG_SET(*buffer, GST_BUFFER_FLAG_GAP);
    GST_BUFFER_FLAG_UNSET(*buffer, GST_BUFFER_FLAG_DISCONT);
    src->repeats = TRUE;
    return GST_FLOW_OK;
}

/* Waits for the end of a pause. Since 1.24 a pause unlocks, too, and may be over before the base class sees
 * that create() has returned, which it would take for a flush, and stop. */
static GstFlowReturn src_cancelled(GstFramebusSrc *src)
{
    GstFlowReturn flow;

    if (!wake_is_unlocked(&src->wake)) /* it was asked something */
        return AGAIN;
    if (!gst_base_src_is_live(GST_BASE_SRC(src))) /* a pause does not unlock it */
        return GST_FLOW_FLUSHING;
    flow = gst_base_src_wait_playing(GST_BASE_SRC(src));
    src_break_silence(src);
    return flow == GST_FLOW_OK ? AGAIN : flow;
}

GstFlowReturn src_handle_error(GstFramebusSrc *src, int error, GstBuffer **buffer)
{
    gboolean forwards;

    /* How the old bus ended is nothing to who has left it. */
    if (error != -ECANCELED && src_heed(src))
        return AGAIN;
    switch (error) {
    case -EINTR: /* the program was stopped and goes on, or has a signal handler of its own */
        return AGAIN;
    case -ECANCELED:
        return src_cancelled(src);
    case -ENODATA:
        GST_INFO_OBJECT(src, "the stream has ended");
        GST_OBJECT_LOCK(src);
        forwards = src->settings.forward_eos && !src->settings.keep_last;
        GST_OBJECT_UNLOCK(src);
        src->has_ended = TRUE;
        return forwards ? GST_FLOW_EOS : AGAIN;
    case -ETIMEDOUT:
        return src_time_out(src, buffer);
    case -EBUSY:
        if (!src->reader)
            break;
        /* Downstream has as many frames as the quota, which is smaller by now, allows. */
        if (g_poll(&(GPollFD){.fd = src->wake.fd, .events = G_IO_IN}, 1, FULL_MS) > 0)
            return src_cancelled(src);
        return AGAIN;
    case -ECONNREFUSED:
        if (src->reader && src_ask_for_less(src))
            return AGAIN;
        break;
    case -ENOENT:
        /* There was no writer within the time that `timeout` gives. */
        if (!src->reader)
            return src_time_out(src, buffer);
        return src_disconnected(src, error);
    case -EPIPE:
    case -ECONNABORTED:
        return src_disconnected(src, error);
    default:
        break;
    }
    element_post_error(GST_ELEMENT(src), error);
    return GST_FLOW_ERROR;
}
