/* SPDX-License-Identifier: MIT */
/*
 * The file descriptor that a caller polls: an epoll set of whatever a reader waits for at present, and a
 * ring of its own. It is level-triggered, although the bell inside is not: the writer rings once for each
 * odd number of `sleeps`, and the set stays readable until somebody waits on the bell.
 *
 *   - `sleeps` is odd in each pool from the moment that the fd is in use; taking a frame leaves it so
 *   - the bell is drained only by a next that finds nothing: drain, a new odd number, then another look
 *   - if frames remain after that look, or the pool has ended, the reader rings for itself
 *   - a next that the quota refuses drains as well, and leaves it to the next release to ring
 */
#ifndef FRAMEBUS_READER_READINESS_H
#define FRAMEBUS_READER_READINESS_H

#include <stdatomic.h>
#include <stdbool.h>

struct readiness {
    int set;             /* the epoll fd; -1: not in use */
    int ring;            /* an eventfd in it */
    _Atomic bool rung;   /* and not drained since */
    _Atomic bool wanted; /* the next release has to ring */
};

#define READINESS_NONE                                                                                       \
    {                                                                                                        \
        .set = -1, .ring = -1                                                                                \
    }

/* Makes both fds. Negative errno on failure. */
int readiness_open(struct readiness *readiness);

/* NONE is fine. No thread may ring any more. */
void readiness_close(struct readiness *readiness);

static inline bool readiness_in_use(const struct readiness *readiness)
{
    return readiness->set >= 0;
}

/* Any thread. */
void readiness_ring(struct readiness *readiness);

void readiness_drain(struct readiness *readiness);

/* Makes the next release ring. */
void readiness_want(struct readiness *readiness);

/* A frame was released. Any thread. */
static inline void readiness_released(struct readiness *readiness)
{
    if (atomic_load(&readiness->wanted) && atomic_exchange(&readiness->wanted, false))
        readiness_ring(readiness);
}

#endif
