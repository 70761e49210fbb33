/* SPDX-License-Identifier: MIT */
/*
 * Memory as C11 promises it, in place of lib/shared/atomic.h: code of lib/ that is compiled with this runs in
 * every order of steps, and every load returns in turn all that it may.
 *
 * A word has all values that were ever stored in it. A thread has a view: of each word the oldest value that
 * it may still read. A release store takes the view along, an acquire load of it adds that to its own. What
 * "ordered" adds: a load returns nothing older than what an ordered access of this word has stored or seen,
 * and no more. It does not flush anything, as a model with store buffers would have it.
 *
 * Stronger than C11: a store is the newest of its word at once (words here have one writer, or are changed by
 * fetch_or and the like only, so that there is no choice), ordered accesses take effect in the order in which
 * they are executed, and nothing is executed before what comes before it in its thread. litmus/ has no such
 * limits, as to the last one in the code of machines.
 *
 * The frames, which are not atomic, must not be accessed by two threads without an order between them.
 */
#ifndef FRAMEBUS_ATOMIC_H
#define FRAMEBUS_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define THREADS_MAX 3
#define WORDS_MAX   24

typedef struct {
    uint32_t initial;
} shared_u32;

enum order { RELAXED, ACQUIRE = 1, RELEASE = 2, ACQ_REL = 3, ORDERED = 7 };

struct view {
    uint8_t oldest[WORDS_MAX]; /* of each word's values */
    uint8_t done[THREADS_MAX]; /* of each thread's stores */
};

/* What is not atomic: a frame. */
struct plain {
    uint8_t writer, written, read[THREADS_MAX];
};

struct access {
    const char *function, *text;
    enum order order;
};

uint32_t memory_load(const shared_u32 *word, struct access access);
void memory_store(shared_u32 *word, uint32_t value, struct access access);

/* Returns what it was before. */
uint32_t memory_change(shared_u32 *word, uint32_t keep, uint32_t set, uint32_t add, struct access access);

#define ACCESS(name, word, order) ((struct access){__func__, name "(" #word ")", order})

#define load_relaxed(word)         memory_load(word, ACCESS("load_relaxed", word, RELAXED))
#define load_acquire(word)         memory_load(word, ACCESS("load_acquire", word, ACQUIRE))
#define load_ordered(word)         memory_load(word, ACCESS("load_ordered", word, ORDERED))
#define store_relaxed(word, value) memory_store(word, value, ACCESS("store_relaxed", word, RELAXED))
#define store_release(word, value) memory_store(word, value, ACCESS("store_release", word, RELEASE))
#define store_ordered(word, value) memory_store(word, value, ACCESS("store_ordered", word, ORDERED))
#define set_bits_ordered(word, bits)                                                                         \
    memory_change(word, UINT32_MAX, bits, 0, ACCESS("set_bits_ordered", word, ORDERED))
#define clear_bits_ordered(word, bits)                                                                       \
    memory_change(word, ~(uint32_t)(bits), 0, 0, ACCESS("clear_bits_ordered", word, ORDERED))

/* ---- for scenarios ---- */

/* Ends this execution and all: something went wrong. */
void violated(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Lets others run until *what is true. The kernel would order what comes after; here nothing does. */
void wait_until(const bool *what);

/* Hands what this thread has seen so far to another, as sending a message does. */
void hand_over(unsigned thread);

void plain_read(struct plain *plain);
void plain_write(struct plain *plain);

#endif
