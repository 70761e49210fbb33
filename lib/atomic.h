/* SPDX-License-Identifier: MIT */
/*
 * The few memory orderings that framebus uses, named for what they are for.
 *
 * "Ordered" means sequentially consistent. The claim protocol and the semaphores are of the form
 * "write mine, then read yours" on both sides; acquire and release alone let both sides read the
 * old value, and were seen to lose wake-ups. There are no bare fences, which thread sanitizers
 * cannot follow.
 */
#ifndef FRAMEBUS_ATOMIC_H
#define FRAMEBUS_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint32_t shared_u32; /* lock-free in 32- and 64-bit programs alike */

_Static_assert(sizeof(shared_u32) == 4 && ATOMIC_INT_LOCK_FREE == 2, "shared words must be lock-free");

/* For counters and for words whose order another access gives. */
static inline uint32_t load_relaxed(const shared_u32 *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void store_relaxed(shared_u32 *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* See everything that was written before the store_release (or an ordered store) that is read. */
static inline uint32_t load_acquire(const shared_u32 *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline void store_release(shared_u32 *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/* One half of "write mine, then read yours". */
static inline uint32_t load_ordered(const shared_u32 *word)
{
    return atomic_load_explicit(word, memory_order_seq_cst);
}

static inline void store_ordered(shared_u32 *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_seq_cst);
}

static inline uint32_t set_bits_ordered(shared_u32 *word, uint32_t bits)
{
    return atomic_fetch_or_explicit(word, bits, memory_order_seq_cst);
}

static inline uint32_t clear_bits_ordered(shared_u32 *word, uint32_t bits)
{
    return atomic_fetch_and_explicit(word, ~bits, memory_order_seq_cst);
}

/* Between two looks at a word that another processor will write. */
static inline void relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__arm__) || defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#endif
