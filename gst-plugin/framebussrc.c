/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-framebussrc
 * @title: framebussrc
 *
 * Delivers the frames of a framebus bus in place: buffers are the writer's memory, mapped read-only. Caps
 * come from the bus; a writer that is not there yet is waited for, and one that comes back is followed.
 *
 * |[
 * gst-launch-1.0 framebussrc bus=cam0 ! videoconvert ! autovideosink
 * ]|
 */
#include "framebussrc.h"

#include "arrival.h"
#include "caps.h"
#include "devicecaps.h"
#include "enums.h"
#include "errors.h"
#include "exports.h"
#include "frameinfo.h"
#include "properties.h"
#include "settings.h"
#include "timebase.h"
#include "uri.h"

#include <errno.h>
#include <framebus.h>
#include <gst/video/video.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Frames that downstream may hold in place unless it asks for more or `hold` says otherwise. */
#define HOLD_DEFAULT 3
#define HOLD_MOST    16

/* How long to wait when no more frames may be held. */
#define FULL_MS 5

/* How often the last frame is repeated if nothing tells the frame rate. */
#define REPEAT_NS (100 * GST_MSECOND)

#define AGAIN GST_FLOW_CUSTOM_SUCCESS

struct _GstFramebusSrc {
    GstPushSrc parent;

    /* Properties, under the object lock. */
    struct src_settings settings;

    int cancel_fd; /* readable while unlocked */

    /* The streaming thread's. */
    char *name; /* `bus` when the element was started */
    struct framebus_reader *reader;
    struct exports *exports;
    gboolean has_dmabufs;   /* each frame of this format so far was in one */
    gboolean gives_dmabufs; /* ... and those are what was negotiated */
    gboolean follows;       /* a writer that comes back */
    guint32 serial;
    guint64 last_sequence;
    gboolean has_sequence, wants_key;
    gboolean is_default; /* the frames lie as GStreamer lays them out by default */
    gboolean takes_meta; /* downstream reads GstVideoMeta */
    gboolean bus_full;   /* a larger quota was refused */
    guint wanted_hold;
    GstVideoInfo info; /* finfo is NULL for payloads */
    GstVideoInfo lies; /* the same with offsets and strides as they are on the bus */
    struct arrival arrival;
    GstBuffer *last;
    GstBuffer *expected; /* made ready for the next frame while it was waited for */

    /* Under the object lock. */
    GstCaps *caps;    /* NULL until the first frame */
    GstCaps *dmabufs; /* the same in DMA-BUFs, if downstream asks for those */
    GstClockTime latency;
    guint64 delivered, missed, copied, in_dmabufs, skipped, posted;
    gint *held; /* frames that downstream has in place; NULL without a reader */
    struct framebus_reader_stats stats;
};

GST_DEBUG_CATEGORY_STATIC(framebus_src_debug);
#define GST_CAT_DEFAULT framebus_src_debug

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE(GstFramebusSrc, gst_framebus_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, uri_handler_init)
                            GST_DEBUG_CATEGORY_INIT(framebus_src_debug, "framebussrc", 0,
                                                    "framebussrc element"))
GST_ELEMENT_REGISTER_DEFINE(framebussrc, "framebussrc", GST_RANK_PRIMARY, GST_TYPE_FRAMEBUS_SRC)

/* ---- Statistics ---------------------------------------------------------------------------- */

static GstStructure *stats_of(GstFramebusSrc *src)
{
    GstStructure *stats;

    GST_OBJECT_LOCK(src);
    stats = gst_structure_new("framebussrc-stats", "delivered", G_TYPE_UINT64, src->delivered, "missed",
                              G_TYPE_UINT64, src->missed, "copied", G_TYPE_UINT64, src->copied, "dmabuf",
                              G_TYPE_UINT64, src->in_dmabufs, "skipped", G_TYPE_UINT64, src->skipped, "held",
                              G_TYPE_UINT, src->held ? (guint)g_atomic_int_get(src->held) : 0, "quota",
                              G_TYPE_UINT, src->stats.quota, "writers", G_TYPE_UINT64, src->stats.writers,
                              "writer-pid", G_TYPE_INT, src->stats.writer_pid, NULL);
    GST_OBJECT_UNLOCK(src);
    return stats;
}

/* At the end of the stream and of each run, so that `gst-launch-1.0 -m` shows them. */
static void post_stats(GstFramebusSrc *src)
{
    gboolean news;

    GST_OBJECT_LOCK(src);
    news = src->posted != src->delivered;
    src->posted = src->delivered;
    GST_OBJECT_UNLOCK(src);
    if (news)
        gst_element_post_message(GST_ELEMENT(src), gst_message_new_element(GST_OBJECT(src), stats_of(src)));
}

static GstPadProbeReturn see_event(GstPad *pad, GstPadProbeInfo *info, gpointer user G_GNUC_UNUSED)
{
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS)
        post_stats(GST_FRAMEBUS_SRC(GST_PAD_PARENT(pad)));
    return GST_PAD_PROBE_OK;
}

/* Not for each frame: it asks the kernel who the writer is. */
static void look_at_reader(GstFramebusSrc *src)
{
    struct framebus_reader_stats stats;

    framebus_reader_get_stats(src->reader, &stats);
    GST_OBJECT_LOCK(src);
    src->stats = stats;
    GST_OBJECT_UNLOCK(src);
}

/* ---- The reader ---------------------------------------------------------------------------- */

static void close_reader(GstFramebusSrc *src)
{
    g_clear_pointer(&src->exports, exports_free);
    framebus_reader_close(src->reader);
    src->reader = NULL;
    src->has_sequence = FALSE;
    src->serial = 0;
    GST_OBJECT_LOCK(src);
    g_clear_pointer(&src->held, g_atomic_rc_box_release);
    src->stats = (struct framebus_reader_stats){0};
    GST_OBJECT_UNLOCK(src);
}

static int open_reader(GstFramebusSrc *src, gint64 wait_ns)
{
    struct framebus_reader_options options = {
        .cancel_fd = src->cancel_fd, .label = g_get_prgname(), .dmabuf = true};
    int r;

    GST_OBJECT_LOCK(src);
    options.delivery = src->settings.delivery;
    options.quota = (src->settings.hold ? src->settings.hold : MAX(src->wanted_hold, HOLD_DEFAULT)) + 1;
    options.follow = src->settings.on_disconnect == ON_DISCONNECT_WAIT;
    GST_OBJECT_UNLOCK(src);

    options.wait_ns = options.follow ? 0 : wait_ns;
    src->follows = options.follow;
    src->wants_key = TRUE;
    src->bus_full = FALSE;
    r = framebus_reader_open(&src->reader, src->name, &options);
    if (r == -EBUSY && options.quota > 2) {
        GST_INFO_OBJECT(src, "%s; asking for less", framebus_last_error());
        src->bus_full = TRUE;
        options.quota = 2;
        r = framebus_reader_open(&src->reader, src->name, &options);
    }
    if (r == 0) {
        src->exports = exports_new();
        GST_OBJECT_LOCK(src);
        src->held = g_atomic_rc_box_new0(gint);
        GST_OBJECT_UNLOCK(src);
    }
    return r;
}

/* A writer that came back refused us, perhaps for want of slots: asks for as few as can be, once. */
static gboolean ask_for_less(GstFramebusSrc *src)
{
    int r;

    if (src->bus_full)
        return FALSE;
    GST_INFO_OBJECT(src, "%s; asking for less", framebus_last_error());
    src->bus_full = TRUE;
    look_at_reader(src);
    r = framebus_reader_set_quota(src->reader, src->stats.held + 2);
    return r == 0 || r == -ENOTCONN;
}

static void ask_for_hold(GstFramebusSrc *src, guint hold)
{
    int r = framebus_reader_set_quota(src->reader, hold + 1);

    if (r < 0 && r != -ENOTCONN) {
        GST_INFO_OBJECT(src, "cannot hold %u frames in place: %s", hold, framebus_last_error());
        src->bus_full = TRUE;
    }
    look_at_reader(src);
}

/* How long to wait for a frame now: what `timeout` leaves, or until the last one is to be repeated. */
static gint64 patience(GstFramebusSrc *src, gint64 since)
{
    gint64 left = -1;

    GST_OBJECT_LOCK(src);
    if (src->settings.timeout)
        left = MAX(0, since + (gint64)src->settings.timeout - monotonic_now());
    if (src->settings.keep_last && src->last) {
        gint64 repeat = GST_BUFFER_DURATION_IS_VALID(src->last) ? (gint64)GST_BUFFER_DURATION(src->last)
                                                                : (gint64)REPEAT_NS;

        left = left < 0 ? repeat : MIN(left, repeat);
    }
    GST_OBJECT_UNLOCK(src);
    return left;
}

/* ---- Caps and allocation ------------------------------------------------------------------- */

static GstCaps *get_caps(GstBaseSrc *base, GstCaps *filter)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    GstCaps *caps, *both;

    GST_OBJECT_LOCK(src);
    caps = src->caps ? gst_caps_ref(src->caps) : gst_caps_new_any();
    if (src->dmabufs)
        caps = gst_caps_merge(gst_caps_ref(src->dmabufs), caps);
    GST_OBJECT_UNLOCK(src);
    if (!filter)
        return caps;
    both = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(caps);
    return both;
}

/* Most elements import the DMA-BUFs that they find in plain buffers, and map them if they cannot; so those
 * caps are only for who asks for them. */
static gboolean negotiate(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    GstPad *pad = GST_BASE_SRC_PAD(base);
    GstCaps *dmabufs = src->has_dmabufs ? dmabufs_asked_for(pad, src->caps) : NULL;
    gboolean done;

    GST_OBJECT_LOCK(src);
    gst_caps_take(&src->dmabufs, dmabufs);
    GST_OBJECT_UNLOCK(src);
    done = GST_BASE_SRC_CLASS(gst_framebus_src_parent_class)->negotiate(base);
    src->gives_dmabufs = pad_has_dmabufs(pad);
    return done;
}

static gboolean decide_allocation(GstBaseSrc *base, GstQuery *query)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    guint min, hold = 0;
    gboolean is_auto;

    src->takes_meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    /* Frames come in the writer's memory: nobody's pool is used, but it tells how many will be held. */
    while (gst_query_get_n_allocation_pools(query) > 0) {
        gst_query_parse_nth_allocation_pool(query, 0, NULL, NULL, &min, NULL);
        hold = MAX(hold, min + 2);
        gst_query_remove_nth_allocation_pool(query, 0);
    }
    src->wanted_hold = CLAMP(hold, HOLD_DEFAULT, HOLD_MOST);
    GST_OBJECT_LOCK(src);
    is_auto = src->settings.hold == 0;
    GST_OBJECT_UNLOCK(src);
    if (src->reader && is_auto && !src->bus_full && src->wanted_hold + 1 > src->stats.quota)
        ask_for_hold(src, src->wanted_hold);
    return TRUE;
}

static GstFlowReturn renegotiate(GstFramebusSrc *src)
{
    g_autofree char *text = NULL;

    if (gst_base_src_negotiate(GST_BASE_SRC(src)) || GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(src)))
        return GST_FLOW_OK;
    text = gst_caps_to_string(src->caps);
    GST_ELEMENT_ERROR(
        src, STREAM, FORMAT,
        ("What comes after %s does not take what bus %s carries: %s", GST_OBJECT_NAME(src), src->name, text),
        ("A videoconvert in between may help."));
    return GST_FLOW_NOT_NEGOTIATED;
}

/* After the first frame and whenever its format may have changed. */
static GstFlowReturn take_format(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    g_autofree char *why = NULL;
    GstCaps *caps = caps_from_format(frame->format, &src->info, &why);
    const gboolean had_dmabufs = src->has_dmabufs;
    gboolean changed;

    if (!caps) {
        GST_ELEMENT_ERROR(src, STREAM, FORMAT, ("Bus %s: %s.", src->name, why), (NULL));
        return GST_FLOW_NOT_NEGOTIATED;
    }
    src->is_default = frame_is_default(frame, &src->info);
    src->lies = src->info;
    for (guint i = 0; i < frame->format->planes; i++) {
        src->lies.offset[i] = frame->format->offset[i];
        src->lies.stride[i] = frame->format->stride[i];
    }
    gst_clear_buffer(&src->expected);
    src->serial = frame->format_serial;
    src->has_dmabufs = src->info.finfo && exports_has(src->exports, frame);

    GST_OBJECT_LOCK(src);
    changed = !src->caps || !gst_caps_is_equal(src->caps, caps);
    if (changed)
        gst_caps_replace(&src->caps, caps);
    GST_OBJECT_UNLOCK(src);
    if (changed) {
        GST_INFO_OBJECT(src, "the bus carries %" GST_PTR_FORMAT "%s", caps,
                        src->has_dmabufs ? " in DMA-BUFs" : "");
        gst_clear_buffer(&src->last);
    }
    gst_caps_unref(caps);
    return changed || had_dmabufs != src->has_dmabufs ? renegotiate(src) : GST_FLOW_OK;
}

/* ---- Frames to buffers --------------------------------------------------------------------- */

static void stamp(GstFramebusSrc *src, const struct framebus_frame *frame, GstBuffer *buffer)
{
    GST_BUFFER_DURATION(buffer) = arrival_duration(frame, &src->info);
    if (gst_base_src_get_do_timestamp(GST_BASE_SRC(src)) ||
        !arrival_stamp(&src->arrival, GST_ELEMENT(src), frame, &src->info, buffer))
        return;
    GST_OBJECT_LOCK(src);
    src->latency = src->arrival.latency;
    GST_OBJECT_UNLOCK(src);
    gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
}

static void count_missed(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    if (!frame->missed)
        return;
    GST_INFO_OBJECT(src, "missed %" G_GUINT64_FORMAT " frames before %" G_GUINT64_FORMAT, frame->missed,
                    frame->sequence);
    src->wants_key = TRUE;
    GST_OBJECT_LOCK(src);
    src->missed += frame->missed;
    GST_OBJECT_UNLOCK(src);
}

/* Nothing can be made of frames of an encoded stream before its next key frame. */
static gboolean is_undecodable(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    if (frame->format->fourcc == 0 && src->wants_key && (frame->flags & FRAMEBUS_FRAME_DELTA)) {
        GST_OBJECT_LOCK(src);
        src->skipped++;
        GST_OBJECT_UNLOCK(src);
        return TRUE;
    }
    if (!(frame->flags & FRAMEBUS_FRAME_HEADER))
        src->wants_key = FALSE;
    return FALSE;
}

static void expect(GstFramebusSrc *src)
{
    if (!src->expected)
        src->expected = frame_expect(&src->lies);
}

/* The frame itself, or a copy of it. */
static GstBuffer *buffer_of(GstFramebusSrc *src, struct framebus_frame *frame, gboolean copies,
                            gboolean in_dmabuf)
{
    const gsize size = frame_visible_size(frame, &src->info);
    struct frame_hold hold;

    if (copies)
        return frame_copy(frame, &src->info);
    expect(src);
    hold = frame_hold_begin(src->reader, frame, src->held);
    if (in_dmabuf)
        exports_wrap(src->exports, src->expected, &hold, size);
    else
        frame_wrap(src->expected, &hold, size);
    frame_stamp(src->expected, frame);
    return g_steal_pointer(&src->expected);
}

/* Makes a buffer of a frame, which is given back with it or here. AGAIN: nothing for downstream. */
static GstFlowReturn deliver(GstFramebusSrc *src, struct framebus_frame *frame, GstBuffer **buffer)
{
    const gboolean follows = src->has_sequence && frame->sequence == src->last_sequence + 1;
    GstFlowReturn flow = AGAIN;
    gboolean in_dmabuf, full, copies, keeps, is_auto;

    count_missed(src, frame);
    if (src->serial != frame->format_serial) /* with it, the writer */
        look_at_reader(src);
    if (is_undecodable(src, frame))
        goto fail;
    if (!src->caps || src->serial != frame->format_serial) {
        flow = take_format(src, frame);
        if (flow != GST_FLOW_OK)
            goto fail;
    }

    in_dmabuf = src->info.finfo && exports_has(src->exports, frame);
    if (src->gives_dmabufs && !in_dmabuf) {
        /* A frame that its writer had to copy: DMA-BUFs can no longer be promised. */
        src->has_dmabufs = FALSE;
        flow = renegotiate(src);
        if (flow != GST_FLOW_OK)
            goto fail;
    }

    /* One of the quota is always kept for the next frame to be looked at; but a copy is in no DMA-BUF. */
    full = (guint)g_atomic_int_get(src->held) + 1 >= src->stats.quota;
    copies = !src->gives_dmabufs && (full || (!src->takes_meta && !src->is_default));
    *buffer = buffer_of(src, frame, copies, in_dmabuf);
    flow = GST_FLOW_ERROR;
    if (!*buffer)
        goto fail;

    frame_to_buffer(frame, *buffer);
    stamp(src, frame, *buffer);
    if (!follows)
        GST_BUFFER_FLAG_SET(*buffer, GST_BUFFER_FLAG_DISCONT);
    src->has_sequence = TRUE;
    src->last_sequence = frame->sequence;

    GST_OBJECT_LOCK(src);
    src->delivered++;
    src->copied += copies;
    src->in_dmabufs += in_dmabuf && !copies;
    is_auto = src->settings.hold == 0;
    keeps = src->settings.keep_last;
    GST_OBJECT_UNLOCK(src);
    gst_buffer_replace(&src->last, keeps ? *buffer : NULL);

    if (copies)
        framebus_reader_release(src->reader, frame);
    if (full && is_auto && !src->bus_full && src->stats.quota <= HOLD_MOST)
        ask_for_hold(src, MIN(2 * src->stats.quota, HOLD_MOST));
    return GST_FLOW_OK;

fail:
    framebus_reader_release(src->reader, frame);
    return flow;
}

/* ---- Streaming ----------------------------------------------------------------------------- */

static GstFlowReturn disconnected(GstFramebusSrc *src, int error)
{
    gboolean ends;

    GST_OBJECT_LOCK(src);
    ends = src->settings.on_disconnect == ON_DISCONNECT_EOS;
    GST_OBJECT_UNLOCK(src);
    if (!ends)
        post_library_error(GST_ELEMENT(src), error);
    close_reader(src);
    return ends ? GST_FLOW_EOS : GST_FLOW_ERROR;
}

/* Nothing came for as long as `timeout` says. */
static GstFlowReturn tell_of_silence(GstFramebusSrc *src, enum on_timeout action, gint64 waited)
{
    if (action == ON_TIMEOUT_ERROR) {
        GST_ELEMENT_ERROR(src, RESOURCE, READ,
                          ("Bus %s: no frame for %.1f s.", src->name, (double)waited / GST_SECOND),
                          ("%s", src->stats.connected ? "there is a writer" : "there is no writer"));
        return GST_FLOW_ERROR;
    }
    gst_element_post_message(
        GST_ELEMENT(src),
        gst_message_new_element(GST_OBJECT(src),
                                gst_structure_new("framebussrc-timeout", "bus", G_TYPE_STRING, src->name,
                                                  "waited", G_TYPE_UINT64, (guint64)waited, "connected",
                                                  G_TYPE_BOOLEAN, src->stats.connected, NULL)));
    return action == ON_TIMEOUT_EOS ? GST_FLOW_EOS : AGAIN;
}

/* Time is up: tells that nothing comes, or repeats what came last. */
static GstFlowReturn time_out(GstFramebusSrc *src, gint64 *since, GstBuffer **buffer)
{
    const gint64 now = monotonic_now();
    GstFlowReturn flow = AGAIN;
    enum on_timeout action;
    gboolean tell, repeat;

    if (src->reader)
        look_at_reader(src);
    GST_OBJECT_LOCK(src);
    tell = src->settings.timeout && now - *since >= (gint64)src->settings.timeout;
    repeat = src->settings.keep_last && src->last && !src->stats.connected;
    action = src->settings.on_timeout;
    GST_OBJECT_UNLOCK(src);
    if (tell) {
        flow = tell_of_silence(src, action, now - *since);
        *since = now;
    }
    if (flow != AGAIN || !repeat)
        return flow;

    *buffer = gst_buffer_copy(src->last);
    arrival_stamp_now(&src->arrival, GST_ELEMENT(src), *buffer);
    GST_BUFFER_FLAG_SET(*buffer, GST_BUFFER_FLAG_GAP);
    return GST_FLOW_OK;
}

static GstFlowReturn nothing_came(GstFramebusSrc *src, int error, gint64 *since, GstBuffer **buffer)
{
    gboolean forwards;

    switch (error) {
    case -ECANCELED:
        return GST_FLOW_FLUSHING;
    case -ENODATA:
        GST_INFO_OBJECT(src, "the stream has ended");
        GST_OBJECT_LOCK(src);
        forwards = src->settings.forward_eos;
        GST_OBJECT_UNLOCK(src);
        return forwards ? GST_FLOW_EOS : AGAIN;
    case -ETIMEDOUT:
        return time_out(src, since, buffer);
    case -EBUSY:
        if (!src->reader)
            break;
        /* Downstream has as many frames as a smaller quota allows by now. */
        if (g_poll(&(GPollFD){.fd = src->cancel_fd, .events = G_IO_IN}, 1, FULL_MS) > 0)
            return GST_FLOW_FLUSHING;
        return AGAIN;
    case -ECONNREFUSED:
        if (src->reader && ask_for_less(src))
            return AGAIN;
        break;
    case -ENOENT:
        /* Nobody there within the time that `timeout` gives. */
        if (!src->reader)
            return time_out(src, since, buffer);
        return disconnected(src, error);
    case -EPIPE:
    case -ECONNABORTED:
        return disconnected(src, error);
    default:
        break;
    }
    post_library_error(GST_ELEMENT(src), error);
    return GST_FLOW_ERROR;
}

static GstFlowReturn create(GstPushSrc *push, GstBuffer **buffer)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(push);
    gint64 since = monotonic_now();
    GstFlowReturn flow = AGAIN;

    while (flow == AGAIN) {
        const gint64 wait = patience(src, since);
        struct framebus_frame *frame = NULL;
        int r = 0;

        if (!src->reader)
            r = open_reader(src, wait);
        if (src->serial)
            expect(src);
        if (r == 0)
            r = framebus_reader_next(src->reader, &frame, wait);
        flow = r == 0 ? deliver(src, frame, buffer) : nothing_came(src, r, &since, buffer);
    }
    return flow;
}

static gboolean start(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    GST_OBJECT_LOCK(src);
    src->name = g_strdup(src->settings.bus);
    src->delivered = src->missed = src->copied = src->in_dmabufs = src->skipped = src->posted = src->latency =
        0;
    GST_OBJECT_UNLOCK(src);
    arrival_init(&src->arrival);
    src->wanted_hold = 0;
    src->takes_meta = src->has_dmabufs = src->gives_dmabufs = FALSE;
    if (!src->name || !src->name[0]) {
        GST_ELEMENT_ERROR(src, RESOURCE, SETTINGS, ("No bus is named. Set the property, e.g. bus=cam0."),
                          (NULL));
        return FALSE;
    }
    if (src->cancel_fd < 0) {
        GST_ELEMENT_ERROR(src, RESOURCE, FAILED, ("Cannot create an eventfd: %s.", g_strerror(EMFILE)),
                          (NULL));
        return FALSE;
    }
    return TRUE;
}

/* Frames that downstream still has stay valid. */
static gboolean stop(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    post_stats(src);
    gst_clear_buffer(&src->last);
    gst_clear_buffer(&src->expected);
    arrival_finish(&src->arrival);
    close_reader(src);
    g_clear_pointer(&src->name, g_free);
    GST_OBJECT_LOCK(src);
    gst_clear_caps(&src->caps);
    gst_clear_caps(&src->dmabufs);
    GST_OBJECT_UNLOCK(src);
    return TRUE;
}

static gboolean unlock(GstBaseSrc *base)
{
    eventfd_write(GST_FRAMEBUS_SRC(base)->cancel_fd, 1);
    return TRUE;
}

static gboolean unlock_stop(GstBaseSrc *base)
{
    eventfd_t count;

    eventfd_read(GST_FRAMEBUS_SRC(base)->cancel_fd, &count);
    return TRUE;
}

static gboolean query(GstBaseSrc *base, GstQuery *query_)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    if (GST_QUERY_TYPE(query_) == GST_QUERY_LATENCY) {
        GST_OBJECT_LOCK(src);
        gst_query_set_latency(query_, TRUE, src->latency, GST_CLOCK_TIME_NONE);
        GST_OBJECT_UNLOCK(src);
        return TRUE;
    }
    return GST_BASE_SRC_CLASS(gst_framebus_src_parent_class)->query(base, query_);
}

/* ---- Properties ---------------------------------------------------------------------------- */

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(object);

    GST_OBJECT_LOCK(src);
    if (!src_settings_set(&src->settings, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    GST_OBJECT_UNLOCK(src);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(object);

    if (id == SRC_STATS) {
        g_value_take_boxed(value, stats_of(src));
        return;
    }
    GST_OBJECT_LOCK(src);
    if (!src_settings_get(&src->settings, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    GST_OBJECT_UNLOCK(src);
}

static void finalize(GObject *object)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(object);

    src_settings_finish(&src->settings);
    if (src->cancel_fd >= 0)
        close(src->cancel_fd);
    G_OBJECT_CLASS(gst_framebus_src_parent_class)->finalize(object);
}

static void gst_framebus_src_class_init(GstFramebusSrcClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSrcClass *base = GST_BASE_SRC_CLASS(class);

    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    src_properties_install(object);

    gst_element_class_set_static_metadata(element, "Framebus source", "Source/Video",
                                          "Delivers the frames of a framebus bus, in place", "framebus");
    gst_element_class_add_static_pad_template(element, &src_template);

    base->start = start;
    base->stop = stop;
    base->unlock = unlock;
    base->unlock_stop = unlock_stop;
    base->get_caps = get_caps;
    base->negotiate = negotiate;
    base->decide_allocation = decide_allocation;
    base->query = query;
    GST_PUSH_SRC_CLASS(class)->create = create;

    gst_type_mark_as_plugin_api(delivery_type(), 0);
    gst_type_mark_as_plugin_api(on_disconnect_type(), 0);
    gst_type_mark_as_plugin_api(on_timeout_type(), 0);
}

static void gst_framebus_src_init(GstFramebusSrc *src)
{
    GstBaseSrc *base = GST_BASE_SRC(src);

    src_settings_init(&src->settings);
    src->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    gst_base_src_set_live(base, TRUE);
    gst_base_src_set_format(base, GST_FORMAT_TIME);
    gst_pad_add_probe(GST_BASE_SRC_PAD(base), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, see_event, NULL, NULL);
}
