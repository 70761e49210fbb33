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

static int remove_bus(const struct command *command, const char *name)
{
    int removed = framebus_remove(name, print_removed, NULL);

    if (removed < 0)
        return call_error(command);
    if (!removed)
        printf("%s: nothing to remove\n", name);
    return STATUS_DONE;
}

static int remove_stale(const struct command *command)
{
    struct framebus_bus_info *buses;
    int status = STATUS_DONE;
    size_t count;

    if (framebus_list(&buses, &count) < 0)
        return call_error(command);
    for (size_t i = 0; i < count; i++)
        if (buses[i].state == FRAMEBUS_BUS_STALE && remove_bus(command, buses[i].name))
            status = STATUS_FAILED;
    framebus_info_free(buses, count);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"all", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool all = false;
    int option, status;

    while ((option = next_option(command, argc, argv, "ah", options, &status)) > 0)
        all = true;
    if (option == 0 || !check_operands(command, argc, argv, all ? 0 : 1, all ? 0 : INT_MAX, &status))
        return status;
    if (all)
        return remove_stale(command);
    status = STATUS_DONE;
    for (int i = optind; i < argc; i++)
        if (remove_bus(command, argv[i]))
            status = STATUS_FAILED;
    return status;
}

const struct command command_rm = {
    .name = "rm",
    .arguments = "--all | NAME...",
    .summary = "clear away what a writer that died left behind",
    .help = "Removes the socket of a stale bus, and shared memory that its writer could not free.\n"
            "A bus with a writer is left alone, and the status is 1; to end such a bus, end its writer.\n"
            "\n"
            "There is no need to do this before a writer of the same name starts again.\n"
            "\n"
            "Options:\n"
            "  -a, --all   do so for every stale bus of the directory; live ones are left alone\n"
            "  -h, --help  show this text\n",
    .run = run,
};
