/* SPDX-License-Identifier: MIT */
/* A subcommand of `framebus`: one file, one entry in main.c's table. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

#include "framebus.h"

/* Exit statuses, as the help text promises them. */
enum {
    STATUS_DONE = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
};

struct command {
    const char *name;
    const char *arguments; /* after the name in the usage line */
    const char *summary;   /* one line for the list of commands */
    const char *help;      /* all the rest */
    int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_ls, command_info, command_rm;
extern const struct command command_send, command_recv, command_record, command_play;

/*
 * Parses the options of a command: --help, and --json if `json` is not NULL. Leaves optind at the first
 * operand, of which there must be min to max. Returns false if that was all: *status is what to return.
 */
bool parse_arguments(const struct command *command, int argc, char **argv, bool *json, int min, int max,
                     int *status);

/* Says why the last call into the library failed. Returns STATUS_FAILED. */
int call_error(const struct command *command);

#endif
