/* SPDX-License-Identifier: MIT */
#include "departure.h"

/* How late a frame of a file may be at the most; then its producer does not keep up, and it is of now. */
#define LATE_NS ((gint64)(20 * GST_MSECOND))

gint64 departure_capture_time(struct timebase *timebase, GstBaseSink *sink, GstBuffer *buffer,
                              gboolean is_timed, gboolean is_live)
{
    const GstReferenceTimestampMeta *reference =
        gst_buffer_get_reference_timestamp_meta(buffer, monotonic_reference());
    const gint64 now = monotonic_now();
    GstClockTime running;
    gint64 offset, capture;

    /* It came from another bus, or its source knows better than any timestamp. */
    if (reference)
        return reference->timestamp < (guint64)now ? (gint64)reference->timestamp : now;
    if (!is_timed || sink->segment.format != GST_FORMAT_TIME)
        return 0;
    running = gst_segment_to_running_time(&sink->segment, GST_FORMAT_TIME, GST_BUFFER_DTS_OR_PTS(buffer));
    if (!GST_CLOCK_TIME_IS_VALID(running) || !timebase_offset(timebase, GST_ELEMENT(sink), &offset))
        return 0;
    capture = offset + (gint64)running;
    if (capture <= 0 || (!is_live && capture < now - LATE_NS))
        return 0;
    return MIN(capture, now);
}
