/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-framebussrc
 * @title: framebussrc
 *
 * Delivers the frames of a framebus bus in place: buffers are the writer's memory, mapped read-only. Caps
 * come from the bus. The source waits for a writer that is not there yet, and follows one that comes back.
 *
 * |[
 * gst-launch-1.0 framebussrc bus=cam0 ! videoconvert ! autovideosink
 * ]|
 *
 * ## Messages
 *
 * The element posts these element messages:
 *
 * - `framebussrc-connected`: a writer is read. Fields: #gchararray `bus`, #gint `writer-pid`.
 * - `framebussrc-disconnected`: it is not read any more. Fields: the same, and #gchararray `reason`: it is
 *   `gone`, it has `evicted` the element, or its bus was `left` for another one.
 * - `framebussrc-timeout`: nothing has come for #GstFramebusSrc:timeout. Fields: #gchararray `bus`, #guint64
 *   `waited` in nanoseconds, #gboolean `connected`, whether there is a writer.
 * - `framebussrc-stats`: the fields of #GstFramebusSrc:stats, at the end of each stream and of each run.
 *
 * Since: 0.9
 */
#include "caps.h"
#include "dmabuf.h"
#include "element.h"
#include "meta.h"
#include "plugin.h"
#include "tags.h"
#include "timing.h"
#include "uri.h"
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <framebus.h>
#include <gst/base/gstpushsrc.h>
#include <gst/video/video.h>
#include <unistd.h>

/* Frames that downstream may hold in place unless it asks for more or `hold` says otherwise. */
#define HOLD_DEFAULT 3
#define HOLD_MOST    16

/* How long a writer that did not answer, since it is stopped, is not asked for more. */
#define ASK_AGAIN_NS (2 * GST_SECOND)

/* How long to wait when no more frames may be held. */
#define FULL_MS 5

/* How long nothing comes before somebody is told. */
#define TELL_NS ((gint64)(2 * GST_SECOND))

/* Frames in a row whose memory is of one kind, after which the caps of DMA-BUFs are tried again, or a format
 * that begins without them is believed to have none. */
#define FRAMES_ALIKE 60

/* How often the last frame is repeated if its duration is unknown, and at most. */
#define REPEAT_NS       (100 * GST_MSECOND)
#define REPEAT_LEAST_NS ((gint64)(5 * GST_MSECOND))

/* The latency that is told until a frame has come: that of a camera with 30 frames a second which takes its
 * time. Many programs do not ask again. */
#define LATENCY_AT_FIRST (34 * GST_MSECOND)

/* What the spare latency may differ by until the pipeline is told: durations of frames are rounded. */
#define SPARE_NS ((gint64)GST_MSECOND)

/* There is nothing for downstream yet. */
#define AGAIN GST_FLOW_CUSTOM_SUCCESS

/* What to do when the writer goes without ending its stream. */
enum on_disconnect { ON_DISCONNECT_WAIT, ON_DISCONNECT_EOS, ON_DISCONNECT_ERROR };

/* What to do when no frame has come for as long as `timeout` says. */
enum on_timeout { ON_TIMEOUT_MESSAGE, ON_TIMEOUT_EOS, ON_TIMEOUT_ERROR };

/* Whether downstream gets DMA-BUFs. */
enum dmabuf_wish { DMABUF_AUTO, DMABUF_NEVER };

/* How long nothing has come; on CLOCK_MONOTONIC. */
struct silence {
    gint64 since;   /* when the last frame came, or waiting began */
    gint64 counted; /* what `timeout` is counted from: the same, or when it was over last */
    gint64 asked;   /* when downstream came for a buffer */
    gboolean told;  /* that it lasts */
};

struct src_settings {
    char *bus;
    gint fd; /* in place of `bus`; -1: none */
    enum framebus_delivery delivery;
    enum dmabuf_wish dmabuf;
    guint hold, max_rate, anticipate;
    enum on_disconnect on_disconnect;
    enum on_timeout on_timeout;
    bool forward_eos, keep_last, is_live;
    guint64 timeout;
};

#define GST_TYPE_FRAMEBUS_SRC gst_framebus_src_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusSrc, gst_framebus_src, GST, FRAMEBUS_SRC, GstPushSrc)

struct _GstFramebusSrc {
    GstPushSrc parent;

    struct src_settings settings; /* under the object lock */

    struct wake wake; /* unlocked or paused, or asked to look at the settings */
    gboolean ending;  /* an EOS event of the application is being handled; atomic */
    gint watches_end; /* src_watch_end() has added its probe; atomic */

    /* The streaming thread's. */
    char *name;                     /* the bus it is at, which `bus` may not name any more */
    gboolean is_given;              /* its connection came with `fd` */
    gint given;                     /* that fd, or another one of the same socket */
    struct framebus_reader *reader; /* set under the object lock, too: other threads ask it for key frames */
    GstAllocator *dmabufs;          /* of the memories that frames are in */
    gboolean has_dmabufs;           /* frames are in DMA-BUFs, as far as can be said */
    gboolean gives_dmabufs;         /* caps with DMA-BUFs were negotiated */
    guint alike;                    /* frames in a row that contradict these two */
    guint32 serial;                 /* the format_serial of `format`; 0: there is none yet */
    gboolean is_mixed; /* a frame of this format was interlaced, of which the bus has no caps text */
    struct buffer_format format;
    guint64 last_sequence;
    gboolean leaves_gaps; /* frames are left out on purpose: max-rate */
    gboolean has_sequence;
    guint64 writer;      /* which of the bus's writers so far the last frame is of */
    gint64 skips_since;  /* when frames began to be skipped; 0: they are not; -1: it was told */
    gboolean wants_key;  /* frames that depend on others are skipped until the next key frame */
    gboolean leaves_out; /* and somebody was told */
    gboolean takes_meta; /* downstream reads GstVideoMeta, */
    gboolean takes_crop; /* and GstVideoCropMeta */
    gboolean bus_full;   /* a larger quota was refused */
    gint64 ask_again;    /* time before which no larger one is asked for */
    guint wanted_hold;   /* what downstream asked for */
    struct arrival arrival;
    struct tags_heard tags;
    struct silence silence;
    gboolean is_connected; /* and the application was told */
    gint writer_pid;       /* of the writer of which it was told */
    gboolean has_ended;    /* the stream has, and the next one has not begun */
    gboolean repeats;      /* the last buffer was a repeated one */
    GstBuffer *last;       /* for keep-last; else NULL */
    GstBuffer *prepared;   /* for the next frame, made while it was waited for */

    /* Under the object lock. */
    GstCaps *caps;        /* NULL until the first frame */
    GstCaps *dmabuf_caps; /* the same in DMA-BUFs; NULL unless downstream asks for those */
    GstClockTime latency;
    GstClockTime
        spare_latency; /* how long frames stay on the bus beyond that; GST_CLOCK_TIME_NONE: not known */
    guint64 delivered, missed, copied, in_dmabufs, skipped, posted;
    gint *held; /* frames that downstream has in place; NULL without a reader */
    struct framebus_reader_stats stats;
};

GST_DEBUG_CATEGORY_STATIC(framebus_src_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_src_debug

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE(GstFramebusSrc, gst_framebus_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, uri_handler_init)
                            GST_DEBUG_CATEGORY_INIT(framebus_src_debug, "framebussrc", 0,
                                                    "framebussrc element"))
/* With a rank, or as a source of video, autovideosrc and camerabin would take it for a camera; a URI needs
 * none. */
GST_ELEMENT_REGISTER_DEFINE(framebussrc, "framebussrc", GST_RANK_NONE, GST_TYPE_FRAMEBUS_SRC)

/* ---- Statistics ---------------------------------------------------------------------------- */

static GstStructure *src_stats_new(GstFramebusSrc *src)
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

/* Called at the end of the stream and of each run, so that `gst-launch-1.0 -m` shows the statistics. */
static void src_post_stats(GstFramebusSrc *src)
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

/* Posts the statistics when the stream's end leaves. To be called when that is near: a probe, of whatever
 * kind, makes GStreamer look for it at each buffer. */
static void src_watch_end(GstFramebusSrc *src)
{
    if (g_atomic_int_compare_and_exchange(&src->watches_end, FALSE, TRUE))
        gst_pad_add_probe(GST_BASE_SRC_PAD(src), GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, src_probe_event, NULL,
                          NULL);
}

/* The base class ends the stream by itself, too. */
static gboolean src_has_num_buffers(GstFramebusSrc *src)
{
    gint count;

    g_object_get(src, "num-buffers", &count, NULL);
    return count >= 0;
}

/* Not to be called for each frame: the library asks the kernel who the writer is. */
static void src_update_stats(GstFramebusSrc *src)
{
    struct framebus_reader_stats stats;

    framebus_reader_get_stats(src->reader, &stats);
    GST_OBJECT_LOCK(src);
    src->stats = stats;
    GST_OBJECT_UNLOCK(src);
}

/* ---- Waiting for frames --------------------------------------------------------------------- */

/* A frame has come, or waiting begins anew. */
static void src_break_silence(GstFramebusSrc *src)
{
    src->silence.since = src->silence.counted = src->silence.asked = monotonic_now();
    src->silence.told = FALSE;
}

/* With the object lock held. Short enough to be added to a time. */
static gint64 src_timeout(const GstFramebusSrc *src)
{
    return MIN(src->settings.timeout, (guint64)G_MAXINT64 / 2);
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

/* Returns how long to wait for a frame now: until `timeout` is over, the last frame is to be repeated, or
 * somebody should hear of it. -1: without limit. */
static gint64 src_wait_ns(GstFramebusSrc *src)
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

static void src_post_connected(GstFramebusSrc *src)
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

static void src_close_reader(GstFramebusSrc *src)
{
    struct framebus_reader *reader = src->reader;

    gst_clear_object(&src->dmabufs);
    GST_OBJECT_LOCK(src);
    src->reader = NULL;
    GST_OBJECT_UNLOCK(src);
    framebus_reader_close(reader);
    src->has_sequence = src->has_ended = FALSE;
    src->serial = 0;
    src->writer = 0;
    GST_OBJECT_LOCK(src);
    g_clear_pointer(&src->held, g_atomic_rc_box_release);
    src->stats = (struct framebus_reader_stats){0};
    GST_OBJECT_UNLOCK(src);
}

/* Opens a reader of that bus, or of `fd` if it is NULL, which is not the element's yet. is_full: only the
 * least quota was to be had. */
static int src_open_reader(GstFramebusSrc *src, const char *name, gint64 wait_ns,
                           struct framebus_reader **reader, gboolean *is_full)
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

/* Makes a reader that was opened the element's. */
static void src_take_reader(GstFramebusSrc *src, struct framebus_reader *reader, gboolean is_full)
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

static int src_connect(GstFramebusSrc *src, gint64 wait_ns)
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

/* Does what was asked for meanwhile. Returns TRUE if it is at another bus now. */
static gboolean src_heed(GstFramebusSrc *src)
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

/* Asks for room for so many frames in place, unless the user has said how many or the bus has no more. */
static void src_ask_for_hold(GstFramebusSrc *src, guint hold)
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

/* ---- Caps and allocation ------------------------------------------------------------------- */

static GstCaps *src_get_caps(GstBaseSrc *base, GstCaps *filter)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    GstCaps *caps, *both;

    GST_OBJECT_LOCK(src);
    caps = src->caps ? gst_caps_ref(src->caps) : gst_caps_new_any();
    if (src->dmabuf_caps)
        caps = gst_caps_merge(gst_caps_ref(src->dmabuf_caps), caps);
    GST_OBJECT_UNLOCK(src);
    if (!filter)
        return caps;
    both = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(caps);
    return both;
}

/* Most elements import the DMA-BUFs that they find in plain buffers, or map them if they cannot; so caps with
 * DMA-BUFs are only for elements that ask for them. */
static gboolean src_negotiate(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    GstPad *pad = GST_BASE_SRC_PAD(base);
    GstCaps *dmabuf_caps =
        src->has_dmabufs && !src->format.is_tiled ? caps_asked_for_in_dmabufs(src->caps, pad) : NULL;
    GstCaps *current;
    gboolean done;

    GST_OBJECT_LOCK(src);
    gst_caps_take(&src->dmabuf_caps, dmabuf_caps);
    GST_OBJECT_UNLOCK(src);
    done = GST_BASE_SRC_CLASS(gst_framebus_src_parent_class)->negotiate(base);
    current = gst_pad_get_current_caps(pad);
    src->gives_dmabufs = current && caps_in_dmabufs(current, 0);
    gst_clear_caps(&current);
    return done;
}

static gboolean src_decide_allocation(GstBaseSrc *base, GstQuery *query)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);
    guint min, hold = 0;

    src->takes_meta = gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    src->takes_crop = gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    /* Frames come in the writer's memory, so no pool is used; but its size tells how many will be held. */
    while (gst_query_get_n_allocation_pools(query) > 0) {
        gst_query_parse_nth_allocation_pool(query, 0, NULL, NULL, &min, NULL);
        hold = MAX(hold, min + 2);
        gst_query_remove_nth_allocation_pool(query, 0);
    }
    src->wanted_hold = CLAMP(hold, HOLD_DEFAULT, HOLD_MOST);
    if (src->reader && src->wanted_hold + 1 > src->stats.quota)
        src_ask_for_hold(src, src->wanted_hold);
    return TRUE;
}

static GstFlowReturn src_renegotiate(GstFramebusSrc *src)
{
    g_autofree char *text = NULL;

    if (gst_base_src_negotiate(GST_BASE_SRC(src)) || GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(src)))
        return GST_FLOW_OK;
    text = gst_caps_to_string(src->caps);
    GST_ELEMENT_ERROR(
        src, STREAM, FORMAT,
        ("What comes after %s does not take what bus %s carries: %s", GST_OBJECT_NAME(src), src->name, text),
        ("%s in between may help.", src->format.is_tiled ? "A vapostproc or glupload" : "A videoconvert"));
    return GST_FLOW_NOT_NEGOTIATED;
}

/* Returns the part of a picture that downstream gets: all (of no width) if it crops the picture itself. */
static struct framebus_rect src_cut_of(const GstFramebusSrc *src, const struct framebus_frame *frame)
{
    struct framebus_rect cut = frame->crop;

    if (src->takes_crop || !frame->format->fourcc || frame->format->modifier || !cut.width || !cut.height)
        return (struct framebus_rect){0};
    /* Colour is shared by up to so many pixels. */
    cut.x &= ~3U;
    cut.y &= ~3U;
    cut.width += frame->crop.x - cut.x;
    cut.height += frame->crop.y - cut.y;
    return cut;
}

/* Returns TRUE for an interlaced picture of a writer that describes it by its flags alone. */
static gboolean src_is_mixed(const struct framebus_frame *frame)
{
    return frame->format->fourcc && (frame->flags & FRAMEBUS_FRAME_INTERLACED) &&
           !(frame->format->caps && frame->format->caps[0]);
}

static GstFlowReturn src_set_format(GstFramebusSrc *src, const struct framebus_frame *frame,
                                    gboolean in_dmabuf)
{
    g_autofree char *why = NULL;
    GstVideoInfo info;
    GstCaps *caps = caps_from_format(frame->format, &info, &why);
    const struct framebus_rect cut = src_cut_of(src, frame);
    const gboolean had_dmabufs = src->has_dmabufs;
    gboolean changed;

    if (!caps) {
        GST_ELEMENT_ERROR(src, STREAM, FORMAT, ("Bus %s: %s.", src->name, why), (NULL));
        return GST_FLOW_NOT_NEGOTIATED;
    }
    src->is_mixed = src_is_mixed(frame) || (src->is_mixed && src->serial == frame->format_serial);
    if (src->is_mixed)
        gst_caps_set_simple(caps, "interlace-mode", G_TYPE_STRING, "mixed", NULL);
    if (cut.width) {
        caps = gst_caps_make_writable(caps);
        gst_caps_set_simple(caps, "width", G_TYPE_INT, (int)cut.width, "height", G_TYPE_INT, (int)cut.height,
                            NULL);
        gst_video_info_from_caps(&info, caps);
    }
    buffer_format_init(&src->format, caps, &info, frame->format, &cut);
    if (gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-raw") &&
        !gst_audio_info_from_caps(&src->format.audio, caps))
        src->format.audio.finfo = NULL;
    gst_clear_buffer(&src->prepared);
    src->serial = frame->format_serial;
    src->has_dmabufs = in_dmabuf;
    src->alike = 0;

    GST_OBJECT_LOCK(src);
    src->spare_latency = GST_CLOCK_TIME_NONE;
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
    return changed || had_dmabufs != src->has_dmabufs ? src_renegotiate(src) : GST_FLOW_OK;
}

/* Leaves a frame out that downstream cannot have: one such frame is no end of the stream. */
static void src_leave_out(GstFramebusSrc *src, const struct framebus_frame *frame, const char *why)
{
    GST_INFO_OBJECT(src, "frame %" G_GUINT64_FORMAT " is left out: %s", frame->sequence, why);
    src->wants_key = TRUE;
    GST_OBJECT_LOCK(src);
    src->missed++;
    GST_OBJECT_UNLOCK(src);
    if (!src->leaves_out)
        GST_ELEMENT_WARNING(src, STREAM, FAILED,
                            ("%s leaves frames of bus %s out, and counts them as missed: %s.",
                             GST_OBJECT_NAME(src), src->name, why),
                            (NULL));
    src->leaves_out = TRUE;
}

/* Returns TRUE if downstream takes frames that are not in DMA-BUFs. */
static gboolean src_may_give_plain(GstFramebusSrc *src, gboolean is_new)
{
    GstPad *pad = GST_BASE_SRC_PAD(src);
    GstCaps *taken;
    gboolean may;

    if (!is_new)
        return gst_pad_peer_query_accept_caps(pad, src->caps);
    taken = gst_pad_peer_query_caps(pad, NULL);
    may = gst_caps_is_any(taken);
    for (guint i = 0; !may && i < gst_caps_get_size(taken); i++)
        may = !caps_in_dmabufs(taken, i);
    gst_caps_unref(taken);
    return may;
}

/* Returns TRUE for a frame that the writer had to copy, of which downstream, which can use nothing but
 * DMA-BUFs, does without. The next one may be in a DMA-BUF again, unless another format has begun, of which
 * there were none for a while. */
static gboolean src_does_without(GstFramebusSrc *src, const struct framebus_frame *frame, gboolean in_dmabuf)
{
    const gboolean is_new = !src->caps || src->serial != frame->format_serial;

    if (in_dmabuf || (!is_new && !src->gives_dmabufs) || src_may_give_plain(src, is_new) ||
        (is_new && ++src->alike > FRAMES_ALIKE))
        return FALSE;
    src_leave_out(src, frame, "downstream takes DMA-BUFs only, and the writer had to copy them");
    return TRUE;
}

/* Tries caps with DMA-BUFs once more, when frames have been in such for a while. */
static GstFlowReturn src_try_dmabufs(GstFramebusSrc *src, gboolean in_dmabuf)
{
    if (src->has_dmabufs)
        return GST_FLOW_OK;
    src->alike = in_dmabuf ? src->alike + 1 : 0;
    if (src->alike < FRAMES_ALIKE)
        return GST_FLOW_OK;
    src->alike = 0;
    src->has_dmabufs = TRUE;
    return src_renegotiate(src);
}

/* Follows the bus to another format, which the first frame has too, and into and out of DMA-BUFs. AGAIN: this
 * frame is not for downstream. */
static GstFlowReturn src_follow_format(GstFramebusSrc *src, const struct framebus_frame *frame,
                                       gboolean in_dmabuf)
{
    GstFlowReturn flow = GST_FLOW_OK;
    struct framebus_rect cut;
    struct framebus_dmabuf dmabuf;

    if (frame->format->modifier && !in_dmabuf) {
        framebus_frame_dmabuf(frame, &dmabuf); /* says why */
        GST_ELEMENT_ERROR(src, RESOURCE, READ,
                          ("Bus %s carries pictures in tiles, which only devices can read: %s", src->name,
                           framebus_last_error()),
                          (NULL));
        return GST_FLOW_ERROR;
    }
    if (src_does_without(src, frame, in_dmabuf))
        return AGAIN;
    if (!src->caps || src->serial != frame->format_serial)
        flow = src_set_format(src, frame, in_dmabuf);
    if (flow == GST_FLOW_OK && !src->is_mixed && src_is_mixed(frame))
        flow = src_set_format(src, frame, in_dmabuf);
    cut = src_cut_of(src, frame); /* downstream may just have said whether it crops */
    if (flow == GST_FLOW_OK && memcmp(&cut, &src->format.cut, sizeof(cut)) != 0)
        flow = src_set_format(src, frame, in_dmabuf);
    if (flow == GST_FLOW_OK)
        flow = src_try_dmabufs(src, in_dmabuf);
    if (flow != GST_FLOW_OK || in_dmabuf || !src->gives_dmabufs)
        return flow;
    /* The writer had to copy this frame: DMA-BUFs cannot be promised for now. */
    src->has_dmabufs = FALSE;
    src->alike = 0;
    return src_renegotiate(src);
}

/* ---- Frames to buffers --------------------------------------------------------------------- */

/* Learns how long downstream may wait for more than a frame before frames are missed: the least that was so
 * in this format. Returns TRUE if that is another time than was told. With the object lock held. */
static gboolean src_learn_spare_latency(GstFramebusSrc *src, GstClockTime duration)
{
    GstClockTime spare;

    if (src->stats.delivery == FRAMEBUS_DELIVERY_LOSSLESS || !src->stats.history ||
        !GST_CLOCK_TIME_IS_VALID(duration))
        return FALSE;
    spare = src->stats.delivery == FRAMEBUS_DELIVERY_LATEST ? 0 : (src->stats.history - 1) * duration;
    if (GST_CLOCK_TIME_IS_VALID(src->spare_latency) && GST_CLOCK_DIFF(spare, src->spare_latency) <= SPARE_NS)
        return FALSE;
    src->spare_latency = spare;
    return TRUE;
}

static void src_stamp(GstFramebusSrc *src, const struct framebus_frame *frame, GstBuffer *buffer)
{
    const GstClockTime duration = arrival_duration(frame, &src->format.info);
    gboolean changed;

    GST_BUFFER_DURATION(buffer) = duration;
    if (gst_base_src_get_do_timestamp(GST_BASE_SRC(src)))
        return;
    changed = arrival_stamp(&src->arrival, GST_ELEMENT(src), frame, &src->format.info, buffer);
    GST_OBJECT_LOCK(src);
    if (changed)
        src->latency = src->arrival.latency;
    changed |= src_learn_spare_latency(src, duration);
    GST_OBJECT_UNLOCK(src);
    if (changed && gst_base_src_is_live(GST_BASE_SRC(src)))
        gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
}

static void src_count_missed(GstFramebusSrc *src, const struct framebus_frame *frame)
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

/* A frame was skipped. */
static void src_note_skipped(GstFramebusSrc *src)
{
    const gint64 now = monotonic_now();
    guint64 skipped;

    GST_OBJECT_LOCK(src);
    skipped = ++src->skipped;
    GST_OBJECT_UNLOCK(src);
    if (!src->skips_since)
        src->skips_since = now;
    if (src->skips_since < 0 || now - src->skips_since < TELL_NS)
        return;
    src->skips_since = -1;
    GST_ELEMENT_WARNING(
        src, STREAM, DECODE,
        ("%s waits for a key frame on bus %s, and has skipped %" G_GUINT64_FORMAT
         " frames that depend on one. Does the encoder make key frames when it is asked to, or "
         "often (key-int-max of x264enc)?",
         GST_OBJECT_NAME(src), src->name, skipped),
        (NULL));
}

/* Returns TRUE for a frame of an encoded stream that cannot be decoded before the next key frame. */
static gboolean src_must_skip(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    if (frame->format->fourcc == 0 && src->wants_key && (frame->flags & FRAMEBUS_FRAME_DELTA)) {
        src_note_skipped(src);
        return TRUE;
    }
    if (!(frame->flags & FRAMEBUS_FRAME_HEADER)) {
        src->wants_key = FALSE;
        src->skips_since = 0;
    }
    return FALSE;
}

static void src_prepare_buffer(GstFramebusSrc *src)
{
    if (!src->prepared)
        src->prepared = buffer_prepare(&src->format);
}

/* Returns a buffer with the frame itself, which is given back with it. NULL: its memory cannot be had. */
static GstBuffer *src_wrap(GstFramebusSrc *src, struct framebus_frame *frame, struct dmabuf_entry *entry)
{
    const GstVideoInfo *info = &src->format.info;
    gsize size = frame->size;
    struct frame_hold hold;

    if (!entry)
        return NULL;
    /* Some elements expect a picture to be no larger than it has to be. */
    if (info->finfo && buffer_format_is_default(&src->format, frame))
        size = GST_VIDEO_INFO_SIZE(info);
    src_prepare_buffer(src);
    hold = frame_hold_begin(src->reader, frame, src->held);
    dmabuf_entry_wrap(entry, src->prepared, &hold, size);
    buffer_set_capture_time(src->prepared, frame);
    return g_steal_pointer(&src->prepared);
}

/* Times, flags and metas. */
static void src_describe(GstFramebusSrc *src, const struct framebus_frame *frame, GstBuffer *buffer)
{
    buffer_add_each(buffer, &src->format);
    src_stamp(src, frame, buffer);
    meta_to_buffer(frame, buffer, &src->format.cut, &src->format.audio);
    if (!src->has_sequence || (frame->sequence != src->last_sequence + 1 && !src->leaves_gaps))
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    src->has_sequence = TRUE;
    src->last_sequence = frame->sequence;
}

/* Tells downstream what the bus says of the stream as a whole, if that is new. */
static void src_tell_tags(GstFramebusSrc *src, const struct framebus_frame *frame)
{
    GSList *events = tags_heard_in(&src->tags, frame, src->writer);

    for (GSList *item = events; item; item = item->next) {
        GST_DEBUG_OBJECT(src, "the bus says %" GST_PTR_FORMAT, item->data);
        /* The base class sends tags after the segment, before this frame. (gst_element_send_event() would
         * wait for a change of state, which waits for this thread.) */
        if (GST_EVENT_TYPE(item->data) == GST_EVENT_TAG)
            GST_ELEMENT_CLASS(gst_framebus_src_parent_class)->send_event(GST_ELEMENT(src), item->data);
        else
            gst_pad_push_event(GST_BASE_SRC_PAD(src), item->data);
    }
    g_slist_free(events);
}

/* Counts a buffer and keeps it if it may be repeated. */
static void src_note_delivered(GstFramebusSrc *src, GstBuffer *buffer, gboolean copied, gboolean in_dmabuf)
{
    gboolean keeps;

    GST_OBJECT_LOCK(src);
    src->delivered++;
    src->copied += copied;
    src->in_dmabufs += in_dmabuf && !copied;
    keeps = src->settings.keep_last && src->format.info.finfo; /* nothing else can be shown twice */
    GST_OBJECT_UNLOCK(src);
    gst_buffer_replace(&src->last, keeps ? buffer : NULL);
}

/* To be called for a frame of another format, whose writer may be another one, too. That one's stream has a
 * beginning of its own. */
static void src_look_at_writer(GstFramebusSrc *src)
{
    src_update_stats(src);
    if (src->stats.writers == src->writer)
        return;
    src->writer = src->stats.writers;
    src_post_connected(src);
    src->has_sequence = FALSE;
    src->wants_key = TRUE;
}

/* Makes a buffer of a frame, which is given back with it or here. AGAIN: there is nothing for downstream. */
static GstFlowReturn src_deliver(GstFramebusSrc *src, struct framebus_frame *frame, GstBuffer **buffer)
{
    struct dmabuf_entry *entry = dmabuf_entry_of(src->dmabufs, frame);
    const gboolean in_dmabuf = dmabuf_entry_is_dmabuf(entry);
    const gboolean is_picture = frame->format->fourcc != 0; /* nothing else has caps of its own in DMA-BUFs */
    GstFlowReturn flow = AGAIN;
    gboolean is_full, copies;

    src->has_ended = FALSE;
    src_count_missed(src, frame);
    if (src->serial != frame->format_serial)
        src_look_at_writer(src);
    if (!src_must_skip(src, frame))
        flow = src_follow_format(src, frame, in_dmabuf && is_picture);
    if (flow != GST_FLOW_OK) {
        framebus_reader_release(src->reader, frame);
        return flow;
    }

    /* One frame of the quota is always left for the next frame to look at. But a copy is not in a DMA-BUF. */
    is_full = (guint)g_atomic_int_get(src->held) + 1 >= src->stats.quota;
    copies = !src->gives_dmabufs && !src->format.is_tiled &&
             (is_full || (!src->takes_meta && !buffer_format_is_default(&src->format, frame)));
    *buffer = copies ? buffer_copy(&src->format, frame) : src_wrap(src, frame, entry);
    if (*buffer) {
        src_describe(src, frame, *buffer);
        src_tell_tags(src, frame);
        src_note_delivered(src, *buffer, copies, in_dmabuf);
    } else {
        src_leave_out(src, frame,
                      frame->data ? framebus_last_error() : "they have to be copied, and cannot be mapped");
    }
    if (copies || !*buffer)
        framebus_reader_release(src->reader, frame);
    if (*buffer && is_full && src->stats.quota <= HOLD_MOST)
        src_ask_for_hold(src, MIN(2 * src->stats.quota, HOLD_MOST));
    return *buffer ? GST_FLOW_OK : AGAIN;
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

static GstFlowReturn src_handle_error(GstFramebusSrc *src, int error, GstBuffer **buffer)
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

/* Returns TRUE if a flush or an end has begun. (Since 1.24 the base class undoes the unlock() of a pause only
 * before create(), and with it that of a flush that has just begun.) */
static gboolean src_is_stopping(GstFramebusSrc *src)
{
    return GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(src)) || g_atomic_int_get(&src->ending);
}

static GstFlowReturn src_create(GstPushSrc *push, GstBuffer **buffer)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(push);
    GstFlowReturn flow = src_is_stopping(src) ? GST_FLOW_FLUSHING : AGAIN;

    if (src->repeats)
        src->silence.asked = monotonic_now();
    else
        src_break_silence(src);
    src->repeats = FALSE;
    while (flow == AGAIN) {
        struct framebus_frame *frame = NULL;
        gint64 wait;
        int r = 0;

        src_heed(src);
        wait = src_wait_ns(src);
        if (!src->reader)
            r = src_connect(src, wait);
        if (src->serial)
            src_prepare_buffer(src);
        if (r == 0)
            r = framebus_reader_next(src->reader, &frame, wait);
        flow = r == 0 ? src_deliver(src, frame, buffer) : src_handle_error(src, r, buffer);
        if (r == 0 && flow == AGAIN) /* a frame that waits for a key frame is a sign of life, too */
            src_break_silence(src);
    }
    if (flow == GST_FLOW_EOS)
        src_watch_end(src);
    return flow;
}

/* Connects over the socket that the application gave, which the writer does not keep for long. */
static int src_connect_given(GstFramebusSrc *src, gint fd)
{
    struct framebus_reader *reader;
    gboolean is_full;
    int r;

    src->name = g_strdup_printf("fd %d", fd);
    src->is_given = TRUE;
    src->given = fd ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 1); /* 0 is none to the library */
    r = src_open_reader(src, NULL, 0, &reader, &is_full);
    if (!fd)
        close(src->given);
    if (r == 0)
        src_take_reader(src, reader, is_full);
    else
        element_post_error(GST_ELEMENT(src), r);
    return r;
}

/* Finds out where to read. Returns FALSE, and posts an error, if that cannot be. */
static gboolean src_find_bus(GstFramebusSrc *src)
{
    g_autofree char *bus = NULL;
    gint fd;

    GST_OBJECT_LOCK(src);
    bus = g_strdup(src->settings.bus);
    fd = src->settings.fd;
    GST_OBJECT_UNLOCK(src);
    if (fd >= 0 && bus && bus[0]) {
        GST_ELEMENT_ERROR(src, RESOURCE, SETTINGS,
                          ("Both bus=%s and fd=%d are set, and each leads to a bus. Leave one out.", bus, fd),
                          (NULL));
        return FALSE;
    }
    src->is_given = FALSE;
    if (fd >= 0)
        return src_connect_given(src, fd) == 0;
    if (!element_names_bus(GST_ELEMENT(src), bus))
        return FALSE;
    src->name = g_steal_pointer(&bus);
    return TRUE;
}

static gboolean src_start(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    GST_OBJECT_LOCK(src);
    src->delivered = src->missed = src->copied = src->in_dmabufs = src->skipped = src->posted = 0;
    src->latency = LATENCY_AT_FIRST;
    src->spare_latency = GST_CLOCK_TIME_NONE;
    GST_OBJECT_UNLOCK(src);
    meta_load_plugins();
    if (src_has_num_buffers(src))
        src_watch_end(src);
    arrival_init(&src->arrival, gst_base_src_is_live(base));
    src->wanted_hold = 0;
    src->repeats = src->leaves_out = FALSE;
    src->takes_meta = src->takes_crop = src->has_dmabufs = src->gives_dmabufs = FALSE;
    if (src->wake.fd < 0) {
        GST_ELEMENT_ERROR(src, RESOURCE, FAILED, ("Cannot create an eventfd: %s.", g_strerror(EMFILE)),
                          (NULL));
        return FALSE;
    }
    wake_take(&src->wake);
    wake_set_unlocked(&src->wake, FALSE);
    g_clear_pointer(&src->name, g_free);
    return src_find_bus(src);
}

/* Frames that downstream has stay valid. */
static gboolean src_stop(GstBaseSrc *base)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    src_post_stats(src);
    src->is_connected = FALSE;
    gst_clear_buffer(&src->last);
    gst_clear_buffer(&src->prepared);
    arrival_finish(&src->arrival);
    tags_heard_finish(&src->tags);
    src_close_reader(src);
    g_clear_pointer(&src->name, g_free);
    GST_OBJECT_LOCK(src);
    gst_clear_caps(&src->caps);
    gst_clear_caps(&src->dmabuf_caps);
    GST_OBJECT_UNLOCK(src);
    return TRUE;
}

static gboolean src_unlock(GstBaseSrc *base)
{
    wake_set_unlocked(&GST_FRAMEBUS_SRC(base)->wake, TRUE);
    return TRUE;
}

static gboolean src_unlock_stop(GstBaseSrc *base)
{
    wake_set_unlocked(&GST_FRAMEBUS_SRC(base)->wake, FALSE);
    return TRUE;
}

static gboolean src_send_event(GstElement *element, GstEvent *event)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(element);
    gboolean done;

    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
        src_watch_end(src);
        g_atomic_int_set(&src->ending, TRUE);
    }
    done = GST_ELEMENT_CLASS(gst_framebus_src_parent_class)->send_event(element, event);
    g_atomic_int_set(&src->ending, FALSE);
    return done;
}

static GstStateChangeReturn src_change_state(GstElement *element, GstStateChange transition)
{
    /* The base class does the same, but only before it calls create() again. */
    if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
        src_unlock_stop(GST_BASE_SRC(element));
    return GST_ELEMENT_CLASS(gst_framebus_src_parent_class)->change_state(element, transition);
}

static gboolean src_query(GstBaseSrc *base, GstQuery *query_)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    if (GST_QUERY_TYPE(query_) == GST_QUERY_LATENCY && gst_base_src_is_live(base)) {
        GST_OBJECT_LOCK(src);
        gst_query_set_latency(query_, TRUE, src->latency,
                              GST_CLOCK_TIME_IS_VALID(src->spare_latency) ? src->latency + src->spare_latency
                                                                          : GST_CLOCK_TIME_NONE);
        GST_OBJECT_UNLOCK(src);
        return TRUE;
    }
    return GST_BASE_SRC_CLASS(gst_framebus_src_parent_class)->query(base, query_);
}

/* Downstream lost something, or somebody new is there: the writer's encoder can help. Comes from any thread.
 */
static gboolean src_event(GstBaseSrc *base, GstEvent *event)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(base);

    if (!gst_video_event_is_force_key_unit(event))
        return GST_BASE_SRC_CLASS(gst_framebus_src_parent_class)->event(base, event);
    GST_DEBUG_OBJECT(src, "downstream asks for a key frame");
    GST_OBJECT_LOCK(src);
    if (src->reader)
        framebus_reader_request_key_frame(src->reader);
    GST_OBJECT_UNLOCK(src);
    return TRUE;
}

/* ---- Properties ---------------------------------------------------------------------------- */

static const GEnumValue delivery_values[] = {
    {FRAMEBUS_DELIVERY_LIVE, "In order; a slow reader misses the oldest frames", "live"},
    {FRAMEBUS_DELIVERY_LATEST, "Only the newest frame", "latest"},
    {FRAMEBUS_DELIVERY_LOSSLESS, "Every frame; a writer that is lossless too waits", "lossless"},
    {0, NULL, NULL},
};

static const GEnumValue on_disconnect_values[] = {
    {ON_DISCONNECT_WAIT, "Wait for the next writer of that name", "wait"},
    {ON_DISCONNECT_EOS, "End the stream", "eos"},
    {ON_DISCONNECT_ERROR, "Post an error", "error"},
    {0, NULL, NULL},
};

static const GEnumValue on_timeout_values[] = {
    {ON_TIMEOUT_MESSAGE, "Post a framebussrc-timeout message, again and again", "message"},
    {ON_TIMEOUT_EOS, "Post it and end the stream", "eos"},
    {ON_TIMEOUT_ERROR, "Post an error", "error"},
    {0, NULL, NULL},
};

static const GEnumValue dmabuf_wish_values[] = {
    {DMABUF_AUTO, "As DMA-BUFs where they are", "auto"},
    {DMABUF_NEVER, "As plain memory; what cannot be mapped is an error", "never"},
    {0, NULL, NULL},
};

static void src_get_stats(GObject *object, GValue *value)
{
    g_value_take_boxed(value, src_stats_new(GST_FRAMEBUS_SRC(object)));
}

#define SRC_SETTING(name) G_STRUCT_OFFSET(struct src_settings, name)

static const struct property src_properties[] = {
    {"bus", "Bus", "Name of the bus to read, or the path of its socket", G_TYPE_STRING,
     GST_PARAM_MUTABLE_PLAYING, SRC_SETTING(bus)},
    {"fd", "Socket",
     "Socket (SOCK_SEQPACKET) that another process has just connected to the bus, in place of its name; it "
     "is "
     "duplicated on the way to PAUSED (-1 = none)",
     G_TYPE_INT, GST_PARAM_MUTABLE_READY, SRC_SETTING(fd), .least = -1, .most = G_MAXINT, .initial = -1},
    {"delivery", "Delivery", "How frames reach a pipeline that is slower than the writer", G_TYPE_ENUM,
     GST_PARAM_MUTABLE_READY, SRC_SETTING(delivery), .initial = FRAMEBUS_DELIVERY_LIVE,
     .enum_name = "GstFramebusDelivery", .values = delivery_values},
    {"is-live", "Is live",
     "Frames are of now; else they are those of a file that is read as fast as downstream goes (with "
     "delivery=lossless)",
     G_TYPE_BOOLEAN, GST_PARAM_MUTABLE_READY, SRC_SETTING(is_live), .initial = TRUE},
    {"dmabuf", "DMA-BUF", "Whether frames that are in DMA-BUFs are delivered so, or as plain memory",
     G_TYPE_ENUM, GST_PARAM_MUTABLE_READY, SRC_SETTING(dmabuf), .initial = DMABUF_AUTO,
     .enum_name = "GstFramebusSrcDmabuf", .values = dmabuf_wish_values},
    {"hold", "Hold",
     "Frames that may be held in place at once; further ones are copied (0 = what downstream asks for)",
     G_TYPE_UINT, GST_PARAM_MUTABLE_READY, SRC_SETTING(hold), .most = 255},
    {"max-rate", "Maximum rate",
     "Frames a second that are wanted at the most; frames in between do not even wake this process (0 = all)",
     G_TYPE_UINT, GST_PARAM_MUTABLE_READY, SRC_SETTING(max_rate), .most = G_MAXINT / 1000},
    {"anticipate", "Anticipate",
     "Percent of one processor that may be spent on being awake when a frame is due, so that it is delivered "
     "without a wake-up (0 = none)",
     G_TYPE_UINT, GST_PARAM_MUTABLE_READY, SRC_SETTING(anticipate), .most = 100},
    {"on-disconnect", "On disconnect", "What to do when the writer goes without ending its stream",
     G_TYPE_ENUM, GST_PARAM_MUTABLE_READY, SRC_SETTING(on_disconnect), .initial = ON_DISCONNECT_WAIT,
     .enum_name = "GstFramebusOnDisconnect", .values = on_disconnect_values},
    {"forward-eos", "Forward end of stream",
     "End the stream when the writer ends its own; else wait for the next one", G_TYPE_BOOLEAN,
     GST_PARAM_MUTABLE_PLAYING, SRC_SETTING(forward_eos), .initial = TRUE},
    {"timeout", "Timeout",
     "How long to wait for a writer, or for its next frame, before on-timeout is done (ns, 0 = no limit)",
     G_TYPE_UINT64, GST_PARAM_MUTABLE_PLAYING, SRC_SETTING(timeout), .most = G_MAXUINT64},
    {"on-timeout", "On timeout", "What to do after the timeout", G_TYPE_ENUM, GST_PARAM_MUTABLE_PLAYING,
     SRC_SETTING(on_timeout), .initial = ON_TIMEOUT_MESSAGE, .enum_name = "GstFramebusOnTimeout",
     .values = on_timeout_values},
    {"keep-last", "Keep the last frame",
     "Repeat the last frame while there is no writer, or its stream has ended, whatever forward-eos is",
     G_TYPE_BOOLEAN, GST_PARAM_MUTABLE_PLAYING, SRC_SETTING(keep_last)},
    {"stats", "Statistics",
     "Counters: delivered, missed, copied, dmabuf (in DMA-BUFs) and skipped (they needed a key frame) "
     "frames, held and quota; the number of writers so far and the pid of the present one",
     G_TYPE_BOXED, .get = src_get_stats},
    {NULL},
};

static void src_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec G_GNUC_UNUSED)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(object);
    gboolean is_live;

    properties_set(src_properties, &src->settings, object, id, value);
    GST_OBJECT_LOCK(src);
    is_live = src->settings.is_live;
    GST_OBJECT_UNLOCK(src);
    gst_base_src_set_live(GST_BASE_SRC(src), is_live);
    wake_ask(&src->wake);
}

static void src_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec G_GNUC_UNUSED)
{
    properties_get(src_properties, &GST_FRAMEBUS_SRC(object)->settings, object, id, value);
}

static void src_finalize(GObject *object)
{
    GstFramebusSrc *src = GST_FRAMEBUS_SRC(object);

    properties_finish(src_properties, &src->settings);
    g_free(src->name);
    wake_finish(&src->wake);
    G_OBJECT_CLASS(gst_framebus_src_parent_class)->finalize(object);
}

static void gst_framebus_src_class_init(GstFramebusSrcClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSrcClass *base = GST_BASE_SRC_CLASS(class);

    object->set_property = src_set_property;
    object->get_property = src_get_property;
    object->finalize = src_finalize;
    properties_install(src_properties, object);

    gst_element_class_set_static_metadata(element, "Framebus source", "Source/Generic",
                                          "Delivers the frames of a framebus bus, in place", PLUGIN_AUTHORS);
    gst_element_class_add_static_pad_template(element, &src_template);

    element->send_event = GST_DEBUG_FUNCPTR(src_send_event);
    element->change_state = GST_DEBUG_FUNCPTR(src_change_state);
    base->start = GST_DEBUG_FUNCPTR(src_start);
    base->stop = GST_DEBUG_FUNCPTR(src_stop);
    base->unlock = GST_DEBUG_FUNCPTR(src_unlock);
    base->unlock_stop = GST_DEBUG_FUNCPTR(src_unlock_stop);
    base->get_caps = GST_DEBUG_FUNCPTR(src_get_caps);
    base->negotiate = GST_DEBUG_FUNCPTR(src_negotiate);
    base->decide_allocation = GST_DEBUG_FUNCPTR(src_decide_allocation);
    base->event = GST_DEBUG_FUNCPTR(src_event);
    base->query = GST_DEBUG_FUNCPTR(src_query);
    GST_PUSH_SRC_CLASS(class)->create = GST_DEBUG_FUNCPTR(src_create);
}

static void gst_framebus_src_init(GstFramebusSrc *src)
{
    GstBaseSrc *base = GST_BASE_SRC(src);

    properties_init(src_properties, &src->settings, G_OBJECT(src));
    wake_init(&src->wake);
    gst_base_src_set_live(base, src->settings.is_live);
    gst_base_src_set_format(base, GST_FORMAT_TIME);
}
