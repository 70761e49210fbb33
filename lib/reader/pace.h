/* SPDX-License-Identifier: MIT */
/* The most frames that a reader wants. Times are of publication, ns. */
#ifndef FRAMEBUS_READER_PACE_H
#define FRAMEBUS_READER_PACE_H

#include "shared/wants.h"

/* Frames need not be in time to the nanosecond: one that comes this part of a period early is the one due. */
#define PACE_EARLY 8

struct pace {
    int64_t period; /* 0: every frame is wanted */
    int64_t due;    /* when the next one is */
    uint32_t wants; /* for the reader's page */
};

/* most: frames in 1000 s; 0: all. */
static inline void pace_init(struct pace *pace, uint32_t most)
{
    *pace = (struct pace){.period = most ? INT64_C(1000000000000) / most : 0, .wants = WANTS_ALL};
}

/* A frame was taken. In the long run the rate is the one asked for, whatever the writer's is. */
static inline void pace_took(struct pace *pace, int64_t published)
{
    if (!pace->period || published < 0 || published > INT64_MAX / 2)
        return;
    int64_t behind = published - pace->due;
    pace->due = (behind < -pace->period || behind > pace->period ? published : pace->due) + pace->period;
    pace->wants = wants_from(pace->due - pace->period / PACE_EARLY);
}

/* When a frame that was left out is wanted after all, since none has followed it. */
static inline int64_t pace_patience(const struct pace *pace)
{
    return pace->due + pace->period / 2;
}

#endif
