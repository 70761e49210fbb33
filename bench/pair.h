/* SPDX-License-Identifier: MIT */
/* What the processes of the pair benchmark share. pair.py makes it and reads it: int64_t and nothing else. */
#ifndef PAIR_H
#define PAIR_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define PAIR_READERS 16
#define PAIR_FRAMES  4096 /* a block never has more */

/* What a process has used since it began, at a frame. */
struct pair_usage {
    int64_t frame; /* -1: not there yet */
    int64_t cpu_ns;
    int64_t faults;
};

/* One writer of each field: the process in that role. */
struct pair_side {
    _Atomic int64_t streams;       /* the first frame has passed */
    _Atomic int64_t newest;        /* frame that passed last */
    int64_t start_ns;              /* from PLAYING asked for to the first frame */
    struct pair_usage first, last; /* at the window's begin and end */
    int64_t passed[PAIR_FRAMES];   /* when each frame did; 0: it did not */
};

struct pair_shared {
    /* pair.py's: the frames from window_first to before window_end are measured. */
    _Atomic int64_t window_first, window_end;
    int64_t taken[PAIR_FRAMES]; /* when the sink had taken the frame, and the next buffer was there */
    struct pair_side producer;
    struct pair_side reader[PAIR_READERS];
};

#endif
