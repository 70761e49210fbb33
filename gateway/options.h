/* SPDX-License-Identifier: MIT */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

struct encoder;

/* What the program exits with. */
enum {
    STATUS_DONE = 0,
    STATUS_FAILED = 1, /* the port is taken, no such address, no such encoder here, ... */
    STATUS_USAGE = 2,  /* wrong arguments */
};

struct options {
    const char *address;
    char port[6];
    const struct encoder *encoder; /* NULL: the first one that works */
    unsigned kbit;                 /* 0: what suits the size of the picture */
    bool list_encoders;
    bool verbose;
    GHashTable *buses; /* last part of the address -> name or path of the bus; NULL: all, by name */
};

/* Reads the command line. True: go on. False: everything has been said, exit with *status. Before it
 * ends the program calls options_finish(). */
bool options_parse(struct options *options, int argc, char **argv, int *status);
void options_finish(struct options *options);

/* True if a bus can have this name: what comes over the network may be no path. */
bool is_bus_name(const char *name);

#endif
