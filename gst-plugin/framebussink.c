/* SPDX-License-Identifier: MIT */
/**
 * SECTION:element-framebussink
 * @title: framebussink
 *
 * Publishes each buffer on a framebus bus, where any number of processes read it in place. Upstream elements
 * that take a pool from downstream write straight into the bus's shared memory, devices included if `dmabuf`
 * is set; what comes in DMA-BUFs of upstream's own is shared as it is. Any other memory is copied once.
 *
 * |[
 * gst-launch-1.0 videotestsrc ! video/x-raw,width=1920,height=1080 ! framebussink bus=cam0
 * ]|
 */
#include "framebussink.h"

#include "caps.h"
#include "departure.h"
#include "devicecaps.h"
#include "errors.h"
#include "lender.h"
#include "properties.h"
#include "publisher.h"
#include "service.h"
#include "settings.h"
#include "slotpool.h"

#include <errno.h>
#include <gst/video/video.h>

/* Frames in upstream's own buffers that readers may hold beyond the history without any being copied. */
#define KEPT_FOR_READERS 6

struct _GstFramebusSink {
    GstBaseSink parent;

    /* Properties, under the object lock. */
    struct sink_settings settings;
    gboolean wait_for_connection;

    GMutex lock;               /* of the three below */
    GCond arrived;             /* a reader has come, or waiting for one is over */
    GstFramebusLender *lender; /* set from READY to READY; the streaming thread needs no lock to use it */
    guint readers;
    gboolean unlocked;

    struct service *service;
    struct foreign *foreign; /* NULL: upstream's memory is copied */

    /* The streaming thread's. */
    struct publisher publisher;
    struct timebase timebase;
    gboolean is_live;
    GstBuffer *prerolled; /* published already when it was shown in PAUSED */
    gboolean prerolling;  /* showing in PAUSED: the time of day is not the stream's */

    /* Counters since start, under the object lock. */
    guint64 zero_copy, foreign_frames, copied, bytes;
    guint64 posted;
};

enum { SIGNAL_READER_ADDED, SIGNAL_READER_REMOVED, N_SIGNALS };

static GParamSpec *props[SINK_PROPERTIES];
static guint signals[N_SIGNALS];

GST_DEBUG_CATEGORY_STATIC(framebus_sink_debug);
#define GST_CAT_DEFAULT framebus_sink_debug

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE(GstFramebusSink, gst_framebus_sink, GST_TYPE_BASE_SINK,
                        GST_DEBUG_CATEGORY_INIT(framebus_sink_debug, "framebussink", 0,
                                                "framebussink element"))
GST_ELEMENT_REGISTER_DEFINE(framebussink, "framebussink", GST_RANK_NONE, GST_TYPE_FRAMEBUS_SINK)

/* For threads other than the streaming thread, which start and stop cannot run beside. */
static GstFramebusLender *ref_lender(GstFramebusSink *sink)
{
    GstFramebusLender *lender;

    g_mutex_lock(&sink->lock);
    lender = sink->lender ? gst_object_ref(sink->lender) : NULL;
    g_mutex_unlock(&sink->lock);
    return lender;
}

/* ---- Readers and statistics ---------------------------------------------------------------- */

static GstStructure *stats_of_reader(const struct framebus_peer_info *reader)
{
    return gst_structure_new("reader", "name", G_TYPE_STRING, reader->label, "pid", G_TYPE_INT, reader->pid,
                             "missed", G_TYPE_UINT64, reader->missed, "held", G_TYPE_UINT, reader->held,
                             NULL);
}

static GstStructure *stats_of(GstFramebusSink *sink)
{
    GstStructure *stats = gst_base_sink_get_stats(GST_BASE_SINK(sink));
    GstFramebusLender *lender = ref_lender(sink);
    struct framebus_bus_info *info = lender ? lender_info(lender) : NULL;
    GValue readers = G_VALUE_INIT;

    gst_structure_set_name(stats, "framebussink-stats");
    GST_OBJECT_LOCK(sink);
    gst_structure_set(stats, "published", G_TYPE_UINT64, sink->zero_copy + sink->copied, "zero-copy",
                      G_TYPE_UINT64, sink->zero_copy, "foreign", G_TYPE_UINT64, sink->foreign_frames,
                      "copied", G_TYPE_UINT64, sink->copied, "bytes", G_TYPE_UINT64, sink->bytes, NULL);
    GST_OBJECT_UNLOCK(sink);
    gst_structure_set(stats, "readers", G_TYPE_UINT, info ? info->readers : 0, "evicted", G_TYPE_UINT64,
                      info ? info->evicted : 0, NULL);

    g_value_init(&readers, GST_TYPE_LIST);
    for (guint i = 0; info && i < info->readers; i++) {
        GValue reader = G_VALUE_INIT;

        g_value_init(&reader, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&reader, stats_of_reader(&info->reader[i]));
        gst_value_list_append_and_take_value(&readers, &reader);
    }
    gst_structure_take_value(stats, "reader-list", &readers);
    framebus_info_free(info, 1);
    gst_clear_object(&lender);
    return stats;
}

/* At the end of each stream and of each run, so that `gst-launch-1.0 -m` shows them. */
static void post_stats(GstFramebusSink *sink)
{
    gboolean news;

    GST_OBJECT_LOCK(sink);
    news = sink->posted != sink->zero_copy + sink->copied;
    sink->posted = sink->zero_copy + sink->copied;
    GST_OBJECT_UNLOCK(sink);
    if (news)
        gst_element_post_message(GST_ELEMENT(sink),
                                 gst_message_new_element(GST_OBJECT(sink), stats_of(sink)));
}

static void tell_of_reader(GstFramebusSink *sink, const struct framebus_peer_info *reader, guint readers,
                           guint which, const char *message)
{
    GST_INFO_OBJECT(sink, "%s: %s, pid %d; %u now", message, reader->label, reader->pid, readers);
    g_mutex_lock(&sink->lock);
    sink->readers = readers;
    g_cond_broadcast(&sink->arrived);
    g_mutex_unlock(&sink->lock);

    gst_element_post_message(
        GST_ELEMENT(sink),
        gst_message_new_element(GST_OBJECT(sink), gst_structure_new(message, "pid", G_TYPE_INT, reader->pid,
                                                                    "name", G_TYPE_STRING, reader->label,
                                                                    "readers", G_TYPE_UINT, readers, NULL)));
    g_signal_emit(sink, signals[which], 0, reader->pid, reader->label);
    g_object_notify_by_pspec(G_OBJECT(sink), props[SINK_NUM_READERS]);
}

static void reader_added(const struct framebus_peer_info *reader, guint readers, gpointer user)
{
    tell_of_reader(user, reader, readers, SIGNAL_READER_ADDED, "framebus-reader-added");
}

static void reader_removed(const struct framebus_peer_info *reader, guint readers, gpointer user)
{
    tell_of_reader(user, reader, readers, SIGNAL_READER_REMOVED, "framebus-reader-removed");
}

static void key_frame_wanted(gpointer user)
{
    GstPad *pad = GST_BASE_SINK_PAD(user);
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GstVideoInfo info;

    if (caps && !caps_are_picture(caps, &info))
        gst_pad_push_event(pad, gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 0));
    gst_clear_caps(&caps);
}

static void service_failed(int error, gpointer user)
{
    post_library_error(GST_ELEMENT(user), error);
}

static const struct service_listener listener = {reader_added, reader_removed, key_frame_wanted,
                                                 service_failed};

/* ---- Start, stop, waiting ------------------------------------------------------------------ */

/* What is not in a slot waits for no lossless reader. */
static gboolean shares_upstreams(const GstFramebusSink *sink)
{
    return sink->settings.dmabuf != DMABUF_NONE && !sink->settings.options.lossless;
}

static gboolean open_bus(GstFramebusSink *sink)
{
    struct framebus_writer_options options;
    g_autofree char *bus = NULL, *group = NULL;
    GstFramebusLender *lender;
    gboolean shares;
    int error;

    GST_OBJECT_LOCK(sink);
    options = sink->settings.options;
    options.max_slots = sink_settings_max_slots(&sink->settings);
    group = g_strdup(sink->settings.group);
    shares = shares_upstreams(sink);
    bus = g_strdup(sink->settings.bus);
    sink->zero_copy = sink->foreign_frames = sink->copied = sink->bytes = sink->posted = 0;
    GST_OBJECT_UNLOCK(sink);
    options.group = group;
    if (!bus || !bus[0]) {
        GST_ELEMENT_ERROR(sink, RESOURCE, SETTINGS, ("No bus is named. Set the property, e.g. bus=cam0."),
                          (NULL));
        return FALSE;
    }

    lender = lender_open(bus, options, &error);
    if (!lender) {
        post_library_error(GST_ELEMENT(sink), error);
        return FALSE;
    }
    sink->service = service_start(lender, &listener, sink);
    if (!sink->service) {
        GST_ELEMENT_ERROR(sink, RESOURCE, FAILED, ("Cannot start a thread to serve the readers of %s.", bus),
                          (NULL));
        lender_close(lender);
        gst_object_unref(lender);
        return FALSE;
    }
    sink->foreign = shares ? foreign_new(lender) : NULL;
    g_mutex_lock(&sink->lock);
    sink->lender = lender;
    sink->unlocked = FALSE;
    g_mutex_unlock(&sink->lock);
    GST_INFO_OBJECT(sink, "serving bus %s", bus);
    return TRUE;
}

static void close_bus(GstFramebusSink *sink)
{
    GstFramebusLender *lender;

    post_stats(sink);
    g_clear_pointer(&sink->service, service_stop);
    gst_clear_buffer(&sink->prerolled);
    publisher_finish(&sink->publisher);
    timebase_finish(&sink->timebase);

    g_mutex_lock(&sink->lock);
    lender = g_steal_pointer(&sink->lender);
    sink->readers = 0;
    g_mutex_unlock(&sink->lock);
    if (lender)
        lender_close(lender);
    g_clear_pointer(&sink->foreign, foreign_free);
    gst_clear_object(&lender);
}

static void set_unlocked(GstFramebusSink *sink, gboolean unlocked)
{
    g_mutex_lock(&sink->lock);
    sink->unlocked = unlocked;
    g_cond_broadcast(&sink->arrived);
    if (sink->lender)
        lender_set_unlocked(sink->lender, unlocked);
    g_mutex_unlock(&sink->lock);
}

static gboolean unlock(GstBaseSink *base)
{
    set_unlocked(GST_FRAMEBUS_SINK(base), TRUE);
    return TRUE;
}

static gboolean unlock_stop(GstBaseSink *base)
{
    set_unlocked(GST_FRAMEBUS_SINK(base), FALSE);
    return TRUE;
}

static void set_flushing(GstFramebusSink *sink, gboolean flushing)
{
    GstFramebusLender *lender = ref_lender(sink);

    if (lender)
        lender_set_flushing(lender, flushing);
    gst_clear_object(&lender);
}

/* The bus lives from READY to READY, so that its properties can be changed in between. */
static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(element);
    GstStateChangeReturn r;

    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !open_bus(sink))
        return GST_STATE_CHANGE_FAILURE;
    /* Upstream may sit in the pool and keep the parent from stopping. */
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        set_flushing(sink, TRUE);
    if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
        service_set_publishing(sink->service, FALSE);

    r = GST_ELEMENT_CLASS(gst_framebus_sink_parent_class)->change_state(element, transition);

    if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
        service_set_publishing(sink->service, TRUE);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY ||
        (transition == GST_STATE_CHANGE_READY_TO_PAUSED && r == GST_STATE_CHANGE_FAILURE))
        close_bus(sink);
    return r;
}

/* ---- Negotiation --------------------------------------------------------------------------- */

/* Pictures first, in our order, then whatever else upstream has, but for what cannot be shared. A sink with
 * DMA-BUFs prefers upstream's own. */
static GstCaps *get_caps(GstBaseSink *base, GstCaps *filter)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstCaps *pictures, *dmabufs, *caps;
    gboolean prefers_dmabufs;

    if (!filter || gst_caps_is_any(filter))
        return gst_caps_new_any();
    GST_OBJECT_LOCK(sink);
    prefers_dmabufs = sink->settings.options.dmabuf;
    GST_OBJECT_UNLOCK(sink);
    pictures = caps_of_pictures();
    dmabufs = caps_with_dmabufs(pictures);
    pictures = prefers_dmabufs ? gst_caps_merge(dmabufs, pictures) : gst_caps_merge(pictures, dmabufs);
    caps = gst_caps_intersect_full(pictures, filter, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref(pictures);
    for (guint i = 0; i < gst_caps_get_size(filter); i++) {
        if (caps_can_be_shared(filter, i))
            caps = gst_caps_merge_structure_full(caps, gst_structure_copy(gst_caps_get_structure(filter, i)),
                                                 gst_caps_features_copy(gst_caps_get_features(filter, i)));
    }
    return caps;
}

static gboolean set_caps(GstBaseSink *base, GstCaps *caps)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstCaps *told;
    char *text;

    if (!caps_can_be_shared(caps, 0)) {
        GST_ELEMENT_ERROR(
            sink, STREAM, FORMAT,
            ("Only system memory and linear DMA-BUFs can be shared. Put gldownload, cudadownload "
             "or the like before %s.",
             GST_OBJECT_NAME(sink)),
            ("caps are %" GST_PTR_FORMAT, caps));
        return FALSE;
    }
    /* Readers decide for themselves how to look at the memory. */
    told = caps_in_dmabufs(caps, 0) ? caps_without_dmabufs(caps) : gst_caps_ref(caps);
    text = gst_caps_to_string(told);
    if (strlen(text) >= FRAMEBUS_CAPS_MAX) {
        GST_ELEMENT_ERROR(
            sink, STREAM, FORMAT,
            ("The caps are %zu characters long; a bus can carry %d.", strlen(text), FRAMEBUS_CAPS_MAX - 1),
            ("caps are %s", text));
        gst_caps_unref(told);
        g_free(text);
        return FALSE;
    }
    publisher_set_caps(&sink->publisher, told, text);
    gst_caps_unref(told);
    return TRUE;
}

static gboolean propose_allocation(GstBaseSink *base, GstQuery *query)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    GstFramebusLender *lender;
    GstBufferPool *pool = NULL;
    GstVideoInfo info;
    GstCaps *caps;
    gboolean need_pool;
    guint kept;

    gst_query_parse_allocation(query, &caps, &need_pool);
    if (!caps || !caps_are_picture(caps, &info))
        return FALSE;
    lender = ref_lender(sink);
    if (!lender)
        return FALSE;
    if (need_pool) {
        GstStructure *config;

        pool = slot_pool_new(lender);
        config = gst_buffer_pool_get_config(pool);
        gst_buffer_pool_config_set_params(config, caps, GST_VIDEO_INFO_SIZE(&info), 0, 0);
        gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
        if (!gst_buffer_pool_set_config(pool, config))
            gst_clear_object(&pool);
    }
    /* What upstream publishes from a pool of its own stays with us as long as it is in the history. */
    GST_OBJECT_LOCK(sink);
    kept = shares_upstreams(sink) ? sink->settings.options.history + KEPT_FOR_READERS : 0;
    GST_OBJECT_UNLOCK(sink);
    gst_query_add_allocation_pool(query, pool, GST_VIDEO_INFO_SIZE(&info), kept, 0);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    gst_clear_object(&pool);
    gst_object_unref(lender);
    return TRUE;
}

static gboolean query(GstBaseSink *base, GstQuery *query_)
{
    GstCaps *caps;

    if (GST_QUERY_TYPE(query_) == GST_QUERY_ACCEPT_CAPS) {
        gst_query_parse_accept_caps(query_, &caps);
        gst_query_set_accept_caps_result(query_, caps_can_be_shared(caps, 0));
        return TRUE;
    }
    return GST_BASE_SINK_CLASS(gst_framebus_sink_parent_class)->query(base, query_);
}

/* ---- Publishing ---------------------------------------------------------------------------- */

static gboolean is_upstream_live(GstBaseSink *base)
{
    GstQuery *latency = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(GST_BASE_SINK_PAD(base), latency))
        gst_query_parse_latency(latency, &live, NULL, NULL);
    gst_query_unref(latency);
    return live;
}

/* Frames of a live source go out at once: waiting for the clock would only make them older. */
static void get_times(GstBaseSink *base, GstBuffer *buffer, GstClockTime *start_, GstClockTime *end)
{
    if (GST_FRAMEBUS_SINK(base)->is_live)
        *start_ = *end = GST_CLOCK_TIME_NONE;
    else
        GST_BASE_SINK_CLASS(gst_framebus_sink_parent_class)->get_times(base, buffer, start_, end);
}

/* Zero, or a negative errno. */
static int publish(GstFramebusSink *sink, GstBuffer *buffer)
{
    static const char *const how[] = {"in place", "in upstream's memory", "a copy"};
    /* While prerolling, and without pacing, timestamps have nothing to do with the time of day. */
    const gboolean is_timed =
        !sink->prerolling && (sink->is_live || gst_base_sink_get_sync(GST_BASE_SINK(sink)));
    int r = publisher_publish(
        &sink->publisher, sink->lender, sink->foreign, buffer,
        departure_capture_time(&sink->timebase, GST_BASE_SINK(sink), buffer, is_timed, sink->is_live));

    if (r < 0)
        return r;
    GST_LOG_OBJECT(sink, "published %s: %" GST_PTR_FORMAT, how[r], buffer);
    GST_OBJECT_LOCK(sink);
    if (r == PUBLISHED_COPY)
        sink->copied++;
    else
        sink->zero_copy++;
    sink->foreign_frames += r == PUBLISHED_FOREIGN;
    sink->bytes += gst_buffer_get_size(buffer);
    GST_OBJECT_UNLOCK(sink);
    return 0;
}

static GstFlowReturn publish_failed(GstFramebusSink *sink, GstBuffer *buffer, int error)
{
    if (error == -EBADMSG)
        GST_ELEMENT_ERROR(
            sink, STREAM, FORMAT, ("A buffer does not hold what its caps promise."),
            ("%" G_GSIZE_FORMAT " bytes for %s", gst_buffer_get_size(buffer), sink->publisher.text));
    else
        post_library_error(GST_ELEMENT(sink), error);
    return GST_FLOW_ERROR;
}

/* False if unlocked before a reader came. */
static gboolean wait_for_reader(GstFramebusSink *sink)
{
    gboolean there;

    if (!g_atomic_int_get(&sink->wait_for_connection))
        return TRUE;
    g_mutex_lock(&sink->lock);
    while (sink->readers == 0 && !sink->unlocked && g_atomic_int_get(&sink->wait_for_connection))
        g_cond_wait(&sink->arrived, &sink->lock);
    there = !sink->unlocked;
    g_mutex_unlock(&sink->lock);
    return there;
}

static GstFlowReturn preroll(GstBaseSink *base, GstBuffer *buffer)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    int r;

    if (buffer == sink->prerolled || g_atomic_int_get(&sink->wait_for_connection))
        return GST_FLOW_OK;
    sink->prerolling = TRUE;
    r = publish(sink, buffer);
    sink->prerolling = FALSE;
    if (r == -ECANCELED)
        return GST_FLOW_OK;
    if (r < 0)
        return publish_failed(sink, buffer, r);
    gst_buffer_replace(&sink->prerolled, buffer);
    return GST_FLOW_OK;
}

static GstFlowReturn render(GstBaseSink *base, GstBuffer *buffer)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    const gboolean had = buffer == sink->prerolled;
    GstFlowReturn flow;
    int r;

    gst_clear_buffer(&sink->prerolled);
    if (had)
        return GST_FLOW_OK;
    for (;;) {
        r = wait_for_reader(sink) ? publish(sink, buffer) : -ECANCELED;
        if (r != -ECANCELED)
            return r < 0 ? publish_failed(sink, buffer, r) : GST_FLOW_OK;
        flow = gst_base_sink_wait_preroll(base);
        if (flow != GST_FLOW_OK)
            return flow;
    }
}

static gboolean event(GstBaseSink *base, GstEvent *event_)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(base);
    const GstEventType type = GST_EVENT_TYPE(event_);
    gboolean done;

    switch (type) {
    case GST_EVENT_FLUSH_START:
        set_flushing(sink, TRUE);
        break;
    case GST_EVENT_SEGMENT:
        sink->is_live = is_upstream_live(base);
        break;
    case GST_EVENT_EOS:
        lender_end(sink->lender);
        post_stats(sink);
        break;
    default:
        break;
    }
    done = GST_BASE_SINK_CLASS(gst_framebus_sink_parent_class)->event(base, event_);
    if (type == GST_EVENT_FLUSH_STOP) {
        gst_clear_buffer(&sink->prerolled);
        set_flushing(sink, FALSE);
    }
    return done;
}

/* ---- Properties ---------------------------------------------------------------------------- */

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(object);

    GST_OBJECT_LOCK(sink);
    switch (id) {
    case SINK_WAIT_FOR_CONNECTION:
        g_mutex_lock(&sink->lock);
        g_atomic_int_set(&sink->wait_for_connection, g_value_get_boolean(value));
        g_cond_broadcast(&sink->arrived);
        g_mutex_unlock(&sink->lock);
        break;
    default:
        if (!sink_settings_set(&sink->settings, id, value))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
    GST_OBJECT_UNLOCK(sink);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(object);

    switch (id) {
    case SINK_NUM_READERS:
        g_mutex_lock(&sink->lock);
        g_value_set_uint(value, sink->readers);
        g_mutex_unlock(&sink->lock);
        return;
    case SINK_STATS:
        g_value_take_boxed(value, stats_of(sink));
        return;
    default:
        break;
    }

    GST_OBJECT_LOCK(sink);
    switch (id) {
    case SINK_WAIT_FOR_CONNECTION:
        g_value_set_boolean(value, g_atomic_int_get(&sink->wait_for_connection));
        break;
    default:
        if (!sink_settings_get(&sink->settings, id, value))
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
    GST_OBJECT_UNLOCK(sink);
}

static void finalize(GObject *object)
{
    GstFramebusSink *sink = GST_FRAMEBUS_SINK(object);

    sink_settings_finish(&sink->settings);
    g_mutex_clear(&sink->lock);
    g_cond_clear(&sink->arrived);
    G_OBJECT_CLASS(gst_framebus_sink_parent_class)->finalize(object);
}

static void gst_framebus_sink_class_init(GstFramebusSinkClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSinkClass *base = GST_BASE_SINK_CLASS(class);

    object->set_property = set_property;
    object->get_property = get_property;
    object->finalize = finalize;
    sink_properties_install(object, props);

    /**
     * GstFramebusSink::reader-added:
     * @pid: the reader's process
     * @name: what it calls itself
     *
     * A reader has attached to the bus. Emitted in a thread of the element's own.
     */
    signals[SIGNAL_READER_ADDED] =
        g_signal_new("reader-added", G_TYPE_FROM_CLASS(class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_STRING);
    /**
     * GstFramebusSink::reader-removed:
     * @pid: the reader's process
     * @name: what it calls itself
     *
     * A reader has gone, or was thrown out. Emitted in a thread of the element's own.
     */
    signals[SIGNAL_READER_REMOVED] =
        g_signal_new("reader-removed", G_TYPE_FROM_CLASS(class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_STRING);

    gst_element_class_set_static_metadata(
        element, "Framebus sink", "Sink/Video",
        "Publishes each buffer on a framebus bus, where any number of processes read it in place",
        "framebus");
    gst_element_class_add_static_pad_template(element, &sink_template);
    element->change_state = change_state;

    base->unlock = unlock;
    base->unlock_stop = unlock_stop;
    base->get_caps = get_caps;
    base->set_caps = set_caps;
    base->propose_allocation = propose_allocation;
    base->query = query;
    base->event = event;
    base->get_times = get_times;
    base->preroll = preroll;
    base->render = render;

    gst_type_mark_as_plugin_api(dmabuf_use_type(), 0);
    gst_type_mark_as_plugin_api(memory_type(), 0);
}

static void gst_framebus_sink_init(GstFramebusSink *sink)
{
    GstBaseSink *base = GST_BASE_SINK(sink);

    g_mutex_init(&sink->lock);
    g_cond_init(&sink->arrived);
    sink_settings_init(&sink->settings);

    /* The last buffer would hold a slot, and nobody draws here: nothing is due by a deadline. */
    gst_base_sink_set_last_sample_enabled(base, FALSE);
    gst_base_sink_set_processing_deadline(base, 0);
}
