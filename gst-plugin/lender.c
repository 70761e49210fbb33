/* SPDX-License-Identifier: MIT */
#include "lender.h"

#include "framememory.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Slots that upstream never gets, so that a frame in foreign memory always finds one to be copied to. */
#define RESERVE 2

struct slot {
    struct framed framed; /* frame NULL: a part of another slot's memory, or empty */
    gboolean published;
    GstFramebusLender *lender; /* a reference, if it is of a DMA-BUF's memory */
};

struct slot_memory {
    GstMemory memory;
    struct slot slot;
};

struct _GstFramebusLender {
    GstAllocator parent;
    struct framebus_writer *writer;
    GstAllocator *dmabufs; /* NULL: slots are ordinary memory */
    int cancel_fd;

    GMutex lock; /* of all below */
    GCond changed;
    guint lent;
    guint inside;    /* calls into the library that are under way; close waits for them */
    guint waiting;   /* those among them that cancel_fd ends */
    gboolean wake;   /* ... which it shall do once */
    gboolean raised; /* cancel_fd is readable */
    gboolean unlocked, flushing, closing, closed;
    GSList *returned; /* buffers to unref when no call into the library is under way in this thread */
};

G_DEFINE_TYPE(GstFramebusLender, gst_framebus_lender, GST_TYPE_ALLOCATOR)

/* With the lock held, after a change of anything that cancel_fd or a waiter depends on. */
static void settle(GstFramebusLender *lender)
{
    gboolean raise = lender->wake || lender->unlocked || lender->flushing || lender->closing;
    eventfd_t count;

    if (raise != lender->raised) {
        lender->raised = raise;
        if (raise)
            eventfd_write(lender->cancel_fd, 1);
        else
            eventfd_read(lender->cancel_fd, &count);
    }
    g_cond_broadcast(&lender->changed);
}

static gboolean given_up(GstFramebusLender *lender, enum lender_use use, const gint *flushing)
{
    return lender->closing || lender->closed || lender->flushing ||
           (use == LENDER_FOR_RENDER && lender->unlocked) || (flushing && g_atomic_int_get(flushing));
}

/* Goes into a library call that may wait. cancel_fd is everybody's: who is not meant waits until it is
 * down again and tries anew. */
static gboolean enter_waiting(GstFramebusLender *lender, enum lender_use use, const gint *flushing)
{
    gboolean entered = FALSE;

    g_mutex_lock(&lender->lock);
    while (lender->raised && !given_up(lender, use, flushing))
        g_cond_wait(&lender->changed, &lender->lock);
    if (!given_up(lender, use, flushing)) {
        lender->inside++;
        lender->waiting++;
        entered = TRUE;
    }
    g_mutex_unlock(&lender->lock);
    return entered;
}

static void unref_buffer(gpointer buffer)
{
    gst_buffer_unref(buffer);
}

static void leave_waiting(GstFramebusLender *lender)
{
    GSList *returned;

    g_mutex_lock(&lender->lock);
    lender->inside--;
    lender->waiting--;
    if (lender->wake && lender->waiting == 0)
        lender->wake = FALSE;
    if (lender->raised)
        settle(lender);
    returned = g_steal_pointer(&lender->returned);
    g_mutex_unlock(&lender->lock);
    g_slist_free_full(returned, unref_buffer);
}

static gboolean enter(GstFramebusLender *lender)
{
    gboolean open;

    g_mutex_lock(&lender->lock);
    open = !lender->closing && !lender->closed;
    if (open)
        lender->inside++;
    g_mutex_unlock(&lender->lock);
    return open;
}

/* Also after close, though not during it. */
static void enter_late(GstFramebusLender *lender)
{
    g_mutex_lock(&lender->lock);
    while (lender->closing)
        g_cond_wait(&lender->changed, &lender->lock);
    lender->inside++;
    g_mutex_unlock(&lender->lock);
}

static void leave(GstFramebusLender *lender)
{
    GSList *returned;

    g_mutex_lock(&lender->lock);
    lender->inside--;
    if (lender->closing)
        g_cond_broadcast(&lender->changed);
    returned = g_steal_pointer(&lender->returned);
    g_mutex_unlock(&lender->lock);
    g_slist_free_full(returned, unref_buffer);
}

/* ---- Memory -------------------------------------------------------------------------------- */

/* The slot behind a memory of this lender's; else NULL. */
static struct slot *slot_of(GstFramebusLender *lender, GstMemory *memory)
{
    if (memory->allocator == GST_ALLOCATOR_CAST(lender))
        return &((struct slot_memory *)memory)->slot;
    return (struct slot *)frame_memory_get(lender->dmabufs, memory);
}

static struct slot_memory *memory_new(GstFramebusLender *lender, GstMemoryFlags flags, GstMemory *parent,
                                      guint8 *data, gsize maxsize, gsize offset, gsize size)
{
    struct slot_memory *memory = g_new0(struct slot_memory, 1);

    gst_memory_init(&memory->memory, flags, GST_ALLOCATOR_CAST(lender), parent, maxsize, 0, offset, size);
    memory->slot.framed.base = data;
    return memory;
}

static gpointer memory_map(GstMemory *memory, gsize maxsize G_GNUC_UNUSED, GstMapFlags flags G_GNUC_UNUSED)
{
    return ((struct slot_memory *)memory)->slot.framed.base;
}

static void memory_unmap(GstMemory *memory G_GNUC_UNUSED)
{
}

static GstMemory *memory_share(GstMemory *memory, gssize offset, gssize size)
{
    GstMemory *parent = memory->parent ? memory->parent : memory;
    struct slot_memory *part;

    if (size == -1)
        size = (gssize)memory->size - offset;
    part = memory_new(GST_FRAMEBUS_LENDER(memory->allocator),
                      GST_MINI_OBJECT_FLAGS(parent) | GST_MINI_OBJECT_FLAG_LOCK_READONLY, parent,
                      ((struct slot_memory *)memory)->slot.framed.base, memory->maxsize,
                      memory->offset + offset, size);
    return &part->memory;
}

/* Decoders that keep a frame as reference hand on a copy of it: made in a slot, it is the last one. */
static GstMemory *copy_to_slot(GstFramebusLender *lender, const struct framebus_frame *frame,
                               GstMemory *memory, gssize offset, gssize size)
{
    GstMemory *copy = NULL;
    GstMapInfo from, to;
    int error;

    if (size == -1)
        size = (gssize)memory->size > offset ? (gssize)memory->size - offset : 0;
    if (frame && memory->offset == 0 && offset == 0 && frame->format->fourcc)
        copy = lender_lend(lender, LENDER_FOR_UPSTREAM, 0, NULL, &error);
    if (copy && lender_frame(lender, copy)->format_serial == frame->format_serial) {
        gst_memory_resize(copy, 0, size);
    } else {
        g_clear_pointer(&copy, gst_memory_unref);
        copy = gst_allocator_alloc(NULL, size, NULL);
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

static GstMemory *memory_copy(GstMemory *memory, gssize offset, gssize size)
{
    return copy_to_slot(GST_FRAMEBUS_LENDER(memory->allocator),
                        ((struct slot_memory *)memory)->slot.framed.frame, memory, offset, size);
}

static GstMemory *dmabuf_copy(GstMemory *memory, gssize offset, gssize size)
{
    const struct slot *slot = (struct slot *)frame_memory_get(memory->allocator, memory);

    return copy_to_slot(slot->lender, slot->framed.frame, memory, offset, size);
}

static gboolean memory_is_span(GstMemory *first G_GNUC_UNUSED, GstMemory *second G_GNUC_UNUSED,
                               gsize *offset G_GNUC_UNUSED)
{
    return FALSE;
}

/* The slot's lend is over, whatever becomes of the memory. */
static void give_back(GstFramebusLender *lender, struct slot *slot)
{
    enter_late(lender);
    framebus_writer_release(lender->writer, slot->framed.frame);
    slot->framed.frame = NULL;

    g_mutex_lock(&lender->lock);
    lender->lent--;
    g_mutex_unlock(&lender->lock);
    leave(lender);
}

static void memory_free(GstAllocator *allocator, GstMemory *memory)
{
    struct slot *slot = &((struct slot_memory *)memory)->slot;

    if (slot->framed.frame)
        give_back(GST_FRAMEBUS_LENDER(allocator), slot);
    g_free(memory);
}

static void dmabuf_slot_free(gpointer data)
{
    struct slot *slot = data;
    GstFramebusLender *lender = slot->lender;

    give_back(lender, slot);
    g_free(slot);
    gst_object_unref(lender);
}

static struct framebus_frame *begin(GstFramebusLender *lender, enum lender_use use, guint64 size,
                                    const gint *flushing, int *error)
{
    guint limit = use == LENDER_FOR_UPSTREAM ? LENDER_MAX_LENDS - RESERVE : LENDER_MAX_LENDS;
    struct framebus_frame *frame = NULL;
    gboolean room;

    g_mutex_lock(&lender->lock);
    room = lender->lent < limit;
    if (room)
        lender->lent++;
    g_mutex_unlock(&lender->lock);
    *error = room ? -ECANCELED : -EBUSY;
    if (!room)
        return NULL;

    while (*error == -ECANCELED && enter_waiting(lender, use, flushing)) {
        *error = size ? framebus_writer_begin_size(lender->writer, size, &frame)
                      : framebus_writer_begin(lender->writer, &frame);
        leave_waiting(lender);
    }
    if (*error < 0) {
        g_mutex_lock(&lender->lock);
        lender->lent--;
        g_mutex_unlock(&lender->lock);
        return NULL;
    }
    return frame;
}

/* NULL: the frame is in no DMA-BUF. */
static GstMemory *dmabuf_memory(GstFramebusLender *lender, struct framebus_frame *frame)
{
    struct framebus_dmabuf dmabuf;
    struct slot *slot;

    if (!lender->dmabufs || framebus_frame_dmabuf(frame, &dmabuf) < 0)
        return NULL;
    slot = g_new0(struct slot, 1);
    slot->framed = (struct framed){frame, (guint8 *)frame->data - dmabuf.part[0].offset};
    slot->lender = gst_object_ref(lender);
    return frame_memory_new(lender->dmabufs, 0, &dmabuf.part[0], &slot->framed, dmabuf_slot_free);
}

GstMemory *lender_lend(GstFramebusLender *lender, enum lender_use use, guint64 size, const gint *flushing,
                       int *error)
{
    struct framebus_frame *frame = begin(lender, use, size, flushing, error);
    struct slot_memory *ordinary;
    GstMemory *memory;

    if (!frame)
        return NULL;
    if (!size)
        size = frame->format->size;
    memory = dmabuf_memory(lender, frame);
    if (memory) {
        gst_memory_resize(memory, 0, size);
        return memory;
    }
    ordinary = memory_new(lender, 0, NULL, frame->data, frame->capacity, 0, size);
    ordinary->slot.framed.frame = frame;
    return &ordinary->memory;
}

gboolean lender_empty(GstFramebusLender *lender, GstMemory *memory)
{
    struct slot *slot = slot_of(lender, memory);

    if (memory->allocator != GST_ALLOCATOR_CAST(lender) || !slot->framed.frame ||
        GST_MINI_OBJECT_REFCOUNT_VALUE(memory) != 1)
        return FALSE;
    if (slot->published)
        gst_memory_unlock(memory, GST_LOCK_FLAG_EXCLUSIVE);
    slot->published = FALSE;
    give_back(lender, slot);
    return TRUE;
}

gboolean lender_refill(GstFramebusLender *lender, GstMemory *memory, const gint *flushing, int *error)
{
    struct framed *framed = &((struct slot_memory *)memory)->slot.framed;

    framed->frame = begin(lender, LENDER_FOR_UPSTREAM, 0, flushing, error);
    if (!framed->frame)
        return FALSE;
    framed->base = framed->frame->data;
    memory->maxsize = framed->frame->capacity;
    memory->offset = 0;
    memory->size = framed->frame->format->size;
    return TRUE;
}

gboolean lender_has(GstFramebusLender *lender, GstMemory *memory)
{
    return slot_of(lender, memory) != NULL;
}

struct framebus_frame *lender_frame(GstFramebusLender *lender, GstMemory *memory)
{
    const struct slot *slot = slot_of(lender, memory);

    return slot && memory->offset == 0 && !memory->parent ? slot->framed.frame : NULL;
}

gboolean lender_is_published(GstFramebusLender *lender, GstMemory *memory)
{
    return slot_of(lender, memory)->published;
}

int lender_publish(GstFramebusLender *lender, GstMemory *memory)
{
    struct slot *slot = slot_of(lender, memory);
    int r;

    /* Held until the memory dies: from now on who wants to write to it gets a copy. */
    if (!gst_memory_lock(memory, GST_LOCK_FLAG_EXCLUSIVE))
        return -EBUSY;
    r = -ECANCELED;
    if (enter(lender)) {
        r = framebus_writer_publish(lender->writer, slot->framed.frame);
        leave(lender);
    }
    if (r < 0)
        gst_memory_unlock(memory, GST_LOCK_FLAG_EXCLUSIVE);
    else
        slot->published = TRUE;
    return r;
}

/* ---- What others have to do with the library ------------------------------------------------ */

int lender_call(GstFramebusLender *lender, int (*call)(struct framebus_writer *writer, gpointer user),
                gpointer user)
{
    int r = -ECANCELED;

    if (enter(lender)) {
        r = call(lender->writer, user);
        leave(lender);
    }
    return r;
}

void lender_forget(GstFramebusLender *lender, struct framebus_buffer *buffer)
{
    enter_late(lender);
    framebus_buffer_destroy(buffer);
    leave(lender);
}

void lender_return(GstFramebusLender *lender, GstBuffer *buffer)
{
    g_mutex_lock(&lender->lock);
    lender->returned = g_slist_prepend(lender->returned, buffer);
    g_mutex_unlock(&lender->lock);
}

/* ---- The bus ------------------------------------------------------------------------------- */

GstFramebusLender *lender_open(const char *name, struct framebus_writer_options options, int *error)
{
    GstFramebusLender *lender = g_object_new(GST_TYPE_FRAMEBUS_LENDER, NULL);

    gst_object_ref_sink(lender);
    options.max_lends = LENDER_MAX_LENDS;
    if (options.dmabuf) {
        lender->dmabufs = frame_memories_new();
        lender->dmabufs->mem_copy = dmabuf_copy;
    }
    options.cancel_fd = lender->cancel_fd;
    options.label = g_get_prgname();
    *error = lender->cancel_fd < 0 ? -EMFILE : framebus_writer_open(&lender->writer, name, NULL, &options);
    if (*error < 0) {
        lender->closed = TRUE;
        gst_clear_object(&lender);
    }
    return lender;
}

void lender_close(GstFramebusLender *lender)
{
    GSList *returned;

    g_mutex_lock(&lender->lock);
    lender->closing = TRUE;
    settle(lender);
    while (lender->inside > 0)
        g_cond_wait(&lender->changed, &lender->lock);
    g_mutex_unlock(&lender->lock);

    framebus_writer_close(lender->writer);

    g_mutex_lock(&lender->lock);
    lender->closed = TRUE;
    lender->closing = FALSE;
    g_cond_broadcast(&lender->changed);
    returned = g_steal_pointer(&lender->returned);
    g_mutex_unlock(&lender->lock);
    g_slist_free_full(returned, unref_buffer);
}

void lender_set_unlocked(GstFramebusLender *lender, gboolean on)
{
    g_mutex_lock(&lender->lock);
    lender->unlocked = on;
    settle(lender);
    g_mutex_unlock(&lender->lock);
}

void lender_set_flushing(GstFramebusLender *lender, gboolean on)
{
    g_mutex_lock(&lender->lock);
    lender->flushing = on;
    settle(lender);
    g_mutex_unlock(&lender->lock);
}

void lender_wake(GstFramebusLender *lender)
{
    g_mutex_lock(&lender->lock);
    lender->wake = lender->waiting > 0;
    settle(lender);
    g_mutex_unlock(&lender->lock);
}

int lender_set_format(GstFramebusLender *lender, enum lender_use use, const struct framebus_format *format)
{
    int r = -ECANCELED;

    while (r == -ECANCELED && enter_waiting(lender, use, NULL)) {
        r = framebus_writer_set_format(lender->writer, format);
        leave_waiting(lender);
    }
    return r;
}

static int end(struct framebus_writer *writer, gpointer user G_GNUC_UNUSED)
{
    return framebus_writer_end(writer);
}

int lender_end(GstFramebusLender *lender)
{
    return lender_call(lender, end, NULL);
}

int lender_fd(GstFramebusLender *lender)
{
    return framebus_writer_fd(lender->writer);
}

static int dispatch(struct framebus_writer *writer, gpointer user G_GNUC_UNUSED)
{
    return framebus_writer_dispatch(writer);
}

int lender_dispatch(GstFramebusLender *lender)
{
    return lender_call(lender, dispatch, NULL);
}

struct framebus_bus_info *lender_info(GstFramebusLender *lender)
{
    struct framebus_bus_info *info = NULL;

    if (enter(lender)) {
        if (framebus_writer_get_info(lender->writer, &info) < 0)
            info = NULL;
        leave(lender);
    }
    return info;
}

static void finalize(GObject *object)
{
    GstFramebusLender *lender = GST_FRAMEBUS_LENDER(object);

    if (lender->cancel_fd >= 0)
        close(lender->cancel_fd);
    gst_clear_object(&lender->dmabufs);
    g_cond_clear(&lender->changed);
    g_mutex_clear(&lender->lock);
    G_OBJECT_CLASS(gst_framebus_lender_parent_class)->finalize(object);
}

static void gst_framebus_lender_class_init(GstFramebusLenderClass *class)
{
    G_OBJECT_CLASS(class)->finalize = finalize;
    GST_ALLOCATOR_CLASS(class)->free = memory_free;
}

static void gst_framebus_lender_init(GstFramebusLender *lender)
{
    GstAllocator *allocator = GST_ALLOCATOR_CAST(lender);

    lender->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_mutex_init(&lender->lock);
    g_cond_init(&lender->changed);

    allocator->mem_type = "FramebusSlot";
    allocator->mem_map = memory_map;
    allocator->mem_unmap = memory_unmap;
    allocator->mem_share = memory_share;
    allocator->mem_copy = memory_copy;
    allocator->mem_is_span = memory_is_span;
    /* Whoever finds this allocator at a buffer and wants more memory like it gets the ordinary one. */
    GST_OBJECT_FLAG_SET(lender, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}
