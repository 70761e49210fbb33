/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>

#include "command.h"
#include "json.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

static const struct table_column columns[] = {
    {"NAME"},      {"STATE"},        {"FORMAT"},        {"SIZE"},
    {"FPS", true}, {"WRITER", true}, {"READERS", true}, {"MEMORY", true},
};

static void add_bus(struct table *table, const struct framebus_bus_info *bus)
{
    const struct framebus_format *format = &bus->format;
    bool live = bus->state == FRAMEBUS_BUS_LIVE;

    table_add(table, text_of("%s", bus->name));
    table_add_styled(table, text_of("%s", state_name(bus->state)), state_style(bus->state));
    table_add(table, bus->has_format ? content_name(format) : NULL);
    table_add(table,
              bus->has_format && format->width ? text_of("%ux%u", format->width, format->height) : NULL);
    table_add(table, bus->rate_mhz ? text_of("%.2f", bus->rate_mhz / 1000.0) : NULL);
    table_add(table, bus->pid ? text_of("%d", bus->pid) : NULL);
    table_add(table, live ? text_of("%u", bus->readers) : NULL);
    table_add(table, live ? byte_text(bus->memory_bytes) : NULL);
}

static void print_table(const struct framebus_bus_info *buses, size_t count)
{
    struct table table = {.column = columns, .columns = sizeof(columns) / sizeof(columns[0])};
    const struct framebus_bus_info *stale = NULL;
    char directory[PATH_MAX] = "";

    if (!count) {
        framebus_directory(directory, sizeof(directory));
        fprintf(stderr,
                "No bus in %s. To make one:\n"
                "  gst-launch-1.0 videotestsrc ! framebussink bus=cam0\n",
                directory);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        add_bus(&table, &buses[i]);
        if (buses[i].state == FRAMEBUS_BUS_STALE)
            stale = &buses[i];
    }
    table_print(&table, "");
    fflush(stdout);
    if (stale)
        fprintf(stderr, "\nThe writer of a stale bus has died. To clear it away: framebus rm %s\n",
                stale->name);
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"names", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct framebus_bus_info *buses;
    int how = 't', option, status;
    size_t count;

    while ((option = next_option(command, argc, argv, "jnh", options, &status)) > 0)
        how = option;
    if (option == 0 || !check_operands(command, argc, argv, 0, 0, &status))
        return status;
    if (framebus_list(&buses, &count) < 0)
        return call_error(command);

    if (how == 'j') {
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < count; i++)
            json_object_array_add(array, json_of_bus(&buses[i]));
        print_json(array);
    } else if (how == 'n') {
        for (size_t i = 0; i < count; i++)
            puts(buses[i].name);
    } else {
        print_table(buses, count);
    }
    framebus_info_free(buses, count);
    return STATUS_DONE;
}

const struct command command_ls = {
    .name = "ls",
    .arguments = "[--json|--names]",
    .summary = "list the buses: format, rate, writer, readers, memory",
    .help = "Lists the buses of this user, or of the directory that FRAMEBUS_DIR names.\n"
            "\n"
            "  NAME     of the bus\n"
            "  STATE    live    the writer answers\n"
            "           silent  there is a writer, but it does not answer: stopped, or too busy\n"
            "           stale   left behind by a writer that died; 'framebus rm NAME' clears it away\n"
            "           denied  it belongs to somebody who does not let you in\n"
            "  FORMAT   of the frames: a pixel format, or a media type\n"
            "  SIZE     of the picture in pixels\n"
            "  FPS      frames a second as measured lately\n"
            "  WRITER   process that publishes the frames\n"
            "  READERS  how many there are; 'framebus info NAME' shows each of them\n"
            "  MEMORY   that the frames take, once for all processes\n"
            "\n"
            "Options:\n"
            "  -j, --json   print an array of objects, as 'framebus info --json' prints one\n"
            "  -n, --names  print the names alone, one a line\n"
            "  -h, --help   show this text\n",
    .run = run,
};
