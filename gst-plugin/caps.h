/* SPDX-License-Identifier: MIT */
/* Caps <-> framebus_format, caps of pictures in DMA-BUFs, and the copying of pictures between layouts. */
#ifndef GST_FRAMEBUS_CAPS_H
#define GST_FRAMEBUS_CAPS_H

#include <framebus.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* Returns raw video in system memory: each format that the bus can describe, the common ones first. */
GstCaps *caps_of_pictures(void);

/* Returns TRUE if buffers with these caps travel as a described picture, and describes that in *info. */
gboolean caps_are_picture(const GstCaps *caps, GstVideoInfo *info);

/* Describes a picture with the layout of `info`. `text` (the caps as text) is kept, not copied. */
void format_from_info(struct framebus_format *format, const GstVideoInfo *info, const char *text);

/*
 * Returns the caps of a bus's frames; NULL, and a sentence in *why, if they make no sense. `info` is set up
 * with GStreamer's default layout if the frames are pictures, else info->finfo is NULL.
 */
GstCaps *caps_from_format(const struct framebus_format *format, GstVideoInfo *info, char **why);

/* Returns TRUE if the format's planes have these offsets and strides. */
gboolean format_has_layout(const struct framebus_format *format, guint planes, const gsize *offset,
                           const gint *stride);

/* Copies the rows of a picture, without their padding, between planes with these strides. */
void format_copy_picture(const struct framebus_format *format, const struct framebus_plane *to,
                         const struct framebus_plane *from);

/* Tells the planes of a mapped frame; FALSE: it is stored bottom-up, which the bus cannot describe. */
gboolean planes_of_frame(struct framebus_plane *planes, const GstVideoFrame *frame);

/* Returns TRUE if the caps at this index are of pictures in DMA-BUFs: they have the feature memory:DMABuf. */
gboolean caps_in_dmabufs(const GstCaps *caps, guint index);

/* Returns TRUE if they are in system memory, without anything that has to travel beside it. */
gboolean caps_in_system_memory(const GstCaps *caps, guint index);

/* Returns TRUE if their buffers can go onto a bus: system memory, or linear pictures in DMA-BUFs. */
gboolean caps_can_be_shared(const GstCaps *caps, guint index);

/* Returns the same caps with that feature. */
GstCaps *caps_with_dmabufs(const GstCaps *caps);

/* Returns fixed caps as those of the same pictures in system memory; NULL: they are of tiled pictures. */
GstCaps *caps_without_dmabufs(GstCaps *caps);

/* Returns the same caps with that feature if an element behind the pad asks for them by name; else NULL. */
GstCaps *caps_asked_for_in_dmabufs(const GstCaps *caps, GstPad *pad);

G_END_DECLS

#endif
