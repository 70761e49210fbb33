/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "json.h"
#include "terminal.h"
#include "text.h"
#include "values.h"

#define WRITERS_MAX 64 /* whose death is noticed at once; that of more of them at the next look */

#define PAUSE_MS 10 /* what happens at once is looked at once */

struct look {
    struct framebus_bus_info *bus;
    size_t count;
};

struct mon {
    bool json;
    int64_t interval_ns;
    int interrupt, inotify;
    struct pollfd wait[2 + WRITERS_MAX];
};

/* ---- Telling ---- */

/* Takes the text, which was allocated, over. */
static void tell(const struct mon *mon, const struct framebus_bus_info *bus, const char *event,
                 const char *style, int32_t pid, char *text)
{
    char *clean = printable(text), when[64];

    if (mon->json) {
        struct json_object *object = json_object_new_object();

        format_time(when, sizeof(when), "%Y-%m-%dT%H:%M:%S");
        add_text(object, "time", when);
        add_text(object, "bus", bus->name);
        add_text(object, "event", event);
        json_object_object_add(object, "pid", pid ? json_object_new_int(pid) : NULL);
        add_text(object, "text", text);
        print_json_line(object);
    } else {
        format_time(when, sizeof(when), "%H:%M:%S");
        printf("%s  %-16s ", when, bus->name);
        print_styled(event, style);
        printf("%*s %s\n", (int)(14 - strlen(event)), "", clean);
        fflush(stdout);
    }
    free(clean);
    free(text);
}

static char *describe_writer(const struct framebus_bus_info *bus)
{
    char text[128];

    return text_of("pid %d (%s), %s", bus->pid, bus->label,
                   bus->has_format ? framebus_format_describe(&bus->format, text, sizeof(text))
                                   : "no format yet");
}

/* ---- Comparing ---- */

static bool is_same(const struct framebus_peer_info *a, const struct framebus_peer_info *b)
{
    return a->pid == b->pid && strcmp(a->label, b->label) == 0;
}

static unsigned count_same(const struct framebus_bus_info *bus, const struct framebus_peer_info *reader)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < bus->readers; i++)
        count += is_same(&bus->reader[i], reader);
    return count;
}

/* Tells of each reader of `these` that the others have fewer of. */
static void tell_readers(const struct mon *mon, const struct framebus_bus_info *these,
                         const struct framebus_bus_info *others, const char *event)
{
    for (uint32_t i = 0; i < these->readers; i++) {
        const struct framebus_peer_info *reader = &these->reader[i];
        unsigned before = 0;

        for (uint32_t k = 0; k < i; k++)
            before += is_same(&these->reader[k], reader);
        if (before >= count_same(others, reader))
            tell(mon, these, event, NULL, reader->pid,
                 text_of("pid %d (%s), %s, %ju taken, %ju missed", reader->pid, reader->label,
                         delivery_name(reader->delivery), (uintmax_t)reader->taken,
                         (uintmax_t)reader->missed));
    }
}

static void tell_state(const struct mon *mon, const struct framebus_bus_info *bus)
{
    switch (bus->state) {
    case FRAMEBUS_BUS_LIVE:
        tell(mon, bus, "writer", STYLE_GREEN, bus->pid, describe_writer(bus));
        break;
    case FRAMEBUS_BUS_SILENT:
        tell(mon, bus, "silent", STYLE_YELLOW, bus->pid, text_of("pid %d does not answer", bus->pid));
        break;
    case FRAMEBUS_BUS_STALE:
        tell(mon, bus, "died", STYLE_RED, 0, text_of("the writer died and left its socket"));
        break;
    case FRAMEBUS_BUS_DENIED:
        tell(mon, bus, "denied", STYLE_RED, 0, text_of("you are not let in"));
        break;
    }
}

static void compare(const struct mon *mon, const struct framebus_bus_info *old,
                    const struct framebus_bus_info *new)
{
    static const struct framebus_bus_info nothing;
    bool writer_changed = !old || old->state != new->state || old->pid != new->pid;
    char text[128];

    if (writer_changed)
        tell_state(mon, new);
    if (!old)
        old = &nothing;
    if (new->state != FRAMEBUS_BUS_LIVE)
        return;
    if (old->state == FRAMEBUS_BUS_LIVE && !writer_changed && new->has_format &&
        (!old->has_format || !framebus_format_equal(&old->format, &new->format)))
        tell(mon, new, "format", STYLE_YELLOW, new->pid,
             text_of("%s", framebus_format_describe(&new->format, text, sizeof(text))));
    if (new->pid == old->pid &&new->evicted > old->evicted)
        tell(mon, new, "evicted", STYLE_RED, 0,
             text_of("%ju readers were thrown out", (uintmax_t)(new->evicted - old->evicted)));
    tell_readers(mon, old, new, "reader left");
    tell_readers(mon, new, old, "reader");
}

static const struct framebus_bus_info *find(const struct look *look, const char *name)
{
    for (size_t i = 0; i < look->count; i++)
        if (strcmp(look->bus[i].name, name) == 0)
            return &look->bus[i];
    return NULL;
}

static void compare_all(const struct mon *mon, const struct look *old, const struct look *new)
{
    for (size_t i = 0; i < old->count; i++)
        if (!find(new, old->bus[i].name))
            tell(mon, &old->bus[i], "gone", STYLE_YELLOW, old->bus[i].pid,
                 text_of("the bus was closed or removed"));
    for (size_t i = 0; i < new->count; i++)
        compare(mon, find(old, new->bus[i].name), &new->bus[i]);
}

/* ---- Waiting ---- */

/* Watches the runtime directory, or what there is on the way to it. */
static void arm_inotify(struct mon *mon)
{
    char path[PATH_MAX], *slash;
    char events[4096];

    if (framebus_directory(path, sizeof(path)) < 0)
        return;
    while (read(mon->inotify, events, sizeof(events)) > 0)
        ;
    while (inotify_add_watch(mon->inotify, path, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0 &&
           errno == ENOENT && (slash = strrchr(path, '/')))
        slash[slash == path] = 0;
}

/* The process of a writer that is killed is all that tells of it: its socket stays. */
static nfds_t add_writers(struct mon *mon, const struct look *look)
{
    nfds_t count = 2;

    for (size_t i = 0; i < look->count && count < 2 + WRITERS_MAX; i++) {
        int fd = look->bus[i].pid > 0 ? (int)syscall(SYS_pidfd_open, look->bus[i].pid, 0) : -1;

        if (fd >= 0)
            mon->wait[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    return count;
}

/* Until something may have happened. False: asked to end. */
static bool wait_for_news(struct mon *mon, const struct look *look)
{
    int64_t timeout_ms = mon->interval_ns / NS_PER_MS;
    nfds_t count;

    mon->wait[0] = (struct pollfd){.fd = mon->interrupt, .events = POLLIN};
    mon->wait[1] = (struct pollfd){.fd = mon->inotify, .events = POLLIN};
    count = add_writers(mon, look);
    if (poll(mon->wait, count, timeout_ms < INT_MAX ? (int)timeout_ms : INT_MAX) > 0)
        poll(mon->wait, 1, PAUSE_MS);
    for (nfds_t i = 2; i < count; i++)
        close(mon->wait[i].fd);
    return !mon->wait[0].revents;
}

static int watch(const struct command *command, struct mon *mon)
{
    struct look old = {0}, new;
    int r;

    do {
        arm_inotify(mon);
        r = framebus_list(&new.bus, &new.count);
        if (r < 0)
            break;
        compare_all(mon, &old, &new);
        framebus_info_free(old.bus, old.count);
        old = new;
    } while (!ferror(stdout) && wait_for_news(mon, &old));
    framebus_info_free(old.bus, old.count);
    return r < 0 ? call_error(command) : STATUS_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"interval", required_argument, NULL, 'i'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct mon mon = {.interval_ns = NS_PER_S};
    int option, status;

    while ((option = next_option(command, argc, argv, "i:jh", options, &status)) > 0) {
        if (option == 'j')
            mon.json = true;
        else if (!parse_time(optarg, &mon.interval_ns) || mon.interval_ns < NS_PER_MS)
            return usage_error(command, "--interval %s: expected a time such as 1s, at least 1ms", optarg);
    }
    if (option == 0 || !check_operands(command, argc, argv, 0, 0, &status))
        return status;
    mon.interrupt = catch_interrupts(0);
    mon.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return watch(command, &mon);
}

const struct command command_mon = {
    .name = "mon",
    .arguments = "[OPTION]...",
    .summary = "tell of writers and readers as they come and go",
    .help = "Prints a line for each thing that happens to the buses of this user, or of the directory that\n"
            "FRAMEBUS_DIR names, until it is interrupted; first those for what there is already.\n"
            "\n"
            "  writer       a writer serves the bus: process, label, format\n"
            "  gone         the bus was closed by its writer, or removed\n"
            "  died         the writer died without closing it\n"
            "  silent       the writer does not answer\n"
            "  denied       the bus belongs to somebody who does not let you in\n"
            "  format       the frames are now something else\n"
            "  reader       a reader has come\n"
            "  reader left  it has gone; what it took and missed at the last look\n"
            "  evicted      the writer threw readers out\n"
            "\n"
            "Writers are noticed at once. Readers are looked for at every interval: one that comes and goes\n"
            "between two looks is not seen.\n"
            "\n"
            "Options:\n"
            "  -i, --interval TIME  between two looks [1s]\n"
            "  -j, --json           print an object a line: time, bus, event, pid, text\n"
            "  -h, --help           show this text\n",
    .run = run,
};
