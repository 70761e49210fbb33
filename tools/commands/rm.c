/* SPDX-License-Identifier: MIT */
/* framebus rm: clears away what a writer that died left behind. */
#include "command.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>

static void rm_print(const char *what, void *user)
{
    char *text = text_printable(what);
    (void)user;
    printf("removed %s\n", text);
    free(text);
}

static int rm_bus(const char *name)
{
    int removed = framebus_remove(name, rm_print, NULL);
    if (removed < 0)
        return report_error("%s", framebus_last_error());
    if (!removed)
        printf("%s: nothing to remove\n", name);
    return STATUS_DONE;
}

static int rm_stale(void)
{
    struct framebus_bus_info *buses;
    int status = STATUS_DONE;
    size_t count;
    if (framebus_list(&buses, &count) < 0)
        return report_error("%s", framebus_last_error());
    for (size_t i = 0; i < count; i++)
        if (buses[i].state == FRAMEBUS_BUS_STALE && rm_bus(buses[i].name))
            status = STATUS_FAILED;
    framebus_info_free(buses, count);
    return status;
}

static int rm_run(int argc, char **argv)
{
    bool all = false;
    int status;
    if (!options_read(&command_rm.usage, argc, argv, &all, &status))
        return status;
    if (all && optind < argc)
        return report_usage("--all needs no name: %s", argv[optind]);
    if (all)
        return rm_stale();
    if (optind == argc)
        return report_usage("the name of a bus is missing");
    status = STATUS_DONE;
    for (int i = optind; i < argc; i++)
        if (rm_bus(argv[i]))
            status = STATUS_FAILED;
    return status;
}

static const struct option_row rm_options[] = {
    {"all", 'a', NULL, NULL, 0, "do so for every stale bus of the directory; live ones are left alone"},
    {0},
};

const struct command command_rm = {
    .usage =
        {
            .name = "framebus rm",
            .arguments = "--all | NAME...",
            .summary = "clear away what a writer that died left behind",
            .text =
                "Removes the socket of a stale bus, and shared memory that its writer could not free. A bus "
                "with a writer is left alone, and the status is 1; to end such a bus, end its writer.\n"
                "\n"
                "There is no need to do this before a writer of the same name starts again.",
            .options = rm_options,
            .examples = "framebus rm cam0\n"
                        "framebus rm --all\n",
            .more = true,
        },
    .run = rm_run,
};
