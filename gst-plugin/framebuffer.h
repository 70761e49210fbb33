/* SPDX-License-Identifier: MIT */
/* A reader's frame as a GstBuffer, in place or copied, with its capture time as GstReferenceTimestampMeta. */
#ifndef GST_FRAMEBUS_FRAMEBUFFER_H
#define GST_FRAMEBUS_FRAMEBUFFER_H

#include <framebus.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* True if the frame lies as buffers without GstVideoMeta are taken to. info->finfo is NULL for payloads. */
gboolean frame_is_default(const struct framebus_frame *frame, const GstVideoInfo *info);

/* A buffer for a frame to come, made while nobody waits for it. `lies` is how the bus's pictures do. */
GstBuffer *frame_expect(GstVideoInfo *lies);

/* Puts the frame itself into such a buffer; it is given back to the reader when the memory is freed. Whoever
 * maps it for writing gets a copy from GStreamer. `count`, a g_atomic_rc_box, counts the frames that are out.
 */
void frame_wrap(GstBuffer *buffer, struct framebus_reader *reader, struct framebus_frame *frame,
                const GstVideoInfo *info, gint *count);

/* The same in ordinary memory and the default layout; the frame stays the caller's. NULL: no memory. */
GstBuffer *frame_copy(const struct framebus_frame *frame, const GstVideoInfo *info);

G_END_DECLS

#endif
