/* SPDX-License-Identifier: MIT */
#include "timebase.h"

#include <time.h>

gint64 monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * GST_SECOND + now.tv_nsec;
}

gboolean running_time_to_monotonic(GstElement *element, gint64 *offset)
{
    GstClock *clock = gst_element_get_clock(element);
    gint64 before, time, after, ahead = 0;

    if (!clock)
        return FALSE;
    before = monotonic_now();
    time = gst_clock_get_time(clock);
    after = monotonic_now();
    /* The usual clock is CLOCK_MONOTONIC itself. To ask for its type would take longer than to read it. */
    if (time < before || time > after)
        ahead = before + (after - before) / 2 - time;
    *offset = (gint64)gst_element_get_base_time(element) + ahead;
    gst_object_unref(clock);
    return TRUE;
}

GstCaps *monotonic_reference(void)
{
    static GstStaticCaps caps = GST_STATIC_CAPS("timestamp/x-system-monotonic");

    return gst_static_caps_get(&caps);
}
