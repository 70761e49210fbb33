/* SPDX-License-Identifier: MIT */
/* Options of a command as a table, and what their values may be. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"

/* An option that takes a value has a function that reads it into `value` and returns what is wrong with it,
 * NULL if nothing is. Without one it is a switch, and `value` a bool. */
struct argument {
    const char *name;
    char letter; /* 0: none */
    const char *(*parse)(const char *text, void *value);
    void *value;
};

/*
 * Reads the options of a command, --help included; the table ends with an entry without a name. Leaves
 * optind at the first of `count` operands, which `operands` names. Returns false if that was all: *status
 * is what to return.
 */
bool read_arguments(const struct command *command, int argc, char **argv, const struct argument *arguments,
                    const char *const *operands, int count, int *status);

const char *parse_text(const char *text, void *value);     /* const char * */
const char *parse_count(const char *text, void *value);    /* uint64_t, from 1 */
const char *parse_duration(const char *text, void *value); /* int64_t in ns: 10s, 500ms, 2m, 1h, 10 */
const char *parse_bytes(const char *text, void *value);    /* uint64_t: 2G, 512M, 64k, 100 */
const char *parse_factor(const char *text, void *value);   /* double above 0 */

/* Two numbers above 0 that `between` stands between: 30/1 or 640x480. Without it the second one is 1. */
struct pair {
    uint32_t first, second;
};
const char *parse_fraction(const char *text, void *value); /* struct pair: 30, 30000/1001, 29.97 */
const char *parse_sides(const char *text, void *value);    /* struct pair: 640x480 */

/* Says something on standard error, after the name of the command that runs. Returns STATUS_FAILED. */
int complain(const char *text, ...) FRAMEBUS_PRINTF(1, 2);

#endif
