/* SPDX-License-Identifier: MIT */
#include "dmabuf.h"

#include <gst/allocators/gstdmabuf.h>

/* ---- Memories ------------------------------------------------------------------------------ */

static GQuark content_quark(void)
{
    static gsize quark;

    if (g_once_init_enter(&quark))
        g_once_init_leave(&quark, g_quark_from_static_string("framebus-dmabuf"));
    return quark;
}

static struct dmabuf_frame *memory_content(GstMemory *memory)
{
    return gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(memory->parent ? memory->parent : memory),
                                     content_quark());
}

/* The frame is mapped already: to map the fd again would cost page faults, and drivers that pin pages of user
 * space want those of the pool. */
static gpointer memory_map(GstMemory *memory, GstMapInfo *info, gsize maxsize G_GNUC_UNUSED)
{
    const struct dmabuf_frame *content = memory_content(memory);

    if (!content->base || framebus_frame_begin_access(content->frame, info->flags & GST_MAP_WRITE) < 0)
        return NULL;
    return content->base;
}

static void memory_unmap(GstMemory *memory, GstMapInfo *info)
{
    framebus_frame_end_access(memory_content(memory)->frame, info->flags & GST_MAP_WRITE);
}

GstAllocator *dmabuf_allocator_new(void)
{
    GstAllocator *allocator = gst_dmabuf_allocator_new();

    allocator->mem_map_full = memory_map;
    allocator->mem_unmap_full = memory_unmap;
    return allocator;
}

GstMemory *dmabuf_memory_new(GstAllocator *allocator, GstMemoryFlags flags, const struct framebus_part *part,
                             struct dmabuf_frame *content, GDestroyNotify done)
{
    GstMemory *memory = gst_dmabuf_allocator_alloc_with_flags(allocator, part->fd, part->offset + part->size,
                                                              GST_FD_MEMORY_FLAG_DONT_CLOSE);

    gst_memory_resize(memory, (gssize)part->offset, part->size);
    GST_MINI_OBJECT_FLAG_SET(memory, flags);
    gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), content_quark(), content, done);
    return memory;
}

struct dmabuf_frame *dmabuf_memory_content(GstAllocator *allocator, GstMemory *memory)
{
    return allocator && memory->allocator == allocator ? memory_content(memory) : NULL;
}

/* ---- The memories of a slot ---------------------------------------------------------------- */

/* Each of its memories has a reference to it. */
struct dmabuf_entry {
    GMutex lock; /* of all below, and of all pieces */
    gboolean is_dmabuf;
    guint parts;
    guint in_use;      /* parts that downstream has */
    gboolean obsolete; /* memories that downstream releases are freed */
    struct frame_hold hold;
    GstMemory *memory[FRAMEBUS_PLANES_MAX]; /* those not in use have one reference, the entry's */
};

/* What one of the memories has. */
struct dmabuf_piece {
    struct dmabuf_frame content;
    struct dmabuf_entry *entry;
    gsize offset, size; /* in the fd */
    gboolean is_in_use;
};

static struct dmabuf_piece *piece_of(GstMemory *memory)
{
    return (struct dmabuf_piece *)memory_content(memory);
}

static void entry_clear(gpointer data)
{
    g_mutex_clear(&((struct dmabuf_entry *)data)->lock);
}

static void entry_unref(struct dmabuf_entry *entry)
{
    g_atomic_rc_box_release_full(entry, entry_clear);
}

static void piece_free(gpointer data)
{
    struct dmabuf_piece *piece = data;

    entry_unref(piece->entry);
    g_free(piece);
}

/* Keeps a memory whose last reference is gone, unless its entry is obsolete. */
static gboolean piece_dispose(GstMiniObject *object)
{
    GstMemory *memory = GST_MEMORY_CAST(object);
    struct dmabuf_piece *piece = piece_of(memory);
    struct dmabuf_entry *entry = piece->entry;
    struct frame_hold hold;
    gboolean stays, last;

    g_mutex_lock(&entry->lock);
    stays = !entry->obsolete;
    last = piece->is_in_use && --entry->in_use == 0;
    piece->is_in_use = FALSE;
    hold = entry->hold;
    if (stays)
        gst_memory_ref(memory);
    g_mutex_unlock(&entry->lock);
    if (last)
        frame_hold_end(&hold);
    return !stays;
}

/* Adds a memory, which has no reference yet but the entry's. */
static void entry_add(struct dmabuf_entry *entry, GstAllocator *allocator, const struct framebus_part *part,
                      gpointer data)
{
    struct dmabuf_piece *piece = g_new0(struct dmabuf_piece, 1);
    GstMemory *memory;

    piece->entry = g_atomic_rc_box_acquire(entry);
    piece->offset = part->offset;
    piece->size = part->size;
    piece->content.base = data ? (guint8 *)data - part->offset : NULL;
    if (entry->is_dmabuf) {
        memory = dmabuf_memory_new(allocator, GST_MEMORY_FLAG_READONLY, part, &piece->content, piece_free);
    } else {
        memory =
            gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, data, part->size, 0, part->size, NULL, NULL);
        gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), content_quark(), piece, piece_free);
    }
    GST_MINI_OBJECT_CAST(memory)->dispose = piece_dispose;
    entry->memory[entry->parts++] = memory;
}

/* Returns NULL if the frame is neither in DMA-BUFs nor mapped. */
static struct dmabuf_entry *entry_new(GstAllocator *allocator, const struct framebus_frame *frame)
{
    struct dmabuf_entry *entry;
    struct framebus_dmabuf dmabuf = {0};
    const gboolean is_dmabuf = framebus_frame_dmabuf(frame, &dmabuf) == 0;
    guint8 *data = frame->data;

    if (!is_dmabuf && !data)
        return NULL;
    entry = g_atomic_rc_box_new0(struct dmabuf_entry);
    g_mutex_init(&entry->lock);
    entry->is_dmabuf = is_dmabuf;
    for (guint i = 0; is_dmabuf && i < dmabuf.parts; i++) {
        entry_add(entry, allocator, &dmabuf.part[i], data);
        data = data ? data + dmabuf.part[i].size : NULL;
    }
    if (!is_dmabuf)
        entry_add(entry, allocator, &(struct framebus_part){.size = frame->capacity}, data);
    return entry;
}

/* Frees the memories that are not in use; the others follow when downstream releases them. */
static void entry_drop(struct dmabuf_entry *entry)
{
    GstMemory *unused[FRAMEBUS_PLANES_MAX] = {NULL};

    g_mutex_lock(&entry->lock);
    entry->obsolete = TRUE;
    for (guint i = 0; i < entry->parts; i++) {
        if (!piece_of(entry->memory[i])->is_in_use)
            unused[i] = entry->memory[i];
    }
    g_mutex_unlock(&entry->lock);
    for (guint i = 0; i < G_N_ELEMENTS(unused); i++)
        g_clear_pointer(&unused[i], gst_memory_unref);
    entry_unref(entry);
}

void dmabuf_entry_wrap(struct dmabuf_entry *entry, GstBuffer *buffer, const struct frame_hold *hold,
                       gsize size)
{
    g_mutex_lock(&entry->lock);
    entry->hold = *hold;
    entry->in_use = entry->parts;
    for (guint i = 0; i < entry->parts; i++) {
        GstMemory *memory = entry->memory[i];
        struct dmabuf_piece *piece = piece_of(memory);

        piece->content.frame = hold->frame;
        piece->is_in_use = TRUE;
        memory->offset = piece->offset; /* the last user may have changed it */
        memory->size = MIN(piece->size, size);
        size -= memory->size;
        gst_buffer_append_memory(buffer, memory);
    }
    g_mutex_unlock(&entry->lock);
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_TAG_MEMORY); /* it marks changes; this is not one */
}

static void entry_drop_kept(gpointer entry)
{
    entry_drop(entry);
}

struct dmabuf_entry *dmabuf_entry_of(GstAllocator *allocator, struct framebus_frame *frame)
{
    struct dmabuf_entry *entry = framebus_frame_get_user(frame);

    if (!entry) {
        entry = entry_new(allocator, frame);
        if (entry && framebus_frame_set_user(frame, entry, entry_drop_kept) < 0) {
            entry_drop(entry);
            return NULL;
        }
    }
    return entry;
}

gboolean dmabuf_entry_is_dmabuf(const struct dmabuf_entry *entry)
{
    return entry && entry->is_dmabuf;
}
