/* SPDX-License-Identifier: MIT */
/* CLOCK_MONOTONIC and the clock of a pipeline that has another one. */
#include "fixture.h"
#include "timing.h"

/* How far the clock is behind CLOCK_MONOTONIC. */
#define BEHIND (1000 * GST_SECOND)

/* How long a reading of the clock takes when something comes in between, far longer than any other. */
#define HELD_UP (200 * GST_MSECOND)

typedef GstSystemClock SlowClock;
typedef GstSystemClockClass SlowClockClass;
static GType slow_clock_get_type(void);
G_DEFINE_TYPE(SlowClock, slow_clock, GST_TYPE_SYSTEM_CLOCK)

static guint readings;

/* Each reading but the third is held up, before or after the time is taken. */
static GstClockTime slow_clock_time(GstClock *clock G_GNUC_UNUSED)
{
    GstClockTime time;

    readings++;
    if (readings == 1)
        g_usleep(HELD_UP / GST_USECOND);
    time = monotonic_now() - BEHIND;
    if (readings == 2 || readings > 3)
        g_usleep(HELD_UP / GST_USECOND);
    return time;
}

static void slow_clock_class_init(SlowClockClass *class)
{
    GST_CLOCK_CLASS(class)->get_internal_time = slow_clock_time;
}

static void slow_clock_init(SlowClock *clock G_GNUC_UNUSED)
{
}

GST_START_TEST(a_reading_that_was_held_up_does_not_count)
{
    GstElement *element = gst_element_factory_make("fakesink", NULL);
    GstClock *clock = g_object_new(slow_clock_get_type(), NULL);
    struct timebase timebase = {0};
    gint64 offset;

    gst_object_ref_sink(clock);
    gst_element_set_clock(element, clock);
    gst_element_set_base_time(element, 5 * GST_SECOND);
    readings = 0;
    fail_unless(timebase_offset(&timebase, element, &offset));
    fail_unless(readings >= 3);
    offset -= (gint64)(BEHIND + 5 * GST_SECOND);
    fail_unless(ABS(offset) < (gint64)HELD_UP / 4, "%" G_GINT64_FORMAT, offset);
    timebase_finish(&timebase);
    gst_object_unref(element);
    gst_object_unref(clock);
}
GST_END_TEST

static Suite *timebase_suite(void)
{
    Suite *suite = suite_create("timebase");
    TCase *tcase = tcase_create("timebase");

    tcase_add_test(tcase, a_reading_that_was_held_up_does_not_count);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, timebase_suite);
}
