/* SPDX-License-Identifier: MIT */
#include "allocator.h"

#include "dmabuf.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Lends that upstream never gets, so that the sink always finds a slot to copy a frame of other memory to. */
#define RESERVED_LENDS 2

/* What a memory has besides being a GstMemory. */
struct slot {
    struct dmabuf_frame content; /* frame NULL: a part of another slot's memory, or an empty shell */
    gboolean published;
    GstFramebusAllocator *allocator; /* a reference; NULL unless the memory is a DMA-BUF */
};

/* A slot as ordinary memory. */
struct slot_memory {
    GstMemory memory;
    struct slot slot;
};

struct _GstFramebusAllocator {
    GstAllocator parent;
    struct framebus_writer *writer;
    GstAllocator *dmabufs; /* NULL: slots are ordinary memory */
    int cancel_fd;
    guint max_lends;

    GMutex lock; /* of all below */
    GCond changed;
    guint lent;
    guint inside;    /* calls into the library that are under way; close waits for them */
    guint waiting;   /* those of them that cancel_fd ends */
    guint impatient; /* those of these that are not to wait at all */
    gboolean wake;   /* all that wait are to be woken once */
    gboolean raised; /* cancel_fd is readable */
    gboolean unlocked, flushing, closing, closed;
    guint orientation;
    GSList *returned; /* buffers to unref once a call into the library has returned */
};

G_DEFINE_TYPE(GstFramebusAllocator, gst_framebus_allocator, GST_TYPE_ALLOCATOR)

/* Raises or lowers cancel_fd and wakes those that wait for it. To be called with the lock held, after a
 * change of anything that it depends on. */
static void allocator_update_cancel_fd(GstFramebusAllocator *allocator)
{
    gboolean raise = allocator->wake || allocator->unlocked || allocator->flushing || allocator->closing ||
                     allocator->impatient > 0;
    eventfd_t count;

    if (raise != allocator->raised) {
        allocator->raised = raise;
        if (raise)
            eventfd_write(allocator->cancel_fd, 1);
        else
            eventfd_read(allocator->cancel_fd, &count);
    }
    g_cond_broadcast(&allocator->changed);
}

static gboolean use_is_upstreams(enum allocator_use use)
{
    return use == ALLOCATOR_FOR_UPSTREAM || use == ALLOCATOR_FOR_UPSTREAM_NOW;
}

static gboolean use_is_impatient(enum allocator_use use)
{
    return use == ALLOCATOR_FOR_PREROLL || use == ALLOCATOR_FOR_UPSTREAM_NOW;
}

static gboolean allocator_gives_up(GstFramebusAllocator *allocator, enum allocator_use use,
                                   const gint *flushing)
{
    return allocator->closing || allocator->closed || allocator->flushing ||
           (!use_is_upstreams(use) && allocator->unlocked) || (flushing && g_atomic_int_get(flushing));
}

/* Enters a library call that may wait. All threads share one cancel_fd: a thread that is not to give up waits
 * until it is lowered, then tries again. */
static gboolean allocator_enter_waiting(GstFramebusAllocator *allocator, enum allocator_use use,
                                        const gint *flushing)
{
    gboolean entered = FALSE;

    g_mutex_lock(&allocator->lock);
    while (allocator->raised && !use_is_impatient(use) && !allocator_gives_up(allocator, use, flushing))
        g_cond_wait(&allocator->changed, &allocator->lock);
    if (!allocator_gives_up(allocator, use, flushing)) {
        allocator->inside++;
        allocator->waiting++;
        if (use_is_impatient(use)) {
            allocator->impatient++;
            allocator_update_cancel_fd(allocator);
        }
        entered = TRUE;
    }
    g_mutex_unlock(&allocator->lock);
    return entered;
}

static void buffer_unref(gpointer buffer)
{
    gst_buffer_unref(buffer);
}

static gboolean allocator_enter(GstFramebusAllocator *allocator)
{
    gboolean open;

    g_mutex_lock(&allocator->lock);
    open = !allocator->closing && !allocator->closed;
    if (open)
        allocator->inside++;
    g_mutex_unlock(&allocator->lock);
    return open;
}

/* Enters after close too, but not during it. */
static void allocator_enter_late(GstFramebusAllocator *allocator)
{
    g_mutex_lock(&allocator->lock);
    while (allocator->closing)
        g_cond_wait(&allocator->changed, &allocator->lock);
    allocator->inside++;
    g_mutex_unlock(&allocator->lock);
}

/* Leaves with the lock held, and gives it back. */
static void allocator_leave_locked(GstFramebusAllocator *allocator, gboolean waited)
{
    GSList *returned;

    allocator->inside--;
    allocator->waiting -= waited;
    if (allocator->waiting == 0)
        allocator->wake = FALSE;
    if (allocator->raised) /* as it is while closing */
        allocator_update_cancel_fd(allocator);
    returned = g_steal_pointer(&allocator->returned);
    g_mutex_unlock(&allocator->lock);
    g_slist_free_full(returned, buffer_unref);
}

static void allocator_leave(GstFramebusAllocator *allocator)
{
    g_mutex_lock(&allocator->lock);
    allocator_leave_locked(allocator, FALSE);
}

/* Leaves a call that may have waited. Returns TRUE if it is to be tried again. */
static gboolean allocator_leave_waiting(GstFramebusAllocator *allocator, enum allocator_use use, int error)
{
    g_mutex_lock(&allocator->lock);
    allocator->impatient -= use_is_impatient(use);
    allocator_leave_locked(allocator, TRUE);
    return error == -EINTR || (error == -ECANCELED && !use_is_impatient(use));
}

/* ---- Memory -------------------------------------------------------------------------------- */

/* Returns the slot behind a memory of this allocator, or NULL. */
static struct slot *slot_of(GstFramebusAllocator *allocator, GstMemory *memory)
{
    if (memory->allocator == GST_ALLOCATOR_CAST(allocator))
        return &((struct slot_memory *)memory)->slot;
    return (struct slot *)dmabuf_memory_content(allocator->dmabufs, memory);
}

static struct slot_memory *slot_memory_new(GstFramebusAllocator *allocator, GstMemoryFlags flags,
                                           GstMemory *parent, guint8 *data, gsize maxsize, gsize offset,
                                           gsize size)
{
    struct slot_memory *memory = g_new0(struct slot_memory, 1);

    gst_memory_init(&memory->memory, flags, GST_ALLOCATOR_CAST(allocator), parent, maxsize, 0, offset, size);
    memory->slot.content.base = data;
    return memory;
}

static gpointer slot_memory_map(GstMemory *memory, gsize maxsize G_GNUC_UNUSED,
                                GstMapFlags flags G_GNUC_UNUSED)
{
    return ((struct slot_memory *)memory)->slot.content.base;
}

static void slot_memory_unmap(GstMemory *memory G_GNUC_UNUSED)
{
}

static GstMemory *slot_memory_share(GstMemory *memory, gssize offset, gssize size)
{
    GstMemory *parent = memory->parent ? memory->parent : memory;
    struct slot_memory *part;

    if (size == -1)
        size = (gssize)memory->size - offset;
    part = slot_memory_new(GST_FRAMEBUS_ALLOCATOR(memory->allocator),
                           GST_MINI_OBJECT_FLAGS(parent) | GST_MINI_OBJECT_FLAG_LOCK_READONLY, parent,
                           ((struct slot_memory *)memory)->slot.content.base, memory->maxsize,
                           memory->offset + offset, size);
    return &part->memory;
}

/* A decoder that keeps a frame as reference passes on a copy: made in a slot, it is not copied again. */
static GstMemory *slot_copy(GstFramebusAllocator *allocator, const struct framebus_frame *frame,
                            GstMemory *memory, gssize offset, gssize size)
{
    GstAllocationParams params = {.align = memory->align};
    GstMemory *copy = NULL;
    GstMapInfo from, to;
    int error;

    if (size == -1)
        size = (gssize)memory->size > offset ? (gssize)memory->size - offset : 0;
    if (frame && memory->offset == 0 && offset == 0 && frame->format->fourcc)
        copy = allocator_lend(allocator, ALLOCATOR_FOR_UPSTREAM, 0, NULL, &error);
    if (copy && allocator_frame(allocator, copy)->format_serial == frame->format_serial) {
        gst_memory_resize(copy, 0, size);
    } else {
        g_clear_pointer(&copy, gst_memory_unref);
        copy = gst_allocator_alloc(NULL, size, &params);
    }
    if (!copy || !gst_memory_map(copy, &to, GST_MAP_WRITE)) {
        g_clear_pointer(&copy, gst_memory_unref);
        return NULL;
    }
    if (gst_memory_map(memory, &from, GST_MAP_READ)) {
        memcpy(to.data, from.data + offset, size);
        gst_memory_unmap(memory, &from);
    }
    gst_memory_unmap(copy, &to);
    return copy;
}

static GstMemory *slot_memory_copy(GstMemory *memory, gssize offset, gssize size)
{
    return slot_copy(GST_FRAMEBUS_ALLOCATOR(memory->allocator),
                     ((struct slot_memory *)memory)->slot.content.frame, memory, offset, size);
}

static GstMemory *slot_dmabuf_copy(GstMemory *memory, gssize offset, gssize size)
{
    const struct slot *slot = (struct slot *)dmabuf_memory_content(memory->allocator, memory);

    return slot_copy(slot->allocator, slot->content.frame, memory, offset, size);
}

static gboolean slot_memory_is_span(GstMemory *first G_GNUC_UNUSED, GstMemory *second G_GNUC_UNUSED,
                                    gsize *offset G_GNUC_UNUSED)
{
    return FALSE;
}

/* Ends the lend, whatever becomes of the memory. */
static void slot_give_back(GstFramebusAllocator *allocator, struct slot *slot)
{
    allocator_enter_late(allocator);
    framebus_writer_release(allocator->writer, slot->content.frame);
    slot->content.frame = NULL;

    g_mutex_lock(&allocator->lock);
    allocator->lent--;
    allocator_leave_locked(allocator, FALSE);
}

static void slot_memory_free(GstAllocator *base, GstMemory *memory)
{
    struct slot *slot = &((struct slot_memory *)memory)->slot;

    if (slot->content.frame)
        slot_give_back(GST_FRAMEBUS_ALLOCATOR(base), slot);
    g_free(memory);
}

static void slot_dmabuf_free(gpointer data)
{
    struct slot *slot = data;
    GstFramebusAllocator *allocator = slot->allocator;

    slot_give_back(allocator, slot);
    g_free(slot);
    gst_object_unref(allocator);
}

static struct framebus_frame *slot_begin(GstFramebusAllocator *allocator, enum allocator_use use,
                                         guint64 size, const gint *flushing, int *error)
{
    const guint limit = allocator->max_lends - (use_is_upstreams(use) ? RESERVED_LENDS : 0);
    struct framebus_frame *frame = NULL;
    gboolean room, again = TRUE;

    g_mutex_lock(&allocator->lock);
    room = allocator->lent < limit;
    if (room)
        allocator->lent++;
    g_mutex_unlock(&allocator->lock);
    *error = room ? -ECANCELED : -EBUSY;
    if (!room)
        return NULL;

    while (again && allocator_enter_waiting(allocator, use, flushing)) {
        *error = size ? framebus_writer_begin_size(allocator->writer, size, &frame)
                      : framebus_writer_begin(allocator->writer, &frame);
        again = allocator_leave_waiting(allocator, use, *error);
    }
    if (*error < 0) {
        g_mutex_lock(&allocator->lock);
        allocator->lent--;
        g_mutex_unlock(&allocator->lock);
        return NULL;
    }
    return frame;
}

/* Returns NULL if the frame is not in a DMA-BUF. */
static GstMemory *slot_dmabuf_new(GstFramebusAllocator *allocator, struct framebus_frame *frame)
{
    struct framebus_dmabuf dmabuf;
    struct slot *slot;

    if (!allocator->dmabufs || framebus_frame_dmabuf(frame, &dmabuf) < 0)
        return NULL;
    slot = g_new0(struct slot, 1);
    slot->content = (struct dmabuf_frame){frame, (guint8 *)frame->data - dmabuf.part[0].offset};
    slot->allocator = gst_object_ref(allocator);
    return dmabuf_memory_new(allocator->dmabufs, 0, &dmabuf.part[0], &slot->content, slot_dmabuf_free);
}

gboolean allocation_suits_slots(const GstAllocationParams *params)
{
    const gsize page = sysconf(_SC_PAGESIZE);

    return params->prefix == 0 && params->align < page &&
           !(params->flags & (GST_MEMORY_FLAG_ZERO_PREFIXED | GST_MEMORY_FLAG_ZERO_PADDED));
}

GstMemory *allocator_lend(GstFramebusAllocator *allocator, enum allocator_use use, guint64 size,
                          const gint *flushing, int *error)
{
    struct framebus_frame *frame = slot_begin(allocator, use, size, flushing, error);
    struct slot_memory *ordinary;
    GstMemory *memory;

    if (!frame)
        return NULL;
    if (!size)
        size = frame->format->size;
    memory = slot_dmabuf_new(allocator, frame);
    if (memory) {
        gst_memory_resize(memory, 0, size);
        return memory;
    }
    ordinary = slot_memory_new(allocator, 0, NULL, frame->data, frame->capacity, 0, size);
    ordinary->slot.content.frame = frame;
    return &ordinary->memory;
}

gboolean allocator_empty(GstFramebusAllocator *allocator, GstMemory *memory)
{
    struct slot *slot = slot_of(allocator, memory);

    if (memory->allocator != GST_ALLOCATOR_CAST(allocator) || !slot->content.frame ||
        GST_MINI_OBJECT_REFCOUNT_VALUE(memory) != 1)
        return FALSE;
    if (slot->published)
        gst_memory_unlock(memory, GST_LOCK_FLAG_EXCLUSIVE);
    slot->published = FALSE;
    slot_give_back(allocator, slot);
    return TRUE;
}

gboolean allocator_refill(GstFramebusAllocator *allocator, enum allocator_use use, GstMemory *memory,
                          const gint *flushing, int *error)
{
    struct dmabuf_frame *content = &((struct slot_memory *)memory)->slot.content;

    content->frame = slot_begin(allocator, use, 0, flushing, error);
    if (!content->frame)
        return FALSE;
    content->base = content->frame->data;
    memory->maxsize = content->frame->capacity;
    memory->offset = 0;
    memory->size = content->frame->format->size;
    return TRUE;
}

gboolean allocator_has(GstFramebusAllocator *allocator, GstMemory *memory)
{
    return slot_of(allocator, memory) != NULL;
}

struct framebus_frame *allocator_frame(GstFramebusAllocator *allocator, GstMemory *memory)
{
    const struct slot *slot = slot_of(allocator, memory);

    return slot && memory->offset == 0 && !memory->parent ? slot->content.frame : NULL;
}

gboolean allocator_is_published(GstFramebusAllocator *allocator, GstMemory *memory)
{
    return slot_of(allocator, memory)->published;
}

int allocator_publish(GstFramebusAllocator *allocator, GstMemory *memory)
{
    struct slot *slot = slot_of(allocator, memory);
    int r;

    /* Held until the memory is freed: from now on GStreamer gives a copy to those that map it for writing. */
    if (!gst_memory_lock(memory, GST_LOCK_FLAG_EXCLUSIVE))
        return -EBUSY;
    r = -ECANCELED;
    if (allocator_enter(allocator)) {
        r = framebus_writer_publish(allocator->writer, slot->content.frame);
        allocator_leave(allocator);
    }
    if (r < 0)
        gst_memory_unlock(memory, GST_LOCK_FLAG_EXCLUSIVE);
    else
        slot->published = TRUE;
    return r;
}

/* ---- Other calls to the library ------------------------------------------------------------ */

int allocator_call(GstFramebusAllocator *allocator,
                   int (*call)(struct framebus_writer *writer, gpointer user), gpointer user)
{
    int r = -ECANCELED;

    if (allocator_enter(allocator)) {
        r = call(allocator->writer, user);
        allocator_leave(allocator);
    }
    return r;
}

void allocator_destroy_buffer(GstFramebusAllocator *allocator, struct framebus_import *buffer)
{
    allocator_enter_late(allocator);
    framebus_import_destroy(buffer);
    allocator_leave(allocator);
}

void allocator_unref_later(GstFramebusAllocator *allocator, GstBuffer *buffer)
{
    g_mutex_lock(&allocator->lock);
    allocator->returned = g_slist_prepend(allocator->returned, buffer);
    g_mutex_unlock(&allocator->lock);
}

/* ---- The bus ------------------------------------------------------------------------------- */

GstFramebusAllocator *allocator_open(const char *name, struct framebus_writer_options options, int *error)
{
    GstFramebusAllocator *allocator = g_object_new(GST_TYPE_FRAMEBUS_ALLOCATOR, NULL);

    gst_object_ref_sink(allocator);
    /* Most of the slots are for readers. */
    allocator->max_lends = CLAMP(((gint)options.max_slots - (gint)options.history) / 4, ALLOCATOR_MIN_LENDS,
                                 ALLOCATOR_MAX_LENDS);
    options.max_lends = allocator->max_lends;
    if (options.dmabuf) {
        allocator->dmabufs = dmabuf_allocator_new();
        allocator->dmabufs->mem_copy = slot_dmabuf_copy;
    }
    options.cancel_fd = allocator->cancel_fd;
    options.poll_ns = -1;
    options.label = g_get_prgname();
    *error =
        allocator->cancel_fd < 0 ? -EMFILE : framebus_writer_open(&allocator->writer, name, NULL, &options);
    if (*error < 0) {
        allocator->closed = TRUE;
        gst_clear_object(&allocator);
    }
    return allocator;
}

void allocator_close(GstFramebusAllocator *allocator)
{
    GSList *returned;

    g_mutex_lock(&allocator->lock);
    allocator->closing = TRUE;
    allocator_update_cancel_fd(allocator);
    while (allocator->inside > 0)
        g_cond_wait(&allocator->changed, &allocator->lock);
    g_mutex_unlock(&allocator->lock);

    framebus_writer_close(allocator->writer);

    g_mutex_lock(&allocator->lock);
    allocator->closed = TRUE;
    allocator->closing = FALSE;
    g_cond_broadcast(&allocator->changed);
    returned = g_steal_pointer(&allocator->returned);
    g_mutex_unlock(&allocator->lock);
    g_slist_free_full(returned, buffer_unref);
}

void allocator_set_unlocked(GstFramebusAllocator *allocator, gboolean on)
{
    g_mutex_lock(&allocator->lock);
    allocator->unlocked = on;
    allocator_update_cancel_fd(allocator);
    g_mutex_unlock(&allocator->lock);
}

void allocator_set_flushing(GstFramebusAllocator *allocator, gboolean on)
{
    g_mutex_lock(&allocator->lock);
    allocator->flushing = on;
    allocator_update_cancel_fd(allocator);
    g_mutex_unlock(&allocator->lock);
}

void allocator_wake(GstFramebusAllocator *allocator)
{
    g_mutex_lock(&allocator->lock);
    allocator->wake = allocator->waiting > 0;
    allocator_update_cancel_fd(allocator);
    g_mutex_unlock(&allocator->lock);
}

int allocator_set_format(GstFramebusAllocator *allocator, enum allocator_use use,
                         const struct framebus_format *format)
{
    struct framebus_format turned = *format;
    gboolean again = TRUE;
    int r = -ECANCELED;

    g_mutex_lock(&allocator->lock);
    turned.orientation = turned.fourcc ? allocator->orientation : 0;
    g_mutex_unlock(&allocator->lock);
    while (again && allocator_enter_waiting(allocator, use, NULL)) {
        r = framebus_writer_set_format(allocator->writer, &turned);
        again = allocator_leave_waiting(allocator, use, r);
    }
    return r;
}

int allocator_set_orientation(GstFramebusAllocator *allocator, enum allocator_use use, guint orientation)
{
    struct framebus_bus_info *info = allocator_info(allocator);
    int r = 0;

    g_mutex_lock(&allocator->lock);
    allocator->orientation = orientation;
    g_mutex_unlock(&allocator->lock);
    if (info && info->has_format && info->format.fourcc)
        r = allocator_set_format(allocator, use, &info->format);
    framebus_info_free(info, 1);
    return r;
}

int allocator_end(GstFramebusAllocator *allocator)
{
    gboolean again = TRUE;
    int r = -ECANCELED;

    while (again && allocator_enter_waiting(allocator, ALLOCATOR_FOR_RENDER, NULL)) {
        r = framebus_writer_end(allocator->writer);
        again = allocator_leave_waiting(allocator, ALLOCATOR_FOR_RENDER, r);
    }
    return r;
}

int allocator_fd(GstFramebusAllocator *allocator)
{
    return framebus_writer_fd(allocator->writer);
}

static int writer_dispatch(struct framebus_writer *writer, gpointer user G_GNUC_UNUSED)
{
    return framebus_writer_dispatch(writer);
}

int allocator_dispatch(GstFramebusAllocator *allocator)
{
    return allocator_call(allocator, writer_dispatch, NULL);
}

guint64 allocator_count_changes(GstFramebusAllocator *allocator)
{
    guint64 changes = 0;

    if (allocator_enter(allocator)) {
        changes = framebus_writer_count_changes(allocator->writer);
        allocator_leave(allocator);
    }
    return changes;
}

gboolean allocator_wants_key_frame(GstFramebusAllocator *allocator)
{
    gboolean wants = FALSE;

    if (allocator_enter(allocator)) {
        wants = framebus_writer_wants_key_frame(allocator->writer);
        allocator_leave(allocator);
    }
    return wants;
}

struct framebus_bus_info *allocator_info(GstFramebusAllocator *allocator)
{
    struct framebus_bus_info *info = NULL;

    if (allocator_enter(allocator)) {
        if (framebus_writer_get_info(allocator->writer, &info) < 0)
            info = NULL;
        allocator_leave(allocator);
    }
    return info;
}

static void allocator_finalize(GObject *object)
{
    GstFramebusAllocator *allocator = GST_FRAMEBUS_ALLOCATOR(object);

    if (allocator->cancel_fd >= 0)
        close(allocator->cancel_fd);
    gst_clear_object(&allocator->dmabufs);
    g_cond_clear(&allocator->changed);
    g_mutex_clear(&allocator->lock);
    G_OBJECT_CLASS(gst_framebus_allocator_parent_class)->finalize(object);
}

static void gst_framebus_allocator_class_init(GstFramebusAllocatorClass *class)
{
    G_OBJECT_CLASS(class)->finalize = allocator_finalize;
    GST_ALLOCATOR_CLASS(class)->free = slot_memory_free;
}

static void gst_framebus_allocator_init(GstFramebusAllocator *allocator)
{
    GstAllocator *base = GST_ALLOCATOR_CAST(allocator);

    allocator->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_mutex_init(&allocator->lock);
    g_cond_init(&allocator->changed);

    base->mem_type = "FramebusSlot";
    base->mem_map = slot_memory_map;
    base->mem_unmap = slot_memory_unmap;
    base->mem_share = slot_memory_share;
    base->mem_copy = slot_memory_copy;
    base->mem_is_span = slot_memory_is_span;
    /* An element that finds this allocator at a buffer and wants more memory like it gets ordinary memory. */
    GST_OBJECT_FLAG_SET(allocator, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}
