/* SPDX-License-Identifier: MIT */
/* When a frame leaves: its timestamp becomes a capture time that all pipelines understand. */
#ifndef GST_FRAMEBUS_DEPARTURE_H
#define GST_FRAMEBUS_DEPARTURE_H

#include "timebase.h"

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

/*
 * When the buffer was captured, on CLOCK_MONOTONIC and never in the future; 0 if that is not to be known.
 * is_timed: its timestamp tells of the time of day. is_live: it comes from a live source.
 * For the streaming thread.
 */
gint64 departure_capture_time(struct timebase *timebase, GstBaseSink *sink, GstBuffer *buffer,
                              gboolean is_timed, gboolean is_live);

G_END_DECLS

#endif
