/* SPDX-License-Identifier: MIT */
/* framebus mon: prints what happens to buses and their readers. */
#include "cli/process.h"
#include "cli/report.h"
#include "command.h"
#include "interrupts.h"
#include "json.h"
#include "names.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was printed of a bus. */
struct known {
    struct known *next;
    char name[FRAMEBUS_PATH_MAX + 1];
    enum framebus_bus_state state;
    int32_t pid;
    uint64_t evicted;
    char format[128];
};

struct mon {
    bool json;
    int interrupts;
    struct framebus_monitor *monitor;
    struct known *known;
};

/* ---- Printing ---- */

/* Prints an event. The text was allocated, and is freed. */
static void mon_print(const struct mon *mon, const struct framebus_bus_info *bus, const char *event,
                      const char *style, int32_t pid, char *text)
{
    char when[TEXT_TIME_ROOM];
    if (mon->json) {
        struct json_object *object = json_object_new_object();
        json_add_text(object, "time", text_time_of_day("%Y-%m-%dT%H:%M:%S", when));
        json_add_text(object, "bus", bus->name);
        json_add_text(object, "event", event);
        json_object_object_add(object, "pid", pid ? json_object_new_int(pid) : NULL);
        json_add_text(object, "text", text);
        json_print_line(object);
    } else {
        char *clean = text_printable(text);
        printf("%s  %-16s ", text_time_of_day("%H:%M:%S", when), bus->name);
        print_styled(event, style);
        printf("%*s %s\n", (int)(14 - strlen(event)), "", clean);
        fflush(stdout);
        free(clean);
    }
    free(text);
}

static char *writer_text(const struct framebus_bus_info *bus)
{
    char text[128];
    char pid[PROCESS_ROOM];
    return text_of("pid %s (%s), %s", process_number(bus->pid, pid), bus->label,
                   bus->has_format ? framebus_format_describe(&bus->format, text, sizeof text)
                                   : "no format yet");
}

/* ---- Events ---- */

static void mon_print_reader(const struct mon *mon, const struct framebus_event *event)
{
    const struct framebus_peer_info *reader = event->reader;
    char pid[PROCESS_ROOM];
    mon_print(mon, event->bus, event->type == FRAMEBUS_EVENT_READER_ADDED ? "reader" : "reader left", NULL,
              reader->pid,
              text_of("pid %s (%s), %s, %ju taken, %ju missed", process_number(reader->pid, pid),
                      reader->label, delivery_name(reader->delivery), (uintmax_t)reader->taken,
                      (uintmax_t)reader->missed));
}

static void mon_print_state(const struct mon *mon, const struct framebus_bus_info *bus)
{
    char pid[PROCESS_ROOM];
    switch (bus->state) {
    case FRAMEBUS_BUS_LIVE:
        mon_print(mon, bus, "writer", STYLE_GREEN, bus->pid, writer_text(bus));
        break;
    case FRAMEBUS_BUS_SILENT:
        mon_print(mon, bus, "silent", STYLE_YELLOW, bus->pid,
                  text_of("pid %s does not answer", process_number(bus->pid, pid)));
        break;
    case FRAMEBUS_BUS_STALE:
        mon_print(mon, bus, "died", STYLE_RED, 0, text_of("the writer died and left its socket"));
        break;
    case FRAMEBUS_BUS_DENIED:
        mon_print(mon, bus, "denied", STYLE_RED, 0, text_of("it does not let you in"));
        break;
    case FRAMEBUS_BUS_INCOMPATIBLE:
        mon_print(mon, bus, "incompatible", STYLE_RED, bus->pid,
                  text_of("pid %s is of another release of framebus", process_number(bus->pid, pid)));
        break;
    }
}

static struct known *mon_find(struct mon *mon, const struct framebus_bus_info *bus)
{
    struct known *known = mon->known;
    while (known && strcmp(known->name, bus->name) != 0)
        known = known->next;
    if (known)
        return known;
    known = calloc(1, sizeof *known);
    if (!known)
        report_out_of_memory();
    strcpy(known->name, bus->name);
    known->next = mon->known;
    return mon->known = known;
}

static void mon_forget(struct mon *mon, struct known *known)
{
    struct known **at = &mon->known;
    while (*at != known)
        at = &(*at)->next;
    *at = known->next;
    free(known);
}

static void mon_print_bus(struct mon *mon, const struct framebus_event *event)
{
    const struct framebus_bus_info *bus = event->bus;
    struct known *known = mon_find(mon, bus);
    char format[sizeof known->format] = "";
    if (bus->has_format)
        framebus_format_describe(&bus->format, format, sizeof format);
    bool only_format = event->type == FRAMEBUS_EVENT_BUS_CHANGED && known->state == bus->state &&
                       known->pid == bus->pid && strcmp(known->format, format) != 0;
    if (!only_format) {
        mon_print_state(mon, bus);
        known->evicted = bus->evicted;
    } else if (*format) {
        mon_print(mon, bus, "format", STYLE_YELLOW, bus->pid, text_of("%s", format));
    }
    known->state = bus->state;
    known->pid = bus->pid;
    strcpy(known->format, format);
}

static void mon_print_evicted(struct mon *mon, const struct framebus_bus_info *bus)
{
    struct known *known = mon_find(mon, bus);
    if (bus->evicted > known->evicted)
        mon_print(mon, bus, "evicted", STYLE_RED, 0,
                  text_of("%ju readers were evicted", (uintmax_t)(bus->evicted - known->evicted)));
    known->evicted = bus->evicted;
}

static void mon_print_event(struct mon *mon, const struct framebus_event *event)
{
    switch (event->type) {
    case FRAMEBUS_EVENT_BUS_ADDED:
    case FRAMEBUS_EVENT_BUS_CHANGED:
        mon_print_bus(mon, event);
        break;
    case FRAMEBUS_EVENT_BUS_REMOVED:
        mon_print(mon, event->bus, "gone", STYLE_YELLOW, event->bus->pid,
                  text_of("the bus was closed or removed"));
        mon_forget(mon, mon_find(mon, event->bus));
        break;
    case FRAMEBUS_EVENT_READER_ADDED:
        mon_print_reader(mon, event);
        break;
    case FRAMEBUS_EVENT_READER_REMOVED:
        mon_print_evicted(mon, event->bus);
        mon_print_reader(mon, event);
        break;
    }
}

static int mon_watch(struct mon *mon)
{
    struct pollfd wait[] = {{.fd = mon->interrupts, .events = POLLIN},
                            {.fd = framebus_monitor_fd(mon->monitor), .events = POLLIN}};
    struct framebus_event event;
    int r = 0;
    while (!ferror(stdout) && !wait[0].revents) {
        r = framebus_monitor_next(mon->monitor, &event, 0);
        if (r == 0)
            mon_print_event(mon, &event);
        else if (r == -ETIMEDOUT)
            poll(wait, 2, -1);
        else
            break;
    }
    return r == 0 || r == -ETIMEDOUT ? STATUS_DONE : report_error("%s", framebus_last_error());
}

static int mon_run(int argc, char **argv)
{
    struct mon mon = {0};
    int status;
    if (!options_read(&command_mon.usage, argc, argv, &mon, &status))
        return status;
    mon.interrupts = interrupts_open(0, STATUS_FAILED);
    if (framebus_monitor_open(&mon.monitor, NULL) < 0)
        return report_error("%s", framebus_last_error());
    status = mon_watch(&mon);
    framebus_monitor_close(mon.monitor);
    while (mon.known)
        mon_forget(&mon, mon.known);
    return status;
}

static const struct usage_term mon_terms[] = {
    {"writer", "a writer serves the bus: process, label, format"},
    {"gone", "the bus was closed by its writer, or removed"},
    {"died", "the writer died without closing it"},
    {"silent", "the writer does not answer"},
    {"denied", "the bus belongs to a user who does not let you in"},
    {"incompatible", "the writer is of another release of framebus, with another version of the protocol"},
    {"format", "the frames have another format now"},
    {"reader", "a reader has come"},
    {"reader left", "a reader has gone; with the frames that it had taken and missed a little before"},
    {"evicted", "the writer evicted readers"},
    {0},
};

static const struct option_row mon_options[] = {
    {"json", 'j', NULL, NULL, offsetof(struct mon, json),
     "print an object a line: time, bus, event, pid, text"},
    {0},
};

const struct command command_mon = {
    .usage =
        {
            .name = "framebus mon",
            .arguments = "[OPTION]...",
            .summary = "print writers and readers as they come and go",
            .text =
                "Prints a line for each event on the buses of this user, or of the directory that "
                "FRAMEBUS_DIR names, until it is interrupted; the first lines are for what is there already.",
            .terms = mon_terms,
            .options = mon_options,
            .notes = "A reader that comes and goes within 50 ms may not be seen. A writer that is stopped is "
                     "noticed within three seconds, everything else at once.",
            .examples = "framebus mon\n"
                        "framebus mon --json | jq --unbuffered -r 'select(.event == \"died\") | .bus'\n",
        },
    .run = mon_run,
};
