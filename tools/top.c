/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "json.h"
#include "probe.h"
#include "table.h"
#include "terminal.h"
#include "text.h"
#include "values.h"

static const struct table_column columns[] = {
    {"BUS"},        {"WHO"},          {"PID", true},  {"FORMAT"},    {"FPS", true},
    {"MB/S", true}, {"MISSED", true}, {"HELD", true}, {"AGE", true}, {"P99", true},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct look {
    struct framebus_bus_info *bus;
    size_t count;
    int64_t at_ns;
};

struct top {
    const struct command *command;
    int64_t interval_ns;
    bool once, json, passive, live; /* live: redrawn in place, on a terminal */
    int interrupt;
    struct probes probes;
    struct termios before;
};

/* What a bus does. Below zero: not known. */
struct load {
    double fps, bytes, age_ms, p99_ms;
};

/* ---- Reckoning ---- */

static const struct framebus_bus_info *find_bus(const struct look *look, const struct framebus_bus_info *bus)
{
    for (size_t i = 0; i < look->count; i++)
        if (strcmp(look->bus[i].name, bus->name) == 0 && look->bus[i].pid == bus->pid)
            return &look->bus[i];
    return NULL;
}

static const struct framebus_peer_info *find_reader(const struct framebus_bus_info *bus,
                                                    const struct framebus_peer_info *reader, unsigned nth)
{
    for (uint32_t i = 0; bus && i < bus->readers; i++)
        if (bus->reader[i].pid == reader->pid && strcmp(bus->reader[i].label, reader->label) == 0 && !nth--)
            return &bus->reader[i];
    return NULL;
}

/* How many readers before it cannot be told from this one. */
static unsigned number_of(const struct framebus_bus_info *bus, uint32_t index)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < index; i++)
        count += bus->reader[i].pid == bus->reader[index].pid &&
                 strcmp(bus->reader[i].label, bus->reader[index].label) == 0;
    return count;
}

static bool is_own(const struct framebus_peer_info *reader)
{
    return reader->pid == getpid();
}

static struct load load_of(struct top *top, const struct look *old, const struct look *new,
                           const struct framebus_bus_info *bus)
{
    struct load load = {-1, -1, -1, -1};
    const struct framebus_bus_info *before = find_bus(old, bus);
    struct probe *probe = probes_find(&top->probes, bus->name);
    double size = bus->format.fourcc ? (double)bus->format.size : -1;

    if (bus->state != FRAMEBUS_BUS_LIVE)
        return load;
    if (before && new->at_ns > old->at_ns)
        load.fps = (double)(bus->published - before->published) * 1e9 / (double)(new->at_ns - old->at_ns);
    if (probe && probe->frames) {
        load.age_ms = (double)spread_at(&probe->ages, 0.5) / 1e6;
        load.p99_ms = (double)spread_at(&probe->ages, 0.99) / 1e6;
        size = (double)probe->bytes / (double)probe->frames;
    } else if (bus->last_publish_ns) {
        load.age_ms = (double)(new->at_ns - bus->last_publish_ns) / 1e6;
    }
    if (load.fps >= 0 && size >= 0)
        load.bytes = load.fps * size;
    return load;
}

static double reader_rate(const struct look *old, const struct look *new, const struct framebus_bus_info *bus,
                          uint32_t index)
{
    const struct framebus_peer_info *reader = &bus->reader[index];
    const struct framebus_peer_info *before = find_reader(find_bus(old, bus), reader, number_of(bus, index));

    if (!before || new->at_ns <= old->at_ns)
        return -1;
    return (uint32_t)(reader->taken - before->taken) * 1e9 / (double)(new->at_ns - old->at_ns);
}

/* ---- As a table ---- */

/* NULL for what is not known. */
static char *amount(double value, int decimals)
{
    return value < 0 ? NULL : text_of("%.*f", decimals, value);
}

static void add_reader(struct table *table, const struct look *old, const struct look *new,
                       const struct framebus_bus_info *bus, uint32_t index)
{
    const struct framebus_peer_info *reader = &bus->reader[index];

    table_add(table, text_of("%s", ""));
    table_add(table, text_of("%s", reader->label));
    table_add(table, text_of("%d", reader->pid));
    table_add(table, text_of("%s", delivery_name(reader->delivery)));
    table_add(table, amount(reader_rate(old, new, bus, index), 2));
    table_add(table, text_of("%s", ""));
    table_add_styled(table, text_of("%ju", (uintmax_t)reader->missed), reader->missed ? STYLE_YELLOW : NULL);
    table_add(table, text_of("%u/%u", reader->held, reader->quota));
    table_add(table, text_of("%s", ""));
    table_add(table, text_of("%s", ""));
}

static void add_bus(struct top *top, struct table *table, const struct look *old, const struct look *new,
                    const struct framebus_bus_info *bus)
{
    struct load load = load_of(top, old, new, bus);
    bool live = bus->state == FRAMEBUS_BUS_LIVE;
    char format[128];

    table_add_styled(table, text_of("%s", bus->name), STYLE_BOLD);
    table_add_styled(table, live ? text_of("%s", bus->label) : text_of("(%s)", state_name(bus->state)),
                     live ? NULL : state_style(bus->state));
    table_add(table, bus->pid ? text_of("%d", bus->pid) : NULL);
    table_add(table, bus->has_format
                         ? text_of("%s", framebus_format_describe(&bus->format, format, sizeof(format)))
                         : NULL);
    table_add(table, amount(load.fps, 2));
    table_add(table, amount(load.bytes / 1e6, 1));
    table_add(table, text_of("%s", ""));
    table_add(table, live ? text_of("%u/%u", bus->lent, bus->max_lends) : NULL);
    table_add(table, amount(load.age_ms, 2));
    table_add(table, amount(load.p99_ms, 2));
}

/* Rows that fit below the head and above the line of keys. */
static size_t window_rows(const struct top *top)
{
    struct winsize size;

    if (!top->live || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 5)
        return SIZE_MAX;
    return size.ws_row - 4u;
}

static void print_table(struct top *top, const struct look *old, const struct look *new)
{
    struct table table = {.column = columns, .columns = COLUMNS};
    size_t rows = 0, room = window_rows(top), left_out = 0;

    for (size_t i = 0; i < new->count; i++) {
        const struct framebus_bus_info *bus = &new->bus[i];

        if (rows++ < room)
            add_bus(top, &table, old, new, bus);
        else
            left_out++;
        for (uint32_t k = 0; k < bus->readers; k++) {
            if (is_own(&bus->reader[k]))
                continue;
            if (rows++ < room)
                add_reader(&table, old, new, bus, k);
            else
                left_out++;
        }
    }
    if (top->live)
        fputs("\033[H\033[J", stdout);
    if (new->count)
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

static void add_amount(struct json_object *object, const char *key, double value)
{
    if (value < 0)
        json_object_object_add(object, key, NULL);
    else
        add_rate(object, key, value);
}

static struct json_object *json_of_load(struct top *top, const struct look *old, const struct look *new,
                                        const struct framebus_bus_info *bus)
{
    struct json_object *object = json_object_new_object(), *readers = json_object_new_array();
    struct load load = load_of(top, old, new, bus);
    char format[128] = "";

    if (bus->has_format)
        framebus_format_describe(&bus->format, format, sizeof(format));
    add_text(object, "name", bus->name);
    add_text(object, "state", state_name(bus->state));
    add_text(object, "label", bus->label);
    add_number(object, "pid", (uint64_t)bus->pid);
    add_text(object, "format", format);
    add_amount(object, "fps", load.fps);
    add_amount(object, "bytes_per_second", load.bytes);
    add_amount(object, "age_ms", load.age_ms);
    add_amount(object, "age_p99_ms", load.p99_ms);
    add_number(object, "lent", bus->lent);
    for (uint32_t i = 0; i < bus->readers; i++) {
        const struct framebus_peer_info *reader = &bus->reader[i];
        struct json_object *one;

        if (is_own(reader))
            continue;
        one = json_object_new_object();
        add_number(one, "pid", (uint64_t)reader->pid);
        add_text(one, "label", reader->label);
        add_text(one, "delivery", delivery_name(reader->delivery));
        add_amount(one, "fps", reader_rate(old, new, bus, i));
        add_number(one, "missed", reader->missed);
        add_number(one, "held", reader->held);
        add_number(one, "quota", reader->quota);
        json_object_array_add(readers, one);
    }
    json_object_object_add(object, "readers", readers);
    return object;
}

static void print_line(struct top *top, const struct look *old, const struct look *new)
{
    struct json_object *object = json_object_new_object(), *buses = json_object_new_array();

    add_rate(object, "seconds", (double)(new->at_ns - old->at_ns) / 1e9);
    for (size_t i = 0; i < new->count; i++)
        json_object_array_add(buses, json_of_load(top, old, new, &new->bus[i]));
    json_object_object_add(object, "buses", buses);
    print_json_line(object);
}

/* ---- The terminal ---- */

/* Keys as they are typed; Ctrl-C stays a signal. */
static void begin_screen(struct top *top)
{
    struct termios raw;

    if (!top->live || tcgetattr(STDIN_FILENO, &top->before))
        return;
    raw = top->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", stdout);
}

static void end_screen(const struct top *top)
{
    if (!top->live)
        return;
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &top->before);
}

/* Takes frames for an interval. False: asked to end. */
static bool wait_for_interval(struct top *top)
{
    const int fd[2] = {top->interrupt, top->live ? STDIN_FILENO : -1};
    int64_t end = now_ns() + top->interval_ns;
    char key;

    while (now_ns() < end) {
        probes_run(&top->probes, fd, end);
        if (is_readable(top->interrupt))
            return false;
        if (top->live && is_readable(STDIN_FILENO) && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q'))
            return false;
    }
    return true;
}

static int look_at_all(struct look *look)
{
    int r = framebus_list(&look->bus, &look->count);

    look->at_ns = now_ns();
    return r;
}

static int watch(struct top *top)
{
    struct look old = {0}, new = {0};
    int r = look_at_all(&old);

    while (r >= 0) {
        if (!top->passive)
            probes_follow(&top->probes, old.bus, old.count);
        if (!wait_for_interval(top) || ferror(stdout))
            break;
        r = look_at_all(&new);
        if (r < 0)
            break;
        if (top->json)
            print_line(top, &old, &new);
        else
            print_table(top, &old, &new);
        probes_clear(&top->probes);
        framebus_info_free(old.bus, old.count);
        old = new;
        if (top->once)
            break;
    }
    framebus_info_free(old.bus, old.count);
    return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

static bool parse_option(struct top *top, int option, int *status)
{
    switch (option) {
    case 'i':
        if (parse_time(optarg, &top->interval_ns) && top->interval_ns >= NS_PER_MS)
            return true;
        *status =
            usage_error(top->command, "--interval %s: expected a time such as 1s, at least 1ms", optarg);
        return false;
    case '1':
        top->once = true;
        return true;
    case 'p':
        top->passive = true;
        return true;
    default:
        top->json = true;
        return true;
    }
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"interval", required_argument, NULL, 'i'}, {"once", no_argument, NULL, '1'},
        {"passive", no_argument, NULL, 'p'},        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    struct top top = {.command = command, .interval_ns = NS_PER_S};
    int option, status;

    while ((option = next_option(command, argc, argv, "i:1pjh", options, &status)) > 0)
        if (!parse_option(&top, option, &status))
            return status;
    if (option == 0 || !check_operands(command, argc, argv, 0, 0, &status))
        return status;
    top.interrupt = catch_interrupts(0);
    top.live = !top.once && !top.json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    begin_screen(&top);
    status = watch(&top);
    end_screen(&top);
    if (status)
        call_error(command);
    probes_finish(&top.probes);
    return status;
}

const struct command command_top = {
    .name = "top",
    .arguments = "[OPTION]...",
    .summary = "show all buses and readers as they work",
    .help =
        "Shows every bus with a line for each of its readers, anew at each interval: in place on a "
        "terminal,\n"
        "where q quits, else one table after another.\n"
        "\n"
        "  BUS, WHO, PID  name of the bus; who writes and who reads\n"
        "  FORMAT         of the frames; how a reader gets them: live, latest, lossless\n"
        "  FPS            frames published, or taken by the reader, a second\n"
        "  MB/S           bytes of the frames published, in millions a second\n"
        "  MISSED         frames that a reader was too slow for, since it came\n"
        "  HELD           slots that the writer has lent itself, frames that a reader holds; of how many at "
        "most\n"
        "  AGE, P99       milliseconds from a frame's capture until it comes here: the median, and what 99 "
        "of\n"
        "                 100 stay below\n"
        "\n"
        "For the ages it attaches to every bus, as a reader of the newest frame; it does not list itself.\n"
        "\n"
        "Options:\n"
        "  -i, --interval TIME  between two tables [1s]\n"
        "  -1, --once           one table, after one interval\n"
        "  -p, --passive        do not attach: AGE is the time since the last frame was published\n"
        "  -j, --json           print an object a line: seconds, buses\n"
        "  -h, --help           show this text\n",
    .run = run,
};
