/* SPDX-License-Identifier: MIT */
#include "framememory.h"

#include <gst/allocators/gstdmabuf.h>

static GQuark framed_quark(void)
{
    return g_quark_from_static_string("framebus-framed");
}

static struct framed *framed_of(GstMemory *memory)
{
    return gst_mini_object_get_qdata(GST_MINI_OBJECT_CAST(memory->parent ? memory->parent : memory),
                                     framed_quark());
}

/* The frame is mapped already: mapping the fd once more would cost page faults, and drivers that pin the
 * pages of user space want those of the pool. */
static gpointer map(GstMemory *memory, GstMapInfo *info, gsize maxsize G_GNUC_UNUSED)
{
    const struct framed *framed = framed_of(memory);

    if (!framed->base || framebus_frame_begin_access(framed->frame, info->flags & GST_MAP_WRITE) < 0)
        return NULL;
    return framed->base;
}

static void unmap(GstMemory *memory, GstMapInfo *info)
{
    framebus_frame_end_access(framed_of(memory)->frame, info->flags & GST_MAP_WRITE);
}

GstAllocator *frame_memories_new(void)
{
    GstAllocator *allocator = gst_dmabuf_allocator_new();

    allocator->mem_map_full = map;
    allocator->mem_unmap_full = unmap;
    return allocator;
}

GstMemory *frame_memory_new(GstAllocator *allocator, GstMemoryFlags flags, const struct framebus_part *part,
                            struct framed *framed, GDestroyNotify done)
{
    GstMemory *memory = gst_dmabuf_allocator_alloc_with_flags(allocator, part->fd, part->offset + part->size,
                                                              GST_FD_MEMORY_FLAG_DONT_CLOSE);

    gst_memory_resize(memory, (gssize)part->offset, part->size);
    GST_MINI_OBJECT_FLAG_SET(memory, flags);
    gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(memory), framed_quark(), framed, done);
    return memory;
}

struct framed *frame_memory_get(GstAllocator *allocator, GstMemory *memory)
{
    return allocator && memory->allocator == allocator ? framed_of(memory) : NULL;
}
