/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <stdio.h>
#include <unistd.h>

#define IDLE  (2 * NS_PER_MS) /* after which it leaves the processor to others */
#define LIMIT (20 * NS_PER_S)

static struct framebus_reader *readers[CROWD_READERS];

static void attach(struct crowd *crowd)
{
    for (uint32_t i = crowd->first; i < crowd->first + crowd->count; i++)
        bench_check(framebus_reader_open(&readers[i], crowd->bus, NULL), "reader");
}

static void take(struct crowd *crowd)
{
    uint32_t taken = 0;
    for (uint32_t i = crowd->first; i < crowd->first + crowd->count; i++) {
        struct framebus_frame *frame;
        int64_t begin = now();
        int r = framebus_reader_next(readers[i], &frame, 0);
        if (!r)
            framebus_reader_release(readers[i], frame);
        int64_t cost = now() - begin;
        if (i == crowd->first)
            crowd->cost = cost;
        taken += !r;
    }
    atomic_store_explicit(&crowd->taken, taken, memory_order_relaxed);
}

static void obey(struct crowd *crowd)
{
    bench_pin(READER_CPU);
    int64_t busy = now();
    for (uint32_t done = 0;;) {
        if (atomic_load_explicit(&crowd->turn, memory_order_acquire) == done) {
            if (bench_is_alone() || now() - busy > IDLE)
                bench_sleep(NS_PER_MS / 20);
            continue;
        }
        done++;
        if (crowd->open)
            attach(crowd);
        else
            take(crowd);
        atomic_store_explicit(&crowd->done, done, memory_order_release);
        busy = now();
    }
}

struct crowd *crowd_open(void)
{
    struct crowd *crowd = bench_share(sizeof *crowd);
    pid_t pid = bench_fork();
    if (pid == 0)
        obey(crowd);
    crowd->pid = pid;
    return crowd;
}

void crowd_close(struct crowd *crowd)
{
    bench_kill(crowd->pid);
}

/* The writer, if any, lets readers in meanwhile. */
static void order(struct crowd *crowd, uint32_t first, uint32_t count, bool open,
                  struct framebus_writer *writer)
{
    crowd->first = first;
    crowd->count = count;
    crowd->open = open;
    uint32_t turn = atomic_load_explicit(&crowd->turn, memory_order_relaxed) + 1;
    atomic_store_explicit(&crowd->turn, turn, memory_order_release);
    for (int64_t limit = now() + LIMIT; atomic_load_explicit(&crowd->done, memory_order_acquire) != turn;) {
        if (now() > limit)
            bench_die("the crowd does not obey");
        if (writer)
            bench_check(framebus_writer_dispatch(writer), "dispatch");
        if (bench_is_alone())
            sched_yield();
    }
}

void crowd_attach(struct crowd *crowd, uint32_t first, uint32_t count, struct framebus_writer *writer,
                  const char *bus)
{
    if (first + count > CROWD_READERS)
        bench_die("too many readers");
    snprintf(crowd->bus, sizeof crowd->bus, "%s", bus);
    order(crowd, first, count, true, writer);
}

void crowd_take(struct crowd *crowd, uint32_t first, uint32_t count)
{
    order(crowd, first, count, false, NULL);
    if (atomic_load(&crowd->taken) != count)
        bench_die("%u readers of %u found a frame", atomic_load(&crowd->taken), count);
}
