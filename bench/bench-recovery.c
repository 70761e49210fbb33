/* SPDX-License-Identifier: MIT */
/*
 * How long a reader waits when something changes: attach -> first frame; the writer is killed -> the
 * reader knows; a new writer of the same name -> the frame of a reader that follows it.
 */
#include "bench.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (10 * NS_PER_S)

/* Between the parent, which reads, and the writers that it starts. */
struct shared {
    _Atomic uint32_t published;
    _Atomic int64_t opening, publishing; /* when the writer did so the first time */
};

static struct shared *shared;

/* Publishes one frame, then serves; `again` ns later another one, and so on, unless it is zero. */
static pid_t start_writer(const char *bus, int64_t again)
{
    atomic_store(&shared->published, 0);
    pid_t pid = bench_fork();
    if (pid)
        return pid;
    bench_pin(WRITER_CPU);
    atomic_store(&shared->opening, now());
    struct framebus_writer *w = bench_writer(bus, DRM_FORMAT_NV12, 1920, 1080, NULL);
    struct pollfd wait = {.fd = framebus_writer_fd(w), .events = POLLIN};
    for (int64_t due = 0;;) {
        int64_t present = now();
        if (present >= due) {
            if (!due)
                atomic_store(&shared->publishing, present);
            bench_publish(w);
            atomic_fetch_add(&shared->published, 1);
            due = again ? present + again : INT64_MAX;
        }
        int64_t left = due == INT64_MAX ? NS_PER_S : due - present;
        struct timespec timeout = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
        if (ppoll(&wait, 1, &timeout, NULL) > 0)
            bench_check(framebus_writer_dispatch(w), "dispatch");
    }
}

static struct framebus_reader *attach(const char *bus, bool follow)
{
    struct framebus_reader *reader;
    bench_check(framebus_reader_open(&reader, bus, &(struct framebus_reader_options){.follow = follow}),
                "reader");
    return reader;
}

static void take(struct framebus_reader *reader)
{
    struct framebus_frame *frame = bench_next(reader, LIMIT);
    framebus_reader_release(reader, frame);
}

static void row(const char *situation, const char *contestant, struct samples *samples, enum aim aim,
                double bound)
{
    bench_row(&(struct bench_row){situation, contestant, "us", samples, .aim = aim, .bound = bound});
}

static void measure_attach(size_t rounds)
{
    static const struct {
        const char *name;
        int64_t again;
    } writers[] = {{"writer waits for readers", 0}, {"writer publishes at 60 Hz", 16666667}};
    for (int i = 0; i < 2; i++) {
        struct samples open = {0}, all = {0}, close = {0};
        pid_t writer = start_writer("attach", writers[i].again);
        bench_await(&shared->published, 1);
        for (size_t k = 0; k < rounds; k++) {
            int64_t begin = now();
            struct framebus_reader *reader = attach("attach", false);
            int64_t opened = now();
            take(reader);
            samples_add(&open, (double)(opened - begin) / 1000);
            int64_t taken = now();
            samples_add(&all, (double)(taken - begin) / 1000);
            framebus_reader_close(reader);
            samples_add(&close, (double)(now() - taken) / 1000);
            bench_sleep(NS_PER_MS + (int64_t)(k * 377 % 1000) * 16667); /* anywhere in the period */
        }
        row("attach -> first frame", writers[i].name, &all, AIM_AT_MOST, 2000);
        row("attach alone", writers[i].name, &open, AIM_NONE, 0);
        row("closing the reader", writers[i].name, &close, AIM_NONE, 0);
        bench_kill(writer);
    }
}

static void measure_death(size_t rounds)
{
    struct samples samples = {0};
    for (size_t k = 0; k < rounds; k++) {
        pid_t writer = start_writer("death", 0);
        bench_await(&shared->published, 1);
        struct framebus_reader *reader = attach("death", false);
        take(reader);
        pid_t killer = bench_fork();
        if (killer == 0) {
            bench_sleep(5 * NS_PER_MS); /* by then the reader sleeps */
            atomic_store(&shared->publishing, now());
            kill(writer, SIGKILL);
            _exit(0);
        }
        struct framebus_frame *frame;
        int r;
        while ((r = framebus_reader_next(reader, &frame, LIMIT)) == -EINTR)
            ;
        if (r != -EPIPE)
            bench_die("next: %s in place of EPIPE", strerror(-r));
        samples_add(&samples, (double)(now() - atomic_load(&shared->publishing)) / 1000);
        framebus_reader_close(reader);
        waitpid(killer, NULL, 0);
        waitpid(writer, NULL, 0);
    }
    row("writer killed -> reader knows", "framebus", &samples, AIM_NONE, 0);
}

static void measure_follow(size_t rounds)
{
    struct samples opening = {0}, publishing = {0};
    pid_t writer = start_writer("follow", 0);
    bench_await(&shared->published, 1);
    struct framebus_reader *reader = attach("follow", true);
    take(reader);
    for (size_t k = 0; k < rounds; k++) {
        bench_kill(writer);
        pid_t starter = bench_fork(); /* so that we are in next when the new one comes */
        if (starter == 0) {
            bench_sleep(5 * NS_PER_MS);
            pid_t made = start_writer("follow", 0);
            waitpid(made, NULL, 0);
            _exit(0);
        }
        writer = starter;
        take(reader);
        int64_t end = now();
        samples_add(&opening, (double)(end - atomic_load(&shared->opening)) / 1000);
        samples_add(&publishing, (double)(end - atomic_load(&shared->publishing)) / 1000);
        bench_sleep(NS_PER_MS);
    }
    bench_kill(writer);
    framebus_reader_close(reader);
    row("new writer -> followed reader's frame", "since it opened the bus", &opening, AIM_AT_MOST, 5000);
    row("new writer -> followed reader's frame", "since it published", &publishing, AIM_AT_MOST, 5000);
}

int main(int argc, char **argv)
{
    bench_open("recovery", argc, argv);
    bench_pin(READER_CPU);
    shared = bench_share(sizeof *shared);
    size_t rounds = bench_count(300, 10);
    measure_attach(rounds);
    measure_death(rounds);
    measure_follow(rounds);
    return bench_close();
}
