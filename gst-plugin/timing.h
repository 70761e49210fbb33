/* SPDX-License-Identifier: MIT */
/* Time on the bus, which is CLOCK_MONOTONIC, and in a pipeline, which has a clock of its own: the capture
 * time of a buffer that leaves, the timestamp of a frame that arrives, and the latency. */
#ifndef GST_FRAMEBUS_TIMING_H
#define GST_FRAMEBUS_TIMING_H

#include <framebus.h>
#include <gst/base/gstbasesink.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

/* Tags of blocks of metadata: gint64 in native byte order. */
#define TAG_PTS   0x64706266U /* "fbpd": how long after the capture time the PTS is, */
#define TAG_DTS   0x64646266U /* "fbdd": and the DTS, of a payload that has one */
#define TAG_SHIFT 0x68736266U /* "fbsh": how far both have been moved since the stream began */

/* Returns the time on CLOCK_MONOTONIC. */
gint64 monotonic_now(void);

/* Returns the caps under which GstReferenceTimestampMeta carries CLOCK_MONOTONIC. */
GstCaps *monotonic_reference(void);

/* What is known of a pipeline's clock, so that it is asked only when it has changed. Begins as zeroes; for
 * one thread. */
struct timebase {
    GstClock *clock;
    gboolean is_monotonic;
};

/* Tells what to add to a running time of the element's pipeline to get CLOCK_MONOTONIC. FALSE: there is no
 * clock yet. */
gboolean timebase_offset(struct timebase *timebase, GstElement *element, gint64 *offset);

void timebase_finish(struct timebase *timebase);

/* Buffers that leave. Begins as zeroes; for one thread. */
struct departure {
    struct timebase timebase;
    gboolean is_picture; /* else the order of buffers may differ from that of their timestamps */
    guint late;          /* number of buffers that were late, one after the other */
    gint64 shift;        /* how much later it is than it was at first */
    gint64 anchor;       /* what makes times of running times that have nothing to do with the time of day */
};

/* On CLOCK_MONOTONIC, and never in the future. */
struct departure_times {
    gint64 capture_ns; /* 0: it cannot be known */
    gdouble rate;      /* how much shorter than its duration the buffer lasts */

    /* How long after that the timestamps are; of payloads. */
    gboolean has_pts, has_dts;
    gint64 pts_after_ns, dts_after_ns;
    gint64 shift_ns; /* how much later they are than those of the first buffer would say */
};

void departure_finish(struct departure *departure);

/* Returns when a buffer was captured. is_timed: its timestamp has to do with the time of day. is_live: it
 * comes from a live source. */
struct departure_times departure_times(struct departure *departure, GstBaseSink *sink, GstBuffer *buffer,
                                       gboolean is_timed, gboolean is_live);

#define ARRIVAL_WINDOW 64

/* Frames that arrive: their timestamps, and the latency that follows from their age. */
struct arrival {
    struct timebase timebase;
    gboolean is_live; /* else timestamps count from the first frame */
    gboolean has_begun;
    gint64 beginning;     /* what is 0 then, on CLOCK_MONOTONIC */
    GstClockTime last;    /* the last buffer's running time, or GST_CLOCK_TIME_NONE */
    GstClockTime latency; /* the time from a frame's capture to the pipeline */

    GstClockTime age[ARRIVAL_WINDOW]; /* that time of each of the last frames */
    guint frames;                     /* number of frames so far */
    guint calm;                       /* number of frames since the last one that came near the latency */
    GstClockTime calm_most;           /* the longest that one of those took */
};

void arrival_init(struct arrival *arrival, gboolean is_live);
void arrival_finish(struct arrival *arrival);

/* Returns how long the frame lasts, as it, its format or its caps say. GST_CLOCK_TIME_NONE: unknown. */
GstClockTime arrival_duration(const struct framebus_frame *frame, const GstVideoInfo *info);

/* Stamps a buffer made of the frame. Returns TRUE if the latency has changed. */
gboolean arrival_stamp(struct arrival *arrival, GstElement *element, const struct framebus_frame *frame,
                       const GstVideoInfo *info, GstBuffer *buffer);

/* Stamps a buffer as if it had been captured now. FALSE: there is no clock yet. */
gboolean arrival_stamp_now(struct arrival *arrival, GstElement *element, GstBuffer *buffer);

G_END_DECLS

#endif
