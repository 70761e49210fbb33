/* SPDX-License-Identifier: MIT */
/*
 * How long until a sleeping reader in another process has the frame: framebus's publish -> next
 * beside the least that the kernel can do, an eventfd written in one process and polled and read in
 * the other. The contestants take turns in blocks within one run, on the same two processors, so
 * that the ratio of their medians holds on a noisy machine where the figures themselves do not.
 *
 * bench-latency [SAMPLES]: samples for each contestant and cadence (default 600)
 */
#include <framebus.h>

#include <drm_fourcc.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK       30
#define SAMPLES_MAX 100000
#define CONTESTANTS 3

static const struct {
    const char *name;
    uint32_t width, height; /* 0: the raw eventfd */
} contestants[CONTESTANTS] = {
    {"raw eventfd", 0, 0},
    {"framebus 640x480", 640, 480},
    {"framebus 3840x2160", 3840, 2160},
};

/* Between the two processes: when the present frame was sent, how many were received and when the last. */
struct shared {
    _Atomic int64_t sent, received;
    _Atomic uint32_t count, readers;
    _Atomic bool stop;
};

struct contest {
    struct shared *shared;
    int event; /* raw */
    struct framebus_writer *writer;
    pid_t reader;
    int64_t sample[SAMPLES_MAX];
    size_t samples;
};

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* a machine with one processor is measured as it is */
}

static void die(const char *what)
{
    fprintf(stderr, "bench-latency: %s: %s\n", what,
            *framebus_last_error() ? framebus_last_error() : strerror(errno));
    exit(1);
}

static void note_received(struct shared *shared)
{
    atomic_store(&shared->received, now());
    atomic_fetch_add(&shared->count, 1);
}

static void read_raw(struct contest *c)
{
    struct pollfd wait = {.fd = c->event, .events = POLLIN};
    uint64_t value;
    atomic_fetch_add(&c->shared->readers, 1);
    while (!atomic_load(&c->shared->stop)) {
        if (poll(&wait, 1, 100) > 0 && read(c->event, &value, sizeof value) == sizeof value)
            note_received(c->shared);
    }
}

static void read_bus(struct contest *c, const char *bus)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    if (framebus_reader_open(&reader, bus, &(struct framebus_reader_options){.wait_ns = -1}))
        die("reader");
    atomic_fetch_add(&c->shared->readers, 1);
    while (!atomic_load(&c->shared->stop)) {
        int r = framebus_reader_next(reader, &frame, INT64_C(100000000));
        if (r == -ETIMEDOUT)
            continue;
        if (r)
            break;
        note_received(c->shared);
        framebus_reader_release(reader, frame);
    }
    framebus_reader_close(reader);
}

static void post(struct contest *c)
{
    if (!c->writer) {
        atomic_store(&c->shared->sent, now());
        eventfd_write(c->event, 1);
        return;
    }
    struct framebus_frame *frame;
    if (framebus_writer_begin(c->writer, &frame))
        die("begin");
    atomic_store(&c->shared->sent, now());
    if (framebus_writer_publish(c->writer, frame))
        die("publish");
    framebus_writer_release(c->writer, frame);
}

/* One frame across, after which the reader is (nearly) asleep again. */
static void measure(struct contest *c)
{
    uint32_t before = atomic_load(&c->shared->count);
    post(c);
    int64_t limit = now() + INT64_C(1000000000);
    while (atomic_load(&c->shared->count) == before) {
        if (now() > limit) {
            fprintf(stderr, "bench-latency: a frame did not arrive within a second\n");
            exit(1);
        }
    }
    if (c->samples < SAMPLES_MAX)
        c->sample[c->samples++] = atomic_load(&c->shared->received) - atomic_load(&c->shared->sent);
}

static void start(struct contest *c, int i)
{
    char bus[32];
    snprintf(bus, sizeof bus, "bench-%d", i);
    c->shared = mmap(NULL, sizeof *c->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    c->event = eventfd(0, EFD_NONBLOCK);
    if (c->shared == MAP_FAILED || c->event < 0)
        die("set-up");
    c->reader = fork();
    if (c->reader == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(1);
        if (contestants[i].width)
            read_bus(c, bus);
        else
            read_raw(c);
        _exit(0);
    }
    if (!contestants[i].width)
        return;
    struct framebus_format format;
    if (framebus_format_init(&format, DRM_FORMAT_NV12, contestants[i].width, contestants[i].height) ||
        framebus_writer_open(&c->writer, bus, &format, NULL))
        die("writer");
}

static void wait_for_readers(struct contest *c)
{
    for (int64_t limit = now() + INT64_C(5000000000); !atomic_load(&c->shared->readers) && now() < limit;) {
        if (c->writer)
            framebus_writer_dispatch(c->writer);
        usleep(1000);
    }
    usleep(10000);
    for (int i = 0; i < BLOCK; i++) /* warm-up */
        measure(c);
    c->samples = 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(struct contest *c, double p)
{
    return (double)c->sample[(size_t)(p / 100 * (double)(c->samples - 1))] / 1000;
}

static void report(struct contest *all, const char *cadence)
{
    printf("\n%-22s %9s %9s %9s %9s %8s\n", cadence, "p50 us", "p90 us", "p99 us", "p50/raw", "samples");
    for (int i = 0; i < CONTESTANTS; i++) {
        struct contest *c = &all[i];
        qsort(c->sample, c->samples, sizeof *c->sample, by_value);
        printf("%-22s %9.2f %9.2f %9.2f %9.2f %8zu\n", contestants[i].name, percentile(c, 50),
               percentile(c, 90), percentile(c, 99), percentile(c, 50) / percentile(&all[0], 50), c->samples);
    }
    printf("3840x2160 against 640x480: %.2f\n", percentile(&all[2], 50) / percentile(&all[1], 50));
    fflush(stdout);
}

/* Blocks in turn, A B C A B C; a pause of zero is back to back. */
static void run(struct contest *all, const char *cadence, int64_t pause, size_t samples)
{
    for (int i = 0; i < CONTESTANTS; i++)
        all[i].samples = 0;
    while (all[0].samples < samples)
        for (int i = 0; i < CONTESTANTS; i++)
            for (int k = 0; k < BLOCK; k++) {
                if (pause)
                    nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
                measure(&all[i]);
            }
    report(all, cadence);
}

int main(int argc, char **argv)
{
    static struct contest all[CONTESTANTS];
    size_t samples = argc > 1 ? strtoul(argv[1], NULL, 10) : 600;
    if (samples < 1 || samples > SAMPLES_MAX / 20) {
        fprintf(stderr, "usage: bench-latency [SAMPLES], 1 to %d\n", SAMPLES_MAX / 20);
        return 2;
    }
    char directory[] = "/tmp/framebus-bench.XXXXXX";
    if (!mkdtemp(directory))
        die("mkdtemp");
    setenv("FRAMEBUS_DIR", directory, 1);
    for (int i = 0; i < CONTESTANTS; i++)
        start(&all[i], i);
    pin(0);
    for (int i = 0; i < CONTESTANTS; i++)
        wait_for_readers(&all[i]);

    run(all, "60 Hz", 16666667, samples);
    run(all, "back to back", 0, samples * 20);

    for (int i = 0; i < CONTESTANTS; i++) {
        atomic_store(&all[i].shared->stop, true);
        framebus_writer_close(all[i].writer);
        waitpid(all[i].reader, NULL, 0);
    }
    for (int i = 0; i < CONTESTANTS; i++) {
        char lock[64];
        snprintf(lock, sizeof lock, "%s/.bench-%d.lock", directory, i);
        unlink(lock);
    }
    rmdir(directory);
    return 0;
}
