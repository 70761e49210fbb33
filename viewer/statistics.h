/* SPDX-License-Identifier: MIT */
/*
 * What the viewer knows about the frames it has shown, and when it may show the next. Plain
 * arithmetic over times (ns of CLOCK_MONOTONIC): no SDL, no clock of its own.
 */
#ifndef VIEWER_STATISTICS_H
#define VIEWER_STATISTICS_H

#include <stdint.h>

#define STATISTICS_SAMPLES 512

struct statistics_sample {
    uint64_t sequence;
    int64_t capture_ns, publish_ns, shown_ns;
};

/* Zero-initialised: nothing shown yet. */
struct statistics {
    struct statistics_sample sample[STATISTICS_SAMPLES]; /* ring of the last ones */
    unsigned next, used;
    uint64_t shown, missed; /* numbers since the start; a missed frame was published, but not shown */
};

struct statistics_summary {
    uint64_t shown, missed;
    double publish_rate, shown_rate;   /* frames a second, over the last three seconds; 0: not known */
    double age_now, age_mean, age_p99; /* ms from capture to presentation; 0: not known */
    double jitter;                     /* standard deviation of the times between frames shown, ms */
};

/* Enters a frame that has just been shown. `missed` frames were lost before it. */
void statistics_add(struct statistics *statistics, const struct statistics_sample *sample, uint64_t missed);

/* Forgets the samples, keeps the totals: another writer begins with other numbers. */
void statistics_restart(struct statistics *statistics);

void statistics_summarise(const struct statistics *statistics, int64_t now_ns,
                          struct statistics_summary *summary);

/* Milliseconds between the last frames shown, oldest first; returns how many (at most `room`). */
unsigned statistics_intervals(const struct statistics *statistics, double *ms, unsigned room);

/*
 * Keeps an average rate without drifting: a frame that is late does not delay those after it, and
 * after a pause no more than one may follow at once. Zero-initialised or with period 0: no limit.
 */
struct pacer {
    int64_t period_ns, due_ns;
};

/* Time until the next frame may be shown; 0: now. */
int64_t pacer_wait(const struct pacer *pacer, int64_t now_ns);

/* Notes that a frame is shown now. */
void pacer_shown(struct pacer *pacer, int64_t now_ns);

#endif
