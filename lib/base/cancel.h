/* SPDX-License-Identifier: MIT */
/*
 * Cancels what waits: a flag that is looked at first, and an eventfd that every wait includes. Both stay set
 * until they are cleared, so a call that is about to wait notices, too. The flag decides. A clear between the
 * two halves of a set leaves the eventfd readable without the flag; the next wait drains it.
 */
#ifndef FRAMEBUS_BASE_CANCEL_H
#define FRAMEBUS_BASE_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>

struct cancel {
    int event; /* -1: none */
    _Atomic bool set;
};

/* Negative errno on failure. */
int cancel_init(struct cancel *cancel);

void cancel_finish(struct cancel *cancel);

/* Any thread and any signal handler; errno stays as it is. */
void cancel_set(struct cancel *cancel);
void cancel_clear(struct cancel *cancel);

/* Empties the eventfd if the flag is not set, so that a wait is not over at once for ever. */
void cancel_drain(struct cancel *cancel);

static inline bool cancel_is_set(const struct cancel *cancel)
{
    return atomic_load_explicit(&cancel->set, memory_order_relaxed);
}

#endif
