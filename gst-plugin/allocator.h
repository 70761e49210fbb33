/* SPDX-License-Identifier: MIT */
/*
 * The writer of one bus as a GstAllocator, shared by the sink, its pools and the memories that are out in the
 * pipeline.
 *
 * Its memories are slots. A memory lives as long as the slot is lent, so a slot comes back when the last user
 * of the memory is gone, whatever became of the buffer that brought it. A memory keeps the allocator alive,
 * and the allocator keeps calls into the library that are under way apart from close. On a bus with DMA-BUFs
 * its memories come from dmabuf_allocator_new() instead, and are otherwise the same.
 */
#ifndef GST_FRAMEBUS_ALLOCATOR_H
#define GST_FRAMEBUS_ALLOCATOR_H

#include <framebus.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAMEBUS_ALLOCATOR gst_framebus_allocator_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusAllocator, gst_framebus_allocator, GST, FRAMEBUS_ALLOCATOR, GstAllocator)

/* Slots that may be out in the pipeline at once, including those that the sink keeps for its own copies: from
 * the first number to the second, where the bus has room. A decoder with a thread for each core has as many
 * pictures under way, and keeps up to 16 to refer to. */
#define ALLOCATOR_MIN_LENDS 16
#define ALLOCATOR_MAX_LENDS 32

enum allocator_use {
    ALLOCATOR_FOR_UPSTREAM, /* goes on waiting while the sink is paused; leaves the sink's own slots alone */
    ALLOCATOR_FOR_UPSTREAM_NOW, /* does not wait: -ECANCELED */
    ALLOCATOR_FOR_RENDER,       /* stops waiting when the sink is unlocked, too */
    ALLOCATOR_FOR_PREROLL,      /* does not wait */
};

/* Opens the bus's writer, without a format, and fills in max_lends, cancel_fd, label and poll_ns of the
 * options: allocator_dispatch() is called when allocator_fd() is readable.
 * Returns NULL and a negative errno on failure; framebus_last_error() says why. */
GstFramebusAllocator *allocator_open(const char *name, struct framebus_writer_options options, int *error);

/* Leaves the bus. Memories that are still out stay valid; everything else fails with -ECANCELED. */
void allocator_close(GstFramebusAllocator *allocator);

/* While on, nothing waits: neither the sink (unlocked) nor anybody else (flushing). */
void allocator_set_unlocked(GstFramebusAllocator *allocator, gboolean on);
void allocator_set_flushing(GstFramebusAllocator *allocator, gboolean on);

/* Makes each call to allocator_lend() that waits look at its `flushing` flag again. */
void allocator_wake(GstFramebusAllocator *allocator);

/* framebus_writer_set_format(), with the bus's orientation. Slots lent before can still be written to, but no
 * longer be published. */
int allocator_set_format(GstFramebusAllocator *allocator, enum allocator_use use,
                         const struct framebus_format *format);

/* Returns TRUE if a slot is what upstream asks for: it begins with a page, and has room behind the frame, but
 * none before it, and keeps what was in that room. */
gboolean allocation_suits_slots(const GstAllocationParams *params);

/* Sets the orientation (enum framebus_orientation) that pictures of this bus have, of the present format too.
 */
int allocator_set_orientation(GstFramebusAllocator *allocator, enum allocator_use use, guint orientation);

/* Returns a free slot as memory of at least `size` bytes (0: a picture of the bus's format), or NULL and a
 * negative errno. Gives up with -ECANCELED when *flushing (may be NULL) is set. */
GstMemory *allocator_lend(GstFramebusAllocator *allocator, enum allocator_use use, guint64 size,
                          const gint *flushing, int *error);

/* Gives back the slot of such a memory, which remains as an empty shell. Returns FALSE, and does nothing, if
 * somebody else uses the memory too. */
gboolean allocator_empty(GstFramebusAllocator *allocator, GstMemory *memory);

/* Does what allocator_lend() does for a picture of upstream's, but into such a shell. */
gboolean allocator_refill(GstFramebusAllocator *allocator, enum allocator_use use, GstMemory *memory,
                          const gint *flushing, int *error);

/* Returns TRUE for slots of this allocator, and for parts of them. */
gboolean allocator_has(GstFramebusAllocator *allocator, GstMemory *memory);

/* Returns the frame behind a memory that is a whole slot of this allocator, as it was lent; else NULL. */
struct framebus_frame *allocator_frame(GstFramebusAllocator *allocator, GstMemory *memory);

/* Returns TRUE once the slot behind allocator_frame()'s memory has been published. */
gboolean allocator_is_published(GstFramebusAllocator *allocator, GstMemory *memory);

/* Publishes such a memory. -EBUSY: somebody still writes to it. Other errors: framebus_writer_publish(). */
int allocator_publish(GstFramebusAllocator *allocator, GstMemory *memory);

/* Makes a call to the library for which this header has no function. */
int allocator_call(GstFramebusAllocator *allocator,
                   int (*call)(struct framebus_writer *writer, gpointer user), gpointer user);

/* framebus_import_destroy(), at any time. */
void allocator_destroy_buffer(GstFramebusAllocator *allocator, struct framebus_import *buffer);

/* For callbacks of the library: unrefs a buffer once the call that called back has returned. */
void allocator_unref_later(GstFramebusAllocator *allocator, GstBuffer *buffer);

/* framebus_writer_end(); waits for lossless readers, until the sink is unlocked or flushed: -ECANCELED. */
int allocator_end(GstFramebusAllocator *allocator);
int allocator_fd(GstFramebusAllocator *allocator);
int allocator_dispatch(GstFramebusAllocator *allocator);
guint64 allocator_count_changes(GstFramebusAllocator *allocator);
gboolean allocator_wants_key_frame(GstFramebusAllocator *allocator);
struct framebus_bus_info *allocator_info(GstFramebusAllocator *allocator);

G_END_DECLS

#endif
