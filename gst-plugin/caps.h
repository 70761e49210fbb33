/* SPDX-License-Identifier: MIT */
/* Caps <-> framebus_format, and copying pictures between layouts. */
#ifndef GST_FRAMEBUS_CAPS_H
#define GST_FRAMEBUS_CAPS_H

#include <framebus.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* Raw video in system memory, every format that the bus can describe, the common ones first. */
GstCaps *caps_of_pictures(void);

/* True if buffers with these caps travel as a described picture: *info then tells which. */
gboolean caps_are_picture(const GstCaps *caps, GstVideoInfo *info);

/* Describes a picture laid out as `info` says. `text` (the caps as text) is kept, not copied. */
void format_from_info(struct framebus_format *format, const GstVideoInfo *info, const char *text);

/*
 * The caps that frames of a bus have; NULL, and a sentence in *why, if they make no sense. `info` is set up
 * with the default layout if it is a picture, else info->finfo is NULL.
 */
GstCaps *caps_from_format(const struct framebus_format *format, GstVideoInfo *info, char **why);

/* True if planes with these offsets and strides lie as the format says. */
gboolean format_has_layout(const struct framebus_format *format, guint planes, const gsize *offset,
                           const gint *stride);

/* Copies the rows of a picture, without what pads them, between planes with these strides. */
void format_copy_picture(const struct framebus_format *format, const struct framebus_plane *to,
                         const struct framebus_plane *from);

/* The planes of a mapped frame; FALSE if it is stored bottom-up, which the bus cannot say. */
gboolean planes_of_frame(struct framebus_plane *planes, const GstVideoFrame *frame);

G_END_DECLS

#endif
