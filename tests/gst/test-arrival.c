/* SPDX-License-Identifier: MIT */
/* Timestamps and latency of frames that arrive. */
#include "fixture.h"
#include "timing.h"

static GstElement *element;
static GstVideoInfo info;
static struct arrival arrival;
static struct timebase timebase;
static gint64 offset;

static void setup(void)
{
    GstClock *clock = gst_system_clock_obtain();

    element = gst_element_factory_make("fakesink", NULL);
    gst_element_set_clock(element, clock);
    gst_element_set_base_time(element, gst_clock_get_time(clock) - 100 * GST_SECOND);
    gst_object_unref(clock);
    fail_unless(timebase_offset(&timebase, element, &offset));
    fail_unless_equals_uint64(offset, gst_element_get_base_time(element));
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, 64, 32);
    arrival_init(&arrival, TRUE);
}

static void teardown(void)
{
    timebase_finish(&timebase);
    arrival_finish(&arrival);
    gst_object_unref(element);
}

/* Lets a frame arrive that was captured at this time and published `age` later. */
static GstClockTime arrive(gint64 capture_ns, gint64 age, gboolean *changed)
{
    struct framebus_format format = {.rate_num = 50, .rate_den = 1};
    struct framebus_frame frame = {.format = &format, .capture_ns = capture_ns};
    GstBuffer *buffer = gst_buffer_new();
    GstClockTime pts;
    gboolean changes;

    frame.publish_ns = age < G_MAXINT64 - MAX(capture_ns, 0) ? capture_ns + age : G_MAXINT64;
    changes = arrival_stamp(&arrival, element, &frame, &info, buffer);
    if (changed)
        *changed = changes;
    pts = GST_BUFFER_PTS(buffer);
    gst_buffer_unref(buffer);
    return pts;
}

static guint arrive_many(guint count, gint64 age)
{
    guint changes = 0;

    for (guint i = 0; i < count; i++) {
        gboolean changed;

        arrive(monotonic_now() - age, age, &changed);
        changes += changed;
    }
    return changes;
}

GST_START_TEST(capture_time_becomes_running_time)
{
    gint64 capture = monotonic_now() - 5 * GST_MSECOND;

    fail_unless_equals_uint64(arrive(capture, GST_MSECOND, NULL), capture - offset);
    fail_unless_equals_uint64(arrive(capture + 1000, GST_MSECOND, NULL), capture - offset + 1000);
}
GST_END_TEST

GST_START_TEST(a_clock_that_is_calibrated_is_asked)
{
    GstClock *clock = g_object_new(GST_TYPE_SYSTEM_CLOCK, NULL);
    gint64 now;

    gst_clock_set_calibration(clock, 0, 3600 * GST_SECOND, 1, 1);
    gst_element_set_clock(element, clock);
    gst_element_set_base_time(element, gst_clock_get_time(clock));
    now = monotonic_now();
    fail_unless(timebase_offset(&timebase, element, &offset));
    fail_unless(ABS(offset - now) < 10 * GST_SECOND);
    gst_object_unref(clock);
}
GST_END_TEST

GST_START_TEST(time_never_goes_back)
{
    gint64 capture = monotonic_now() - GST_SECOND;
    GstClockTime last = arrive(capture, GST_MSECOND, NULL);

    for (guint i = 1; i < 10; i++) {
        GstClockTime pts = arrive(capture - i * GST_MSECOND, GST_MSECOND, NULL);

        fail_unless(pts > last && pts < last + GST_MSECOND);
        last = pts;
    }
}
GST_END_TEST

/* A writer can tell anything. */
GST_START_TEST(impossible_times_are_now)
{
    const gint64 times[] = {G_MININT64,
                            -1,
                            0,
                            1,
                            G_MAXINT64,
                            monotonic_now() + 3600 * GST_SECOND,
                            monotonic_now() - 50 * GST_SECOND};

    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        gint64 before = monotonic_now() - offset;
        GstClockTime pts = arrive(times[i], 0, NULL);

        fail_unless((gint64)pts >= before && (gint64)pts <= before + 10 * (gint64)GST_SECOND);
    }
    fail_unless_equals_uint64(arrival.latency, 0);
    arrive(monotonic_now() - 10, G_MAXINT64, NULL);
    fail_unless_equals_uint64(arrival.latency, 0);
}
GST_END_TEST

GST_START_TEST(latency_is_the_age_and_little_more)
{
    fail_unless_equals_int(arrive_many(1, 60 * GST_MSECOND), 1);
    fail_unless(arrival.latency >= 60 * GST_MSECOND && arrival.latency <= 70 * GST_MSECOND);
    fail_unless_equals_int(arrive_many(500, 60 * GST_MSECOND), 0);
    fail_unless_equals_int(arrive_many(100, 90 * GST_MSECOND), 1);
    fail_unless(arrival.latency >= 90 * GST_MSECOND && arrival.latency <= 100 * GST_MSECOND);
}
GST_END_TEST

GST_START_TEST(a_straggler_is_not_waited_for_ever_after)
{
    GstClockTime latency;

    arrive_many(100, 5 * GST_MSECOND);
    latency = arrival.latency;
    for (guint i = 0; i < 10; i++) {
        fail_unless_equals_int(arrive_many(2, 500 * GST_MSECOND), 0);
        fail_unless_equals_int(arrive_many(100, 5 * GST_MSECOND), 0);
    }
    fail_unless_equals_uint64(arrival.latency, latency);
}
GST_END_TEST

GST_START_TEST(latency_shrinks_when_a_trouble_is_over)
{
    GstClockTime latency;

    arrive_many(100, 5 * GST_MSECOND);
    latency = arrival.latency;
    arrive_many(50, 300 * GST_MSECOND);
    fail_unless(arrival.latency >= 300 * GST_MSECOND);
    arrive_many(1000, 5 * GST_MSECOND);
    fail_unless_equals_uint64(arrival.latency, latency);
}
GST_END_TEST

GST_START_TEST(duration_is_what_the_frame_says_or_its_format)
{
    struct framebus_format format = {.rate_num = 25, .rate_den = 1};
    struct framebus_frame frame = {.format = &format, .duration_ns = 7};

    fail_unless_equals_uint64(arrival_duration(&frame, &info), 7);
    frame.duration_ns = 0;
    fail_unless_equals_uint64(arrival_duration(&frame, &info), 40 * GST_MSECOND);
    format.rate_num = 0;
    fail_unless_equals_uint64(arrival_duration(&frame, &info), GST_CLOCK_TIME_NONE);
}
GST_END_TEST

static Suite *arrival_suite(void)
{
    Suite *suite = suite_create("arrival");
    TCase *tests = tcase_create("arrival");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, capture_time_becomes_running_time);
    tcase_add_test(tests, a_clock_that_is_calibrated_is_asked);
    tcase_add_test(tests, time_never_goes_back);
    tcase_add_test(tests, impossible_times_are_now);
    tcase_add_test(tests, latency_is_the_age_and_little_more);
    tcase_add_test(tests, a_straggler_is_not_waited_for_ever_after);
    tcase_add_test(tests, latency_shrinks_when_a_trouble_is_over);
    tcase_add_test(tests, duration_is_what_the_frame_says_or_its_format);
    return suite;
}

int main(int argc, char **argv)
{
    return tap_main(argc, argv, arrival_suite);
}
