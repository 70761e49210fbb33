/* SPDX-License-Identifier: MIT */
/* framebus top: shows all buses and readers as they work. */
#include "cli/clock.h"
#include "cli/process.h"
#include "cli/values.h"
#include "command.h"
#include "interrupts.h"
#include "json.h"
#include "listing.h"
#include "names.h"
#include "probe.h"
#include "table.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const struct table_column top_columns[] = {
    {"BUS"},        {"WHO"},          {"PID", true},  {"FORMAT"},    {"FPS", true},
    {"MB/S", true}, {"MISSED", true}, {"HELD", true}, {"AGE", true}, {"P99", true},
};

#define COLUMNS (sizeof top_columns / sizeof top_columns[0])

struct top {
    int64_t interval_ns;
    bool once, json, passive, live; /* live: redrawn in place, on a terminal */
    int interrupts;
    struct framebus_monitor *monitor; /* tells at once what comes and goes; NULL: not live */
    struct probes probes;
    struct termios before;
};

/* The load of a bus. Below zero: not known. */
struct load {
    double fps, bytes, age_ms, p99_ms;
};

/* ---- Rates ---- */

static const struct framebus_bus_info *find_before(const struct listing *old,
                                                   const struct framebus_bus_info *bus)
{
    const struct framebus_bus_info *before = listing_find(old, bus->name);
    return before && before->pid == bus->pid && before->published <= bus->published ? before : NULL;
}

static const struct framebus_peer_info *find_reader(const struct framebus_bus_info *bus, uint64_t id)
{
    for (uint32_t i = 0; bus && i < bus->readers; i++)
        if (bus->reader[i].id == id)
            return &bus->reader[i];
    return NULL;
}

static bool is_own_reader(const struct framebus_peer_info *reader)
{
    return reader->pid == getpid();
}

static struct load top_load(struct top *top, const struct listing *old, const struct listing *now,
                            const struct framebus_bus_info *bus)
{
    struct load load = {-1, -1, -1, -1};
    const struct framebus_bus_info *before = find_before(old, bus);
    struct probe *probe = probes_find(&top->probes, bus->name);
    double size = bus->format.fourcc ? (double)bus->format.size : -1;
    if (bus->state != FRAMEBUS_BUS_LIVE)
        return load;
    if (before && now->at_ns > old->at_ns)
        load.fps = (double)(bus->published - before->published) * 1e9 / (double)(now->at_ns - old->at_ns);
    if (probe && probe->frames) {
        load.age_ms = (double)spread_at(&probe->ages, 0.5) / 1e6;
        load.p99_ms = (double)spread_at(&probe->ages, 0.99) / 1e6;
        size = (double)probe->bytes / (double)probe->frames;
    } else if (bus->last_publish_ns) {
        load.age_ms = (double)(now->at_ns - bus->last_publish_ns) / 1e6;
    }
    if (load.fps >= 0 && size >= 0)
        load.bytes = load.fps * size;
    return load;
}

static double reader_rate(const struct listing *old, const struct listing *now,
                          const struct framebus_bus_info *bus, uint32_t index)
{
    const struct framebus_peer_info *reader = &bus->reader[index];
    const struct framebus_peer_info *before = find_reader(find_before(old, bus), reader->id);
    if (!before || now->at_ns <= old->at_ns)
        return -1;
    return (double)(reader->taken - before->taken) * 1e9 / (double)(now->at_ns - old->at_ns);
}

/* ---- As a table ---- */

/* NULL for a value that is not known. */
static char *amount_text(double value, int decimals)
{
    return value < 0 ? NULL : text_of("%.*f", decimals, value);
}

static void top_add_reader(struct table *table, const struct listing *old, const struct listing *now,
                           const struct framebus_bus_info *bus, uint32_t index)
{
    const struct framebus_peer_info *reader = &bus->reader[index];
    char pid[PROCESS_ROOM];
    table_add(table, text_of("%s", ""));
    table_add(table, text_of("%s", reader->label));
    table_add(table, text_of("%s", process_number(reader->pid, pid)));
    table_add(table, text_of("%s", delivery_name(reader->delivery)));
    table_add(table, amount_text(reader_rate(old, now, bus, index), 2));
    table_add(table, text_of("%s", ""));
    table_add_styled(table, text_of("%ju", (uintmax_t)reader->missed), reader->missed ? STYLE_YELLOW : NULL);
    table_add(table, text_of("%u/%u", reader->held, reader->quota));
    table_add(table, text_of("%s", ""));
    table_add(table, text_of("%s", ""));
}

static void top_add_bus(struct top *top, struct table *table, const struct listing *old,
                        const struct listing *now, const struct framebus_bus_info *bus)
{
    struct load load = top_load(top, old, now, bus);
    bool live = bus->state == FRAMEBUS_BUS_LIVE;
    char format[128], pid[PROCESS_ROOM];
    table_add_styled(table, text_of("%s", bus->name), STYLE_BOLD);
    table_add_styled(table, live ? text_of("%s", bus->label) : text_of("(%s)", state_name(bus->state)),
                     live ? NULL : state_style(bus->state));
    table_add(table, bus->has_writer ? text_of("%s", process_number(bus->pid, pid)) : NULL);
    table_add(table, bus->has_format
                         ? text_of("%s", framebus_format_describe(&bus->format, format, sizeof format))
                         : NULL);
    table_add(table, amount_text(load.fps, 2));
    table_add(table, amount_text(load.bytes / 1e6, 1));
    table_add(table, text_of("%s", ""));
    table_add(table, live ? text_of("%u/%u", bus->lent, bus->max_lends) : NULL);
    table_add(table, amount_text(load.age_ms, 2));
    table_add(table, amount_text(load.p99_ms, 2));
}

/* Rows that fit below the head and above the line of keys. */
static size_t window_rows(const struct top *top)
{
    struct winsize size;
    if (!top->live || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 5)
        return SIZE_MAX;
    return size.ws_row - 4u;
}

static void top_print_table(struct top *top, const struct listing *old, const struct listing *now)
{
    struct table table = {.column = top_columns, .columns = COLUMNS};
    size_t rows = 0, room = window_rows(top), left_out = 0;
    for (size_t i = 0; i < now->count; i++) {
        const struct framebus_bus_info *bus = &now->bus[i];
        if (rows++ < room)
            top_add_bus(top, &table, old, now, bus);
        else
            left_out++;
        for (uint32_t k = 0; k < bus->readers; k++) {
            if (is_own_reader(&bus->reader[k]))
                continue;
            if (rows++ < room)
                top_add_reader(&table, old, now, bus, k);
            else
                left_out++;
        }
    }
    if (top->live)
        fputs("\033[H\033[J", stdout);
    if (now->count)
        table_print(&table, "");
    else
        puts("no bus");
    if (left_out)
        printf("... and %zu more\n", left_out);
    if (top->live)
        print_styled("q quits. Ages in milliseconds.", STYLE_FAINT);
    else if (!top->once)
        putchar('\n');
    fflush(stdout);
}

/* ---- As JSON ---- */

static void json_add_amount(struct json_object *object, const char *key, double value)
{
    if (value < 0)
        json_object_object_add(object, key, NULL);
    else
        json_add_rate(object, key, value);
}

static struct json_object *json_of_load(struct top *top, const struct listing *old, const struct listing *now,
                                        const struct framebus_bus_info *bus)
{
    struct json_object *object = json_object_new_object(), *readers = json_object_new_array();
    struct load load = top_load(top, old, now, bus);
    char format[128] = "";
    if (bus->has_format)
        framebus_format_describe(&bus->format, format, sizeof format);
    json_add_text(object, "name", bus->name);
    json_add_text(object, "state", state_name(bus->state));
    json_add_text(object, "label", bus->label);
    json_add_pid(object, "pid", bus->pid);
    json_add_text(object, "format", format);
    json_add_amount(object, "fps", load.fps);
    json_add_amount(object, "bytes_per_second", load.bytes);
    json_add_amount(object, "age_ms", load.age_ms);
    json_add_amount(object, "age_p99_ms", load.p99_ms);
    json_add_number(object, "lent", bus->lent);
    for (uint32_t i = 0; i < bus->readers; i++) {
        const struct framebus_peer_info *reader = &bus->reader[i];
        struct json_object *one;
        if (is_own_reader(reader))
            continue;
        one = json_object_new_object();
        json_add_number(one, "id", reader->id);
        json_add_pid(one, "pid", reader->pid);
        json_add_text(one, "label", reader->label);
        json_add_text(one, "delivery", delivery_name(reader->delivery));
        json_add_amount(one, "fps", reader_rate(old, now, bus, i));
        json_add_number(one, "missed", reader->missed);
        json_add_number(one, "held", reader->held);
        json_add_number(one, "quota", reader->quota);
        json_object_array_add(readers, one);
    }
    json_object_object_add(object, "readers", readers);
    return object;
}

static void top_print_line(struct top *top, const struct listing *old, const struct listing *now)
{
    struct json_object *object = json_object_new_object(), *buses = json_object_new_array();
    json_add_rate(object, "seconds", (double)(now->at_ns - old->at_ns) / 1e9);
    for (size_t i = 0; i < now->count; i++)
        json_object_array_add(buses, json_of_load(top, old, now, &now->bus[i]));
    json_object_object_add(object, "buses", buses);
    json_print_line(object);
}

/* ---- The terminal ---- */

/* Keys as they are typed; Ctrl-C stays a signal. */
static void screen_begin(struct top *top)
{
    struct termios raw;
    if (!top->live || tcgetattr(STDIN_FILENO, &top->before))
        return;
    raw = top->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", stdout);
}

static void screen_end(const struct top *top)
{
    if (!top->live)
        return;
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
}

/* True if a bus or a reader has come, changed or gone. */
static bool top_has_news(struct top *top)
{
    struct framebus_event event;
    bool news = false;
    int r;
    while ((r = framebus_monitor_next(top->monitor, &event, 0)) == 0)
        news |= !event.reader || !is_own_reader(event.reader);
    if (r != -ETIMEDOUT) {
        framebus_monitor_close(top->monitor);
        top->monitor = NULL;
    }
    return news;
}

enum waited { TOP_OVER, TOP_NEWS, TOP_QUIT };

/* Measures until `end`, until there is news, or until a signal or a key asks to end. */
static enum waited top_wait(struct top *top, int64_t end)
{
    char key;
    while (clock_now() < end) {
        const int fd[3] = {top->interrupts, top->live ? STDIN_FILENO : -1,
                           top->monitor ? framebus_monitor_fd(top->monitor) : -1};
        probes_run(&top->probes, fd, end);
        if (is_readable(top->interrupts))
            return TOP_QUIT;
        if (top->live && is_readable(STDIN_FILENO) && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q'))
            return TOP_QUIT;
        if (top->monitor && top_has_news(top))
            return TOP_NEWS;
    }
    return TOP_OVER;
}

static int top_look(struct top *top, struct listing *listing)
{
    int r = listing_read(listing);
    if (r >= 0 && !top->passive)
        probes_follow(&top->probes, listing->bus, listing->count);
    return r;
}

/* Prints a table after each interval, and at once when there is news: then with the rates since the last
 * whole interval began. 0, or a negative errno of the library. */
static int top_watch(struct top *top)
{
    struct listing before = {0}, last = {0}, now = {0};
    int r = top_look(top, &last);
    while (r >= 0) {
        int64_t end = clock_now() + top->interval_ns;
        enum waited waited;
        while ((waited = top_wait(top, end)) == TOP_NEWS && (r = top_look(top, &now)) >= 0) {
            top_print_table(top, &before, &now);
            listing_finish(&now);
        }
        if (waited != TOP_OVER || ferror(stdout))
            break;
        r = top_look(top, &now);
        if (r < 0)
            break;
        if (top->json)
            top_print_line(top, &last, &now);
        else
            top_print_table(top, &last, &now);
        probes_clear(&top->probes);
        listing_finish(&before);
        before = last;
        last = now;
        if (top->once)
            break;
    }
    listing_finish(&before);
    listing_finish(&last);
    return r;
}

static int top_run(int argc, char **argv)
{
    struct top top = {.interval_ns = NS_PER_S};
    int status;
    if (!options_read(&command_top.usage, argc, argv, &top, &status))
        return status;
    top.interrupts = interrupts_open(0, STATUS_FAILED);
    top.live = !top.once && !top.json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (top.live && framebus_monitor_open(&top.monitor, NULL) < 0)
        return report_error("%s", framebus_last_error());
    screen_begin(&top);
    int r = top_watch(&top);
    screen_end(&top);
    framebus_monitor_close(top.monitor);
    status = r < 0 ? report_error("%s", framebus_last_error()) : STATUS_DONE;
    probes_finish(&top.probes);
    return status;
}

static const struct usage_term top_terms[] = {
    {"BUS", "name of the bus"},
    {"WHO, PID", "process that writes, and below it each one that reads"},
    {"FORMAT", "format of the frames; delivery to a reader: live, latest, lossless"},
    {"FPS", "frames a second, published or taken by the reader"},
    {"MB/S", "bytes of the frames published, in millions a second"},
    {"MISSED", "frames that a reader has missed since it came, because it was too slow"},
    {"HELD", "slots that the writer has lent itself, frames that a reader holds, and how many there may be"},
    {"AGE, P99",
     "milliseconds from a frame's capture to its arrival here: the median, and what 99 of 100 stay "
     "below"},
    {0},
};

static const struct option_row top_options[] = {
    {"interval", 'i', "TIME", value_interval, offsetof(struct top, interval_ns),
     "time between two tables [1s]"},
    {"once", '1', NULL, NULL, offsetof(struct top, once), "print one table, after one interval"},
    {"passive", 'p', NULL, NULL, offsetof(struct top, passive),
     "do not attach: AGE is the time since the last frame was published"},
    {"json", 'j', NULL, NULL, offsetof(struct top, json), "print an object a line: seconds, buses"},
    {0},
};

const struct command command_top = {
    .usage =
        {
            .name = "framebus top",
            .arguments = "[OPTION]...",
            .summary = "show all buses and readers as they work",
            .text =
                "Shows every bus with a line for each of its readers, anew at each interval: in place on a "
                "terminal, where what comes and goes is shown at once and q quits, else one table after "
                "another.",
            .terms = top_terms,
            .options = top_options,
            .notes =
                "To measure ages it attaches to every bus, as a reader of the newest frame; it does not list "
                "itself.",
            .examples = "framebus top\n"
                        "framebus top --once\n",
        },
    .run = top_run,
};
