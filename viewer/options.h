/* SPDX-License-Identifier: MIT */
/* The command line of framebus-view. */
#ifndef VIEWER_OPTIONS_H
#define VIEWER_OPTIONS_H

#include "cli/report.h"
#include "window.h"

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses. */
enum {
    EXIT_OK = STATUS_DONE,
    EXIT_ERROR =
        STATUS_FAILED, /* no display, a file that cannot be written, a bus that cannot be shown, ... */
    EXIT_USAGE = STATUS_USAGE,
    EXIT_TIMEOUT = 3, /* no frame within --timeout */
    EXIT_DIED = 4,    /* --exit-on-eos, and the writer vanished without an end of stream */
};

struct options {
    struct window_options window; /* size 0x0: the size of the picture */
    char **name;                  /* names of buses as they were given */
    unsigned names;
    const char *screenshot; /* NULL: none */
    uint64_t frames;        /* number of them, 0: no end */
    int64_t timeout_ns;     /* 0: none */
    double fps_limit;       /* 0: the rate of the display */
    bool exit_on_eos;
    bool nearest;
    bool info;
    bool latest; /* has no effect: it always is so */
    bool statistics;
};

/* Reads the command line. False: the program has to exit with *status, after --help or a mistake, which is
 * reported. */
bool options_parse(struct options *options, int argc, char **argv, int *status);

#endif
