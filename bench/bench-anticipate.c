/* SPDX-License-Identifier: MIT */
/*
 * What a reader gains that expects its frames, and what it pays: publish -> next, the time that publish
 * takes, and the reader's processor time, beside a reader that sleeps and a raw eventfd. The writer publishes
 * by an absolute schedule, as a camera does, exact or with jitter, and at random times, which nobody can
 * expect.
 */
#include "lane.h"

#include <drm_fourcc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    EVENTFD,
    ASLEEP,
    ONE,
    TWO,
    THREE,
    LANES,
};

static struct lane lanes[LANES] = {
    [EVENTFD] = {.kind = &lane_eventfd, .name = "eventfd"},
    [ASLEEP] = {&lane_framebus, "asleep", DRM_FORMAT_R8, 640, 480},
    [ONE] = {&lane_framebus, "anticipate=1", DRM_FORMAT_R8, 640, 480, .anticipate = 1},
    [TWO] = {&lane_framebus, "anticipate=2", DRM_FORMAT_R8, 640, 480, .anticipate = 2},
    [THREE] = {&lane_framebus, "anticipate=3", DRM_FORMAT_R8, 640, 480, .anticipate = 3},
};

/* What is measured beside the latencies, which the lanes keep. */
struct tally {
    struct samples publish, cpu;
};

static const struct situation {
    const char *name;
    int64_t interval, jitter; /* jitter: at most, either way */
    bool random;              /* exponential intervals */
    size_t samples, block;
    double most[LANES]; /* aims for p50, as a ratio to the eventfd */
} situations[] = {
    {"30 Hz", 33333333, 0, false, 400, 100, {[ONE] = 0.05}},
    {"60 Hz", 16666667, 0, false, 800, 200, {[ONE] = 0.05}},
    {"240 Hz", 4166667, 0, false, 2400, 600, {[ONE] = 0.5, [TWO] = 0.05}},
    {"30 Hz, jitter of 200 us", 33333333, 200000, false, 400, 100, {[THREE] = 0.08}},
    {"60 Hz, jitter of 200 us", 16666667, 200000, false, 800, 200, {[THREE] = 0.08}},
    {"240 Hz, jitter of 200 us", 4166667, 200000, false, 2400, 600, {0}},
    {"60 a second, at random", 16666667, 0, true, 800, 200, {[ONE] = 1.1}},
};

/* A reader has learnt the rhythm after so many frames of a block. */
#define LEARNT 40

static int64_t when(const struct situation *s, int64_t *scheduled)
{
    double random = (double)rand() / RAND_MAX;
    if (s->random)
        return *scheduled += (int64_t)(-log(1 - random * 0.999) * (double)s->interval);
    *scheduled += s->interval;
    return *scheduled + (int64_t)((2 * random - 1) * (double)s->jitter);
}

static void wait_until(int64_t time)
{
    const struct timespec t = {.tv_sec = time / NS_PER_S, .tv_nsec = time % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

static int64_t reader_cpu(const struct lane *lane)
{
    clockid_t clock;
    return clock_getcpuclockid(lane->reader, &clock) ? 0 : clock_of(clock);
}

static void block(struct lane *lane, struct tally *tally, const struct situation *s, size_t count)
{
    struct samples kept = lane->samples, dropped = {0};
    int64_t scheduled = now(), cpu = 0;
    lane->samples = dropped;
    for (size_t i = 0; i < LEARNT + count; i++) {
        if (i == LEARNT) {
            samples_clear(&lane->samples);
            lane->samples = kept;
            cpu = reader_cpu(lane);
        }
        wait_until(when(s, &scheduled));
        double cost = (double)lane_measure(lane) / 1000;
        if (i >= LEARNT)
            samples_add(&tally->publish, cost);
    }
    samples_add(&tally->cpu, (double)(reader_cpu(lane) - cpu) / (double)count / 1000);
}

static void report(const struct situation *s, struct tally *tallies)
{
    char line[80];
    for (int i = 0; i < LANES; i++) {
        double most = s->most[i];
        bench_row(&(struct bench_row){s->name, lanes[i].name, "us", &lanes[i].samples,
                                      i == EVENTFD ? NULL : lanes[EVENTFD].name,
                                      most > 0 ? AIM_RATIO_AT_MOST : AIM_NONE, most});
    }
    snprintf(line, sizeof line, "%s: publish", s->name);
    for (int i = 0; i < LANES; i++)
        bench_row(&(struct bench_row){line, lanes[i].name, "us", &tallies[i].publish,
                                      i == EVENTFD ? NULL : lanes[EVENTFD].name, AIM_NONE, 0});
    snprintf(line, sizeof line, "%s: reader's processor time a frame", s->name);
    for (int i = 0; i < LANES; i++)
        bench_row(&(struct bench_row){line, lanes[i].name, "us", &tallies[i].cpu,
                                      i <= ASLEEP ? NULL : lanes[ASLEEP].name,
                                      i <= ASLEEP || s->random ? AIM_NONE : AIM_RATIO_AT_MOST, 4});
}

static void measure(const struct situation *s)
{
    struct tally tallies[LANES] = {{{0}, {0}}};
    size_t samples = bench_count(s->samples, 2), count = bench_count(s->block, 2);
    for (size_t done = 0; done < samples; done += count)
        for (int i = 0; i < LANES; i++) {
            int turn = done / count % 2 ? LANES - 1 - i : i;
            block(&lanes[turn], &tallies[turn], s, count);
        }
    report(s, tallies);
}

int main(int argc, char **argv)
{
    bench_open("anticipate", argc, argv);
    srand(1);
    lanes_open(lanes, LANES);
    for (size_t i = 0; i < sizeof situations / sizeof *situations; i++)
        measure(&situations[i]);
    lanes_close(lanes, LANES);
    return bench_close();
}
