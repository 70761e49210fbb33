/* SPDX-License-Identifier: MIT */
/* A reader's frame as a GstBuffer: in place, or copied. */
#ifndef GST_FRAMEBUS_FRAMEBUFFER_H
#define GST_FRAMEBUS_FRAMEBUFFER_H

#include <framebus.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* True if the frame lies as buffers without GstVideoMeta are taken to. info->finfo is NULL for payloads. */
gboolean frame_is_default(const struct framebus_frame *frame, const GstVideoInfo *info);

/* The frame itself, given back to the reader when the memory is freed. Whoever maps it for writing gets a
 * copy from GStreamer. */
GstBuffer *frame_wrap(struct framebus_reader *reader, struct framebus_frame *frame, const GstVideoInfo *info);

/* The same in ordinary memory and the default layout; the frame stays the caller's. NULL: no memory. */
GstBuffer *frame_copy(const struct framebus_frame *frame, const GstVideoInfo *info);

G_END_DECLS

#endif
