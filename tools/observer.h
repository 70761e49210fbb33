/* SPDX-License-Identifier: MIT */
/* What `framebus check` sees of the frames of a bus while it looks at them. */
#ifndef OBSERVER_H
#define OBSERVER_H

#include "framebus.h"
#include "luma.h"
#include "spread.h"

struct observer {
    int64_t look_every_ns; /* at the whole picture: that takes a while. Set it first */

    uint64_t frames, missed;
    int64_t first_ns, last_ns, end_ns; /* when the first and the last frame came, and the end */
    struct spread ages;                /* from capture to here */
    int64_t changed_ns, still_ns;      /* since when the picture stands; how long it stood at the longest */
    uint64_t looks, black;             /* pictures looked at, and found black */
    uint64_t whole, altered, torn, doubled, lost, backward; /* of a test picture */
    bool is_test, can_see; /* a test picture was seen; the format's brightness can be read */

    struct luma luma;
    uint32_t serial, number;
    bool has_number;
    int64_t looked_ns;
    uint64_t hash, strangers, unnumbered;
};

/* Looks at a frame that has just come. */
void observer_see(struct observer *observer, const struct framebus_frame *frame);

/* When all has been seen. What follows is valid after it. */
void observer_end(struct observer *observer);

/* Frames a second, up to the end. */
double observer_rate(const struct observer *observer);

/* Frees what it has. */
void observer_finish(struct observer *observer);

#endif
