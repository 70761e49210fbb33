/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define AWAIT_LIMIT (20 * NS_PER_S)

static struct {
    const char *name;
    bool quick;
    char directory[64];
    struct json_object *root, *rows;
    char situation[128];
} bench;

/* ---- samples ---- */

void samples_add(struct samples *s, double value)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 1024;
        s->value = realloc(s->value, s->room * sizeof *s->value);
        if (!s->value)
            bench_die("no memory for samples");
    }
    s->value[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_percentile(struct samples *s, double p)
{
    if (!s->count)
        bench_die("no samples");
    qsort(s->value, s->count, sizeof *s->value, by_value);
    return s->value[(size_t)(p / 100 * (double)(s->count - 1) + 0.5)];
}

void samples_clear(struct samples *s)
{
    free(s->value);
    *s = (struct samples){0};
}

/* ---- rows ---- */

static void add_string(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* Four significant digits are more than any figure here deserves, and keep the files readable. */
static void add_number(struct json_object *o, const char *key, double value)
{
    char text[32];
    double digits = value == 0 ? 0 : pow(10, 5 - ceil(log10(fabs(value))));
    value = digits == 0 ? 0 : round(value * digits) / digits;
    snprintf(text, sizeof text, fabs(value) >= 1e5 ? "%.0f" : "%.6g", value);
    json_object_object_add(o, key, json_object_new_double_s(value, text));
}

static double get_number(struct json_object *o, const char *key)
{
    return json_object_get_double(json_object_object_get(o, key));
}

static struct json_object *find_row(const char *situation, const char *contestant)
{
    for (size_t i = 0; i < json_object_array_length(bench.rows); i++) {
        struct json_object *row = json_object_array_get_idx(bench.rows, i);
        if (!strcmp(json_object_get_string(json_object_object_get(row, "case")), situation) &&
            !strcmp(json_object_get_string(json_object_object_get(row, "contestant")), contestant))
            return row;
    }
    bench_die("no row \"%s\" in \"%s\" to compare with", contestant, situation);
}

static void add_aim(struct json_object *o, enum aim aim, double bound, double ratio)
{
    if (aim == AIM_NONE)
        return;
    bool of_ratio = aim == AIM_RATIO_AT_MOST || aim == AIM_RATIO_AT_LEAST;
    bool at_most = aim == AIM_RATIO_AT_MOST || aim == AIM_AT_MOST;
    double value = of_ratio ? ratio : get_number(o, "p50");
    char text[64];
    snprintf(text, sizeof text, "%s%s %g", of_ratio ? "ratio " : "", at_most ? "<=" : ">=", bound);
    add_string(o, "aim", text);
    json_object_object_add(o, "met", json_object_new_boolean(at_most ? value <= bound : value >= bound));
}

static void print_row(struct json_object *o)
{
    const char *situation = json_object_get_string(json_object_object_get(o, "case"));
    if (strcmp(situation, bench.situation)) {
        printf("\n%-34s %7s %10s %10s %10s %8s %8s  %s\n", situation, "unit", "p50", "p90", "p99", "samples",
               "ratio", "aim");
        snprintf(bench.situation, sizeof bench.situation, "%s", situation);
    }
    char ratio[16] = "";
    struct json_object *aim = json_object_object_get(o, "aim");
    if (json_object_object_get(o, "ratio"))
        snprintf(ratio, sizeof ratio, "%.3g", get_number(o, "ratio"));
    bool met = json_object_get_boolean(json_object_object_get(o, "met"));
    printf("  %-32s %7s %10.6g %10.6g %10.6g %8.0f %8s  %s%s\n",
           json_object_get_string(json_object_object_get(o, "contestant")),
           json_object_get_string(json_object_object_get(o, "unit")), get_number(o, "p50"),
           get_number(o, "p90"), get_number(o, "p99"), get_number(o, "samples"), ratio,
           aim ? json_object_get_string(aim) : "",
           !aim  ? ""
           : met ? ": met"
                 : ": MISSED");
    fflush(stdout);
}

void bench_row(const struct bench_row *row)
{
    struct json_object *o = json_object_new_object();
    double ratio = 0;
    add_string(o, "benchmark", bench.name);
    add_string(o, "case", row->situation);
    add_string(o, "contestant", row->contestant);
    add_string(o, "unit", row->unit);
    add_number(o, "p50", samples_percentile(row->samples, 50));
    add_number(o, "p90", samples_percentile(row->samples, 90));
    add_number(o, "p99", samples_percentile(row->samples, 99));
    json_object_object_add(o, "samples", json_object_new_int64((int64_t)row->samples->count));
    if (row->reference) {
        double other = get_number(find_row(row->situation, row->reference), "p50");
        ratio = other == 0 ? 0 : get_number(o, "p50") / other;
        add_number(o, "ratio", ratio);
        add_string(o, "reference", row->reference);
    }
    add_aim(o, row->aim, row->bound, ratio);
    json_object_array_add(bench.rows, o);
    samples_clear(row->samples);
    print_row(o);
}

void bench_figure(const char *situation, const char *contestant, const char *unit, double value, enum aim aim,
                  double bound)
{
    struct samples one = {0};
    samples_add(&one, value);
    bench_row(&(struct bench_row){situation, contestant, unit, &one, .aim = aim, .bound = bound});
}

/* ---- the file ---- */

static void describe_processor(struct json_object *machine)
{
    char line[4096];
    bool named = false, is_virtual = false;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (colon && !named && !strncmp(line, "model name", 10)) {
            colon[1 + strcspn(colon + 1, "\n")] = '\0';
            add_string(machine, "cpu", colon + 2);
            named = true;
        }
        is_virtual |= !strncmp(line, "flags", 5) && strstr(line, " hypervisor");
    }
    if (file)
        fclose(file);
    json_object_object_add(machine, "virtual", json_object_new_boolean(is_virtual));
}

static struct json_object *describe_machine(void)
{
    struct json_object *machine = json_object_new_object();
    struct utsname name;
    double load = 0;
    describe_processor(machine);
    json_object_object_add(machine, "cpus", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
    if (!uname(&name)) {
        add_string(machine, "kernel", name.release);
        add_string(machine, "architecture", name.machine);
    }
    if (getloadavg(&load, 1) == 1)
        add_number(machine, "load", load); /* before we began */
    return machine;
}

size_t bench_count(size_t full, size_t quick)
{
    return bench.quick ? quick : full;
}

void bench_open(const char *name, int argc, char **argv)
{
    bench.name = name;
    bench.quick = argc == 2 && !strcmp(argv[1], "--quick");
    if (argc > 1 && !bench.quick) {
        fprintf(stderr, "usage: bench-%s [--quick]\n", name);
        exit(2);
    }
    strcpy(bench.directory, "/tmp/framebus-bench.XXXXXX");
    if (!mkdtemp(bench.directory))
        bench_die("mkdtemp");
    setenv("FRAMEBUS_DIR", bench.directory, 1);
    bench.root = json_object_new_object();
    bench.rows = json_object_new_array();
    add_string(bench.root, "benchmark", name);
    json_object_object_add(bench.root, "quick", json_object_new_boolean(bench.quick));
    json_object_object_add(bench.root, "machine", describe_machine());
    json_object_object_add(bench.root, "rows", bench.rows);
}

int bench_close(void)
{
    char path[PATH_MAX], unfinished[PATH_MAX + 8], remove[128];
    const char *directory = getenv("FRAMEBUS_BENCH");
    snprintf(path, sizeof path, "%s/%s.json", directory && *directory ? directory : ".", bench.name);
    snprintf(unfinished, sizeof unfinished, "%s.part", path);
    if (json_object_to_file_ext(unfinished, bench.root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED) ||
        rename(unfinished, path))
        bench_die("cannot write %s", path);
    json_object_put(bench.root);
    snprintf(remove, sizeof remove, "rm -rf %s", bench.directory); /* mkdtemp made it */
    return system(remove) ? 1 : 0;
}

/* ---- processes ---- */

void bench_die(const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "bench-%s: ", bench.name);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (%s)\n", *framebus_last_error() ? framebus_last_error() : strerror(error));
    _exit(1); /* a child must not run what its parent has registered */
}

void bench_check(int r, const char *what)
{
    if (r)
        bench_die("%s: %s", what, strerror(-r));
}

struct framebus_frame *bench_next(struct framebus_reader *reader, int64_t timeout)
{
    struct framebus_frame *frame;
    int r;
    while ((r = framebus_reader_next(reader, &frame, timeout)) == -EINTR)
        ;
    bench_check(r, "next");
    return frame;
}

pid_t bench_fork(void)
{
    fflush(stdout);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        bench_die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

void bench_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void *bench_share(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_die("mmap");
    return memory;
}

void bench_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* a machine with one processor is measured as it is */
}

bool bench_is_alone(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN) < 2;
}

void bench_await(_Atomic uint32_t *word, uint32_t value)
{
    for (int64_t limit = now() + AWAIT_LIMIT; (int32_t)(atomic_load(word) - value) < 0;
         bench_sleep(NS_PER_MS / 10))
        if (now() > limit)
            bench_die("a peer did not do its part in %d s", (int)(AWAIT_LIMIT / NS_PER_S));
}

/* ---- time ---- */

int64_t bench_clock_cost(void)
{
    struct samples s = {0};
    for (int i = 0; i < 10001; i++) {
        int64_t begin = now();
        samples_add(&s, (double)(now() - begin));
    }
    double cost = samples_percentile(&s, 50);
    samples_clear(&s);
    return (int64_t)cost;
}

void bench_sleep(int64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    nanosleep(&t, NULL);
}

/* ---- what framebus programs do ---- */

struct framebus_writer *bench_writer(const char *bus, uint32_t fourcc, uint32_t width, uint32_t height,
                                     const struct framebus_writer_options *options)
{
    struct framebus_format format;
    struct framebus_writer *w;
    bench_check(framebus_format_init(&format, fourcc, width, height), "format");
    bench_check(framebus_writer_open(&w, bus, &format, options), "writer");
    return w;
}

int64_t bench_publish(struct framebus_writer *w)
{
    struct framebus_frame *frame;
    bench_check(framebus_writer_begin(w, &frame), "begin");
    int64_t begin = now();
    bench_check(framebus_writer_publish(w, frame), "publish");
    int64_t end = now();
    framebus_writer_release(w, frame);
    return end - begin;
}
