/* SPDX-License-Identifier: MIT */
/* Readers of all buses, for `framebus top`: how old the frames are when they come. */
#ifndef PROBE_H
#define PROBE_H

#include <poll.h>
#include <stdbool.h>

#include "framebus.h"
#include "spread.h"

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
    struct pollfd *wait; /* one for each probe, after two of the caller's */
};

/* Attaches to buses that live and have none yet, and leaves those that have gone. */
void probes_follow(struct probes *probes, const struct framebus_bus_info *bus, size_t count);

/* Takes frames until `end_ns` or until one of the caller's two fds is ready (probes->wait[0..1], -1: none).
 */
void probes_run(struct probes *probes, const int fd[2], int64_t end_ns);

/* The probe of a bus, NULL if it could not attach. */
struct probe *probes_find(struct probes *probes, const char *name);

/* Forgets what has been counted. */
void probes_clear(struct probes *probes);

void probes_finish(struct probes *probes);

#endif
