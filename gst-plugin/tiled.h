/* SPDX-License-Identifier: MIT */
/*
 * Pictures in DMA-BUFs whose rows are not one below the other, but in tiles or compressed, as the DRM
 * modifier in their caps says. Devices read and write them; nobody may take them for linear ones. GStreamer
 * can say so since 1.24: before, no caps are of such pictures.
 */
#ifndef GST_FRAMEBUS_TILED_H
#define GST_FRAMEBUS_TILED_H

#include <framebus.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* Returns TRUE if buffers with these fixed caps are such pictures, of a format that the bus can describe.
 * `info` describes them as if they were linear. */
gboolean tiled_from_caps(const GstCaps *caps, GstVideoInfo *info, guint64 *modifier);

/* Returns the part of the caps at this index that is of such pictures; NULL: none is. */
GstCaps *tiled_part_of_caps(const GstCaps *caps, guint index);

/* Does what caps_from_format() does for a format with a modifier. */
GstCaps *tiled_to_caps(const struct framebus_format *format, GstVideoInfo *info, char **why);

/* Returns TRUE if this meta is that of a picture described by tiled_from_caps(). */
gboolean tiled_has_meta(const GstVideoInfo *info, const GstVideoMeta *meta);

G_END_DECLS

#endif
