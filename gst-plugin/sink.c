/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-framebussink
 * @title: framebussink
 *
 * Publishes each buffer on a framebus bus, where any number of processes read it in place. Upstream elements
 * that take a pool from downstream write straight into the bus's shared memory, and so do devices with
 * `dmabuf=slots`; buffers in DMA-BUFs of upstream's own are shared as they are. Any other memory is copied
 * once.
 *
 * |[
 * gst-launch-1.0 videotestsrc ! video/x-raw,width=1920,height=1080 ! framebussink bus=cam0
 * ]|
 *
 * ## Messages
 *
 * The element posts these element messages:
 *
 * - `framebus-reader-added`, `framebus-reader-removed`: a reader has come or gone. Fields: #gint `pid` and
 *   #gchararray `name` of the reader, #guint `readers`, the number of readers from then on.
 * - `framebussink-stats`: the fields of #GstFramebusSink:stats, at the end of each stream and of each run.
 *
 * Since: 0.9
 */
#include "allocator.h"
#include "caps.h"
#include "element.h"
#include "meta.h"
#include "payload.h"
#include "plugin.h"
#include "pool.h"
#include "publish.h"
#include "service.h"
#include "tiled.h"
#include "timing.h"

#include <errno.h>
#include <gst/video/video.h>

/* Upstream's own buffers that readers may hold beyond the history before frames are copied. */
#define KEPT_FOR_READERS 6

/* More buffers than that are not asked of upstream, which may have little memory for them: V4L2 has 32. */
#define KEPT_MOST 16

/* The slots of a pool unless max-slots is set. With DMA-BUFs each slot has its memory from the beginning. */
#define MAX_SLOTS         128
#define MAX_SLOTS_DMABUFS 32

/* Enough for hundreds of detected objects, or some subtitles. It costs address space only. */
#define METADATA_SIZE (64 * 1024)

/* Which frames are in DMA-BUFs. */
enum dmabuf_use { DMABUF_NONE, DMABUF_UPSTREAM, DMABUF_SLOTS };

struct sink_settings {
    char *bus, *group;
    enum dmabuf_use dmabuf;
    bool wait_for_connection;
    guint stride_align;
    bool huge_pages, locked;
    struct framebus_writer_options
        options; /* group, dmabuf and memory_flags are above; max_slots 0: not set */
};

#define GST_TYPE_FRAMEBUS_SINK gst_framebus_sink_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusSink, gst_framebus_sink, GST, FRAMEBUS_SINK, GstBaseSink)

struct _GstFramebusSink {
    GstBaseSink parent;

    struct sink_settings settings; /* under the object lock */

    GMutex lock;                     /* of the three below */
    GCond arrived;                   /* a reader has come, or waiting for one is over */
    GstFramebusAllocator *allocator; /* from READY to READY; the streaming thread uses it without the lock */
    guint readers;
    gboolean unlocked;

    struct service *service;
    gint has_deltas; /* some frames of these caps depend on others; atomic */

    /* The streaming thread's. */
    struct publisher publisher;
    struct departure departure;
    gint is_live;         /* upstream is; atomic */
    GstBuffer *prerolled; /* the buffer that was published when it was shown in PAUSED */

    /* Counters since start, under the object lock. */
    guint64 zero_copy, imported, copied, bytes, left_out, metas_left_out;
    guint64 posted; /* frames in the statistics that were posted last */
};

enum { SIGNAL_READER_ADDED, SIGNAL_READER_REMOVED, N_SIGNALS };

static guint signals[N_SIGNALS];

GST_DEBUG_CATEGORY_STATIC(framebus_sink_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_sink_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE(GstFramebusSink, gst_framebus_sink, GST_TYPE_BASE_SINK,
                        GST_DEBUG_CATEGORY_INIT(framebus_sink_debug, "framebussink", 0,
                                                "framebussink element"))
GST_ELEMENT_REGISTER_DEFINE(framebussink, "framebussink", GST_RANK_NONE, GST_TYPE_FRAMEBUS_SINK)

/* For threads other than the streaming thread, beside which the sink neither starts nor stops. */
static GstFramebusAllocator *sink_ref_allocator(GstFramebusSink *sink)
{
    GstFramebusAllocator *allocator;

    g_mutex_lock(&sink->lock);
    allocator = sink->allocator ? gst_object_ref(sink->allocator) : NULL;
    g_mutex_unlock(&sink->lock);
    return allocator;
}

/* ---- Readers and statistics ---------------------------------------------------------------- */

static GstStructure *reader_stats(const struct framebus_peer_info *reader)
{
    return gst_structure_new("reader", "id", G_TYPE_UINT64, reader->id, "name", G_TYPE_STRING, reader->label,
                             "pid", G_TYPE_INT, reader->pid, "missed", G_TYPE_UINT64, reader->missed, "held",
                             G_TYPE_UINT, reader->held, NULL);
}

static GstStructure *sink_stats_new(GstFramebusSink *sink)
{
    GstStructure *stats = gst_base_sink_get_stats(GST_BASE_SINK(sink));
    GstFramebusAllocator *allocator = sink_ref_allocator(sink);
    struct framebus_bus_info *info = allocator ? allocator_info(allocator) : NULL;
    GValue readers = G_VALUE_INIT;

    gst_structure_set_name(stats, "framebussink-stats");
    GST_OBJECT_LOCK(sink);
    gst_structure_set(stats, "published", G_TYPE_UINT64, sink->zero_copy + sink->copied, "zero-copy",
                      G_TYPE_UINT64, sink->zero_copy, "imported", G_TYPE_UINT64, sink->imported, "copied",
                      G_TYPE_UINT64, sink->copied, "bytes", G_TYPE_UINT64, sink->bytes, "left-out",
                      G_TYPE_UINT64, sink->left_out, "metas-left-out", G_TYPE_UINT64, sink->metas_left_out,
                      NULL);
    GST_OBJECT_UNLOCK(sink);
    gst_structure_set(stats, "readers", G_TYPE_UINT, info ? info->readers : 0, "evicted", G_TYPE_UINT64,
                      info ? info->evicted : 0, NULL);

    g_value_init(&readers, GST_TYPE_LIST);
    for (guint i = 0; info && i < info->readers; i++) {
        GValue reader = G_VALUE_INIT;

        g_value_init(&reader, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&reader, reader_stats(&info->reader[i]));
        gst_value_list_append_and_take_value(&readers, &reader);
    }
    gst_structure_take_value(stats, "reader-list", &readers);
    framebus_info_free(info, 1);
    gst_clear_object(&allocator);
    return stats;
}

/* Called at the end of each stream and of each run, so that `gst-launch-1.0 -m` shows the statistics. */
static void sink_post_stats(GstFramebusSink *sink)
{
    gboolean news;

    GST_OBJECT_LOCK(sink);
    news = sink->posted != sink->zero_copy + sink->copied;
    sink->posted = sink->zero_copy + sink->copied;
    GST_OBJECT_UNLOCK(sink);
    if (news)
        element_post(GST_ELEMENT(sink), sink_stats_new(sink));
}

static void sink_report_reader(GstFramebusSink *sink, const struct framebus_peer_info *reader, guint readers,
                               guint which, const char *message)
{
    GST_INFO_OBJECT(sink, "%s: %s, pid %d; %u now", message, reader->label, reader->pid, readers);
    g_mutex_lock(&sink->lock);
    sink->readers = readers;
    g_cond_broadcast(&sink->arrived);
    g_mutex_unlock(&sink->lock);

    element_post(GST_ELEMENT(sink),
                 gst_structure_new(message, "pid", G_TYPE_INT, reader->pid, "name", G_TYPE_STRING,
                                   reader->label, "readers", G_TYPE_UINT, readers, NULL));
    g_signal_emit(sink, signals[which], 0, reader->pid, reader->label);
    g_object_notify(G_OBJECT(sink), "num-readers");
}

static void sink_reader_added(const struct framebus_peer_info *reader, guint readers, gpointer user)
{
    sink_report_reader(user, reader, readers, SIGNAL_READER_ADDED, "framebus-reader-added");
}

static void sink_reader_removed(const struct framebus_peer_info *reader, guint readers, gpointer user)
{
    sink_report_reader(user, reader, readers, SIGNAL_READER_REMOVED, "framebus-reader-removed");
}

static void sink_request_key_frame(gpointer user)
{
    if (g_atomic_int_get(&GST_FRAMEBUS_SINK(user)->has_deltas))
        gst_pad_push_event(GST_BASE_SINK_PAD(user),
                           gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
}

static void sink_service_failed(int error, gpointer user)
{
    element_post_error(GST_ELEMENT(user), error);
}

static const struct service_listener listener = {sink_reader_added, sink_reader_removed,
                                                 sink_request_key_frame, sink_service_failed};

/* ---- Start, stop, waiting ------------------------------------------------------------------ */

/* With the object lock held. */
static guint sink_max_slots(const GstFramebusSink *sink)
{
    if (sink->settings.options.max_slots)
        return sink->settings.options.max_slots;
    return sink->settings.dmabuf == DMABUF_SLOTS ? MAX_SLOTS_DMABUFS : MAX_SLOTS;
}

/* Returns TRUE if upstream's memory is shared, with the object lock held. A frame that is not in a slot does
 * not wait for lossless readers. */
static gboolean sink_imports(const GstFramebusSink *sink)
{
    return sink->settings.dmabuf != DMABUF_NONE && !sink->settings.options.lossless;
}

/* What info_align_rows() wants, with the object lock held. */
static guint sink_row_mask(const GstFramebusSink *sink)
{
    const guint align = sink->settings.stride_align;

    return align > 1 ? (1U << g_bit_storage(align - 1)) - 1 : 0;
}

static gboolean sink_open_bus(GstFramebusSink *sink)
{
    struct framebus_writer_options options;
    g_autofree char *bus = NULL, *group = NULL;
    GstFramebusAllocator *allocator;
    gboolean shares;
    guint row_mask;
    int error;

    GST_OBJECT_LOCK(sink);
    options = sink->settings.options;
    options.dmabuf = sink->settings.dmabuf == DMABUF_SLOTS;
    options.memory_flags = (sink->settings.huge_pages ? FRAMEBUS_MEMORY_HUGE_PAGES : 0) |
                           (sink->settings.locked ? FRAMEBUS_MEMORY_LOCKED : 0);
    options.fewer_slots = !options.max_slots;
    options.max_slots = sink_max_slots(sink);
    group = g_strdup(sink->settings.group);
    shares = sink_imports(sink);
    row_mask = sink_row_mask(sink);
    bus = g_strdup(sink->settings.bus);
    sink->zero_copy = sink->imported = sink->copied = sink->bytes = sink->posted = 0;
    sink->left_out = sink->metas_left_out = 0;
    GST_OBJECT_UNLOCK(sink);
    options.group = group;
    meta_load_plugins();
    if (!element_names_bus(GST_ELEMENT(sink), bus))
        return FALSE;
    allocator = allocator_open(bus, options, &error);
    if (!allocator) {
        element_post_error(GST_ELEMENT(sink), error);
        return FALSE;
    }
    sink->service = service_start(allocator, &listener, sink);
    if (!sink->service) {
        GST_ELEMENT_ERROR(sink, RESOURCE, FAILED, ("Cannot start a thread to serve the readers of %s.", bus),
                          (NULL));
        allocator_close(allocator);
        gst_object_unref(allocator);
        return FALSE;
    }
    publisher_init(&sink->publisher, allocator, shares, row_mask);
    g_mutex_lock(&sink->lock);
    sink->allocator = allocator;
    sink->unlocked = FALSE;
    g_mutex_unlock(&sink->lock);
    GST_INFO_OBJECT(sink, "serving bus %s", bus);
    return TRUE;
}

static void sink_close_bus(GstFramebusSink *sink)
{
    GstFramebusAllocator *allocator;

    if (!sink->service)
        return;
    sink_post_stats(sink);
    g_clear_pointer(&sink->service, service_stop);
    gst_clear_buffer(&sink->prerolled);
    departure_finish(&sink->departure);

    g_mutex_lock(&sink->lock);
    allocator = g_steal_pointer(&sink->allocator);
    sink->readers = 0;
    g_mutex_unlock(&sink->lock);
    if (allocator)
        allocator_close(allocator);
    publisher_finish(&sink->publisher);
    gst_clear_object(&allocator);
}

static void sink_set_unlocked(GstFramebusSink *sink, gboolean unlocked)
{
    g_mutex_lock(&sink->lock);
    sink->unlocked = unlocked;
    g_cond_broadcast(&sink->arrived);
    if (sink->allocator)
        allocator_set_unlocked(sink->allocator, unlocked);
    g_mutex_unlock(&sink->lock);
}

static gboolean sink_unlock(GstBaseSink *base)
{
    sink_set_unlocked(GST_FRAMEBUS_SINK(base), TRUE);
    return TRUE;
}

static gboolean sink_unlock_stop(GstBaseSink *base)
{
    sink_set_unlocked(GST_FRAMEBUS_SINK(base), FALSE);
    return TRUE;
}

static void sink_set_flushing(GstFramebusSink *sink, gboolean flushing)
{
    GstFramebusAllocator *allocator = sink_ref_allocator(sink);

    if (allocator)
        allocator_set_flushing(allocator, flushing);
    gst_clear_object(&allocator);
}

/* The bus lives from READY to READY, so that its properties can be changed in between. A sink whose first
 * buffer failed has not come to PAUSED, and goes from READY to NULL with its bus. */
static GstStateChangeReturn sink_change_state(GstElement *element, GstStateChange transition)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(element);
    const gboolean stops =
        transition == GST_STATE_CHANGE_PAUSED_TO_READY || transition == GST_STATE_CHANGE_READY_TO_NULL;
    GstStateChangeReturn r;

    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !sink->service && !sink_open_bus(sink))
        return GST_STATE_CHANGE_FAILURE;
    /* Upstream may be waiting in the pool, which would keep the parent from stopping. */
    if (stops)
        sink_set_flushing(sink, TRUE);

    r = GST_ELEMENT_CLASS(gst_framebus_sink_parent_class)->change_state(element, transition);

    if (stops || (transition == GST_STATE_CHANGE_READY_TO_PAUSED && r == GST_STATE_CHANGE_FAILURE))
        sink_close_bus(sink);
    return r;
}

/* ---- Negotiation --------------------------------------------------------------------------- */

/* Returns TRUE if their buffers can go onto the bus. What is tiled cannot be copied, so it has to be shared.
 */
static gboolean sink_takes(GstFramebusSink *sink, const GstCaps *caps)
{
    GstVideoInfo info;
    guint64 modifier;
    gboolean imports;

    GST_OBJECT_LOCK(sink);
    imports = sink_imports(sink);
    GST_OBJECT_UNLOCK(sink);
    return caps_can_be_shared(caps, 0) || (imports && tiled_from_caps(caps, &info, &modifier));
}

/* Returns pictures first, in the order of caps_of_pictures(), then upstream's other caps that can be shared.
 * A sink whose slots are DMA-BUFs prefers DMA-BUFs. */
static GstCaps *sink_get_caps(GstBaseSink *base, GstCaps *filter)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstCaps *pictures, *dmabufs, *caps;
    gboolean prefers_dmabufs, imports;

    if (!filter || gst_caps_is_any(filter))
        return gst_caps_new_any();
    GST_OBJECT_LOCK(sink);
    prefers_dmabufs = sink->settings.dmabuf == DMABUF_SLOTS;
    imports = sink_imports(sink);
    GST_OBJECT_UNLOCK(sink);
    pictures = caps_of_pictures();
    dmabufs = caps_with_dmabufs(pictures);
    pictures = prefers_dmabufs ? gst_caps_merge(dmabufs, pictures) : gst_caps_merge(pictures, dmabufs);
    caps = gst_caps_intersect_full(pictures, filter, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(pictures);
    for (guint i = 0; i < gst_caps_get_size(filter); i++) {
        GstCaps *tiled = imports ? tiled_part_of_caps(filter, i) : NULL;

        if (tiled)
            caps = gst_caps_merge(caps, tiled);
        else if (!caps_in_dmabufs(filter, i) && caps_can_be_shared(filter, i))
            caps = gst_caps_merge_structure_full(caps, gst_structure_copy(gst_caps_get_structure(filter, i)),
                                                 gst_caps_features_copy(gst_caps_get_features(filter, i)));
    }
    return caps;
}

static gboolean sink_set_caps(GstBaseSink *base, GstCaps *caps)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstCaps *plain;
    char *text;

    if (!sink_takes(sink, caps)) {
        GST_ELEMENT_ERROR(
            sink, STREAM, FORMAT,
            ("Only system memory and DMA-BUFs can be shared, and pictures in tiles only without lossless and "
             "dmabuf=none. Put gldownload, vapostproc, cudadownload or the like before %s.",
             GST_OBJECT_NAME(sink)),
            ("caps are %" GST_PTR_FORMAT, caps));
        return FALSE;
    }
    /* Whether a reader uses DMA-BUFs is for the reader to decide. */
    plain = caps_without_dmabufs(caps);
    if (!plain) /* but what is tiled is nowhere else */
        plain = gst_caps_ref(caps);
    text = gst_caps_to_string(plain);
    if (strlen(text) >= FRAMEBUS_CAPS_MAX) {
        GST_ELEMENT_ERROR(sink, STREAM, FORMAT,
                          ("The caps are %zu characters long; a bus can carry %d. If they have a "
                           "streamheader, comments or pictures "
                           "in it may be too long, and twice as long as text.",
                           strlen(text), FRAMEBUS_CAPS_MAX - 1),
                          ("caps are %.1000s", text));
        gst_caps_unref(plain);
        g_free(text);
        return FALSE;
    }
    g_atomic_int_set(&sink->has_deltas, FALSE);
    publisher_set_caps(&sink->publisher, plain, text);
    sink->departure.is_picture = sink->publisher.is_picture;
    gst_caps_unref(plain);
    return TRUE;
}

/* Returns NULL if there is none for such caps: who asks for DMA-BUFs cannot use other memory. */
static GstBufferPool *sink_propose_pool(GstFramebusSink *sink, GstCaps *caps, gsize size, guint row_mask)
{
    GstFramebusAllocator *allocator;
    GstBufferPool *pool = NULL;
    GstStructure *config;
    gboolean has_dmabufs;

    GST_OBJECT_LOCK(sink);
    has_dmabufs = sink->settings.dmabuf == DMABUF_SLOTS;
    GST_OBJECT_UNLOCK(sink);
    if (caps_in_dmabufs(caps, 0) && !has_dmabufs)
        return NULL;
    allocator = sink_ref_allocator(sink);
    if (!allocator)
        return NULL;
    pool = pool_new(allocator, row_mask);
    config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (!gst_buffer_pool_set_config(pool, config))
        gst_clear_object(&pool);
    gst_object_unref(allocator);
    return pool;
}

/* Encoders and others whose sizes are not known beforehand take an allocator where they would not take a
 * pool. */
static gboolean sink_propose_allocator(GstFramebusSink *sink, GstCaps *plain, GstQuery *query)
{
    g_autofree char *text = gst_caps_to_string(plain);
    GstFramebusAllocator *bus = strlen(text) < FRAMEBUS_CAPS_MAX ? sink_ref_allocator(sink) : NULL;
    GstAllocator *allocator;

    if (!bus)
        return FALSE;
    allocator = payload_allocator_new(bus, text);
    gst_query_add_allocation_param(query, allocator, NULL);
    gst_object_unref(allocator);
    gst_object_unref(bus);
    return TRUE;
}

/* Tells upstream that any layout will do, and which one its own memory had best have. */
static void sink_propose_layout(GstQuery *query, const GstVideoAlignment *align)
{
    GstStructure *wish = NULL;

    if (align->padding_right)
        wish = gst_structure_new("video-meta", "padding-right", G_TYPE_UINT, align->padding_right, NULL);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, wish);
    g_clear_pointer(&wish, gst_structure_free);
}

static gboolean sink_propose_allocation(GstBaseSink *base, GstQuery *query)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstBufferPool *pool = NULL;
    GstVideoInfo info;
    gboolean need_pool, is_picture, is_tiled, done;
    GstCaps *caps, *plain;
    GstVideoAlignment align;
    guint64 modifier;
    guint kept, row_mask;

    gst_query_parse_allocation(query, &caps, &need_pool);
    if (!caps)
        return FALSE;
    plain = caps_without_dmabufs(caps);
    is_picture = plain && caps_are_picture(plain, &info);
    is_tiled = tiled_from_caps(caps, &info, &modifier);
    if (!is_picture && !is_tiled) {
        done = plain && sink_propose_allocator(sink, plain, query);
        if (plain && caps_are_other_raw(plain, &info)) { /* any layout will do: an unusual one is copied */
            gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
            done = TRUE;
        }
        gst_clear_caps(&plain);
        return done;
    }
    gst_clear_caps(&plain);
    /* A buffer from a pool of upstream's own stays on the bus while it is in the history. */
    GST_OBJECT_LOCK(sink);
    row_mask = sink_row_mask(sink);
    kept = sink_imports(sink) ? MIN(sink->settings.options.history + KEPT_FOR_READERS, KEPT_MOST) : 0;
    GST_OBJECT_UNLOCK(sink);
    gst_video_alignment_reset(&align);
    if (row_mask && is_picture)
        info_align_rows(&info, row_mask, &align);
    if (need_pool && is_picture)
        pool = sink_propose_pool(sink, caps, GST_VIDEO_INFO_SIZE(&info), row_mask);
    gst_query_add_allocation_pool(query, pool, GST_VIDEO_INFO_SIZE(&info), kept, 0);
    sink_propose_layout(query, &align);
    gst_query_add_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL);
    gst_clear_object(&pool);
    return TRUE;
}

/* Returns the pad that sends to this one, past the borders of bins, or NULL. */
static GstPad *pad_get_sender(GstPad *pad)
{
    GstPad *peer = gst_pad_get_peer(pad);

    while (peer && GST_IS_PROXY_PAD(peer)) {
        GstProxyPad *border = gst_proxy_pad_get_internal(GST_PROXY_PAD(peer));

        gst_object_unref(peer);
        peer = border ? gst_pad_get_peer(GST_PAD(border)) : NULL;
        gst_clear_object(&border);
    }
    return peer;
}

/* Returns TRUE if upstream does not ask, but has these caps already, which the pad is asked for before it
 * gets them. */
static gboolean sink_is_given_caps(GstBaseSink *base, GstCaps *caps)
{
    GstPad *sender = pad_get_sender(GST_BASE_SINK_PAD(base));
    GstCaps *given = sender ? gst_pad_get_current_caps(sender) : NULL;
    const gboolean are_same = given && gst_caps_is_equal(given, caps);

    gst_clear_caps(&given);
    gst_clear_object(&sender);
    return are_same;
}

static gboolean sink_query(GstBaseSink *base, GstQuery *query_)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstCaps *caps;

    if (GST_QUERY_TYPE(query_) == GST_QUERY_ACCEPT_CAPS) {
        gst_query_parse_accept_caps(query_, &caps);
        /* Such caps as cannot be shared are let in if they come all the same: sink_set_caps() says what is
         * wrong, where the pad would only refuse. */
        gst_query_set_accept_caps_result(query_, sink_takes(sink, caps) || sink_is_given_caps(base, caps));
        return TRUE;
    }
    return GST_BASE_SINK_CLASS(gst_framebus_sink_parent_class)->query(base, query_);
}

/* ---- Publishing ---------------------------------------------------------------------------- */

static void sink_ask_upstream(GstFramebusSink *sink)
{
    GstQuery *latency = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(GST_BASE_SINK_PAD(sink), latency))
        gst_query_parse_latency(latency, &live, NULL, NULL);
    gst_query_unref(latency);
    g_atomic_int_set(&sink->is_live, live);
}

/* Frames of a live source go out at once: waiting for the clock would only make them older. */
static void sink_get_times(GstBaseSink *base, GstBuffer *buffer, GstClockTime *start_, GstClockTime *end)
{
    if (g_atomic_int_get(&GST_FRAMEBUS_SINK(base)->is_live))
        *start_ = *end = GST_CLOCK_TIME_NONE;
    else
        GST_BASE_SINK_CLASS(gst_framebus_sink_parent_class)->get_times(base, buffer, start_, end);
}

/* Counts a buffer that is not published. Returns TRUE for the first of them, of which people are told. */
static gboolean sink_leave_out(GstFramebusSink *sink)
{
    guint64 count;

    GST_OBJECT_LOCK(sink);
    count = ++sink->left_out;
    GST_OBJECT_UNLOCK(sink);
    return count == 1;
}

/* Counts metas of the buffer that was published last for which the frame had no room. The first is told. */
static void sink_count_left_out(GstFramebusSink *sink)
{
    gboolean is_first;

    if (!sink->publisher.metas_left_out)
        return;
    GST_OBJECT_LOCK(sink);
    is_first = !sink->metas_left_out;
    sink->metas_left_out += sink->publisher.metas_left_out;
    GST_OBJECT_UNLOCK(sink);
    if (is_first)
        GST_ELEMENT_WARNING(
            sink, STREAM, FAILED,
            ("A frame has no room for all its metadata. Set metadata-size to a larger value."),
            ("left out: %s", sink->publisher.why_left_out));
}

/* Returns 0 or a negative errno. */
static int sink_publish(GstFramebusSink *sink, GstBuffer *buffer)
{
    static const char *const how[] = {"in place", "in upstream's memory", "a copy"};
    const gboolean is_live = g_atomic_int_get(&sink->is_live);
    /* While prerolling, and without pacing, timestamps have nothing to do with the time of day. */
    const gboolean is_timed = sink->publisher.use != ALLOCATOR_FOR_PREROLL &&
                              (is_live || gst_base_sink_get_sync(GST_BASE_SINK(sink)));
    const struct departure_times times =
        departure_times(&sink->departure, GST_BASE_SINK(sink), buffer, is_timed, is_live);
    const int r = publisher_publish(&sink->publisher, buffer, &times);

    if (r < 0)
        return r;
    if (r == PUBLISHED_NOT) {
        if (sink_leave_out(sink))
            GST_ELEMENT_WARNING(
                sink, STREAM, FAILED,
                ("A picture is left out: upstream has too few buffers to share it, and what is "
                 "in tiles cannot be copied. The statistics count those that follow."),
                ("%" GST_PTR_FORMAT, buffer));
        return 0;
    }
    GST_LOG_OBJECT(sink, "published %s: %" GST_PTR_FORMAT, how[r], buffer);
    sink_count_left_out(sink);
    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT))
        g_atomic_int_set(&sink->has_deltas, TRUE);
    GST_OBJECT_LOCK(sink);
    if (r == PUBLISHED_COPY)
        sink->copied++;
    else
        sink->zero_copy++;
    sink->imported += r == PUBLISHED_IMPORT;
    sink->bytes += gst_buffer_get_size(buffer);
    GST_OBJECT_UNLOCK(sink);
    return 0;
}

static GstFlowReturn sink_post_failure(GstFramebusSink *sink, GstBuffer *buffer, int error)
{
    if (error == -EBADMSG)
        GST_ELEMENT_ERROR(
            sink, STREAM, FORMAT, ("A buffer does not hold what its caps promise."),
            ("%" G_GSIZE_FORMAT " bytes for %s", gst_buffer_get_size(buffer), sink->publisher.text));
    else
        element_post_error(GST_ELEMENT(sink), error);
    return GST_FLOW_ERROR;
}

static gboolean sink_waits(GstFramebusSink *sink)
{
    gboolean waits;

    GST_OBJECT_LOCK(sink);
    waits = sink->settings.wait_for_connection;
    GST_OBJECT_UNLOCK(sink);
    return waits;
}

/* Returns FALSE if the sink was unlocked before a reader came. */
static gboolean sink_wait_for_reader(GstFramebusSink *sink)
{
    gboolean there;

    if (!sink_waits(sink))
        return TRUE;
    g_mutex_lock(&sink->lock);
    while (sink->readers == 0 && !sink->unlocked && sink_waits(sink))
        g_cond_wait(&sink->arrived, &sink->lock);
    there = !sink->unlocked;
    g_mutex_unlock(&sink->lock);
    return there;
}

/* Returns TRUE for a buffer that says only that there is no picture for a while. */
static gboolean sink_is_nothing(const GstFramebusSink *sink, GstBuffer *buffer)
{
    return (sink->publisher.is_picture || sink->publisher.is_raw) && gst_buffer_n_memory(buffer) == 0;
}

/* Returns TRUE for raw video of a format that the bus cannot describe which is not all there. */
static gboolean sink_is_cut(const GstFramebusSink *sink, GstBuffer *buffer)
{
    return sink->publisher.is_raw && !gst_buffer_get_video_meta(buffer) &&
           gst_buffer_get_size(buffer) < GST_VIDEO_INFO_SIZE(&sink->publisher.info);
}

static GstFlowReturn sink_preroll(GstBaseSink *base, GstBuffer *buffer)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    int r;

    if (buffer == sink->prerolled || sink_is_nothing(sink, buffer) || sink_is_cut(sink, buffer) ||
        sink_waits(sink))
        return GST_FLOW_OK;
    /* Waiting here would keep the application from going on to PLAYING. What is not shown now is rendered. */
    sink->publisher.use = ALLOCATOR_FOR_PREROLL;
    r = sink_publish(sink, buffer);
    sink->publisher.use = ALLOCATOR_FOR_RENDER;
    if (r == -ECANCELED)
        return GST_FLOW_OK;
    if (r < 0)
        return sink_post_failure(sink, buffer, r);
    gst_buffer_replace(&sink->prerolled, buffer);
    return GST_FLOW_OK;
}

static GstFlowReturn sink_render(GstBaseSink *base, GstBuffer *buffer)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    const gboolean had = buffer == sink->prerolled;
    GstFlowReturn flow;
    int r;

    gst_clear_buffer(&sink->prerolled);
    if (had)
        return GST_FLOW_OK;
    if (sink_is_nothing(sink, buffer)) {
        if (sink_leave_out(sink))
            GST_INFO_OBJECT(sink, "left out, as all others that are in no memory: %" GST_PTR_FORMAT, buffer);
        return GST_FLOW_OK;
    }
    if (sink_is_cut(sink, buffer)) {
        if (sink_leave_out(sink))
            GST_ELEMENT_WARNING(sink, STREAM, FAILED,
                                ("A picture of %" G_GSIZE_FORMAT
                                 " bytes is left out: its caps promise %" G_GSIZE_FORMAT
                                 ". The statistics count those that follow.",
                                 gst_buffer_get_size(buffer), GST_VIDEO_INFO_SIZE(&sink->publisher.info)),
                                ("%" GST_PTR_FORMAT, buffer));
        return GST_FLOW_OK;
    }
    for (;;) {
        r = sink_wait_for_reader(sink) ? sink_publish(sink, buffer) : -ECANCELED;
        if (r != -ECANCELED)
            return r < 0 ? sink_post_failure(sink, buffer, r) : GST_FLOW_OK;
        flow = gst_base_sink_wait_preroll(base);
        if (flow != GST_FLOW_OK)
            return flow;
    }
}

/* Waits for the end of a pause, also of one that has only unlocked the sink so far. */
static gboolean sink_wait_playing(GstFramebusSink *sink, GstEvent *eos)
{
    GstBaseSink *base = GST_BASE_SINK(sink);
    gboolean unlocked;

    g_mutex_lock(&sink->lock);
    unlocked = sink->unlocked;
    g_mutex_unlock(&sink->lock);
    return (unlocked ? gst_base_sink_wait_preroll(base)
                     : gst_base_sink_do_preroll(base, GST_MINI_OBJECT_CAST(eos))) == GST_FLOW_OK;
}

/* Tells readers that the stream has ended. That may wait for lossless ones, without the lock that the event
 * comes with: changes of state take it. */
static void sink_end(GstFramebusSink *sink, GstEvent *eos)
{
    GstBaseSink *base = GST_BASE_SINK(sink);
    int r;

    do {
        GST_BASE_SINK_PREROLL_UNLOCK(base);
        r = allocator_end(sink->allocator);
        GST_BASE_SINK_PREROLL_LOCK(base);
    } while (r == -ECANCELED && sink_wait_playing(sink, eos));
}

static gboolean sink_event(GstBaseSink *base, GstEvent *event_)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    const GstEventType type = GST_EVENT_TYPE(event_);
    gboolean done;

    if (GST_EVENT_IS_SERIALIZED(event_))
        tags_said_note(&sink->publisher.tags, event_);
    switch (type) {
    case GST_EVENT_FLUSH_START:
        sink_set_flushing(sink, TRUE);
        break;
    case GST_EVENT_SEGMENT:
        sink_ask_upstream(sink);
        break;
    case GST_EVENT_EOS:
        sink_end(sink, event_);
        sink_post_stats(sink);
        break;
    default:
        break;
    }
    done = GST_BASE_SINK_CLASS(gst_framebus_sink_parent_class)->event(base, event_);
    if (type == GST_EVENT_FLUSH_STOP) {
        gst_clear_buffer(&sink->prerolled);
        sink_set_flushing(sink, FALSE);
    }
    return done;
}

/* A source that could not yet tell its latency when the segment began can when the pipeline distributes it.
 */
static gboolean sink_send_event(GstElement *element, GstEvent *event_)
{
    if (GST_EVENT_TYPE(event_) == GST_EVENT_LATENCY)
        sink_ask_upstream(GST_FRAMEBUS_SINK(element));
    return GST_ELEMENT_CLASS(gst_framebus_sink_parent_class)->send_event(element, event_);
}

/* ---- Properties ---------------------------------------------------------------------------- */

static const GEnumValue memory_values[] = {
    {FRAMEBUS_MEMORY_MEMFD, "Sealed memfd: readers cannot write to it, nothing is left behind", "memfd"},
    {FRAMEBUS_MEMORY_POSIX, "POSIX shared memory, visible in /dev/shm; not sealed", "posix"},
    {FRAMEBUS_MEMORY_SYSV, "System V shared memory, visible to ipcs; not sealed", "sysv"},
    {0, NULL, NULL},
};

static const GEnumValue dmabuf_values[] = {
    {DMABUF_NONE, "None: frames in upstream's DMA-BUFs are copied into slots", "none"},
    {DMABUF_UPSTREAM, "Those that come in upstream's own DMA-BUFs, which are shared as they are", "upstream"},
    {DMABUF_SLOTS, "All: slots are DMA-BUFs too, for upstream to import (needs /dev/udmabuf)", "slots"},
    {0, NULL, NULL},
};

static void sink_get_max_slots(GObject *object, GValue *value)
{
    GST_OBJECT_LOCK(object);
    g_value_set_uint(value, sink_max_slots(GST_FRAMEBUS_SINK(object)));
    GST_OBJECT_UNLOCK(object);
}

static void sink_get_num_readers(GObject *object, GValue *value)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(object);

    g_mutex_lock(&sink->lock);
    g_value_set_uint(value, sink->readers);
    g_mutex_unlock(&sink->lock);
}

static void sink_get_stats(GObject *object, GValue *value)
{
    g_value_take_boxed(value, sink_stats_new(GST_FRAMEBUS_SINK(object)));
}

#define SINK_SETTING(name) G_STRUCT_OFFSET(struct sink_settings, name)

static const struct property sink_properties[] = {
    {"bus", "Bus", "Name of the bus to serve ([A-Za-z0-9._-], up to 64), or the path of its socket",
     G_TYPE_STRING, GST_PARAM_MUTABLE_READY, SINK_SETTING(bus)},
    {"memory", "Memory", "Where the shared memory comes from", G_TYPE_ENUM, GST_PARAM_MUTABLE_READY,
     SINK_SETTING(options.memory), .initial = FRAMEBUS_MEMORY_MEMFD, .enum_name = "GstFramebusMemoryType",
     .values = memory_values},
    {"huge-pages", "Huge pages",
     "Put memfd or sysv memory into huge pages, which the system must have set aside, or fail",
     G_TYPE_BOOLEAN, GST_PARAM_MUTABLE_READY, SINK_SETTING(huge_pages)},
    {"locked", "Locked", "Keep slots from being swapped out (mlock)", G_TYPE_BOOLEAN, GST_PARAM_MUTABLE_READY,
     SINK_SETTING(locked)},
    {"access-mode", "Access mode",
     "Who may read, as a file's mode: 384 (0600) is the user alone, 432 (0660) the group too", G_TYPE_UINT,
     GST_PARAM_MUTABLE_READY, SINK_SETTING(options.access_mode), .most = 0777, .initial = 0600},
    {"group", "Group", "Name or number of the group that the bus belongs to (NULL = the process's)",
     G_TYPE_STRING, GST_PARAM_MUTABLE_READY, SINK_SETTING(group)},
    {"history", "History", "Frames kept for readers that come late or lag behind", G_TYPE_UINT,
     GST_PARAM_MUTABLE_READY, SINK_SETTING(options.history), .least = 1, .most = 256,
     .initial = FRAMEBUS_HISTORY_DEFAULT},
    {"max-slots", "Maximum slots",
     "Room for at most this many frames; slots that are never used take no memory (with dmabuf=slots all do, "
     "and there are 32 unless set)",
     G_TYPE_UINT, GST_PARAM_MUTABLE_READY, SINK_SETTING(options.max_slots), .least = 24,
     .most = FRAMEBUS_SLOTS_MAX, .initial = MAX_SLOTS, .get = sink_get_max_slots},
    {"metadata-size", "Metadata size",
     "Room for the metadata of a frame, in bytes; what is not used takes no memory", G_TYPE_UINT,
     GST_PARAM_MUTABLE_READY, SINK_SETTING(options.meta_size), .least = 8, .most = FRAMEBUS_META_MAX,
     .initial = METADATA_SIZE},
    {"dmabuf", "DMA-BUF", "Which frames are in DMA-BUFs", G_TYPE_ENUM, GST_PARAM_MUTABLE_READY,
     SINK_SETTING(dmabuf), .initial = DMABUF_UPSTREAM, .enum_name = "GstFramebusDmabuf",
     .values = dmabuf_values},
    {"dmabuf-for-all", "DMA-BUF for all",
     "Give DMA-BUFs, and with them the means to write to frames, to all users who may read, not only to this "
     "user and root",
     G_TYPE_BOOLEAN, GST_PARAM_MUTABLE_READY, SINK_SETTING(options.dmabuf_for_all)},
    {"stride-align", "Stride alignment",
     "Rows begin at multiples of so many bytes, a power of two (other numbers are rounded up), where what "
     "comes before knows GstVideoMeta: 64 and 256 suit devices that import slots",
     G_TYPE_UINT, GST_PARAM_MUTABLE_READY, SINK_SETTING(stride_align), .least = 1, .most = 4096,
     .initial = 1},
    {"lossless", "Lossless", "Wait for readers that asked for lossless delivery", G_TYPE_BOOLEAN,
     GST_PARAM_MUTABLE_READY, SINK_SETTING(options.lossless)},
    {"lossless-timeout", "Lossless timeout",
     "How long to wait for a lossless reader before it is made a live one (ns, -1 = no limit)", G_TYPE_INT64,
     GST_PARAM_MUTABLE_READY, SINK_SETTING(options.lossless_timeout_ns), .least = -1, .most = G_MAXINT64,
     .initial = GST_SECOND},
    {"wait-for-connection", "Wait for a connection", "Publish nothing until there is a reader",
     G_TYPE_BOOLEAN, GST_PARAM_MUTABLE_PLAYING, SINK_SETTING(wait_for_connection)},
    {"num-readers", "Number of readers", "How many readers are attached to the bus", G_TYPE_UINT,
     .most = G_MAXUINT, .get = sink_get_num_readers},
    {"stats", "Statistics",
     "Counters: published = zero-copy (imported: of these, in upstream's memory) + copied frames, bytes, "
     "left-out and metas-left-out (not published), readers, evicted, reader-list, and those of every sink",
     G_TYPE_BOXED, .get = sink_get_stats},
    {NULL},
};

static void sink_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec G_GNUC_UNUSED)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(object);

    properties_set(sink_properties, &sink->settings, object, id, value);
    g_mutex_lock(&sink->lock);
    g_cond_broadcast(&sink->arrived); /* it may be wait-for-connection */
    g_mutex_unlock(&sink->lock);
}

static void sink_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec G_GNUC_UNUSED)
{
    properties_get(sink_properties, &GST_FRAMEBUS_SINK(object)->settings, object, id, value);
}

static void sink_finalize(GObject *object)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(object);

    properties_finish(sink_properties, &sink->settings);
    g_mutex_clear(&sink->lock);
    g_cond_clear(&sink->arrived);
    G_OBJECT_CLASS(gst_framebus_sink_parent_class)->finalize(object);
}

static void gst_framebus_sink_class_init(GstFramebusSinkClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSinkClass *base = GST_BASE_SINK_CLASS(class);

    object->set_property = sink_set_property;
    object->get_property = sink_get_property;
    object->finalize = sink_finalize;
    properties_install(sink_properties, object);

    /**
     * GstFramebusSink::reader-added:
     * @pid: the reader's process
     * @name: what it calls itself
     *
     * A reader has attached to the bus. Emitted in a thread of the element's own, which the handler must not
     * stop: it may not set the element's state to NULL.
     *
     * Since: 0.9
     */
    signals[SIGNAL_READER_ADDED] =
        g_signal_new("reader-added", G_TYPE_FROM_CLASS(class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_STRING);
    /**
     * GstFramebusSink::reader-removed:
     * @pid: the reader's process
     * @name: what it calls itself
     *
     * A reader has gone, or was thrown out. Emitted in a thread of the element's own: see
     * #GstFramebusSink::reader-added.
     *
     * Since: 0.9
     */
    signals[SIGNAL_READER_REMOVED] =
        g_signal_new("reader-removed", G_TYPE_FROM_CLASS(class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_STRING);

    gst_element_class_set_static_metadata(
        element, "Framebus sink", "Sink/Generic",
        "Publishes each buffer on a framebus bus, where any number of processes read it in place",
        PLUGIN_AUTHORS);
    gst_element_class_add_static_pad_template(element, &sink_template);
    element->change_state = GST_DEBUG_FUNCPTR(sink_change_state);
    element->send_event = GST_DEBUG_FUNCPTR(sink_send_event);

    base->unlock = GST_DEBUG_FUNCPTR(sink_unlock);
    base->unlock_stop = GST_DEBUG_FUNCPTR(sink_unlock_stop);
    base->get_caps = GST_DEBUG_FUNCPTR(sink_get_caps);
    base->set_caps = GST_DEBUG_FUNCPTR(sink_set_caps);
    base->propose_allocation = GST_DEBUG_FUNCPTR(sink_propose_allocation);
    base->query = GST_DEBUG_FUNCPTR(sink_query);
    base->event = GST_DEBUG_FUNCPTR(sink_event);
    base->get_times = GST_DEBUG_FUNCPTR(sink_get_times);
    base->preroll = GST_DEBUG_FUNCPTR(sink_preroll);
    base->render = GST_DEBUG_FUNCPTR(sink_render);
}

static void gst_framebus_sink_init(GstFramebusSink *sink)
{
    GstBaseSink *base = GST_BASE_SINK(sink);

    g_mutex_init(&sink->lock);
    g_cond_init(&sink->arrived);
    properties_init(sink_properties, &sink->settings, G_OBJECT(sink));
    sink->settings.options.max_slots = 0;

    /* The last buffer would hold a slot, and nobody draws here: nothing is due by a deadline. */
    gst_base_sink_set_last_sample_enabled(base, FALSE);
    gst_base_sink_set_processing_deadline(base, 0);
}
