/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include "caps.h"

#include <errno.h>

/* Buffers that are kept to be used again: as many as upstream usually has at once. */
#define SPARES 4

struct _GstFramebusPool {
    GstBufferPool parent;
    GstFramebusAllocator *allocator;
    guint row_mask; /* of info_align_rows() */
    /* Set by pool_set_config(), beside which no thread acquires. */
    char *text;
    GstVideoInfo info;
    GstVideoAlignment align;
    GstAllocationParams params; /* what upstream asks of each memory */
    struct framebus_format format;
    gboolean add_meta;

    GMutex lock;              /* of all below */
    GstBuffer *spare[SPARES]; /* buffers whose memories are empty shells */
    guint spares;
    guint32 serial;          /* the format_serial that was last compared with `format` */
    gboolean compared, same; /* whether there was one, and the outcome */
};

GST_DEBUG_CATEGORY_STATIC(framebus_pool_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_pool_debug

G_DEFINE_TYPE_WITH_CODE(GstFramebusPool, gst_framebus_pool, GST_TYPE_BUFFER_POOL,
                        GST_DEBUG_CATEGORY_INIT(framebus_pool_debug, "framebuspool", 0,
                                                "pool over the slots of a framebus bus"))

static const gchar **pool_get_options(GstBufferPool *base G_GNUC_UNUSED)
{
    static const gchar *options[] = {GST_BUFFER_POOL_OPTION_VIDEO_META,
                                     GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT, NULL};

    return options;
}

/* Describes the pictures of a configuration; *text are their caps in system memory, as they are on the bus.
 */
static gboolean pool_parse_caps(GstCaps *caps, GstVideoInfo *info, char **text)
{
    GstCaps *plain = caps ? caps_without_dmabufs(caps) : NULL;
    const gboolean parsed = plain && caps_are_picture(plain, info);

    *text = parsed ? gst_caps_to_string(plain) : NULL;
    gst_clear_caps(&plain);
    return parsed;
}

/* Adds the padding that upstream, or the bus, wants around the picture. */
static gboolean pool_align(const GstFramebusPool *pool, GstStructure *config, GstVideoInfo *info,
                           GstVideoAlignment *align, GstAllocationParams *params)
{
    const gboolean asks = gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);

    gst_video_alignment_reset(align);
    if (!gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META) ||
        (!asks && !pool->row_mask))
        return TRUE;
    if (asks)
        gst_buffer_pool_config_get_video_alignment(config, align);
    if (!info_align_rows(info, pool->row_mask, align))
        return FALSE;
    if (asks)
        gst_buffer_pool_config_set_video_alignment(config, align);
    /* The first row has to be aligned like the others. */
    for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(info); i++)
        params->align |= align->stride_align[i];
    gst_buffer_pool_config_set_allocator(config, NULL, params);
    return TRUE;
}

static gboolean pool_set_config(GstBufferPool *base, GstStructure *config)
{
    GstFramebusPool *pool = GST_FRAMEBUS_POOL(base);
    GstAllocationParams params;
    GstVideoAlignment align;
    GstVideoInfo info;
    GstCaps *caps;
    char *text;
    guint size, min, max;

    if (!gst_buffer_pool_config_get_params(config, &caps, &size, &min, &max) ||
        !pool_parse_caps(caps, &info, &text)) {
        GST_WARNING_OBJECT(pool, "not a picture that the bus can describe: %" GST_PTR_FORMAT, config);
        return FALSE;
    }
    if (!gst_buffer_pool_config_get_allocator(config, NULL, &params))
        gst_allocation_params_init(&params);
    if (!pool_align(pool, config, &info, &align, &params)) {
        GST_WARNING_OBJECT(pool, "cannot align as asked for: %" GST_PTR_FORMAT, config);
        g_free(text);
        return FALSE;
    }
    GST_VIDEO_INFO_SIZE(&info) = MAX(size, GST_VIDEO_INFO_SIZE(&info));
    gst_buffer_pool_config_set_params(config, caps, GST_VIDEO_INFO_SIZE(&info), min, max);

    pool->add_meta = gst_buffer_pool_config_has_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    pool->info = info;
    pool->align = align;
    pool->params = params;
    g_free(pool->text);
    pool->text = text;
    format_from_info(&pool->format, &info, pool->text);
    pool->format.size += params.padding;
    pool->compared = FALSE;
    return GST_BUFFER_POOL_CLASS(gst_framebus_pool_parent_class)->set_config(base, config);
}

/* A failure here is not fatal: the buffers get ordinary memory, and the sink, which can post an error, meets
 * the same failure at the first of them. */
static gboolean pool_start(GstBufferPool *base)
{
    GstFramebusPool *pool = GST_FRAMEBUS_POOL(base);

    if (allocation_suits_slots(&pool->params) &&
        allocator_set_format(pool->allocator, ALLOCATOR_FOR_UPSTREAM, &pool->format) < 0)
        GST_WARNING_OBJECT(pool, "no slots: %s", framebus_last_error());
    return TRUE;
}

/* Returns TRUE if a frame has the pool's format, however it is turned. Another pool may have been started
 * since and have given the bus another one. */
static gboolean pool_matches(GstFramebusPool *pool, const struct framebus_frame *frame)
{
    struct framebus_format turned = pool->format;
    gboolean same;

    g_mutex_lock(&pool->lock);
    if (!pool->compared || pool->serial != frame->format_serial) {
        pool->serial = frame->format_serial;
        turned.orientation = frame->format->orientation;
        pool->same = framebus_format_equal(frame->format, &turned);
        pool->compared = TRUE;
    }
    same = pool->same;
    g_mutex_unlock(&pool->lock);
    return same;
}

static GstBuffer *pool_take_spare(GstFramebusPool *pool)
{
    GstBuffer *buffer = NULL;

    g_mutex_lock(&pool->lock);
    if (pool->spares > 0)
        buffer = pool->spare[--pool->spares];
    g_mutex_unlock(&pool->lock);
    return buffer;
}

static gboolean pool_keep_spare(GstFramebusPool *pool, GstBuffer *buffer)
{
    gboolean room;

    g_mutex_lock(&pool->lock);
    room = pool->spares < SPARES;
    if (room)
        pool->spare[pool->spares++] = buffer;
    g_mutex_unlock(&pool->lock);
    return room;
}

static gboolean pool_stop(GstBufferPool *base)
{
    GstBuffer *buffer;

    while ((buffer = pool_take_spare(GST_FRAMEBUS_POOL(base))))
        gst_buffer_unref(buffer);
    return TRUE;
}

/* Makes a slot of the pool's format a memory that upstream asked for. */
static void pool_fit(const GstFramebusPool *pool, GstMemory *memory)
{
    memory->align = pool->params.align;
    memory->size = GST_VIDEO_INFO_SIZE(&pool->info);
}

static GstBuffer *pool_buffer_new(GstFramebusPool *pool, GstMemory *memory)
{
    GstBuffer *buffer = gst_buffer_new();
    GstVideoMeta *meta;

    gst_buffer_append_memory(buffer, memory);
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_TAG_MEMORY); /* it marks changes; this is not one */
    if (pool->add_meta) {
        meta = gst_buffer_add_video_meta_full(
            buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&pool->info),
            GST_VIDEO_INFO_WIDTH(&pool->info), GST_VIDEO_INFO_HEIGHT(&pool->info),
            GST_VIDEO_INFO_N_PLANES(&pool->info), pool->info.offset, pool->info.stride);
        gst_video_meta_set_alignment(meta, pool->align);
        GST_META_FLAG_SET(meta, GST_META_FLAG_POOLED);
    }
    return buffer;
}

/* Returns a buffer whose memory is a slot, or NULL and an error: 0 if the bus has another format by now. */
static GstBuffer *pool_acquire_slot(GstFramebusPool *pool, enum allocator_use use, const gint *flushing,
                                    int *error)
{
    GstBuffer *buffer = pool_take_spare(pool);
    GstMemory *memory;

    if (buffer) {
        memory = gst_buffer_peek_memory(buffer, 0);
        if (allocator_refill(pool->allocator, use, memory, flushing, error) &&
            pool_matches(pool, allocator_frame(pool->allocator, memory))) {
            pool_fit(pool, memory);
            return buffer;
        }
        gst_buffer_unref(buffer);
        return NULL;
    }
    memory = allocator_lend(pool->allocator, use, 0, flushing, error);
    if (!memory || !pool_matches(pool, allocator_frame(pool->allocator, memory))) {
        g_clear_pointer(&memory, gst_memory_unref);
        return NULL;
    }
    pool_fit(pool, memory);
    return pool_buffer_new(pool, memory);
}

static GstFlowReturn pool_acquire_buffer(GstBufferPool *base, GstBuffer **buffer,
                                         GstBufferPoolAcquireParams *params)
{
    GstFramebusPool *pool = GST_FRAMEBUS_POOL(base);
    const gboolean waits = !params || !(params->flags & GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT);
    const enum allocator_use use = waits ? ALLOCATOR_FOR_UPSTREAM : ALLOCATOR_FOR_UPSTREAM_NOW;
    GstMemory *memory;
    int error = 0;

    if (GST_BUFFER_POOL_IS_FLUSHING(base))
        return GST_FLOW_FLUSHING;
    *buffer =
        allocation_suits_slots(&pool->params) ? pool_acquire_slot(pool, use, &base->flushing, &error) : NULL;
    if (*buffer)
        return GST_FLOW_OK;
    if (error == -ECANCELED && (waits || GST_BUFFER_POOL_IS_FLUSHING(base)))
        return GST_FLOW_FLUSHING;

    GST_DEBUG_OBJECT(pool, "ordinary memory instead of a slot: %s",
                     error ? g_strerror(-error) : "the bus has another format by now");
    memory = gst_allocator_alloc(NULL, GST_VIDEO_INFO_SIZE(&pool->info), &pool->params);
    if (!memory)
        return GST_FLOW_ERROR;
    *buffer = pool_buffer_new(pool, memory);
    return GST_FLOW_OK;
}

/* The slot comes back with its memory, which may still be in use elsewhere. */
static void pool_release_buffer(GstBufferPool *base, GstBuffer *buffer)
{
    GstFramebusPool *pool = GST_FRAMEBUS_POOL(base);

    if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_TAG_MEMORY) || gst_buffer_n_memory(buffer) != 1 ||
        !allocator_empty(pool->allocator, gst_buffer_peek_memory(buffer, 0)) ||
        !pool_keep_spare(pool, buffer))
        gst_buffer_unref(buffer);
}

static void pool_flush_start(GstBufferPool *base)
{
    allocator_wake(GST_FRAMEBUS_POOL(base)->allocator);
}

GstBufferPool *pool_new(GstFramebusAllocator *allocator, guint row_mask)
{
    GstFramebusPool *pool = g_object_new(GST_TYPE_FRAMEBUS_POOL, NULL);

    gst_object_ref_sink(pool);
    pool->allocator = gst_object_ref(allocator);
    pool->row_mask = row_mask;
    return GST_BUFFER_POOL_CAST(pool);
}

static void pool_finalize(GObject *object)
{
    GstFramebusPool *pool = GST_FRAMEBUS_POOL(object);

    pool_stop(GST_BUFFER_POOL_CAST(pool));
    g_free(pool->text);
    g_mutex_clear(&pool->lock);
    gst_clear_object(&pool->allocator);
    G_OBJECT_CLASS(gst_framebus_pool_parent_class)->finalize(object);
}

static void gst_framebus_pool_class_init(GstFramebusPoolClass *class)
{
    GstBufferPoolClass *pool = GST_BUFFER_POOL_CLASS(class);

    G_OBJECT_CLASS(class)->finalize = pool_finalize;
    pool->get_options = GST_DEBUG_FUNCPTR(pool_get_options);
    pool->set_config = GST_DEBUG_FUNCPTR(pool_set_config);
    pool->start = GST_DEBUG_FUNCPTR(pool_start);
    pool->stop = GST_DEBUG_FUNCPTR(pool_stop);
    pool->acquire_buffer = GST_DEBUG_FUNCPTR(pool_acquire_buffer);
    pool->release_buffer = GST_DEBUG_FUNCPTR(pool_release_buffer);
    pool->flush_start = GST_DEBUG_FUNCPTR(pool_flush_start);
}

static void gst_framebus_pool_init(GstFramebusPool *pool)
{
    g_mutex_init(&pool->lock);
}
