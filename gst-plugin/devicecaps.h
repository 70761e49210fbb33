/* SPDX-License-Identifier: MIT */
/* Caps of pictures in DMA-BUFs: those with the feature memory:DMABuf. */
#ifndef GST_FRAMEBUS_DEVICECAPS_H
#define GST_FRAMEBUS_DEVICECAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* What caps at an index say of the memory: nothing, that is system memory, or DMA-BUFs. */
gboolean caps_in_system_memory(const GstCaps *caps, guint index);
gboolean caps_in_dmabufs(const GstCaps *caps, guint index);

/* The same caps with that feature, or without any. */
GstCaps *caps_with_dmabufs(const GstCaps *caps);
GstCaps *caps_without_dmabufs(const GstCaps *caps);

/* True if whatever follows the pad names such caps, rather than to take just anything. */
gboolean peer_asks_for(GstPad *pad, const GstCaps *dmabufs);

G_END_DECLS

#endif
