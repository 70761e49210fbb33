/* SPDX-License-Identifier: MIT */
/* Caps of pictures in DMA-BUFs: those with the feature memory:DMABuf. */
#ifndef GST_FRAMEBUS_DEVICECAPS_H
#define GST_FRAMEBUS_DEVICECAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* True if the caps at an index are of pictures in DMA-BUFs. */
gboolean caps_in_dmabufs(const GstCaps *caps, guint index);

/* True if what they are of can go onto a bus: system memory, or pictures in DMA-BUFs that are not tiled. */
gboolean caps_can_be_shared(const GstCaps *caps, guint index);

/* The same caps with that feature, or without any: NULL, if they are fixed and of tiled pictures. */
GstCaps *caps_with_dmabufs(const GstCaps *caps);
GstCaps *caps_without_dmabufs(const GstCaps *caps);

/* Such caps, if whatever follows the pad names them rather than to take just anything; else NULL. */
GstCaps *dmabufs_asked_for(GstPad *pad, const GstCaps *caps);

/* True if that is what the pad's caps are now. */
gboolean pad_has_dmabufs(GstPad *pad);

G_END_DECLS

#endif
