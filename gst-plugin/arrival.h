/* SPDX-License-Identifier: MIT */
/* When a frame arrives: its capture time becomes a timestamp of this pipeline, and tells the latency. */
#ifndef GST_FRAMEBUS_ARRIVAL_H
#define GST_FRAMEBUS_ARRIVAL_H

#include "timebase.h"

#include <framebus.h>
#include <gst/gst.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

#define ARRIVAL_WINDOW 64

struct arrival {
    struct timebase timebase;
    GstClockTime last;    /* the last buffer's running time, or GST_CLOCK_TIME_NONE */
    GstClockTime latency; /* how long frames take from capture to publication, and one frame's duration */

    GstClockTime age[ARRIVAL_WINDOW]; /* the same of each of the last frames */
    guint frames;                     /* how many there were */
    guint calm;                       /* how many since one came near the latency ... */
    GstClockTime calm_most;           /* ... and the most that one of them took */
};

void arrival_init(struct arrival *arrival);
void arrival_finish(struct arrival *arrival);

/* How long the frame lasts, from what it, its format or its caps say. GST_CLOCK_TIME_NONE: not known. */
GstClockTime arrival_duration(const struct framebus_frame *frame, const GstVideoInfo *info);

/* Stamps a buffer made of the frame. True if the latency has changed. */
gboolean arrival_stamp(struct arrival *arrival, GstElement *element, const struct framebus_frame *frame,
                       const GstVideoInfo *info, GstBuffer *buffer);

/* Stamps a buffer as if it had been captured now. False: there is no clock yet. */
gboolean arrival_stamp_now(struct arrival *arrival, GstElement *element, GstBuffer *buffer);

G_END_DECLS

#endif
