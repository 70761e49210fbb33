/* SPDX-License-Identifier: MIT */
/*
 * A lane: one way to pass frames from this process to a reader in another, of which several are
 * open at once so that they can take turns. All readers sit on READER_CPU, and sleep while it is
 * not their turn.
 */
#ifndef LANE_H
#define LANE_H

#include "bench.h"

struct lane;

struct lane_kind {
    void (*prepare)(struct lane *lane); /* before the fork: what both sides inherit; may be NULL */
    void (*read)(struct lane *lane);    /* the child: lane_is_ready, then lane_received for ever */
    void (*open)(struct lane *lane);    /* the parent, when every child is there; may be NULL */
    void (*serve)(struct lane *lane);   /* while waiting for the reader to attach; may be NULL */
    void (*post)(struct lane *lane);    /* passes frame lane->number, with lane_sent() when it is complete */
    void (*close)(struct lane *lane);   /* may be NULL */
    void (*finish)(struct lane *lane);  /* before that: the reader must not just be killed; may be NULL */
};

/* By cache line: the writer's and the reader's. */
struct lane_shared {
    _Alignas(64) _Atomic int64_t sent;
    _Atomic bool untimed, stop;
    _Alignas(64) _Atomic uint32_t count; /* frames received */
    _Atomic uint32_t ready;
    _Atomic int64_t received;
    _Alignas(64) _Atomic uint32_t word; /* for the futex lane */
};

struct lane {
    const struct lane_kind *kind;
    const char *name;
    uint32_t fourcc, width, height;
    int64_t spin_ns;
    uint32_t anticipate; /* percent of a processor */
    bool lossless;
    bool polls; /* the reader never sleeps */

    struct lane_shared *shared;
    uint64_t number; /* of the frame that is being passed, from 1 */
    pid_t reader;
    int fd[2];
    void *data;
    struct samples samples;
};

/* How many frames may be under way in a lossless lane. */
#define LANE_DEPTH 16

#define LANE_BUS_MAX 32

extern const struct lane_kind lane_eventfd, lane_futex, lane_framebus;

/* Starts them all; `data` is what lane_open leaves to the kind. */
void lanes_open(struct lane *lanes, size_t count);
void lanes_close(struct lane *lanes, size_t count);

/* One frame across; the time it took goes to lane->samples, in microseconds. Returns how many
 * nanoseconds the writer spent on it. */
int64_t lane_measure(struct lane *lane);

/*
 * In turns of `block` frames, `pause` ns before each, until each lane has `samples` samples. The order is A B
 * C, C B A, A B C ..., so that nobody always comes behind the same one. Those that spin take turns among
 * themselves when the others are done: whoever comes behind one finds the processors wide awake.
 */
void lanes_measure(struct lane *lanes, size_t count, size_t samples, size_t block, int64_t pause);

/* Frames a second for about `duration` ns, as fast as the lane goes, all of them received. */
double lane_flood(struct lane *lane, int64_t duration);

/* Bytes of a frame of this lane. */
size_t lane_frame_size(const struct lane *lane);

/* The bus of a lane of kind lane_framebus, whose `data` is the writer. */
void lane_bus(const struct lane *lane, char name[LANE_BUS_MAX]);

/* ---- for the kinds ---- */

void lane_is_ready(struct lane *lane);

/* The frame has arrived, as the reader knows without looking into it. */
static inline int64_t lane_arrival(struct lane *lane)
{
    return atomic_load_explicit(&lane->shared->untimed, memory_order_relaxed) ? 0 : now();
}

/* ... and this is what it says that it is. */
void lane_received(struct lane *lane, int64_t arrival, uint64_t number);

static inline void lane_sent(struct lane *lane)
{
    if (!atomic_load_explicit(&lane->shared->untimed, memory_order_relaxed))
        atomic_store(&lane->shared->sent, now());
}

#endif
