/* SPDX-License-Identifier: MIT */
/* The bus counts time on CLOCK_MONOTONIC, a pipeline on its clock. */
#ifndef GST_FRAMEBUS_TIMEBASE_H
#define GST_FRAMEBUS_TIMEBASE_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Now, on CLOCK_MONOTONIC. */
gint64 monotonic_now(void);

/* What to add to a running time of the element's pipeline to get CLOCK_MONOTONIC. FALSE: no clock yet. */
gboolean running_time_to_monotonic(GstElement *element, gint64 *offset);

/* The caps under which GstReferenceTimestampMeta carries CLOCK_MONOTONIC. */
GstCaps *monotonic_reference(void);

G_END_DECLS

#endif
