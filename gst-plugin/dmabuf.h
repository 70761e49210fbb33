/* SPDX-License-Identifier: MIT */
/* Memories that are a DMA-BUF to devices and the mapping of a frame to everybody else; and the ones, DMA-BUFs
 * or not, that a reader's frames are in, made once for each slot. */
#ifndef GST_FRAMEBUS_DMABUF_H
#define GST_FRAMEBUS_DMABUF_H

#include "buffer.h"

G_BEGIN_DECLS

/* The frame of such a memory; embedded at the beginning of a larger struct. */
struct dmabuf_frame {
    struct framebus_frame *frame; /* the frame that is in the memory at present */
    guint8 *base; /* where the first byte of the fd is mapped, or would be; NULL: it cannot be mapped */
};

/* Returns an allocator of such memories; they are gst_is_dmabuf_memory(). */
GstAllocator *dmabuf_allocator_new(void);

/* Returns part of a frame as memory. The fd remains the frame's. `done` frees `content` together with the
 * memory. */
GstMemory *dmabuf_memory_new(GstAllocator *allocator, GstMemoryFlags flags, const struct framebus_part *part,
                             struct dmabuf_frame *content, GDestroyNotify done);

/* Returns the content of such a memory, or of a part of it; NULL: it is not of this allocator. */
struct dmabuf_frame *dmabuf_memory_content(GstAllocator *allocator, GstMemory *memory);

/*
 * The memories that a reader's frame is in: those of one slot, or of one import, with which they are kept. So
 * what downstream made of a memory (a framebuffer, an image) and keeps at it is found there again. Memories
 * that downstream has outlive the slot.
 */
struct dmabuf_entry;

/* Returns the memories that a frame is in, of this allocator if those are DMA-BUFs, valid while it is held;
 * NULL: there are none to be had. To be used in the thread that takes frames. */
struct dmabuf_entry *dmabuf_entry_of(GstAllocator *allocator, struct framebus_frame *frame);

/* FALSE: it is ordinary memory, or NULL. */
gboolean dmabuf_entry_is_dmabuf(const struct dmabuf_entry *entry);

/* Puts `size` bytes of the frame of that entry into a buffer; the frame is given back when downstream has
 * released the last of the memories. */
void dmabuf_entry_wrap(struct dmabuf_entry *entry, GstBuffer *buffer, const struct frame_hold *hold,
                       gsize size);

G_END_DECLS

#endif
