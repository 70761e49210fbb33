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

/* Returns TRUE if they are those of any other raw video, which is a payload in GStreamer's default layout. */
gboolean caps_are_other_raw(const GstCaps *caps, GstVideoInfo *info);

/* Returns TRUE if a buffer of such video holds several pictures, each with a GstVideoMeta of its own: the
 * views of a stereo picture, or fields. On a bus they follow one another, up to this number. */
#define SEVERAL_MAX 16
gboolean info_is_of_several(const GstVideoInfo *info);

/* Lays a picture out with rows that begin at multiples of row_mask + 1 bytes, beside what `align` asks for;
 * `align` tells the padding then. FALSE: GStreamer cannot. */
gboolean info_align_rows(GstVideoInfo *info, guint row_mask, GstVideoAlignment *align);

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

/* The rows of a plane: where the first one is, and how far it is to the next. Bottom-up: less than 0. */
struct plane_rows {
    guint8 *data;
    gssize stride;
};

/* Copies the rows of a picture, without their padding. */
void format_copy_picture(const struct framebus_format *format, const struct plane_rows *to,
                         const struct plane_rows *from);

/* Tells the rows of a frame, and those of a mapped picture. */
void rows_of_frame(struct plane_rows *rows, const struct framebus_frame *frame);
void rows_of_picture(struct plane_rows *rows, const GstVideoFrame *picture);

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
