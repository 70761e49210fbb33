/* SPDX-License-Identifier: MIT */
/*
 * What it costs the writer to wake its readers: publish with 0 to 64 of them asleep in processes of
 * their own, beside the same number that sleep in poll() on an eventfd each, and on one futex.
 */
#include "bench.h"

#include <drm_fourcc.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLEEPERS_MAX 64
#define NAP          (3 * NS_PER_MS) /* in which all have gone to sleep */
#define PUBLISH_AIM  10000.          /* with 16 of them */
#define AIMED        16

static const uint32_t numbers[] = {0, 1, 2, 4, 8, 16, 32, 64};
#define NUMBERS (sizeof numbers / sizeof *numbers)

enum kind {
    EVENTFD,
    FUTEX,
    FRAMEBUS,
    KINDS,
};

static const char *const names[] = {"an eventfd each", "one futex", "framebus"};

struct shared {
    _Alignas(64) _Atomic uint32_t word; /* for the futex */
    _Alignas(64) _Atomic uint32_t received;
};

struct crew {
    enum kind kind;
    uint32_t count;
    struct shared *shared;
    int fd[SLEEPERS_MAX];
    pid_t pid[SLEEPERS_MAX];
    char bus[32];
    struct framebus_writer *writer;
    struct samples cost;
};

static void await_eventfd(struct crew *crew, uint32_t i)
{
    struct pollfd wait = {.fd = crew->fd[i], .events = POLLIN};
    eventfd_t value;
    for (;;) {
        atomic_fetch_add(&crew->shared->received, 1);
        while (poll(&wait, 1, -1) != 1 || eventfd_read(crew->fd[i], &value))
            ;
    }
}

static void await_futex(struct crew *crew)
{
    for (uint32_t seen = 0;; seen++) {
        atomic_fetch_add(&crew->shared->received, 1);
        while (atomic_load(&crew->shared->word) == seen)
            syscall(SYS_futex, &crew->shared->word, FUTEX_WAIT, seen, NULL, NULL, 0);
    }
}

static void await_frames(struct crew *crew)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    bench_check(framebus_reader_open(&reader, crew->bus, NULL), "reader");
    for (;;) {
        atomic_fetch_add(&crew->shared->received, 1);
        frame = bench_next(reader, -1);
        framebus_reader_release(reader, frame);
    }
}

static void sleep_for_ever(struct crew *crew, uint32_t i)
{
    bench_pin(READER_CPU);
    switch (crew->kind) {
    case EVENTFD:
        await_eventfd(crew, i);
        break;
    case FUTEX:
        await_futex(crew);
        break;
    default:
        await_frames(crew);
    }
}

static void await_all(struct crew *crew, uint32_t count)
{
    for (int64_t limit = now() + 20 * NS_PER_S; atomic_load(&crew->shared->received) != count;) {
        if (crew->writer)
            bench_check(framebus_writer_dispatch(crew->writer), "dispatch");
        if (now() > limit)
            bench_die("%s: %u of %u were woken", names[crew->kind], atomic_load(&crew->shared->received),
                      count);
        bench_sleep(NS_PER_MS / 10);
    }
}

static void open_crew(struct crew *crew, enum kind kind, uint32_t count)
{
    *crew = (struct crew){.kind = kind, .count = count, .shared = bench_share(sizeof *crew->shared)};
    snprintf(crew->bus, sizeof crew->bus, "asleep-%u", count);
    if (kind == FRAMEBUS)
        crew->writer = bench_writer(crew->bus, DRM_FORMAT_NV12, 1920, 1080,
                                    &(struct framebus_writer_options){.max_slots = 256});
    for (uint32_t i = 0; i < count; i++) {
        crew->fd[i] = kind == EVENTFD ? eventfd(0, EFD_NONBLOCK) : -1;
        crew->pid[i] = bench_fork();
        if (crew->pid[i] == 0)
            sleep_for_ever(crew, i);
    }
    await_all(crew, count);
}

static void close_crew(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        bench_kill(crew->pid[i]);
        if (crew->fd[i] >= 0)
            close(crew->fd[i]);
    }
    framebus_writer_close(crew->writer);
    samples_clear(&crew->cost);
}

static int64_t wake(struct crew *crew)
{
    if (crew->kind == FRAMEBUS)
        return bench_publish(crew->writer);
    int64_t begin = now();
    if (crew->kind == EVENTFD) {
        for (uint32_t i = 0; i < crew->count; i++)
            eventfd_write(crew->fd[i], 1);
    } else {
        atomic_fetch_add(&crew->shared->word, 1);
        syscall(SYS_futex, &crew->shared->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    return now() - begin;
}

static void measure(struct crew *crews, size_t rounds)
{
    for (size_t k = 0; k < rounds; k++)
        for (int kind = 0; kind < KINDS; kind++) {
            struct crew *crew = &crews[kind];
            bench_sleep(NAP);
            uint32_t before = atomic_load(&crew->shared->received);
            int64_t cost = wake(crew);
            await_all(crew, before + crew->count);
            if (k) /* the first is for the caches */
                samples_add(&crew->cost, (double)cost);
        }
}

int main(int argc, char **argv)
{
    bench_open("asleep", argc, argv);
    bench_pin(WRITER_CPU);
    for (size_t i = 0; i < NUMBERS; i++) {
        struct crew crews[KINDS];
        char situation[64];
        for (int kind = 0; kind < KINDS; kind++)
            open_crew(&crews[kind], kind, numbers[i]);
        measure(crews, bench_count(300, 4));
        snprintf(situation, sizeof situation, "to wake %u readers", numbers[i]);
        for (int kind = 0; kind < KINDS; kind++)
            bench_row(&(struct bench_row){
                .situation = situation,
                .contestant = names[kind],
                .unit = "ns",
                .samples = &crews[kind].cost,
                .reference = kind == EVENTFD ? NULL : names[EVENTFD],
                .aim = kind == FRAMEBUS && numbers[i] == AIMED ? AIM_AT_MOST : AIM_NONE,
                .bound = PUBLISH_AIM,
            });
        for (int kind = 0; kind < KINDS; kind++)
            close_crew(&crews[kind]);
    }
    return bench_close();
}
