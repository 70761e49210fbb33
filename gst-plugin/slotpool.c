/* SPDX-License-Identifier: MIT */
#include "slotpool.h"

#include "caps.h"

#include <errno.h>

/* Buffers kept for use again; as many as are out at once when all goes well. */
#define SPARES 4

struct _GstFramebusSlotPool {
    GstBufferPool parent;
    GstFramebusLender *lender;
    /* Set by set_config, which no thread that acquires can run beside. */
    char *text;
    GstVideoInfo info;
    struct framebus_format format;
    gboolean add_meta;

    GMutex lock;              /* of all below */
    GstBuffer *spare[SPARES]; /* whose memories are empty shells */
    guint spares;

    /* The last slot's format_serial that was compared with `format`, and the outcome. */
    guint32 serial;
    gboolean compared, same;
};

GST_DEBUG_CATEGORY_STATIC(framebus_pool_debug);
#define GST_CAT_DEFAULT framebus_pool_debug

G_DEFINE_TYPE_WITH_CODE(GstFramebusSlotPool, gst_framebus_slot_pool, GST_TYPE_BUFFER_POOL,
                        GST_DEBUG_CATEGORY_INIT(framebus_pool_debug, "framebuspool", 0,
                                                "pool over the slots of a framebus bus"))

static const gchar **get_options(GstBufferPool *base G_GNUC_UNUSED)
{
    static const gchar *options[] = {GST_BUFFER_POOL_OPTION_VIDEO_META,
                                     GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, NULL};

    return options;
}

static gboolean set_config(GstBufferPool *base, GstStructure *config)
{
    GstFramebusSlotPool *pool = GST_FRAMEBUS_SLOT_POOL(base);
    GstVideoAlignment align;
    GstVideoInfo info;
    GstCaps *caps;
    guint size, min, max;

    if (!gst_buffer_pool_config_get_params(config, &caps, &size, &min, &max) || !caps ||
        !caps_are_picture(caps, &info)) {
        GST_WARNING_OBJECT(pool, "not a picture that the bus can describe: %" GST_PTR_FORMAT, config);
        return FALSE;
    }
    pool->add_meta = gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (pool->add_meta && gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT)) {
        gst_buffer_pool_config_get_video_alignment(config, &align);
        if (!gst_video_info_align(&info, &align)) {
            GST_WARNING_OBJECT(pool, "cannot align as asked for: %" GST_PTR_FORMAT, config);
            return FALSE;
        }
        gst_buffer_pool_config_set_video_alignment(config, &align);
    }
    GST_VIDEO_INFO_SIZE(&info) = MAX(size, GST_VIDEO_INFO_SIZE(&info));
    gst_buffer_pool_config_set_params(config, caps, GST_VIDEO_INFO_SIZE(&info), min, max);

    pool->info = info;
    g_free(pool->text);
    pool->text = gst_caps_to_string(caps);
    format_from_info(&pool->format, &info, pool->text);
    pool->compared = FALSE;
    return GST_BUFFER_POOL_CLASS(gst_framebus_slot_pool_parent_class)->set_config(base, config);
}

/* A failure here is not the end: the buffers are ordinary memory then, and the sink, which can say so
 * properly, meets the same failure at the first of them. */
static gboolean start(GstBufferPool *base)
{
    GstFramebusSlotPool *pool = GST_FRAMEBUS_SLOT_POOL(base);

    if (lender_set_format(pool->lender, LENDER_FOR_UPSTREAM, &pool->format) < 0)
        GST_WARNING_OBJECT(pool, "no slots: %s", framebus_last_error());
    return TRUE;
}

/* Another pool may have been started since, and the bus has that one's format. */
static gboolean is_ours(GstFramebusSlotPool *pool, const struct framebus_frame *frame)
{
    gboolean same;

    g_mutex_lock(&pool->lock);
    if (!pool->compared || pool->serial != frame->format_serial) {
        pool->serial = frame->format_serial;
        pool->same = framebus_format_equal(frame->format, &pool->format);
        pool->compared = TRUE;
    }
    same = pool->same;
    g_mutex_unlock(&pool->lock);
    return same;
}

static GstBuffer *take_spare(GstFramebusSlotPool *pool)
{
    GstBuffer *buffer = NULL;

    g_mutex_lock(&pool->lock);
    if (pool->spares > 0)
        buffer = pool->spare[--pool->spares];
    g_mutex_unlock(&pool->lock);
    return buffer;
}

static gboolean keep_spare(GstFramebusSlotPool *pool, GstBuffer *buffer)
{
    gboolean room;

    g_mutex_lock(&pool->lock);
    room = pool->spares < SPARES;
    if (room)
        pool->spare[pool->spares++] = buffer;
    g_mutex_unlock(&pool->lock);
    return room;
}

static gboolean stop(GstBufferPool *base)
{
    GstBuffer *buffer;

    while ((buffer = take_spare(GST_FRAMEBUS_SLOT_POOL(base))))
        gst_buffer_unref(buffer);
    return TRUE;
}

static GstBuffer *buffer_around(GstFramebusSlotPool *pool, GstMemory *memory)
{
    GstBuffer *buffer = gst_buffer_new();
    GstVideoMeta *meta;

    gst_buffer_append_memory(buffer, memory);
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_TAG_MEMORY); /* tells of changes, and this is none */
    if (pool->add_meta) {
        meta = gst_buffer_add_video_meta_full(
            buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&pool->info),
            GST_VIDEO_INFO_WIDTH(&pool->info), GST_VIDEO_INFO_HEIGHT(&pool->info),
            GST_VIDEO_INFO_N_PLANES(&pool->info), pool->info.offset, pool->info.stride);
        GST_META_FLAG_SET(meta, GST_META_FLAG_POOLED);
    }
    return buffer;
}

static GstFlowReturn acquire_buffer(GstBufferPool *base, GstBuffer **buffer,
                                    GstBufferPoolAcquireParams *params G_GNUC_UNUSED)
{
    GstFramebusSlotPool *pool = GST_FRAMEBUS_SLOT_POOL(base);
    GstMemory *memory;
    int error = 0;

    if (GST_BUFFER_POOL_IS_FLUSHING(base))
        return GST_FLOW_FLUSHING;
    *buffer = take_spare(pool);
    if (*buffer) {
        memory = gst_buffer_peek_memory(*buffer, 0);
        if (lender_refill(pool->lender, memory, &base->flushing, &error) &&
            is_ours(pool, lender_frame(pool->lender, memory)))
            return GST_FLOW_OK;
        gst_clear_buffer(buffer);
    } else {
        memory = lender_lend(pool->lender, LENDER_FOR_UPSTREAM, 0, &base->flushing, &error);
        if (memory && is_ours(pool, lender_frame(pool->lender, memory))) {
            *buffer = buffer_around(pool, memory);
            return GST_FLOW_OK;
        }
        g_clear_pointer(&memory, gst_memory_unref);
    }
    if (error == -ECANCELED)
        return GST_FLOW_FLUSHING;

    GST_DEBUG_OBJECT(pool, "ordinary memory instead of a slot: %s",
                     error ? g_strerror(-error) : "the bus has another format by now");
    memory = gst_allocator_alloc(NULL, GST_VIDEO_INFO_SIZE(&pool->info), NULL);
    if (!memory)
        return GST_FLOW_ERROR;
    *buffer = buffer_around(pool, memory);
    return GST_FLOW_OK;
}

/* The slot goes back with its memory, which may be in use elsewhere still. */
static void release_buffer(GstBufferPool *base, GstBuffer *buffer)
{
    GstFramebusSlotPool *pool = GST_FRAMEBUS_SLOT_POOL(base);

    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_TAG_MEMORY) || gst_buffer_n_memory(buffer) != 1 ||
        !lender_empty(pool->lender, gst_buffer_peek_memory(buffer, 0)) || !keep_spare(pool, buffer))
        gst_buffer_unref(buffer);
}

static void flush_start(GstBufferPool *base)
{
    lender_wake(GST_FRAMEBUS_SLOT_POOL(base)->lender);
}

GstBufferPool *slot_pool_new(GstFramebusLender *lender)
{
    GstFramebusSlotPool *pool = g_object_new(GST_TYPE_FRAMEBUS_SLOT_POOL, NULL);

    gst_object_ref_sink(pool);
    pool->lender = gst_object_ref(lender);
    return GST_BUFFER_POOL_CAST(pool);
}

static void finalize(GObject *object)
{
    GstFramebusSlotPool *pool = GST_FRAMEBUS_SLOT_POOL(object);

    stop(GST_BUFFER_POOL_CAST(pool));
    g_free(pool->text);
    g_mutex_clear(&pool->lock);
    gst_clear_object(&pool->lender);
    G_OBJECT_CLASS(gst_framebus_slot_pool_parent_class)->finalize(object);
}

static void gst_framebus_slot_pool_class_init(GstFramebusSlotPoolClass *class)
{
    GstBufferPoolClass *pool = GST_BUFFER_POOL_CLASS(class);

    G_OBJECT_CLASS(class)->finalize = finalize;
    pool->get_options = get_options;
    pool->set_config = set_config;
    pool->start = start;
    pool->stop = stop;
    pool->acquire_buffer = acquire_buffer;
    pool->release_buffer = release_buffer;
    pool->flush_start = flush_start;
}

static void gst_framebus_slot_pool_init(GstFramebusSlotPool *pool)
{
    g_mutex_init(&pool->lock);
}
