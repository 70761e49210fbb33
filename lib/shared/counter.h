/* SPDX-License-Identifier: MIT */
/*
 * A 64-bit counter in shared memory, of words that 32-bit machines can load and store whole. One process adds
 * to it, and may be stopped in between; another reads it now and then. The high word stands on both sides of
 * the low one: stored first, low, last, and loaded last, low, first. If both are equal, the low word is
 * theirs.
 */
#ifndef FRAMEBUS_SHARED_COUNTER_H
#define FRAMEBUS_SHARED_COUNTER_H

#include "shared/layout.h"

/* A counter that changes while it is loaded is loaded again. Only one that passes a multiple of 2^32 can look
 * as if it were changing, and only a process that is stopped right there, or a hostile one, makes it stay so.
 */
#define COUNTER_LOADS 3

/* The value never falls. */
static inline void counter_store(struct layout_counter *counter, uint64_t value)
{
    store_relaxed(&counter->high_first, (uint32_t)(value >> 32));
    store_release(&counter->low, (uint32_t)value);
    store_release(&counter->high_last, (uint32_t)(value >> 32));
}

static inline uint64_t counter_load(const struct layout_counter *counter)
{
    uint32_t low, high = 0;
    for (int i = 0; i < COUNTER_LOADS; i++) {
        uint32_t last = load_acquire(&counter->high_last);
        low = load_acquire(&counter->low);
        high = load_relaxed(&counter->high_first);
        if (high == last)
            return (uint64_t)high << 32 | low;
    }
    return (uint64_t)high << 32; /* the value that it is passing */
}

#endif
