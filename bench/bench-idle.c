/* SPDX-License-Identifier: MIT */
/*
 * What a bus costs while nothing is published: how often its processes run at all (one that does
 * not run makes no system call either), and how much memory a bus and a reader take beyond frames.
 */
#include "bench.h"

#include <drm_fourcc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READERS 4
#define MANY    32 /* buses or readers by which memory is divided */

static _Atomic uint32_t *ready;

/* ---- wake-ups ---- */

static void serve_for_ever(void)
{
    struct framebus_writer *w = bench_writer("idle", DRM_FORMAT_NV12, 1920, 1080, NULL);
    struct pollfd wait = {.fd = framebus_writer_fd(w), .events = POLLIN};
    bench_publish(w);
    atomic_fetch_add(ready, 1);
    for (;;)
        if (poll(&wait, 1, -1) > 0)
            bench_check(framebus_writer_dispatch(w), "dispatch");
}

static void read_for_ever(bool follow)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    const struct framebus_reader_options options = {.wait_ns = -1, .follow = follow};
    bench_check(framebus_reader_open(&reader, follow ? "nobody" : "idle", &options), "reader");
    atomic_fetch_add(ready, 1);
    for (;;) {
        frame = bench_next(reader, -1);
        framebus_reader_release(reader, frame);
    }
}

/* How often a process has gone from the processor so far, whether it wished to or not. */
static unsigned long switches(pid_t pid)
{
    char path[64], line[256];
    unsigned long total = 0, n;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        bench_die("cannot read %s", path);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
            total += n;
    fclose(f);
    return total;
}

static void measure_wakeups(void)
{
    static const char *const names[] = {"writer that waits for readers", "reader that waits for a frame",
                                        "follower that waits for a writer"};
    pid_t pids[READERS + 2];
    unsigned long before[READERS + 2], most[3] = {0};
    for (int i = 0; i < READERS + 2; i++) {
        pids[i] = bench_fork();
        if (pids[i] == 0 && i == 0)
            serve_for_ever();
        if (pids[i] == 0)
            read_for_ever(i == READERS + 1);
    }
    bench_await(ready, READERS + 1); /* the follower is still waiting */
    bench_sleep(NS_PER_S / 4);
    for (int i = 0; i < READERS + 2; i++)
        before[i] = switches(pids[i]);
    int64_t begin = now();
    bench_sleep((int64_t)bench_count(10000, 500) * NS_PER_MS);
    double seconds = (double)(now() - begin) / (double)NS_PER_S;
    for (int i = 0; i < READERS + 2; i++) {
        int kind = i == 0 ? 0 : i == READERS + 1 ? 2 : 1;
        unsigned long n = switches(pids[i]) - before[i];
        if (n > most[kind])
            most[kind] = n;
    }
    for (int kind = 0; kind < 3; kind++)
        bench_figure("wake-ups with nothing published", names[kind], "1/s", (double)most[kind] / seconds,
                     AIM_AT_MOST, 0);
    for (int i = READERS + 1; i >= 0; i--) /* the writer last, or its readers complain */
        bench_kill(pids[i]);
}

/* ---- memory ---- */

/* Of this process, with its share of what it has in common with others. */
static double memory_kib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Pss: %lu", &kib) == 1)
            break;
    fclose(f);
    return (double)kib;
}

static struct framebus_writer *writers[MANY];
static struct framebus_reader *readers[MANY];

/* One thread that lets readers in, for they wait for its answer. */
static void *serve(void *data)
{
    (void)data;
    while (!atomic_load(ready)) {
        bench_check(framebus_writer_dispatch(writers[0]), "dispatch");
        bench_sleep(NS_PER_MS / 10);
    }
    return NULL;
}

static void measure_memory(void)
{
    char name[32];
    pthread_t thread;
    double begin = memory_kib();
    if (begin == 0)
        return;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "memory-%d", i);
        writers[i] = bench_writer(name, DRM_FORMAT_NV12, 1920, 1080,
                                  &(struct framebus_writer_options){.max_slots = 256});
    }
    double opened = memory_kib();
    atomic_store(ready, 0);
    if (pthread_create(&thread, NULL, serve, NULL))
        bench_die("pthread_create");
    bench_sleep(NS_PER_MS);
    double before = memory_kib();
    for (int i = 0; i < MANY; i++)
        bench_check(framebus_reader_open(&readers[i], "memory-0", NULL), "reader");
    double attached = memory_kib();
    atomic_store(ready, 1);
    pthread_join(thread, NULL);
    bench_figure("memory beyond frames", "a bus of 256 slots", "KiB", (opened - begin) / MANY, AIM_NONE, 0);
    bench_figure("memory beyond frames", "a reader, both sides together", "KiB", (attached - before) / MANY,
                 AIM_NONE, 0);
    for (int i = 0; i < MANY; i++) {
        framebus_reader_close(readers[i]);
        framebus_writer_close(writers[i]);
    }
}

int main(int argc, char **argv)
{
    bench_open("idle", argc, argv);
    ready = bench_share(sizeof *ready);
    measure_wakeups();
    measure_memory();
    return bench_close();
}
