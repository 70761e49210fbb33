/* SPDX-License-Identifier: MIT */
/* Readers of all buses, which measure for `framebus top` how old frames are when they come. */
#ifndef PROBE_H
#define PROBE_H

#include "framebus.h"
#include "spread.h"

#include <poll.h>
#include <stdbool.h>

struct probe {
    char name[FRAMEBUS_PATH_MAX + 1];
    struct framebus_reader *reader;
    struct spread ages;
    uint64_t frames, bytes;
    bool wanted;
};

struct probes {
    struct probe *probe;
    size_t count;
    struct pollfd *wait; /* three of the caller's, then one for each probe */
};

/* Attaches to the live buses that have no probe yet, and leaves those that have gone. */
void probes_follow(struct probes *probes, const struct framebus_bus_info *bus, size_t count);

/* Reads frames until `end_ns`, or until one of the caller's three file descriptors is ready (-1: none). */
void probes_run(struct probes *probes, const int fd[3], int64_t end_ns);

/* The probe of a bus; NULL: it could not attach. */
struct probe *probes_find(struct probes *probes, const char *name);

/* Sets all counters to 0. */
void probes_clear(struct probes *probes);

void probes_finish(struct probes *probes);

#endif
