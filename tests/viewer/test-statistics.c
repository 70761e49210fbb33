/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "phrase.h"
#include "reason.h"
#include "statistics.h"

#define MS            1000000ll
#define START         (5000 * MS)
#define near(a, b, e) assert_true(fabs((a) - (b)) <= (e))

static void add(struct statistics *statistics, int64_t at, uint64_t sequence, int64_t age, uint64_t missed)
{
    struct statistics_sample sample = {
        .sequence = sequence,
        .capture_ns = at - age,
        .publish_ns = at - age / 2,
        .shown_ns = at,
    };
    statistics_add(statistics, &sample, missed);
}

static void nothing_shown_is_nothing_known(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    struct statistics_summary s;
    double ms[4];

    statistics_summarise(&statistics, START, &s);
    near(s.publish_rate, 0, 0);
    near(s.shown_rate, 0, 0);
    near(s.age_mean, 0, 0);
    assert_int_equal(statistics_intervals(&statistics, ms, 4), 0);
}

static void one_frame_has_an_age_but_no_rate(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    struct statistics_summary s;

    add(&statistics, START, 1, 3 * MS, 0);
    statistics_summarise(&statistics, START, &s);
    near(s.shown_rate, 0, 0);
    near(s.age_now, 3, 1e-9);
    near(s.jitter, 0, 0);
}

static void rates_tell_published_from_shown(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    struct statistics_summary s;

    /* 50 published a second, every other one shown. */
    for (int i = 0; i < 1000; i++)
        add(&statistics, START + i * 40 * MS, 2 * i, 2 * MS, 1);
    statistics_summarise(&statistics, START + 999 * 40 * MS, &s);
    near(s.publish_rate, 50, 0.01);
    near(s.shown_rate, 25, 0.01);
    assert_int_equal(s.shown, 1000);
    assert_int_equal(s.missed, 1000);
    near(s.jitter, 0, 1e-6);
}

static void ages_have_a_mean_and_a_bad_end(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    struct statistics_summary s;

    for (int i = 0; i < 200; i++)
        add(&statistics, START + i * 10 * MS, i, i < 4 ? 50 * MS : 2 * MS, 0);
    statistics_summarise(&statistics, START + 199 * 10 * MS, &s);
    near(s.age_now, 2, 1e-6);
    near(s.age_mean, 2 + 4 * 48 / 200.0, 1e-6);
    near(s.age_p99, 50, 1e-6);
}

static void what_is_long_past_does_not_count(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    struct statistics_summary s;

    for (int i = 0; i < 100; i++)
        add(&statistics, START + i * 10 * MS, i, MS, 0);
    statistics_summarise(&statistics, START + 60000 * MS, &s);
    near(s.shown_rate, 0, 0);
    assert_int_equal(s.shown, 100);
}

static void another_writer_begins_anew_and_totals_stay(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    struct statistics_summary s;

    for (int i = 0; i < 100; i++)
        add(&statistics, START + i * 10 * MS, 100000 + i, MS, 1);
    statistics_restart(&statistics);
    for (int i = 100; i < 200; i++)
        add(&statistics, START + i * 10 * MS, i - 100, MS, 0);
    statistics_summarise(&statistics, START + 2000 * MS, &s);
    near(s.publish_rate, 100, 0.01);
    assert_int_equal(s.shown, 200);
    assert_int_equal(s.missed, 100);
}

static void intervals_come_oldest_first(void **state)
{
    (void)state;
    struct statistics statistics = {0};
    double ms[3];

    for (int i = 0; i < 2 * STATISTICS_SAMPLES; i++)
        add(&statistics, START, i, MS, 0);
    add(&statistics, START + 10 * MS, 1, MS, 0);
    add(&statistics, START + 30 * MS, 2, MS, 0);
    add(&statistics, START + 35 * MS, 3, MS, 0);
    assert_int_equal(statistics_intervals(&statistics, ms, 3), 3);
    near(ms[0], 10, 1e-9);
    near(ms[1], 20, 1e-9);
    near(ms[2], 5, 1e-9);
}

static void a_pacer_without_a_period_never_waits(void **state)
{
    (void)state;
    struct pacer pacer = {0};

    pacer_shown(&pacer, START);
    assert_int_equal(pacer_wait(&pacer, START), 0);
}

/* Shows a frame whenever one has come and the pacer allows it; returns how many are shown. */
static int run(struct pacer *pacer, int64_t every, int64_t jitter, int64_t delay, int64_t duration)
{
    int shown = 0;
    int64_t taken = -1;

    for (int64_t now = START; now < START + duration; now += MS / 10) {
        int64_t newest = (now - START - (now / every % 2 ? jitter : 0)) / every;
        if (newest == taken || pacer_wait(pacer, now))
            continue;
        taken = newest;
        shown++;
        pacer_shown(pacer, now + delay);
    }
    return shown;
}

static void a_pacer_holds_back_what_comes_too_fast(void **state)
{
    (void)state;
    struct pacer pacer = {.period_ns = 20 * MS};

    assert_uint_in_range(run(&pacer, MS, 0, 0, 10000 * MS), 498, 502);
}

static void a_pacer_lets_every_frame_of_its_own_rate_pass(void **state)
{
    (void)state;
    struct pacer pacer = {.period_ns = (int64_t)(1e9 / 63)};

    /* 60 a second, unsteady by 3 ms, each shown a little late. */
    assert_uint_in_range(run(&pacer, (int64_t)(1e9 / 60), 3 * MS, MS / 5, 10000 * MS), 598, 601);
}

static void a_pause_is_not_made_up_for(void **state)
{
    (void)state;
    struct pacer pacer = {.period_ns = 10 * MS};
    int64_t now = START + 5000 * MS;

    pacer_shown(&pacer, START);
    assert_int_equal(pacer_wait(&pacer, now), 0);
    pacer_shown(&pacer, now);
    pacer_shown(&pacer, now);
    assert_true(pacer_wait(&pacer, now) >= 10 * MS);
}

static void modifiers_have_names(void **state)
{
    (void)state;
    char text[96], small[8];

    assert_string_equal(phrase_modifier(0, text, sizeof(text)), "linear");
    assert_string_equal(phrase_modifier(UINT64_C(0x0100000000000001), text, sizeof(text)),
                        "INTEL X_TILED (0x100000000000001)");
    assert_non_null(
        strstr(phrase_modifier(UINT64_C(0x7e00000000000123), text, sizeof(text)), "0x7e00000000000123"));
    assert_string_equal(phrase_modifier(UINT64_C(0x0100000000000001), small, sizeof(small)), "INTEL X");
}

static void saved_files_are_named_after_bus_time_and_frame(void **state)
{
    (void)state;
    struct tm when = {.tm_year = 126, .tm_mon = 10, .tm_mday = 21, .tm_hour = 9, .tm_min = 5, .tm_sec = 3};
    char text[128];

    assert_string_equal(phrase_file("cam0", &when, 42, text, sizeof(text)),
                        "cam0-20261121-090503-000042.png");
    assert_string_equal(phrase_file("/run/x/cam1", &when, 42, text, sizeof(text)),
                        "cam1-20261121-090503-000042.png");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modifiers_have_names),
        cmocka_unit_test(nothing_shown_is_nothing_known),
        cmocka_unit_test(one_frame_has_an_age_but_no_rate),
        cmocka_unit_test(rates_tell_published_from_shown),
        cmocka_unit_test(ages_have_a_mean_and_a_bad_end),
        cmocka_unit_test(what_is_long_past_does_not_count),
        cmocka_unit_test(another_writer_begins_anew_and_totals_stay),
        cmocka_unit_test(intervals_come_oldest_first),
        cmocka_unit_test(a_pacer_without_a_period_never_waits),
        cmocka_unit_test(a_pacer_holds_back_what_comes_too_fast),
        cmocka_unit_test(a_pacer_lets_every_frame_of_its_own_rate_pass),
        cmocka_unit_test(a_pause_is_not_made_up_for),
        cmocka_unit_test(saved_files_are_named_after_bus_time_and_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
