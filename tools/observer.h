/* SPDX-License-Identifier: MIT */
/* The measurements of `framebus check`: rate and age of frames, whether the picture changes, its number. */
#ifndef OBSERVER_H
#define OBSERVER_H

#include "framebus.h"
#include "pixels/luma.h"
#include "spread.h"

struct observer {
    int64_t sample_every_ns; /* time between two samples of a whole picture; to be set first */

    uint64_t frames, missed;
    int64_t first_ns, last_ns, end_ns; /* arrival of the first and the last frame, and the end */
    struct spread ages;                /* from capture to arrival */
    int64_t changed_ns, still_ns;      /* last change of the picture, and the longest time without one */
    uint64_t samples, black;           /* pictures that were sampled, and those that were black */
    uint64_t whole, altered, torn, doubled, lost, backward; /* test pictures */
    bool is_test;                                           /* a test picture was seen */
    bool can_see;                                           /* the brightness of this format can be read */

    struct luma luma;
    uint32_t serial; /* format of the last frame */
    uint32_t number; /* number in the last test picture, if has_number */
    bool has_number;
    int64_t sampled_ns;
    uint64_t hash;       /* of the picture sampled last */
    uint64_t unread;     /* pictures without a code */
    uint64_t unnumbered; /* frames since the last one whose number could be read */
};

/* Measures a frame that has just arrived. */
void observer_see(struct observer *observer, const struct framebus_frame *frame);

/* Ends the measurement, before the results are read. */
void observer_end(struct observer *observer);

/* Frames a second until the end. */
double observer_rate(const struct observer *observer);

void observer_finish(struct observer *observer);

#endif
