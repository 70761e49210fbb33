/* SPDX-License-Identifier: MIT */
/* framebus info: shows everything about a bus. */
#include "cli/clock.h"
#include "cli/process.h"
#include "cli/units.h"
#include "command.h"
#include "elsewhere.h"
#include "json.h"
#include "names.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct table_column info_columns[] = {
    {"READER", true}, {"UID", true},   {"LABEL"},        {"DELIVERY"},
    {"HELD", true},   {"TAKEN", true}, {"MISSED", true},
};

static void info_print_field(const char *name, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

static void info_print_field(const char *name, const char *text, ...)
{
    va_list arguments;
    printf("  %-9s", name);
    va_start(arguments, text);
    vprintf(text, arguments);
    va_end(arguments);
    fputc('\n', stdout);
}

static void info_print_format(const struct framebus_bus_info *bus)
{
    const struct framebus_format *format = &bus->format;
    char *caps = text_printable(format->caps ? format->caps : "");
    char text[128], size[UNITS_ROOM];
    if (bus->has_format) {
        info_print_field("format", "%s, %s a frame", framebus_format_describe(format, text, sizeof text),
                         units_bytes(format->size, size));
        for (uint32_t i = 0; i < format->planes; i++)
            info_print_field(i ? "" : "planes", "%u: offset %ju, stride %u", i, (uintmax_t)format->offset[i],
                             format->stride[i]);
        if (*caps)
            info_print_field("caps", "%s", caps);
    } else {
        info_print_field("format", "none yet");
    }
    free(caps);
}

static void info_print_memory(const struct framebus_bus_info *bus)
{
    char bytes[UNITS_ROOM];
    info_print_field("memory", "%s in %u of at most %u slots, %s", units_bytes(bus->memory_bytes, bytes),
                     bus->slots_used, bus->max_slots, memory_name(bus->memory));
    info_print_field("history", "the last %u frames", bus->history);
    info_print_field("lent", "%u of at most %u slots", bus->lent, bus->max_lends);
}

static void info_print_stream(const struct framebus_bus_info *bus)
{
    double since = (double)(clock_now() - bus->last_publish_ns) / 1e9;
    if (bus->last_publish_ns)
        info_print_field("frames", "%ju published, %.2f a second, the last %.3f s ago",
                         (uintmax_t)bus->published, bus->rate_millihertz / 1000.0, since > 0 ? since : 0);
    else
        info_print_field("frames", "none yet");
    info_print_field("delivery", "%s", bus->lossless ? "lossless for readers that ask for it" : "live");
}

static void info_print_readers(const struct framebus_bus_info *bus)
{
    char pid[PROCESS_ROOM];
    struct table table = {.column = info_columns, .columns = sizeof info_columns / sizeof info_columns[0]};
    info_print_field("readers", "%u", bus->readers);
    if (bus->evicted)
        info_print_field("evicted", "%ju readers since the bus began", (uintmax_t)bus->evicted);
    for (uint32_t i = 0; i < bus->readers; i++) {
        const struct framebus_peer_info *reader = &bus->reader[i];
        table_add(&table, text_of("%s", process_number(reader->pid, pid)));
        table_add(&table, text_of("%u", reader->uid));
        table_add(&table, text_of("%s", reader->label));
        table_add(&table, text_of("%s", delivery_name(reader->delivery)));
        table_add(&table, text_of("%u/%u", reader->held, reader->quota));
        table_add(&table, text_of("%ju", (uintmax_t)reader->taken));
        table_add_styled(&table, text_of("%ju", (uintmax_t)reader->missed),
                         reader->missed ? STYLE_YELLOW : NULL);
    }
    if (bus->readers) {
        fputc('\n', stdout);
        table_print(&table, "  ");
    }
}

static void info_print_live(const struct framebus_bus_info *bus)
{
    char *label = text_printable(bus->label), process[PROCESS_ROOM];
    info_print_field("writer", "%s, %s, uid %u", label, process_name(bus->pid, process), bus->uid);
    free(label);
    info_print_format(bus);
    info_print_stream(bus);
    info_print_memory(bus);
    info_print_readers(bus);
}

static void info_print_bus(const struct framebus_bus_info *bus)
{
    static const char *const notes[] = {
        [FRAMEBUS_BUS_LIVE] = "the writer answers",
        [FRAMEBUS_BUS_SILENT] = "there is a writer, but it does not answer",
        [FRAMEBUS_BUS_STALE] = "left behind by a writer that died; 'framebus rm' clears it away",
        [FRAMEBUS_BUS_DENIED] = "it belongs to a user who does not let you in",
        [FRAMEBUS_BUS_INCOMPATIBLE] = "its writer is of another release of framebus: both have to be of one",
    };
    char process[PROCESS_ROOM];
    print_styled(bus->name, STYLE_BOLD);
    printf("\n  %-9s", "state");
    print_styled(state_name(bus->state), state_style(bus->state));
    printf(": %s\n", notes[bus->state]);
    info_print_field("socket", "%s", bus->path);
    if (bus->state == FRAMEBUS_BUS_LIVE)
        info_print_live(bus);
    else if (bus->has_writer)
        info_print_field("writer", "%s", process_name(bus->pid, process));
}

static int info_run(int argc, char **argv)
{
    struct framebus_bus_info *bus;
    bool json = false;
    int status;
    if (!options_read(&command_info.usage, argc, argv, &json, &status))
        return status;
    int r = framebus_query(argv[optind], &bus);
    if (r < 0) {
        report_error("%s", framebus_last_error());
        if (r == -ENOENT)
            elsewhere_report(argv[optind]);
        return STATUS_FAILED;
    }
    if (json)
        json_print(json_of_bus(bus));
    else
        info_print_bus(bus);
    framebus_info_free(bus, 1);
    return STATUS_DONE;
}

static const struct usage_term info_terms[] = {
    {"HELD", "frames that the reader is reading now, of its quota"},
    {"TAKEN", "frames that it got"},
    {"MISSED", "frames that it did not get because it was too slow"},
    {0},
};

static const struct option_row info_options[] = {
    {"json", 'j', NULL, NULL, 0,
     "print an object: name, path, state, writer, format, stream, memory, readers; what cannot be known in "
     "this "
     "state is null"},
    {0},
};

const struct command command_info = {
    .usage =
        {
            .name = "framebus info",
            .arguments = "[--json] NAME",
            .summary = "show everything about a bus and each of its readers",
            .text =
                "Shows what is known about a bus: its writer, what the frames are and how many there have "
                "been, the memory they take, and each reader. Of a bus without a living writer only the "
                "state is shown.",
            .terms = info_terms,
            .options = info_options,
            .examples = "framebus info cam0\n"
                        "framebus info --json cam0 | jq '.stream.fps'\n",
            .operand = {"the name of a bus"},
        },
    .run = info_run,
};
