/* SPDX-License-Identifier: MIT */
/* Memories that are DMA-BUFs to devices and, in the same place, the mapping of a frame to everybody else. */
#ifndef GST_FRAMEBUS_FRAMEMEMORY_H
#define GST_FRAMEBUS_FRAMEMEMORY_H

#include <framebus.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* What such a memory is of; whoever makes one embeds it at the beginning of a struct of its own. */
struct framed {
    struct framebus_frame *frame; /* whose memory it is at present */
    guint8 *base; /* where the first byte of the fd is, or would be, mapped; NULL: it cannot be */
};

/* An allocator for them; they are gst_is_dmabuf_memory(). */
GstAllocator *frame_memories_new(void);

/* Part of a frame as memory. The fd stays the frame's. `done` frees `framed` together with the memory. */
GstMemory *frame_memory_new(GstAllocator *allocator, GstMemoryFlags flags, const struct framebus_part *part,
                            struct framed *framed, GDestroyNotify done);

/* The `framed` that it was made with, of a part of it too; NULL: no memory of this allocator. */
struct framed *frame_memory_get(GstAllocator *allocator, GstMemory *memory);

G_END_DECLS

#endif
