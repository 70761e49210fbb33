/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "command.h"
#include "json.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

static const struct table_column columns[] = {
    {"READER", true}, {"UID", true},   {"LABEL"},        {"DELIVERY"},
    {"HELD", true},   {"TAKEN", true}, {"MISSED", true},
};

static void print_field(const char *name, const char *text, ...) FRAMEBUS_PRINTF(2, 3);

static void print_field(const char *name, const char *text, ...)
{
    va_list arguments;

    printf("  %-9s", name);
    va_start(arguments, text);
    vprintf(text, arguments);
    va_end(arguments);
    fputc('\n', stdout);
}

static void print_format(const struct framebus_bus_info *bus)
{
    const struct framebus_format *format = &bus->format;
    char *size = byte_text(format->size), *caps = printable(format->caps ? format->caps : "");
    char text[128];

    if (bus->has_format) {
        print_field("format", "%s, %s a frame", framebus_format_describe(format, text, sizeof(text)), size);
        for (uint32_t i = 0; i < format->planes; i++)
            print_field(i ? "" : "planes", "%u: offset %ju, stride %u", i, (uintmax_t)format->offset[i],
                        format->stride[i]);
        if (*caps)
            print_field("caps", "%s", caps);
    } else {
        print_field("format", "none yet");
    }
    free(caps);
    free(size);
}

static void print_memory(const struct framebus_bus_info *bus)
{
    char *bytes = byte_text(bus->memory_bytes);

    print_field("memory", "%s in %u of at most %u slots, %s", bytes, bus->slots_used, bus->max_slots,
                memory_name(bus->memory));
    print_field("history", "the last %u frames", bus->history);
    print_field("lent", "%u of at most %u slots", bus->lent, bus->max_lends);
    free(bytes);
}

static void print_stream(const struct framebus_bus_info *bus)
{
    double since = (double)(now_ns() - bus->last_publish_ns) / 1e9;

    if (bus->last_publish_ns)
        print_field("frames", "%ju published, %.2f a second, the last %.3f s ago", (uintmax_t)bus->published,
                    bus->rate_mhz / 1000.0, since > 0 ? since : 0);
    else
        print_field("frames", "none yet");
    print_field("delivery", "%s", bus->lossless ? "lossless for readers that ask for it" : "live");
}

static void print_readers(const struct framebus_bus_info *bus)
{
    struct table table = {.column = columns, .columns = sizeof(columns) / sizeof(columns[0])};

    print_field("readers", "%u", bus->readers);
    if (bus->evicted)
        print_field("evicted", "%ju readers since the bus began", (uintmax_t)bus->evicted);
    for (uint32_t i = 0; i < bus->readers; i++) {
        const struct framebus_peer_info *reader = &bus->reader[i];

        table_add(&table, text_of("%d", reader->pid));
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

static void print_live(const struct framebus_bus_info *bus)
{
    char *label = printable(bus->label);

    print_field("writer", "%s, pid %d, uid %u", label, bus->pid, bus->uid);
    free(label);
    print_format(bus);
    print_stream(bus);
    print_memory(bus);
    print_readers(bus);
}

static void print_bus(const struct framebus_bus_info *bus)
{
    static const char *const notes[] = {
        [FRAMEBUS_BUS_LIVE] = "the writer answers",
        [FRAMEBUS_BUS_SILENT] = "there is a writer, but it does not answer",
        [FRAMEBUS_BUS_STALE] = "left behind by a writer that died; 'framebus rm' clears it away",
        [FRAMEBUS_BUS_DENIED] = "it belongs to somebody who does not let you in",
    };

    print_styled(bus->name, STYLE_BOLD);
    printf("\n  %-9s", "state");
    print_styled(state_name(bus->state), state_style(bus->state));
    printf(": %s\n", notes[bus->state]);
    print_field("socket", "%s", bus->path);
    if (bus->state == FRAMEBUS_BUS_LIVE)
        print_live(bus);
    else if (bus->pid)
        print_field("writer", "pid %d", bus->pid);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct framebus_bus_info *bus;
    bool json = false;
    int status;

    if (!parse_arguments(command, argc, argv, &json, 1, 1, &status))
        return status;
    if (framebus_query(argv[optind], &bus) < 0)
        return call_error(command);
    if (json)
        print_json(json_of_bus(bus));
    else
        print_bus(bus);
    framebus_info_free(bus, 1);
    return STATUS_DONE;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[--json] NAME",
    .summary = "show everything about a bus and each of its readers",
    .help = "Shows what is known about a bus: who writes, what the frames are and how many there have been,\n"
            "the memory they take, and each reader. A bus without a living writer shows its state only.\n"
            "\n"
            "  HELD     frames that the reader is reading now, and its quota\n"
            "  TAKEN    frames that it got\n"
            "  MISSED   frames that it did not, because it was too slow\n"
            "\n"
            "Options:\n"
            "  -j, --json  print an object: name, path, state, writer, format, stream, memory, readers;\n"
            "              what cannot be known in this state is null\n"
            "  -h, --help  show this text\n",
    .run = run,
};
