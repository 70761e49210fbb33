/* SPDX-License-Identifier: MIT */
/*
 * The DMA-BUFs that a reader's frames are in, as memories made once for each slot or buffer: what downstream
 * made of one (a framebuffer, an image) and keeps at the memory is found there again.
 */
#ifndef GST_FRAMEBUS_EXPORTS_H
#define GST_FRAMEBUS_EXPORTS_H

#include "framebuffer.h"

G_BEGIN_DECLS

struct exports;

struct exports *exports_new(void);

/* Memories that are out stay valid. NULL is fine. */
void exports_free(struct exports *exports);

/* True if the frame is in DMA-BUFs. For the thread that takes frames. */
gboolean exports_has(struct exports *exports, const struct framebus_frame *frame);

/* Puts such a frame into a buffer, `size` bytes of it; it is given back when the last of its memories comes
 * home. Only after exports_has() of this frame. */
void exports_wrap(struct exports *exports, GstBuffer *buffer, const struct frame_hold *hold, gsize size);

G_END_DECLS

#endif
