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

/* A frame that downstream has. */
struct frame_hold {
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    gint *count; /* of those that are out: a g_atomic_rc_box */
};

/* Begins with a reference to the count, and counts. */
struct frame_hold frame_hold_begin(struct framebus_reader *reader, struct framebus_frame *frame, gint *count);

/* Gives the frame back to the reader. Any thread. */
void frame_hold_end(const struct frame_hold *hold);

/* How many bytes of a frame to show. Some count on a picture to be no larger than need be. */
gsize frame_visible_size(const struct framebus_frame *frame, const GstVideoInfo *info);

/* Puts the frame itself into such a buffer, `size` bytes of it; it is given back when the memory is freed.
 * Whoever maps it for writing gets a copy from GStreamer. */
void frame_wrap(GstBuffer *buffer, const struct frame_hold *hold, gsize size);

/* Tells such a buffer when the frame was captured. */
void frame_stamp(GstBuffer *buffer, const struct framebus_frame *frame);

/* The same in ordinary memory and the default layout; the frame stays the caller's. NULL: no memory. */
GstBuffer *frame_copy(const struct framebus_frame *frame, const GstVideoInfo *info);

G_END_DECLS

#endif
