/* SPDX-License-Identifier: MIT */
/*
 * The time from which a reader wants a frame, in a word of its page: a writer leaves its bell alone for
 * frames that were published before. Both sides compare by the same function, so what the writer leaves out
 * is what the reader would not take. The word only ever moves into the future, or to all frames when a pool
 * has ended, and is stored before S1 (semaphore.h): a writer that sees an old one rings for nothing.
 */
#ifndef FRAMEBUS_SHARED_WANTS_H
#define FRAMEBUS_SHARED_WANTS_H

#include "shared/atomic.h"

#include <stdbool.h>

#define WANTS_ALL   0u
#define WANTS_SHIFT 16 /* units of 65.5 us */
#define WANTS_MOST                                                                                           \
    ((uint32_t)(UINT64_C(1100000000000) >> WANTS_SHIFT)) /* nobody wants less than a frame in 1000 s */

static inline uint32_t wants_from(int64_t time)
{
    uint32_t word = (uint32_t)((uint64_t)time >> WANTS_SHIFT);
    return word ? word : 1;
}

/* Is a frame that was published then wanted? */
static inline bool wants_frame(uint32_t wants, int64_t published)
{
    uint32_t left = wants - (uint32_t)((uint64_t)published >> WANTS_SHIFT);
    return wants == WANTS_ALL || left == 0 || left > WANTS_MOST;
}

#endif
