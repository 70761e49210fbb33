/* SPDX-License-Identifier: MIT */
/*
 * The buffer pool that framebussink proposes: its buffers are slots of the bus, to be written in place.
 *
 * It keeps buffers, but no slots. Each acquire lends a slot for a buffer; where none is to be had, the buffer
 * has ordinary memory of the same layout and the sink copies it. So acquire never waits, but for the readers
 * of a lossless bus.
 */
#ifndef GST_FRAMEBUS_SLOT_POOL_H
#define GST_FRAMEBUS_SLOT_POOL_H

#include "lender.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAMEBUS_SLOT_POOL gst_framebus_slot_pool_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusSlotPool, gst_framebus_slot_pool, GST, FRAMEBUS_SLOT_POOL, GstBufferPool)

/* The bus takes on the pool's format when the pool is started, not before. */
GstBufferPool *slot_pool_new(GstFramebusLender *lender);

G_END_DECLS

#endif
