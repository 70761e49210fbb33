/* SPDX-License-Identifier: MIT */
/*
 * The few memory orderings that framebus uses, named for what they are for.
 *
 * "Ordered" means sequentially consistent. The claim protocol and the semaphores are of the form
 * "write mine, then read yours" on both sides; acquire and release alone let both sides read the
 * old value, and were seen to lose wake-ups. There are no bare fences, because thread sanitizers
 * cannot follow them. docs/inside/memory-order.md says of each access why it has the order it has.
 */
#ifndef FRAMEBUS_ATOMIC_H
#define FRAMEBUS_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint32_t shared_u32; /* lock-free in 32- and 64-bit programs alike */

_Static_assert(sizeof(shared_u32) == 4 && ATOMIC_INT_LOCK_FREE == 2, "shared words must be lock-free");

/* For counters, and for words whose order comes from another access. */
static inline uint32_t load_relaxed(const shared_u32 *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void store_relaxed(shared_u32 *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* An ordered or acquire load that reads this value also sees everything written before it. */
static inline void store_release(shared_u32 *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static inline uint32_t load_acquire(const shared_u32 *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* One half of "write mine, then read yours". An acquire load behind an ordered store is not enough. */
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

/* Pauses between two loads of a word that another processor will write. */
static inline void relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7) /* ARMv6 has no yield */
    __asm__ __volatile__("yield");
#endif
}

#endif
