/* SPDX-License-Identifier: MIT */
/*
 * Semaphores for sleeping across processes. The value is a difference, posted - taken, of two
 * counters, one on each side (see slots.h). Here is how to sleep until it rises, and how to wake a
 * sleeper, without a system call while nobody sleeps.
 *
 *   sleeper                             poster
 *   S1  sleeps becomes odd (ordered)    P1  raise the counter (ordered)
 *   S2  look at it again     (ordered)  P2  sleeps odd (ordered), and not rung for yet?
 *   S3  wait for the bell               P3  ring
 *   S4  sleeps becomes even
 *
 * Either S2 sees P1 or P2 sees S1. Each sleep has its own odd number, so a poster rings once for
 * each, however long the sleeper stays away. A bell that rings late wakes somebody for nothing; it
 * then looks again.
 */
#ifndef FRAMEBUS_SEMAPHORE_H
#define FRAMEBUS_SEMAPHORE_H

#include "shared/atomic.h"

#include <stdbool.h>

/* Sleeping and waking costs both sides microseconds. A side whose last wait took less than this busy-waits
 * this long before S1 the next time. */
#define SPIN_BRIEF_NS 50000

/* S1. The word belongs to the caller. */
static inline void semaphore_sleep(shared_u32 *sleeps)
{
    store_ordered(sleeps, (load_relaxed(sleeps) + 1) | 1);
}

/* S4. */
static inline void semaphore_wake(shared_u32 *sleeps)
{
    store_relaxed(sleeps, (load_relaxed(sleeps) + 1) & ~1u);
}

/* P2. *rung_for is the poster's own: the last sleep that it rang for. */
static inline bool semaphore_must_ring(const shared_u32 *sleeps, shared_u32 *rung_for)
{
    uint32_t sleep = load_ordered(sleeps);
    if (!(sleep & 1) || sleep == load_relaxed(rung_for))
        return false;
    store_relaxed(rung_for, sleep);
    return true;
}

#endif
