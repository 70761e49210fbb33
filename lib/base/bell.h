/* SPDX-License-Identifier: MIT */
/* The bell of `filled`: an eventfd that wakes one reader, and what ringing it costs. */
#ifndef FRAMEBUS_BELL_H
#define FRAMEBUS_BELL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The writer keeps the eventfd; the reader gets the epoll fd that contains it, edge-triggered, so that
 * nobody ever reads the eventfd: a peer that had it could fill the counter and make ringing block.
 */

/* Makes both; *event stays with the writer, *wait goes to the reader and is then closed by the writer.
 * Negative errno on failure. */
int bell_create(int *event, int *wait);

/*
 * Rings the bell, and counts in *strikes (0 at first) what ringing costs: thousands of waiters on one bell
 * would make the writer pay for them all. After a ring that took more than BELL_LIMIT_NS of wall-clock time
 * the next one is measured in processor time, for two system calls more. Each BELL_LIMIT_NS of that is a
 * strike, at most BELL_STRIKES / 2 of them a ring; a cheap ring takes one back. Returns false above
 * BELL_STRIKES strikes, or after one ring of BELL_CERTAIN times BELL_LIMIT_NS.
 */
bool bell_ring(int event, uint32_t *strikes);

#define BELL_LIMIT_NS 1000000
#define BELL_STRIKES  8
#define BELL_CERTAIN  16

#endif
