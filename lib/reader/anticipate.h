/* SPDX-License-Identifier: MIT */
/*
 * When to wake for a frame that is not there yet, and how long to look for it. Pure arithmetic on times that
 * others read: no clock, no system call, no allocation. All times are nanoseconds of CLOCK_MONOTONIC.
 *
 *   learn   a frame was published: interval and phase follow it (a loop that filters jitter), and the
 *           distance between its time and the predicted one becomes a sample
 *   plan    is there a moment to wake before the next frame, early enough for most of the samples, that
 *           this reader can afford? Whatever it costs is taken from an account that fills at the share of a
 *           processor that was asked for
 *   woke    a timer fired: its lateness becomes a sample
 *   looked  what became of the plan, and what it cost
 *
 * It gives up by itself, for a while that doubles each time: if most looks are in vain, and if whoever looked
 * was preempted, since somebody else needs the processor then.
 */
#ifndef FRAMEBUS_READER_ANTICIPATE_H
#define FRAMEBUS_READER_ANTICIPATE_H

#include <stdbool.h>
#include <stdint.h>

#define ANTICIPATE_SAMPLES   32
#define ANTICIPATE_DISTANCES 9

/* The last so many values of something, sorted. */
struct anticipate_samples {
    int32_t value[ANTICIPATE_SAMPLES];  /* as they came */
    int32_t sorted[ANTICIPATE_SAMPLES]; /* the first `count` */
    uint32_t count, next;
    int64_t sum;
};

struct anticipate {
    uint32_t percent; /* of one processor; 0: it never plans */

    /* the stream */
    int64_t interval;  /* between frames; 0: not known */
    int64_t phase;     /* when the last frame was published, without jitter */
    int64_t published; /* and with it; 0: there was none */
    int64_t distance[ANTICIPATE_DISTANCES];
    uint32_t distances;
    uint32_t outliers;                  /* one after the other */
    struct anticipate_samples early;    /* predicted - published */
    struct anticipate_samples lateness; /* of timers */

    /* what it may cost */
    int64_t account; /* ns of processor time that may be spent */
    int64_t paid_at; /* when it was last filled */
    int64_t wake_cost;

    /* what it brought */
    uint32_t looks, vain; /* of the last ANTICIPATE_SAMPLES or fewer */
    uint32_t tried;       /* looks for the frame that is expected now */
    uint32_t pauses;      /* one after the other: each is twice as long as the one before */
    int64_t paused_until;
};

struct anticipate_plan {
    int64_t wake;      /* when to wake; not after now: look at once */
    int64_t until;     /* when to stop looking */
    int64_t allowance; /* the longest look that the account covers */
};

enum anticipate_outcome {
    ANTICIPATE_FOUND,     /* the frame came while it was looked for */
    ANTICIPATE_VAIN,      /* it did not */
    ANTICIPATE_PREEMPTED, /* the reader lost its processor while it looked */
};

/* percent: 0 to 100. */
void anticipate_init(struct anticipate *a, uint32_t percent);

/* A frame was taken. Times that another process made up cost no more than a few useless looks. */
void anticipate_learn(struct anticipate *a, int64_t published);

/* False: sleep until the bell rings. A frame that is due before `not_before` is not wanted (0: each one is).
 */
bool anticipate_plan(struct anticipate *a, int64_t now, int64_t not_before, struct anticipate_plan *plan);

/* The timer fired. */
void anticipate_woke(struct anticipate *a, const struct anticipate_plan *plan, int64_t now);

/* `took`: how long it was looked. `cpu`: processor time of waking and looking; negative if it was not
 * measured. */
void anticipate_looked(struct anticipate *a, enum anticipate_outcome outcome, int64_t now, int64_t took,
                       int64_t cpu);

/* Is the stream known, and has this reader not given up? Who looks takes a processor from others, so a reader
 * that does not hope need not be counted. */
bool anticipate_hopes(const struct anticipate *a);

#endif
