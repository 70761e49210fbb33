/* SPDX-License-Identifier: MIT */
/*
 * Upstream's own memory on the bus: buffers in DMA-BUFs, or in sealed memfds, are published without a copy.
 * Each memory is registered with the bus once. A buffer that was published is kept, and upstream has it back
 * when nobody on the bus uses it any more.
 */
#ifndef GST_FRAMEBUS_FOREIGN_H
#define GST_FRAMEBUS_FOREIGN_H

#include "lender.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

struct foreign;

struct foreign *foreign_new(GstFramebusLender *lender);

/* After lender_close(). Memories that were registered keep a little of it alive. NULL is fine. */
void foreign_free(struct foreign *foreign);

/*
 * A frame of the bus that is this buffer, to be described and then given to foreign_publish(); NULL if it has
 * to be copied: it is in other memory, or on the bus already, or upstream would be left with too few buffers.
 * `text` are the caps. For the streaming thread.
 */
struct framebus_frame *foreign_begin(struct foreign *foreign, GstBuffer *buffer, const GstVideoInfo *info,
                                     const char *text);

/* 0 or a negative errno; the frame is gone in any case. */
int foreign_publish(struct foreign *foreign, struct framebus_frame *frame);

G_END_DECLS

#endif
