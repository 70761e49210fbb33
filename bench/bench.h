/* SPDX-License-Identifier: MIT */
/*
 * What all benchmarks need: samples and percentiles, rows of a result and the file they go to,
 * processes, processors, time. See README.md for the convention. Every failure ends the program:
 * a benchmark that goes on after one would measure something else.
 */
#ifndef BENCH_H
#define BENCH_H

#include <framebus.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

#define WRITER_CPU 0
#define READER_CPU 1

/* ---- samples ---- */

struct samples {
    double *value;
    size_t count, room;
};

void samples_add(struct samples *s, double value);
double samples_percentile(struct samples *s, double p); /* sorts them */
void samples_clear(struct samples *s);                  /* empty, and without memory */

/* ---- a benchmark and its rows ---- */

/* Takes --quick, makes a private FRAMEBUS_DIR. Call it before anything else. */
void bench_open(const char *name, int argc, char **argv);

/* Writes $FRAMEBUS_BENCH/NAME.json; returns the exit status. */
int bench_close(void);

/* How many, or how few with --quick. */
size_t bench_count(size_t full, size_t quick);

enum aim {
    AIM_NONE,
    AIM_RATIO_AT_MOST, /* p50 against the reference's */
    AIM_RATIO_AT_LEAST,
    AIM_AT_MOST, /* p50 itself */
    AIM_AT_LEAST,
};

struct bench_row {
    const char *situation, *contestant, *unit;
    struct samples *samples; /* emptied */
    const char *reference;   /* contestant of a row of the same situation given before; NULL: none */
    enum aim aim;
    double bound;
};

void bench_row(const struct bench_row *row);

/* A row of one figure. */
void bench_figure(const char *situation, const char *contestant, const char *unit, double value, enum aim aim,
                  double bound);

/* ---- processes ---- */

_Noreturn void bench_die(const char *format, ...) FRAMEBUS_PRINTF(1, 2);

/* Dies with a sentence of the library unless r is 0. */
void bench_check(int r, const char *what);

/* A child that dies with us. 0 in the child, which must end with _exit(). */
pid_t bench_fork(void);
void bench_kill(pid_t pid);

/* Zeroed memory that children share. */
void *bench_share(size_t size);

/* This thread, to one processor, if there is such a one. */
void bench_pin(int cpu);
bool bench_is_alone(void); /* one processor: a process that waits must yield it */

/* Waits until *word is at least `value`; dies after 20 s. */
void bench_await(_Atomic uint32_t *word, uint32_t value);

/* ---- time, in nanoseconds ---- */

static inline int64_t clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline int64_t now(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

/* What it costs to look at the clock twice: the least that a single timing shows. */
int64_t bench_clock_cost(void);

void bench_sleep(int64_t ns);

/* ---- what framebus programs do ---- */

/* The next frame, whatever signals come; dies if there is none. */
struct framebus_frame *bench_next(struct framebus_reader *reader, int64_t timeout);

struct framebus_writer *bench_writer(const char *bus, uint32_t fourcc, uint32_t width, uint32_t height,
                                     const struct framebus_writer_options *options);

/* begin, publish, release; returns how long publish took, the clock included. */
int64_t bench_publish(struct framebus_writer *w);

#endif
