/* SPDX-License-Identifier: MIT */
/*
 * Upstream's own memory on the bus: buffers in DMA-BUFs, or in sealed memfds, are published without a copy.
 * Each memory is registered with the bus once. A buffer that was published is kept until nobody on the bus
 * uses it any more; then upstream gets it back.
 */
#ifndef GST_FRAMEBUS_IMPORT_H
#define GST_FRAMEBUS_IMPORT_H

#include "allocator.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

struct imports;

struct imports *imports_new(GstFramebusAllocator *allocator);

/* To be called after allocator_close(). Memories that were registered keep a little of it alive. NULL is
 * fine. */
void imports_free(struct imports *imports);

/* What the buffers of some caps are. */
struct import_picture {
    const GstVideoInfo *info; /* NULL: they are payloads */
    guint64 modifier;         /* 0: linear */
    const char *text;         /* the caps */
};

/*
 * Returns a frame of the bus that is this buffer, to be described and then given to imports_publish(). NULL:
 * it has to be copied, and *error says why. -EAGAIN: it is on the bus already, or upstream would be left with
 * too few buffers, or the bus has no slot. -EBADMSG: it is in other memory, or not what the caps say. Other
 * errors: framebus_import_create(). To be called in the streaming thread.
 */
struct framebus_frame *imports_begin(struct imports *imports, GstBuffer *buffer,
                                     const struct import_picture *picture, int *error);

/* Returns 0 or a negative errno; the frame is gone in either case. */
int imports_publish(struct imports *imports, struct framebus_frame *frame);

G_END_DECLS

#endif
