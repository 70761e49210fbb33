/* SPDX-License-Identifier: MIT */
/*
 * Semaphores for sleeping across processes. The value is a difference, posted - taken, of two
 * counters that each side keeps for itself (see slots.h); what is here is how to sleep until it
 * rises and how to wake who sleeps, without a system call while nobody does.
 *
 *   sleeper                             poster
 *   S1  sleeps becomes odd (ordered)    P1  raise the counter (ordered)
 *   S2  look at the counter again       P2  sleeps odd, and this sleep not rung for yet?
 *   S3  wait for the bell               P3  ring
 *   S4  sleeps becomes even
 *
 * Either S2 sees P1 or P2 sees S1. Each sleep has its own odd number, so a poster rings once for
 * each, however long the sleeper stays away. A bell that rings late wakes somebody for nothing,
 * who then looks again.
 */
#ifndef FRAMEBUS_SEMAPHORE_H
#define FRAMEBUS_SEMAPHORE_H

#include "atomic.h"

#include <stdbool.h>

/* To sleep and be woken costs both sides microseconds. Who was kept waiting for less than this the last
 * time looks for as long before S1 the next time. */
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

/* P2. *rung is the poster's own note of the last sleep that it rang for. */
static inline bool semaphore_must_ring(const shared_u32 *sleeps, shared_u32 *rung)
{
    uint32_t sleep = load_ordered(sleeps);
    if (!(sleep & 1) || sleep == load_relaxed(rung))
        return false;
    store_relaxed(rung, sleep);
    return true;
}

/*
 * The bell of `filled`. The writer keeps the eventfd; the reader gets the epoll fd that contains
 * it, edge-triggered, so that nobody ever reads the eventfd: a peer that had it could fill the
 * counter and make ringing block.
 */

/* Makes both; *event stays with the writer, *wait goes to the reader and is then closed here.
 * Negative errno on failure. */
int bell_create(int *event, int *wait);

/*
 * Rings, and watches how dear that is: thousands of waiters on one bell would make the writer pay
 * for them all. A ring that takes long makes the next one be measured in processor time, for two system calls
 * more. Returns false once the bell has cost BELL_STRIKES times BELL_LIMIT_NS of that more than cheap rings
 * make up for: in two such rings, or in one of BELL_CERTAIN. *strikes is the caller's, 0 at first.
 */
bool bell_ring(int event, uint32_t *strikes);

#define BELL_LIMIT_NS 1000000
#define BELL_STRIKES  8
#define BELL_CERTAIN  16

#endif
