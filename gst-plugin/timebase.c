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

gboolean timebase_offset(struct timebase *timebase, GstElement *element, gint64 *offset)
{
    GstClock *clock;
    gboolean changed;

    GST_OBJECT_LOCK(element);
    clock = GST_ELEMENT_CLOCK(element);
    changed = clock != timebase->clock;
    if (changed)
        gst_object_replace((GstObject **)&timebase->clock, (GstObject *)clock);
    *offset = (gint64)element->base_time;
    GST_OBJECT_UNLOCK(element);
    if (!clock)
        return FALSE;
    if (changed)
        timebase->is_monotonic = is_monotonic(clock);
    if (!timebase->is_monotonic) {
        gint64 before = monotonic_now();
        gint64 time = gst_clock_get_time(clock);

        *offset += before + (monotonic_now() - before) / 2 - time;
    }
    return TRUE;
}

void timebase_finish(struct timebase *timebase)
{
    gst_clear_object(&timebase->clock);
}

GstCaps *monotonic_reference(void)
{
    static GstStaticCaps caps = GST_STATIC_CAPS("timestamp/x-system-monotonic");

    return gst_static_caps_get(&caps);
}
