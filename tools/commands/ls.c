/* SPDX-License-Identifier: MIT */
/* framebus ls: lists the buses. */
#include "cli/process.h"
#include "cli/units.h"
#include "command.h"
#include "elsewhere.h"
#include "json.h"
#include "names.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct ls {
    bool json, names;
};

static const struct table_column ls_columns[] = {
    {"NAME"},      {"STATE"},        {"FORMAT"},        {"SIZE"},
    {"FPS", true}, {"WRITER", true}, {"READERS", true}, {"MEMORY", true},
};

static void ls_add_bus(struct table *table, const struct framebus_bus_info *bus)
{
    const struct framebus_format *format = &bus->format;
    bool live = bus->state == FRAMEBUS_BUS_LIVE;
    char bytes[UNITS_ROOM], pid[PROCESS_ROOM];
    table_add(table, text_of("%s", bus->name));
    table_add_styled(table, text_of("%s", state_name(bus->state)), state_style(bus->state));
    table_add(table, bus->has_format ? content_name(format) : NULL);
    table_add(table,
              bus->has_format && format->width ? text_of("%ux%u", format->width, format->height) : NULL);
    table_add(table, bus->rate_millihertz ? text_of("%.2f", bus->rate_millihertz / 1000.0) : NULL);
    table_add(table, bus->has_writer ? text_of("%s", process_number(bus->pid, pid)) : NULL);
    table_add(table, live ? text_of("%u", bus->readers) : NULL);
    table_add(table, live ? text_of("%s", units_bytes(bus->memory_bytes, bytes)) : NULL);
}

/* Names the first other directory that has buses. */
static void ls_print_elsewhere(void)
{
    struct elsewhere elsewhere;
    elsewhere_find(&elsewhere, NULL);
    size_t count = elsewhere_first(&elsewhere);
    if (count) {
        char *setting = elsewhere_setting(elsewhere.bus->directory);
        fprintf(stderr, "There %s in %s. To list %s:\n  %sframebus ls\n",
                count == 1 ? "is a bus" : "are buses", elsewhere.bus->directory, count == 1 ? "it" : "them",
                setting);
        free(setting);
    }
    elsewhere_finish(&elsewhere);
}

static void ls_print_table(const struct framebus_bus_info *buses, size_t count)
{
    struct table table = {.column = ls_columns, .columns = sizeof ls_columns / sizeof ls_columns[0]};
    const struct framebus_bus_info *stale = NULL;
    char directory[PATH_MAX] = "";
    if (!count) {
        framebus_directory(directory, sizeof directory);
        fprintf(stderr,
                "No bus in %s. To make one:\n"
                "  gst-launch-1.0 videotestsrc ! framebussink bus=cam0\n",
                directory);
        ls_print_elsewhere();
        return;
    }
    for (size_t i = 0; i < count; i++) {
        ls_add_bus(&table, &buses[i]);
        if (buses[i].state == FRAMEBUS_BUS_STALE)
            stale = &buses[i];
    }
    table_print(&table, "");
    fflush(stdout);
    if (stale)
        fprintf(stderr, "\nThe writer of a stale bus has died. To clear it away: framebus rm %s\n",
                stale->name);
}

static void ls_print_json(const struct framebus_bus_info *buses, size_t count)
{
    struct json_object *array = json_object_new_array();
    for (size_t i = 0; i < count; i++)
        json_object_array_add(array, json_of_bus(&buses[i]));
    json_print(array);
}

static int ls_run(int argc, char **argv)
{
    struct ls ls = {0};
    struct framebus_bus_info *buses;
    size_t count;
    int status;
    if (!options_read(&command_ls.usage, argc, argv, &ls, &status))
        return status;
    if (framebus_list(&buses, &count) < 0)
        return report_error("%s", framebus_last_error());
    if (ls.json)
        ls_print_json(buses, count);
    else if (ls.names)
        for (size_t i = 0; i < count; i++)
            puts(buses[i].name);
    else
        ls_print_table(buses, count);
    framebus_info_free(buses, count);
    return STATUS_DONE;
}

static const struct usage_term ls_terms[] = {
    {"NAME", "name of the bus"},
    {"STATE",
     "live: the writer answers; silent: there is a writer, but it does not answer, because it is "
     "stopped or too busy; stale: a writer that died left it behind, and 'framebus rm NAME' clears it "
     "away; denied: it belongs to a user who does not let you in; incompatible: the writer is of another "
     "release of framebus"},
    {"FORMAT", "pixel format or media type of the frames"},
    {"SIZE", "width and height of the picture"},
    {"FPS", "frames a second, measured lately"},
    {"WRITER", "process that publishes the frames; ?: it cannot be seen from here"},
    {"READERS", "number of readers; 'framebus info NAME' shows each of them"},
    {"MEMORY", "memory of the frames, once for all processes"},
    {0},
};

static const struct option_row ls_options[] = {
    {"json", 'j', NULL, NULL, offsetof(struct ls, json),
     "print an array of objects, as 'framebus info --json' prints one"},
    {"names", 'n', NULL, NULL, offsetof(struct ls, names), "print only the names, one a line"},
    {0},
};

const struct command command_ls = {
    .usage =
        {
            .name = "framebus ls",
            .arguments = "[--json|--names]",
            .summary = "list the buses: format, rate, writer, readers, memory",
            .text = "Lists the buses of this user, or of the directory that FRAMEBUS_DIR names.",
            .terms = ls_terms,
            .options = ls_options,
            .examples = "framebus ls\n"
                        "framebus ls --json | jq -r '.[] | select(.state == \"stale\") | .name'\n",
        },
    .run = ls_run,
};
