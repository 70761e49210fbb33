/* SPDX-License-Identifier: MIT */
/* What GStreamer's analytics library attaches to buffers, for framebussink and framebussrc to carry. */
#ifndef GST_FRAMEBUS_ANALYTICS_H
#define GST_FRAMEBUS_ANALYTICS_H

#include "../metas/carrier.h"

#include <gst/analytics/analytics.h>

G_BEGIN_DECLS

extern const struct meta_carrier relation_carrier;
extern const struct meta_carrier tensor_carrier;

/* All of them. */
extern const struct meta_carriers analytics_carriers;

/* Puts the name of a label, and takes it: 0 if it is none, or one more than this process keeps. */
void label_put(GByteArray *bytes, GQuark label);
GQuark label_take(struct block *block);

#if GST_CHECK_VERSION(1, 26, 0)
/* Puts a tensor. Returns FALSE if it has no data. */
gboolean tensor_put(GByteArray *bytes, const GstTensor *tensor);

/* Takes one; NULL: it makes no sense. */
GstTensor *tensor_take(struct block *block);
#endif

G_END_DECLS

#endif
