/* SPDX-License-Identifier: MIT */
/* The command line of framebus-rtsp. */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct encoder;

struct options {
    const char *address;
    char port[6];
    const struct encoder *encoder; /* NULL: the first one that works */
    uint32_t kbit;                 /* 0: what suits the size of the picture */
    bool list_encoders;
    bool verbose;
    GHashTable *buses; /* last part of the address -> name or path of the bus; NULL: all, by name */
};

/* Reads the command line. False: that was all, because of --help or of a mistake, which is reported; *status
 * is what to exit with. options_finish() is due when the program ends. */
bool options_parse(struct options *options, int argc, char **argv, int *status);
void options_finish(struct options *options);

/* True if a bus can have this name: what comes over the network must not be a path. */
bool is_bus_name(const char *name);

#endif
