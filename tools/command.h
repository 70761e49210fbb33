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

extern const struct command command_check, command_doctor, command_hz, command_info, command_ls, command_mon,
    command_play, command_record, command_recv, command_rm, command_send, command_snap, command_test,
    command_top;

/*
 * Parses the options of a command: --help, and --json if `json` is not NULL. Leaves optind at the first
 * operand, of which there must be min to max. Returns false if that was all: *status is what to return.
 */
bool parse_arguments(const struct command *command, int argc, char **argv, bool *json, int min, int max,
                     int *status);

struct option;

/*
 * The letter of the next option of a command that has more of them, among which is help ('h'), or -1 after
 * the last one. 0 if that was all: *status is what to return.
 */
int next_option(const struct command *command, int argc, char **argv, const char *letters,
                const struct option *options, int *status);

/* True if there are min to max operands left; if not, *status is what to return. */
bool check_operands(const struct command *command, int argc, char **argv, int min, int max, int *status);

/* Says what is wrong with the command line, and where the help is. Returns STATUS_USAGE. */
int usage_error(const struct command *command, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

/* The same for the value of an option (optarg) that is not what was expected. Returns false; *status is what
 * to return. */
bool wrong_value(const struct command *command, const char *option, const char *expected, int *status);

/* Says why the last call into the library failed. Returns STATUS_FAILED. */
int call_error(const struct command *command);

#endif
