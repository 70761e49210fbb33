/* SPDX-License-Identifier: MIT */
#ifndef VIEWER_OPTIONS_H
#define VIEWER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "window.h"

/* What the program exits with. */
enum {
    EXIT_OK = 0,
    EXIT_ERROR = 1,   /* no display, a file that cannot be written, a bus that cannot be shown, ... */
    EXIT_USAGE = 2,   /* wrong arguments */
    EXIT_TIMEOUT = 3, /* no frame within --timeout */
    EXIT_DIED = 4,    /* --exit-on-eos, and the writer vanished without an end of stream */
};

struct options {
    struct window_options window; /* size 0x0: the picture's */
    char **name;
    unsigned names;
    const char *screenshot; /* NULL: none */
    uint64_t frames;        /* 0: no end */
    int64_t timeout_ns;     /* 0: none */
    double fps_limit;       /* 0: what the display can */
    bool exit_on_eos;
    bool nearest;
    bool info;
    bool statistics;
};

/** Reads the command line. True: go on. False: everything has been said, exit with *status. */
bool options_parse(struct options *options, int argc, char **argv, int *status);

#endif
