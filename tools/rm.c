/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "text.h"

static void print_removed(const char *what, void *user)
{
    char *text = printable(what);

    (void)user;
    printf("removed %s\n", text);
    free(text);
}

static int run(const struct command *command, int argc, char **argv)
{
    int status;

    if (!parse_arguments(command, argc, argv, NULL, 1, INT_MAX, &status))
        return status;
    status = STATUS_DONE;
    for (int i = optind; i < argc; i++) {
        int removed = framebus_remove(argv[i], print_removed, NULL);

        if (removed < 0)
            status = call_error(command);
        else if (!removed)
            printf("%s: nothing to remove\n", argv[i]);
    }
    return status;
}

const struct command command_rm = {
    .name = "rm",
    .arguments = "NAME...",
    .summary = "clear away what a writer that died left behind",
    .help = "Removes the socket of a stale bus, and shared memory that its writer could not free.\n"
            "A bus with a writer is left alone, and the status is 1; to end such a bus, end its writer.\n"
            "\n"
            "There is no need to do this before a writer of the same name starts again.\n"
            "\n"
            "Options:\n"
            "  -h, --help  show this text\n",
    .run = run,
};
