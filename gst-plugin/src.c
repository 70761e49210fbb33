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
#include "source.h"

#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_src_debug

/* The latency that is told until a frame has come: that of a camera with 30 frames a second which takes its
 * time. Many programs do not ask again. */
#define LATENCY_AT_FIRST (34 * GST_MSECOND)

GST_DEBUG_CATEGORY(framebus_src_debug);

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE_WITH_CODE(GstFramebusSrc, gst_framebus_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, uri_handler_init)
                            GST_DEBUG_CATEGORY_INIT(framebus_src_debug, "framebussrc", 0,
                                                    "framebussrc element"))
/* With a rank, or as a source of video, autovideosrc and camerabin would take it for a camera; a URI needs
 * none. */
GST_ELEMENT_REGISTER_DEFINE(framebussrc, "framebussrc", GST_RANK_NONE, GST_TYPE_FRAMEBUS_SRC)

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
