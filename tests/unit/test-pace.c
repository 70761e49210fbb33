/* SPDX-License-Identifier: MIT */
/* Which frames a reader wants that does not want them all. */
#include "unit.h"

#include "reader/pace.h"

#define MS INT64_C(1000000)
#define S  (1000 * MS)

static void before_its_time_a_frame_is_not_wanted(void **state)
{
    (void)state;
    static const int64_t times[] = {
        0, MS, 7 * S, 281474976710655, 281474976710656, 281474976710656 + S, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        uint32_t wants = wants_from(times[i] + 900 * S);
        assert_true(wants_frame(WANTS_ALL, times[i]));
        assert_false(wants_frame(wants, times[i]));
        assert_false(wants_frame(wants, times[i] + 899 * S));
        assert_true(wants_frame(wants, times[i] + 901 * S));
        assert_true(wants_frame(wants, times[i] + 10000 * S));
        assert_true(
            wants_frame(wants, times[i] - 300 * S)); /* nobody wants a frame that late: it is nonsense */
    }
}

/* How many frames of a steady stream are taken in 100 s. */
static unsigned taken(uint32_t most, int64_t interval)
{
    struct pace pace;
    unsigned count = 0;
    pace_init(&pace, most);
    for (int64_t time = 5 * S; time < 105 * S; time += interval)
        if (wants_frame(pace.wants, time)) {
            pace_took(&pace, time);
            count++;
        }
    return count;
}

static void in_the_long_run_the_rate_is_the_one_asked_for(void **state)
{
    (void)state;
    assert_int_equal(taken(0, 33333333), 3001);
    assert_in_range(taken(30000, 33333333), 2990, 3001);
    assert_in_range(taken(25000, 33333333), 2480, 2501);
    assert_in_range(taken(10000, 33333333), 990, 1001);
    assert_in_range(taken(10000, 16666667), 990, 1001);
    assert_in_range(taken(60000, 33333333), 2990, 3001);
    assert_in_range(taken(1000, 33333333), 99, 101);
    assert_int_equal(taken(1, 33333333), 1);
    assert_in_range(taken(UINT32_MAX, 33333333), 3000, 3001);
}

static void after_a_gap_nothing_is_made_up_for(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 10000);
    pace_took(&pace, 5 * S);
    pace_took(&pace, 9 * S);
    assert_false(wants_frame(pace.wants, 9 * S + 50 * MS));
    assert_true(wants_frame(pace.wants, 9 * S + 100 * MS));
    pace_took(&pace, 2 * S); /* a writer whose times go back */
    assert_true(wants_frame(pace.wants, 2 * S + 100 * MS));
    pace_took(&pace, -1);
    pace_took(&pace, INT64_MAX);
    assert_true(wants_frame(pace.wants, 2 * S + 100 * MS));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_its_time_a_frame_is_not_wanted),
        cmocka_unit_test(in_the_long_run_the_rate_is_the_one_asked_for),
        cmocka_unit_test(after_a_gap_nothing_is_made_up_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
