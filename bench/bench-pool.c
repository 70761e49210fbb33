/* SPDX-License-Identifier: MIT */
/*
 * What the memory of a new pool costs: how long begin takes for a slot that was never used and for one
 * that was, how long it then takes to fill and to read the frame, and how many page faults that makes;
 * by kind of memory.
 */
#include "bench.h"

#include <drm_fourcc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FRAMES 12 /* in each pool: more than it gets slots */

static const struct {
    const char *name;
    struct framebus_writer_options options;
} kinds[] = {
    {"memfd", {.memory = FRAMEBUS_MEMORY_MEMFD}},
    {"memfd, huge pages", {.memory_flags = FRAMEBUS_MEMORY_HUGE_PAGES}},
    {"posix", {.memory = FRAMEBUS_MEMORY_POSIX}},
    {"sysv", {.memory = FRAMEBUS_MEMORY_SYSV}},
};
#define KINDS (sizeof kinds / sizeof *kinds)

enum {
    BEGIN,
    FILL,
    READ,
    FAULTS,
    FIGURES,
};

static const char *const figures[FIGURES] = {"begin", "filling the frame", "reading the frame",
                                             "page faults while filling"};
static const char *const units[FIGURES] = {"us", "us", "us", "1/frame"};

/* Of slots that come into use, and of those used before. */
static struct samples samples[KINDS][2][FIGURES];
static bool missing[KINDS];

struct shared {
    _Atomic uint32_t ready, taken, stop;
    _Atomic uint32_t seen; /* the sum of what was read, so that it has to be */
    _Atomic int64_t cost;
};

static struct shared *shared;

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt + usage.ru_majflt;
}

/* A byte of each cache line. */
static uint32_t look_at(const struct framebus_frame *frame)
{
    uint32_t sum = 0;
    for (uint64_t at = 0; at < frame->size; at += 64)
        sum += ((const uint8_t *)frame->data)[at];
    return sum;
}

static void read_frames(void)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    uint32_t sum = 0;
    bench_pin(READER_CPU);
    bench_check(framebus_reader_open(&reader, "pool", &(struct framebus_reader_options){.wait_ns = -1}),
                "reader");
    atomic_store(&shared->ready, 1);
    for (uint32_t i = 1; i <= FRAMES; i++) {
        frame = bench_next(reader, -1);
        int64_t begin = now();
        sum += look_at(frame);
        atomic_store(&shared->cost, now() - begin);
        framebus_reader_release(reader, frame);
        atomic_store(&shared->taken, i);
    }
    atomic_store(&shared->seen, sum);
    while (!atomic_load(&shared->stop))
        bench_sleep(NS_PER_MS / 10);
    framebus_reader_close(reader);
}

static void pass(struct framebus_writer *w, struct samples table[2][FIGURES], uint32_t number)
{
    static bool used[FRAMEBUS_SLOTS_MAX];
    struct framebus_frame *frame;
    if (number == 1)
        memset(used, 0, sizeof used);
    int64_t asked = now();
    bench_check(framebus_writer_begin(w, &frame), "begin");
    int64_t taken = now();
    long before = faults();
    int64_t begun = now();
    memset(frame->data, (int)number, frame->size);
    int64_t filled = now();
    long after = faults();
    bench_check(framebus_writer_publish(w, frame), "publish");
    bench_await(&shared->taken, number);
    struct samples *row = table[used[frame->slot]];
    used[frame->slot] = true;
    framebus_writer_release(w, frame);
    samples_add(&row[BEGIN], (double)(taken - asked) / 1000);
    samples_add(&row[FILL], (double)(filled - begun) / 1000);
    samples_add(&row[READ], (double)atomic_load(&shared->cost) / 1000);
    samples_add(&row[FAULTS], (double)(after - before));
}

static void measure(size_t kind)
{
    struct framebus_format format;
    struct framebus_writer *w;
    bench_check(framebus_format_init(&format, DRM_FORMAT_NV12, 1920, 1080), "format");
    int r = framebus_writer_open(&w, "pool", &format, &kinds[kind].options);
    struct framebus_frame *frame;
    if (!r && (r = framebus_writer_begin(w, &frame)) == 0)
        framebus_writer_release(w, frame);
    else if (w)
        framebus_writer_close(w);
    if (r) { /* no huge pages, no System V: it says which */
        missing[kind] = true;
        return;
    }
    framebus_writer_close(w);

    *shared = (struct shared){0};
    pid_t reader = bench_fork();
    if (reader == 0) {
        read_frames();
        _exit(0);
    }
    w = bench_writer("pool", DRM_FORMAT_NV12, 1920, 1080, &kinds[kind].options);
    while (!atomic_load(&shared->ready)) {
        bench_check(framebus_writer_dispatch(w), "dispatch");
        bench_sleep(NS_PER_MS / 10);
    }
    for (uint32_t i = 1; i <= FRAMES; i++)
        pass(w, samples[kind], i);
    atomic_store(&shared->stop, 1);
    bench_kill(reader);
    framebus_writer_close(w);
}

int main(int argc, char **argv)
{
    bench_open("pool", argc, argv);
    bench_pin(WRITER_CPU);
    shared = bench_share(sizeof *shared);
    for (size_t round = 0; round < bench_count(30, 2); round++)
        for (size_t kind = 0; kind < KINDS; kind++)
            if (!missing[kind])
                measure(kind);
    for (int used = 0; used < 2; used++)
        for (int figure = 0; figure < FIGURES; figure++)
            for (size_t kind = 0; kind < KINDS; kind++) {
                char situation[96];
                if (missing[kind])
                    continue;
                snprintf(situation, sizeof situation, "%s, 1080p NV12, slot %s", figures[figure],
                         used ? "used before" : "comes into use");
                bench_row(&(struct bench_row){
                    .situation = situation,
                    .contestant = kinds[kind].name,
                    .unit = units[figure],
                    .samples = &samples[kind][used][figure],
                    .reference = kind ? kinds[0].name : NULL,
                    .aim = figure == FAULTS ? AIM_AT_MOST : AIM_NONE,
                });
            }
    return bench_close();
}
