/* SPDX-License-Identifier: MIT */
/* Publishes the frames of a source on a bus, each at its time. */
#ifndef FEED_H
#define FEED_H

#include "media/media.h"

struct feed_options {
    const char *name; /* name of the bus */
    int interrupts;   /* see stream_interrupts() */
    struct framebus_writer *
        *serve;       /* set to the writer while its readers are to be served; NULL: not wanted */
    uint64_t readers; /* number of readers to wait for before the first frame */
    double speed;     /* factor of the speed of the source; 0: 1 */
    bool fast, lossless, loop, quiet;
    const char *verb; /* "sent", "played" */
};

/* Publishes all frames of a source, which stays the caller's. Returns the exit status. */
int feed_run(struct source *source, const struct feed_options *options);

#endif
