/* SPDX-License-Identifier: MIT */
#include "timebase.h"

#include <time.h>

gint64 monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64)now.tv_sec * GST_SECOND + now.tv_nsec;
}

/* Subclasses of the system clock (the network clocks) count otherwise, hence the exact type. */
static gboolean is_monotonic(GstClock *clock)
{
    GstClockType type = GST_CLOCK_TYPE_OTHER;

    if (G_OBJECT_TYPE(clock) != GST_TYPE_SYSTEM_CLOCK)
        return FALSE;
    g_object_get(clock, "clock-type", &type, NULL);
    return type == GST_CLOCK_TYPE_MONOTONIC;
}

gboolean running_time_to_monotonic(GstElement *element, gint64 *offset)
{
    GstClock *clock = gst_element_get_clock(element);
    gint64 ahead = 0;

    if (!clock)
        return FALSE;
    if (!is_monotonic(clock)) {
        gint64 before = monotonic_now();
        gint64 time = gst_clock_get_time(clock);

        ahead = before + (monotonic_now() - before) / 2 - time;
    }
    *offset = (gint64)gst_element_get_base_time(element) + ahead;
    gst_object_unref(clock);
    return TRUE;
}

GstCaps *monotonic_reference(void)
{
    static GstStaticCaps caps = GST_STATIC_CAPS("timestamp/x-system-monotonic");

    return gst_static_caps_get(&caps);
}
