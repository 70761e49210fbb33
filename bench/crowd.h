/* SPDX-License-Identifier: MIT */
/*
 * A process full of readers that do as they are told, all on READER_CPU: awake readers, for one
 * processor can only be awake for one reader at a time.
 */
#ifndef CROWD_H
#define CROWD_H

#include "bench.h"

#define CROWD_READERS 160

struct crowd {
    _Alignas(64) _Atomic uint32_t turn; /* the writer's: a number for each order ... */
    uint32_t first, count;              /* ... to these readers */
    bool open;                          /* to attach to `bus`; otherwise to take one frame and release it */
    char bus[32];
    _Alignas(64) _Atomic uint32_t done; /* the crowd's: the last order carried out ... */
    _Atomic uint32_t taken;             /* ... in which it got so many frames ... */
    _Atomic int64_t cost;               /* ... and next and release took the first reader so long */
    pid_t pid;
};

struct crowd *crowd_open(void);
void crowd_close(struct crowd *crowd);

/* Attaches `count` readers from number `first` on to a bus. */
void crowd_attach(struct crowd *crowd, uint32_t first, uint32_t count, struct framebus_writer *writer,
                  const char *bus);

/* Each of them takes one frame and releases it; returns when they have, busily waiting. */
void crowd_take(struct crowd *crowd, uint32_t first, uint32_t count);

#endif
