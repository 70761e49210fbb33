/* SPDX-License-Identifier: MIT */
/*
 * What a frame costs the writer, begin and publish, against the number of readers that are
 * awake, the size of the frame, the number of slots, the rate, and the number of buses; and what
 * it costs a reader to take one. Nanoseconds, less what looking at the clock costs.
 */
#include "crowd.h"

#include <drm_fourcc.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#define BUSES 64
#define BLOCK 50

#define PUBLISH_AIM(readers) (150. + 15. * (readers))
#define TAKE_AIM             100.

/* A bus and its readers. */
struct bus {
    char name[32];
    struct framebus_writer *writer;
    uint32_t first, readers; /* in the crowd */
    _Atomic bool served;
    struct samples begin, publish, take;
};

static struct crowd *crowd;
static uint32_t crowded; /* readers in it */
static int64_t clock_cost;

static void open_bus(struct bus *bus, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t readers,
                     const struct framebus_writer_options *options)
{
    static int count;
    *bus = (struct bus){.first = crowded, .readers = readers};
    snprintf(bus->name, sizeof bus->name, "scale-%d", count++);
    bus->writer = bench_writer(bus->name, fourcc, width, height, options);
    if (crowd && readers)
        crowd_attach(crowd, bus->first, readers, bus->writer, bus->name);
    crowded += readers;
}

static void open_crowd(void)
{
    crowd = crowd_open();
    crowded = 0;
}

static void close_all(struct bus *buses, size_t count)
{
    if (crowd)
        crowd_close(crowd);
    crowd = NULL;
    for (size_t i = 0; i < count; i++)
        framebus_writer_close(buses[i].writer);
}

/* One frame. */
static void pass(struct bus *bus, bool take)
{
    struct framebus_frame *frame;
    int64_t t0 = now();
    bench_check(framebus_writer_begin(bus->writer, &frame), "begin");
    int64_t t1 = now();
    bench_check(framebus_writer_publish(bus->writer, frame), "publish");
    int64_t t2 = now();
    framebus_writer_release(bus->writer, frame);
    samples_add(&bus->begin, (double)(t1 - t0 - clock_cost));
    samples_add(&bus->publish, (double)(t2 - t1 - clock_cost));
    if (take && bus->readers) {
        crowd_take(crowd, bus->first, bus->readers);
        samples_add(&bus->take, (double)(crowd->cost - clock_cost));
    }
}

static void forget_samples(struct bus *buses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        samples_clear(&buses[i].begin);
        samples_clear(&buses[i].publish);
        samples_clear(&buses[i].take);
    }
}

/* Blocks in turn; the first ones are for the caches. */
static void measure(struct bus *buses, size_t count, size_t samples, bool take)
{
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < BLOCK; k++)
            pass(&buses[i], take);
    forget_samples(buses, count);
    while (buses[0].publish.count < samples)
        for (size_t i = 0; i < count; i++)
            for (int k = 0; k < BLOCK; k++)
                pass(&buses[i], take);
}

static void report(const char *situation, const char *contestant, struct samples *samples,
                   const char *reference, enum aim aim, double bound)
{
    bench_row(&(struct bench_row){situation, contestant, "ns", samples, reference, aim, bound});
}

/* ---- readers ---- */

static const uint32_t numbers[] = {0, 1, 2, 4, 8, 16, 32, 64};
#define NUMBERS (sizeof numbers / sizeof *numbers)
#define GROUP   7

static const struct framebus_writer_options roomy = {.max_slots = 256};

static void report_readers(const struct bus *buses, struct samples *samples, const char *situation,
                           bool aimed)
{
    char name[32];
    for (size_t i = 0; i < NUMBERS; i++) {
        snprintf(name, sizeof name, "%u readers", buses[i].readers);
        report(situation, name, &samples[i], i ? "0 readers" : NULL, aimed ? AIM_AT_MOST : AIM_NONE,
               PUBLISH_AIM(buses[i].readers));
    }
}

static void move(struct samples *to, struct samples *from)
{
    *to = *from;
    *from = (struct samples){0};
}

/* Some at a time: a reader has an inotify instance, of which a user gets 128. */
static void measure_awake(void)
{
    static struct bus buses[NUMBERS];
    struct samples publish[2][NUMBERS], begin[2][NUMBERS];
    for (size_t first = 0; first < NUMBERS; first += GROUP) {
        size_t count = first + GROUP < NUMBERS ? GROUP : NUMBERS - first;
        open_crowd();
        for (size_t i = first; i < first + count; i++)
            open_bus(&buses[i], DRM_FORMAT_NV12, 1920, 1080, numbers[i], &roomy);
        for (int take = 0; take < 2; take++) {
            measure(&buses[first], count, bench_count(5000, 50), take);
            for (size_t i = first; i < first + count; i++) {
                move(&publish[take][i], &buses[i].publish);
                move(&begin[take][i], &buses[i].begin);
            }
        }
        close_all(&buses[first], count);
    }
    report_readers(buses, publish[0], "publish, readers awake and busy otherwise", true);
    report_readers(buses, begin[0], "begin, readers awake and busy otherwise", false);
    report_readers(buses, publish[1], "publish, readers awake, each took the frame before", true);
    report_readers(buses, begin[1], "begin, readers awake, each took the frame before", false);
    report("next and release, frame is there", "other process", &buses[1].take, NULL, AIM_AT_MOST, TAKE_AIM);
    forget_samples(buses, NUMBERS);
}

static void *serve(void *data)
{
    struct bus *bus = data;
    while (!atomic_load(&bus->served)) {
        bench_check(framebus_writer_dispatch(bus->writer), "dispatch");
        bench_sleep(NS_PER_MS / 10);
    }
    return NULL;
}

/* Reader and writer in one thread: nothing moves from one processor's cache to another's. */
static void measure_take_hot(void)
{
    struct bus bus;
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    struct samples cost = {0};
    pthread_t thread;
    open_bus(&bus, DRM_FORMAT_NV12, 1920, 1080, 0, &roomy);
    if (pthread_create(&thread, NULL, serve, &bus))
        bench_die("pthread_create");
    bench_check(framebus_reader_open(&reader, bus.name, NULL), "reader");
    atomic_store(&bus.served, true);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < bench_count(20000, 100); i++) {
        pass(&bus, false);
        int64_t begin = now();
        frame = bench_next(reader, 0);
        framebus_reader_release(reader, frame);
        samples_add(&cost, (double)(now() - begin - clock_cost));
    }
    report("next and release, frame is there", "same thread", &cost, NULL, AIM_AT_MOST, TAKE_AIM);
    framebus_reader_close(reader);
    forget_samples(&bus, 1);
    close_all(&bus, 1);
}

/* ---- the unit: what the other processor wrote ---- */

struct ping {
    alignas(64) _Atomic uint32_t asked;
    alignas(64) _Atomic uint32_t line;
    alignas(64) _Atomic uint32_t answered;
};

/* Reads as a reader that is awake does. */
static void watch(_Atomic uint32_t *word, uint32_t value)
{
    bool alone = bench_is_alone();
    while (atomic_load(word) < value)
        if (alone)
            sched_yield();
}

static void measure_line(void)
{
    struct ping *ping = bench_share(sizeof *ping);
    struct samples cost = {0};
    pid_t other = bench_fork();
    if (!other) {
        bench_pin(READER_CPU);
        for (uint32_t i = 1;; i++) {
            watch(&ping->asked, i);
            atomic_store(&ping->line, i);
            atomic_store(&ping->answered, i);
        }
    }
    for (uint32_t i = 1; i <= bench_count(20000, 50); i++) {
        atomic_store(&ping->asked, i);
        watch(&ping->answered, i);
        int64_t begin = now();
        uint32_t seen = atomic_load(&ping->line);
        int64_t end = now();
        if (seen != i)
            bench_die("the other processor wrote %u, not %u", seen, i);
        samples_add(&cost, (double)(end - begin - clock_cost));
    }
    bench_kill(other);
    report("one cache line", "read after the other processor wrote it", &cost, NULL, AIM_NONE, 0);
    samples_clear(&cost);
}

/* ---- frame size, slots, buses, rate ---- */

static void measure_sizes(void)
{
    static const struct {
        const char *name;
        uint32_t fourcc, width, height;
    } sizes[] = {
        {"640x480 GRAY8", DRM_FORMAT_R8, 640, 480},
        {"1920x1080 NV12", DRM_FORMAT_NV12, 1920, 1080},
        {"3840x2160 NV12", DRM_FORMAT_NV12, 3840, 2160},
        {"7680x4320 P010", DRM_FORMAT_P010, 7680, 4320},
    };
    struct bus buses[4];
    open_crowd();
    for (size_t i = 0; i < 4; i++)
        open_bus(&buses[i], sizes[i].fourcc, sizes[i].width, sizes[i].height, 1, NULL);
    measure(buses, 4, bench_count(5000, 50), true);
    for (size_t i = 0; i < 4; i++)
        report("publish, by size of the frame", sizes[i].name, &buses[i].publish, i ? sizes[0].name : NULL,
               AIM_NONE, 0);
    for (size_t i = 0; i < 4; i++)
        report("begin, by size of the frame", sizes[i].name, &buses[i].begin, i ? sizes[0].name : NULL,
               AIM_NONE, 0);
    for (size_t i = 0; i < 4; i++)
        report("next and release, by size of the frame", sizes[i].name, &buses[i].take,
               i ? sizes[0].name : NULL, AIM_NONE, 0);
    close_all(buses, 4);
}

static void measure_slots(void)
{
    static const uint32_t histories[] = {4, 16, 64, 256};
    struct bus buses[4];
    open_crowd();
    for (size_t i = 0; i < 4; i++) {
        open_bus(&buses[i], DRM_FORMAT_R8, 64, 64, 1,
                 &(struct framebus_writer_options){.history = histories[i], .max_slots = 4 * histories[i]});
        for (uint32_t k = 0; k < 2 * histories[i]; k++)
            pass(&buses[i], true);
    }
    measure(buses, 4, bench_count(5000, 50), true);
    for (int part = 0; part < 2; part++)
        for (size_t i = 0; i < 4; i++) {
            char name[32], first[32];
            snprintf(name, sizeof name, "history %u", histories[i]);
            snprintf(first, sizeof first, "history %u", histories[0]);
            report(part ? "begin, by slots in use" : "publish, by slots in use", name,
                   part ? &buses[i].begin : &buses[i].publish, i ? first : NULL, AIM_NONE, 0);
        }
    forget_samples(buses, 4);
    close_all(buses, 4);
}

/* All in turn, so that each has been out of use as long as there are others. */
static void measure_buses(void)
{
    static struct bus buses[BUSES];
    open_crowd();
    for (size_t i = 0; i < BUSES; i++)
        open_bus(&buses[i], DRM_FORMAT_R8, 64, 64, 1, NULL);
    for (size_t count = 1; count <= BUSES; count *= 4) {
        struct samples all = {0};
        for (size_t k = 0; k < bench_count(10000, 3 * BUSES); k++) {
            struct bus *bus = &buses[k % count];
            pass(bus, true);
            if (k >= 2 * count)
                samples_add(&all, bus->publish.value[bus->publish.count - 1]);
        }
        char name[32];
        snprintf(name, sizeof name, "%zu buses", count);
        report("publish, by buses in the process", name, &all, count > 1 ? "1 buses" : NULL, AIM_NONE, 0);
    }
    forget_samples(buses, BUSES);
    close_all(buses, BUSES);
}

/* At a low rate the caches are cold, and each publish looks at the sockets. */
static void measure_rates(void)
{
    static const struct {
        const char *name;
        int64_t pause;
        size_t samples;
    } rates[] = {{"back to back", 0, 5000},
                 {"1000 Hz", 1000000, 1000},
                 {"240 Hz", 4166667, 500},
                 {"60 Hz", 16666667, 300}};
    struct bus bus;
    open_crowd();
    open_bus(&bus, DRM_FORMAT_NV12, 1920, 1080, 1, NULL);
    for (size_t i = 0; i < 4; i++) {
        measure(&bus, 1, 1, true);
        forget_samples(&bus, 1);
        for (size_t k = 0; k < bench_count(rates[i].samples, 20); k++) {
            if (rates[i].pause)
                bench_sleep(rates[i].pause);
            pass(&bus, true);
        }
        report("publish, one reader awake, by rate", rates[i].name, &bus.publish, i ? rates[0].name : NULL,
               AIM_NONE, 0);
    }
    forget_samples(&bus, 1);
    close_all(&bus, 1);
}

int main(int argc, char **argv)
{
    bench_open("scale", argc, argv);
    bench_pin(WRITER_CPU);
    clock_cost = bench_clock_cost();
    measure_line();
    measure_awake();
    measure_take_hot();
    measure_sizes();
    measure_slots();
    measure_buses();
    measure_rates();
    return bench_close();
}
