/* SPDX-License-Identifier: MIT */
/* A reader that expects its frames, played without a clock: streams of all kinds, and timers as late as real
 * ones. */
#include "unit.h"

#include "reader/anticipate.h"

#include <stdlib.h>
#include <string.h>

#define US     INT64_C(1000)
#define MS     (1000 * US)
#define S      (1000 * MS)
#define WAKING (20 * US) /* processor time of waking up */
#define FRAMES 2000
#define LEARNT 60 /* frames that a stream may take to be known */

static uint32_t seed;

/* From -most to most. */
static int64_t uniform(int64_t most)
{
    seed = seed * 1664525 + 1013904223;
    return (int64_t)((uint64_t)(seed >> 8) * (uint64_t)(2 * most + 1) >> 24) - most;
}

struct stream {
    int64_t published[FRAMES];
    uint32_t count;
};

static void stream_add(struct stream *stream, int64_t interval, int64_t jitter, uint32_t count)
{
    int64_t last = stream->count ? stream->published[stream->count - 1] : 1000 * S;
    for (uint32_t i = 0; i < count; i++) {
        int64_t next = last + (i + 1) * interval + uniform(jitter);
        assert_true(stream->count < FRAMES);
        stream->published[stream->count++] = next;
    }
}

/* Every so many frames one is lost before it is published. */
static void stream_thin(struct stream *stream, uint32_t every)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < stream->count; i++)
        if (i % every != every - 1)
            stream->published[kept++] = stream->published[i];
    stream->count = kept;
}

struct outcome {
    uint32_t frames, found, vain, rung; /* once it is known */
    uint32_t looks;                     /* from the beginning */
    int64_t spent, elapsed;
};

struct player {
    struct anticipate anticipate;
    int64_t now, spent;
    uint32_t looks, vain;
};

/* How late timers are: 60 to 120 us, and sometimes much later. */
static int64_t timer_lateness(void)
{
    int64_t late = 90 * US + uniform(30 * US);
    return uniform(100) > 97 ? late + 150 * US : late;
}

/* Waits for a frame. True: it was found by looking. */
static bool player_take(struct player *p, int64_t published)
{
    struct anticipate_plan plan;
    bool found = false;
    while (!found && anticipate_plan(&p->anticipate, p->now, 0, &plan)) {
        int64_t woke = plan.wake > p->now ? plan.wake + timer_lateness() : p->now;
        if (woke >= published)
            break; /* the bell was first */
        assert_true(plan.until >= plan.wake);
        assert_true(plan.allowance >= 0);
        anticipate_woke(&p->anticipate, &plan, woke);
        int64_t until = plan.until < woke + plan.allowance ? plan.until : woke + plan.allowance;
        until = until > woke ? until : woke;
        found = published <= until;
        p->now = found ? published : until;
        p->spent += p->now - woke + WAKING;
        p->looks++;
        p->vain += !found;
        anticipate_looked(&p->anticipate, found ? ANTICIPATE_FOUND : ANTICIPATE_VAIN, p->now, p->now - woke,
                          p->looks % 4 ? -1 : p->now - woke + WAKING);
    }
    p->now = published + (found ? US : 60 * US);
    anticipate_learn(&p->anticipate, published);
    return found;
}

static struct outcome play(const struct stream *stream, uint32_t percent)
{
    struct player p = {.now = stream->published[0] - 5 * MS};
    struct outcome o = {.frames = 0};
    int64_t began = p.now;
    anticipate_init(&p.anticipate, percent);
    for (uint32_t i = 0; i < stream->count; i++) {
        uint32_t vain = p.vain;
        bool found = player_take(&p, stream->published[i]);
        if (i >= LEARNT) {
            o.frames++;
            o.found += found;
            o.vain += p.vain - vain;
            o.rung += !found;
        }
        /* whatever the stream does, at any moment */
        assert_true(p.spent <= (p.now - began) * percent / 100 + WAKING);
    }
    o.looks = p.looks;
    o.spent = p.spent;
    o.elapsed = p.now - began;
    return o;
}

static int share(uint32_t part, uint32_t whole)
{
    return (int)(part * 100 / whole);
}

static void steady_streams_are_found(void **state)
{
    (void)state;
    static const struct {
        int64_t interval;
        uint32_t percent;
    } cases[] = {{33333333, 1}, {16666667, 1}, {16683350, 1}, {20 * MS, 1},
                 {41708333, 1}, {4166667, 2},  {S, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream stream = {.count = 0};
        stream_add(&stream, cases[i].interval, 5 * US, 600);
        struct outcome o = play(&stream, cases[i].percent);
        print_message("# %lld ns: %d %% found, %d vain, %lld us a frame\n", (long long)cases[i].interval,
                      share(o.found, o.frames), (int)o.vain, (long long)(o.spent / 600 / US));
        assert_true(share(o.found, o.frames) >= 90);
    }
}

static void jitter_costs_more_and_is_found_too(void **state)
{
    (void)state;
    for (int64_t interval = 16666667; interval <= 33333334; interval *= 2) {
        struct stream stream = {.count = 0};
        stream_add(&stream, interval, 200 * US, 1000);
        struct outcome o = play(&stream, 3);
        print_message("# %lld ns: %d %% found, %lld us a frame\n", (long long)interval,
                      share(o.found, o.frames), (long long)(o.spent / 1000 / US));
        assert_true(share(o.found, o.frames) >= 85);
    }
}

static void what_cannot_be_afforded_is_not_tried(void **state)
{
    (void)state;
    struct stream stream = {.count = 0};
    stream_add(&stream, 4166667, 200 * US, 2000);
    struct outcome o = play(&stream, 1);
    print_message("# 240 Hz with jitter: %u looks\n", o.looks);
    assert_true(o.looks <= 100);
    memset(&stream, 0, sizeof stream);
    stream_add(&stream, 16666667, 6 * MS, 2000);
    o = play(&stream, 1);
    print_message("# jitter of 6 ms: %u looks\n", o.looks);
    assert_true(o.looks <= 100);
}

static void random_streams_cost_nothing(void **state)
{
    (void)state;
    struct stream stream = {.count = 1, .published = {1000 * S}};
    while (stream.count < FRAMES) {
        int64_t gap = 0; /* a sum of zero to three: as good as exponential, and without floating point */
        for (int i = 0; i < 3; i++)
            gap += uniform(16 * MS) > 0 ? uniform(11 * MS) + 11 * MS : 0;
        stream.published[stream.count] = stream.published[stream.count - 1] + gap + 100 * US;
        stream.count++;
    }
    struct outcome o = play(&stream, 1);
    print_message("# at random: %u looks at %u frames, %lld us a frame\n", o.looks, stream.count,
                  (long long)(o.spent / stream.count / US));
    assert_true(o.looks <= stream.count / 20);
}

static void frames_that_are_lost_do_not_end_it(void **state)
{
    (void)state;
    struct stream stream = {.count = 0};
    stream_add(&stream, 16666667, 20 * US, 2000);
    stream_thin(&stream, 7);
    struct outcome o = play(&stream, 2);
    print_message("# every seventh lost: %d %% found, %u vain\n", share(o.found, o.frames), o.vain);
    assert_true(share(o.found, o.frames) >= 85);
}

static void another_rate_is_learnt(void **state)
{
    (void)state;
    static const int64_t intervals[] = {16666667, 33333333, 40 * MS, 16666667, 8333333};
    struct stream stream = {.count = 0};
    struct player p = {.now = 999 * S};
    anticipate_init(&p.anticipate, 2);
    uint32_t done = 0;
    for (size_t i = 0; i < sizeof intervals / sizeof *intervals; i++) {
        stream_add(&stream, intervals[i], 5 * US, 300);
        uint32_t found = 0, first = done;
        for (; done < stream.count; done++) {
            bool was_found = player_take(&p, stream.published[done]);
            found += was_found && done - first >= LEARNT;
        }
        assert_true(share(found, 300 - LEARNT) >= 85);
    }
}

static void a_pause_is_slept_through(void **state)
{
    (void)state;
    struct stream stream = {.count = 0};
    stream_add(&stream, 16666667, 5 * US, 300);
    struct player p = {.now = 999 * S};
    anticipate_init(&p.anticipate, 2);
    for (uint32_t i = 0; i < stream.count; i++)
        player_take(&p, stream.published[i]);
    uint32_t looks = p.looks;
    int64_t last = stream.published[stream.count - 1];
    player_take(&p, last + 3 * S);
    assert_true(p.looks - looks <= 2);
    for (int i = 1; i <= 20; i++)
        player_take(&p, last + 3 * S + i * INT64_C(16666667));
    assert_true(player_take(&p, last + 3 * S + 21 * INT64_C(16666667)));
}

static void cadences_and_bursts_stay_within_the_budget(void **state)
{
    (void)state;
    struct stream stream = {.count = 0};
    for (int i = 0; i < 900; i++) /* 24 pictures a second on a screen of 60: 2 and 3 of its periods */
        stream_add(&stream, i % 2 ? 33333333 : 50 * MS, 5 * US, 1);
    for (uint32_t percent = 1; percent <= 100; percent += 3)
        play(&stream, percent);
    memset(&stream, 0, sizeof stream);
    for (int i = 0; i < 1800; i++) /* two at once, 30 times a second */
        stream_add(&stream, i % 2 ? 32 * MS : MS, 5 * US, 1);
    for (uint32_t percent = 1; percent <= 100; percent += 3)
        play(&stream, percent);
}

static void times_that_were_made_up_do_no_harm(void **state)
{
    (void)state;
    static const int64_t odd[] = {0, -1, INT64_MIN, INT64_MAX, INT64_MAX - 1, 1, 2, 3, INT64_MAX / 2, 5 * S};
    struct anticipate a;
    struct anticipate_plan plan;
    anticipate_init(&a, 100);
    for (int i = 0; i < 5000; i++) {
        anticipate_learn(&a, odd[(uint32_t)uniform(1000000) % (sizeof odd / sizeof *odd)]);
        anticipate_plan(&a, i * MS, 0, &plan);
    }
    anticipate_init(&a, 100);
    for (int i = 0; i < 100; i++)
        anticipate_learn(&a, 7 * S);
    assert_false(anticipate_plan(&a, 8 * S, 0, &plan));
}

static void who_is_preempted_stops_for_a_while_that_doubles(void **state)
{
    (void)state;
    struct stream stream = {.count = 0};
    stream_add(&stream, 16666667, 5 * US, 1500);
    struct anticipate a;
    struct anticipate_plan plan;
    anticipate_init(&a, 2);
    uint32_t last = 0, pauses[4] = {0}, count = 0;
    for (uint32_t i = 0; i < stream.count && count < 4; i++) {
        int64_t before = stream.published[i] - 10 * MS;
        if (anticipate_plan(&a, before, 0, &plan)) {
            anticipate_woke(&a, &plan, plan.wake);
            anticipate_looked(&a, ANTICIPATE_PREEMPTED, plan.wake + 200 * US, 200 * US, -1);
            pauses[count++] = i - last;
            last = i;
            assert_false(anticipate_hopes(&a) && anticipate_plan(&a, before + MS, 0, &plan));
        }
        anticipate_learn(&a, stream.published[i]);
    }
    assert_int_equal(count, 4);
    for (int i = 1; i < 4; i++)
        assert_in_range(pauses[i], 30 << (i - 1), 40 << (i - 1));
}

static void a_rate_is_expected_at_its_own_pace(void **state)
{
    (void)state;
    struct anticipate a;
    struct anticipate_plan plan;
    anticipate_init(&a, 2);
    for (int i = 0; i < 40; i++) { /* every third frame is taken */
        anticipate_plan(&a, 1000 * S + i * INT64_C(100000000), 0, &plan);
        anticipate_learn(&a, 1000 * S + i * INT64_C(100000000));
    }
    int64_t last = 1000 * S + 39 * INT64_C(100000000);
    assert_true(anticipate_plan(&a, last + MS, last + 90 * MS, &plan));
    assert_in_range(plan.wake, last + 99 * MS, last + 100 * MS);
}

static void without_a_budget_nothing_is_planned(void **state)
{
    (void)state;
    struct stream stream = {.count = 0};
    stream_add(&stream, 16666667, 0, 200);
    assert_int_equal(play(&stream, 0).looks, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_streams_are_found),
        cmocka_unit_test(jitter_costs_more_and_is_found_too),
        cmocka_unit_test(what_cannot_be_afforded_is_not_tried),
        cmocka_unit_test(random_streams_cost_nothing),
        cmocka_unit_test(frames_that_are_lost_do_not_end_it),
        cmocka_unit_test(another_rate_is_learnt),
        cmocka_unit_test(a_pause_is_slept_through),
        cmocka_unit_test(cadences_and_bursts_stay_within_the_budget),
        cmocka_unit_test(times_that_were_made_up_do_no_harm),
        cmocka_unit_test(who_is_preempted_stops_for_a_while_that_doubles),
        cmocka_unit_test(a_rate_is_expected_at_its_own_pace),
        cmocka_unit_test(without_a_budget_nothing_is_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
