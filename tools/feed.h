/* SPDX-License-Identifier: MIT */
/* From a source onto a bus, at the right times. */
#ifndef FEED_H
#define FEED_H

#include "shot.h"

struct feed_options {
    const char *name; /* of the bus */
    int interrupts;   /* see interrupts_open() */
    struct framebus_writer *
        *serve;       /* set as long as there is a writer that readers wait for; NULL: nobody asks */
    uint64_t readers; /* wait for so many before the first frame */
    double speed;     /* 0: as is */
    bool fast, lossless, loop, quiet;
    const char *verb; /* "sent", "played" */
};

/* Publishes all frames of a source, which stays the caller's. Returns the exit status. */
int feed(struct source *source, const struct feed_options *options);

#endif
