/* SPDX-License-Identifier: MIT */
/*
 * The buffer pool that framebussink proposes: its buffers are slots of the bus, to be written in place.
 *
 * The pool keeps buffers, but no slots. Each acquire lends a slot for a buffer; if no slot is free, the
 * buffer gets ordinary memory of the same layout and the sink copies it. So acquire waits only for the
 * readers of a lossless bus.
 */
#ifndef GST_FRAMEBUS_POOL_H
#define GST_FRAMEBUS_POOL_H

#include "allocator.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAMEBUS_POOL gst_framebus_pool_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusPool, gst_framebus_pool, GST, FRAMEBUS_POOL, GstBufferPool)

/* The bus gets the pool's format when the pool is started, not before. */
GstBufferPool *pool_new(GstFramebusAllocator *allocator, guint row_mask);

G_END_DECLS

#endif
