/* SPDX-License-Identifier: MIT */
#include "exports.h"

#include "framememory.h"

/* A slot's memory, or a buffer's in its place. Each of the memories has a reference to it. */
struct export
{
    GMutex lock; /* of all below, and of all its pieces */
    guint32 serial;
    guint parts;
    guint out;         /* parts that downstream has */
    gboolean obsolete; /* memories that come home are freed */
    struct frame_hold hold;
    GstMemory *memory[FRAMEBUS_PLANES_MAX]; /* those at home have one reference, ours */
};

struct piece {
    struct framed framed;
    struct export *export;
    gsize offset, size; /* in the fd */
    gboolean is_out;
};

/* What was found out about a slot, for frames of this format in this place. */
struct place {
    guint32 format_serial;
    gpointer data;
    struct export *export; /* NULL: no DMA-BUF */
};

struct exports {
    GstAllocator *allocator;
    struct place place[FRAMEBUS_SLOTS_MAX];
};

static void export_clear(gpointer data)
{
    g_mutex_clear(&((struct export *)data)->lock);
}

static void piece_free(gpointer data)
{
    struct piece *piece = data;

    g_atomic_rc_box_release_full(piece->export, export_clear);
    g_free(piece);
}

/* The last reference to a memory is gone: it comes home rather than being freed. */
static gboolean come_home(GstMiniObject *object)
{
    GstMemory *memory = GST_MEMORY_CAST(object);
    struct piece *piece = (struct piece *)frame_memory_get(memory->allocator, memory);
    struct export *export = piece->export;
    struct frame_hold hold;
    gboolean stays, last;

    g_mutex_lock(&export->lock);
    stays = !export->obsolete;
    last = piece->is_out && --export->out == 0;
    piece->is_out = FALSE;
    hold = export->hold;
    if (stays)
        gst_memory_ref(memory);
    g_mutex_unlock(&export->lock);
    if (last)
        frame_hold_end(&hold);
    return !stays;
}

static struct export *export_new(GstAllocator *allocator, const struct framebus_frame *frame,
                                 const struct framebus_dmabuf *dmabuf)
{
    struct export *export = g_atomic_rc_box_new0(struct export);
    guint8 *data = frame->data;

    g_mutex_init(&export->lock);
    export->serial = dmabuf->serial;
    export->parts = dmabuf->parts;
    for (guint i = 0; i < dmabuf->parts; i++) {
        const struct framebus_part *part = &dmabuf->part[i];
        struct piece *piece = g_new0(struct piece, 1);
        GstMemory *memory;

        piece->export = g_atomic_rc_box_acquire(export);
        piece->offset = part->offset;
        piece->size = part->size;
        piece->framed.base = data ? data - part->offset : NULL;
        data = data ? data + part->size : NULL;
        memory = frame_memory_new(allocator, GST_MEMORY_FLAG_READONLY, part, &piece->framed, piece_free);
        GST_MINI_OBJECT_CAST(memory)->dispose = come_home;
        export->memory[i] = memory;
    }
    return export;
}

static void forget(struct place *place)
{
    struct export *export = g_steal_pointer(&place->export);
    GstMemory *home[FRAMEBUS_PLANES_MAX] = {NULL};

    if (!export)
        return;
    g_mutex_lock(&export->lock);
    export->obsolete = TRUE;
    for (guint i = 0; i < export->parts; i++) {
        const struct piece *piece =
            (struct piece *)frame_memory_get(export->memory[i]->allocator, export->memory[i]);

        if (!piece->is_out)
            home[i] = export->memory[i];
    }
    g_mutex_unlock(&export->lock);
    for (guint i = 0; i < G_N_ELEMENTS(home); i++)
        g_clear_pointer(&home[i], gst_memory_unref);
    g_atomic_rc_box_release_full(export, export_clear);
}

/* Asks the library where that is not known, which for frames in no DMA-BUF is dear: it says why. */
gboolean exports_has(struct exports *exports, const struct framebus_frame *frame)
{
    struct place *place = &exports->place[frame->slot];
    gboolean is_same = place->format_serial == frame->format_serial && place->data == frame->data;
    struct framebus_dmabuf dmabuf;
    gboolean has;

    if (is_same && frame->data && !place->export)
        return FALSE;
    has = framebus_frame_dmabuf(frame, &dmabuf) == 0;
    if (is_same && has && place->export && place->export->serial == dmabuf.serial)
        return TRUE;
    forget(place);
    place->format_serial = frame->format_serial;
    place->data = frame->data;
    if (has)
        place->export = export_new(exports->allocator, frame, &dmabuf);
    return has;
}

void exports_wrap(struct exports *exports, GstBuffer *buffer, const struct frame_hold *hold, gsize size)
{
    struct export *export = exports->place[hold->frame->slot].export;

    g_mutex_lock(&export->lock);
    export->hold = *hold;
    export->out = export->parts;
    for (guint i = 0; i < export->parts; i++) {
        GstMemory *memory = export->memory[i];
        struct piece *piece = (struct piece *)frame_memory_get(memory->allocator, memory);

        piece->framed.frame = hold->frame;
        piece->is_out = TRUE;
        memory->offset = piece->offset; /* whoever had it last may have changed it */
        memory->size = MIN(piece->size, size);
        size -= memory->size;
        gst_buffer_append_memory(buffer, memory);
    }
    g_mutex_unlock(&export->lock);
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_TAG_MEMORY); /* tells of changes, and this is none */
}

struct exports *exports_new(void)
{
    struct exports *exports = g_new0(struct exports, 1);

    exports->allocator = frame_memories_new();
    return exports;
}

void exports_free(struct exports *exports)
{
    if (!exports)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(exports->place); i++)
        forget(&exports->place[i]);
    gst_object_unref(exports->allocator);
    g_free(exports);
}
