/* SPDX-License-Identifier: MIT */
/* The bus counts time on CLOCK_MONOTONIC, a pipeline on its clock. */
#ifndef GST_FRAMEBUS_TIMEBASE_H
#define GST_FRAMEBUS_TIMEBASE_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Now, on CLOCK_MONOTONIC. */
gint64 monotonic_now(void);

/* What is known of a pipeline's clock, which takes longer to ask than to read. Begins as zeroes; for one
 * thread. */
struct timebase {
    GstClock *clock;
    gboolean is_monotonic;
};

/* What to add to a running time of the element's pipeline to get CLOCK_MONOTONIC. FALSE: no clock yet. */
gboolean timebase_offset(struct timebase *timebase, GstElement *element, gint64 *offset);

void timebase_finish(struct timebase *timebase);

/* The caps under which GstReferenceTimestampMeta carries CLOCK_MONOTONIC. */
GstCaps *monotonic_reference(void);

G_END_DECLS

#endif
