/* SPDX-License-Identifier: MIT */
#include "lane.h"

#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WARM_UP     30
#define LIMIT       (20 * NS_PER_S)
#define FLOOD_CLOCK 16 /* frames between two looks at the clock */

/* ---- both sides ---- */

size_t lane_frame_size(const struct lane *lane)
{
    struct framebus_format format;
    bench_check(framebus_format_init(&format, lane->fourcc, lane->width, lane->height), "format");
    return format.size;
}

void lane_is_ready(struct lane *lane)
{
    atomic_store(&lane->shared->ready, 1);
}

void lane_received(struct lane *lane, int64_t arrival, uint64_t number)
{
    struct lane_shared *s = lane->shared;
    uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed) + 1;
    if ((uint32_t)number != count)
        bench_die("%s: frame %u says that it is frame %u", lane->name, count, (uint32_t)number);
    if (arrival)
        atomic_store_explicit(&s->received, arrival, memory_order_relaxed);
    atomic_store_explicit(&s->count, count, memory_order_release);
}

/* ---- taking turns ---- */

static uint32_t received(const struct lane *lane)
{
    return atomic_load_explicit(&lane->shared->count, memory_order_acquire);
}

static void await_last(const struct lane *lane)
{
    bool alone = bench_is_alone();
    for (int64_t limit = now() + LIMIT; received(lane) != (uint32_t)lane->number;) {
        if (now() > limit)
            bench_die("%s: frame %u did not arrive", lane->name, (uint32_t)lane->number);
        if (alone)
            sched_yield();
    }
}

int64_t lane_measure(struct lane *lane)
{
    lane->number++;
    int64_t begin = now();
    lane->kind->post(lane);
    int64_t cost = now() - begin;
    await_last(lane);
    struct lane_shared *s = lane->shared;
    samples_add(&lane->samples, (double)(atomic_load(&s->received) - atomic_load(&s->sent)) / 1000);
    return cost;
}

/* One turn of each that spins, or of each that does not. */
static void take_turns(struct lane *lanes, size_t count, bool spin, bool backwards, size_t block,
                       int64_t pause)
{
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &lanes[backwards ? count - 1 - i : i];
        if ((lane->spin_ns > 0) != spin)
            continue;
        for (size_t k = 0; k < block; k++) {
            if (pause)
                bench_sleep(pause);
            lane_measure(lane);
        }
        if (spin) /* until it is asleep, and disturbs nobody */
            bench_sleep(lane->spin_ns + NS_PER_MS);
    }
}

void lanes_measure(struct lane *lanes, size_t count, size_t samples, size_t block, int64_t pause)
{
    for (size_t i = 0; i < count; i++)
        samples_clear(&lanes[i].samples);
    for (int spin = 0; spin < 2; spin++)
        for (size_t done = 0; done < samples; done += block)
            take_turns(lanes, count, spin, done / block % 2, block, pause);
}

double lane_flood(struct lane *lane, int64_t duration)
{
    atomic_store(&lane->shared->untimed, true);
    uint64_t first = lane->number;
    int64_t begin = now();
    do {
        for (int i = 0; i < FLOOD_CLOCK; i++) {
            lane->number++;
            lane->kind->post(lane);
        }
    } while (now() - begin < duration);
    await_last(lane);
    int64_t end = now();
    atomic_store(&lane->shared->untimed, false);
    return (double)(lane->number - first) * (double)NS_PER_S / (double)(end - begin);
}

static void start(struct lane *lane)
{
    lane->shared = bench_share(sizeof *lane->shared);
    if (lane->kind->prepare)
        lane->kind->prepare(lane);
    lane->reader = bench_fork();
    if (lane->reader)
        return;
    bench_pin(READER_CPU);
    lane->kind->read(lane);
    _exit(0);
}

static void await_reader(struct lane *lane)
{
    for (int64_t limit = now() + LIMIT; !atomic_load(&lane->shared->ready); bench_sleep(NS_PER_MS)) {
        if (lane->kind->serve)
            lane->kind->serve(lane);
        if (now() > limit)
            bench_die("%s: the reader is not ready", lane->name);
    }
    for (int i = 0; i < WARM_UP; i++)
        lane_measure(lane);
    samples_clear(&lane->samples);
}

void lanes_open(struct lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        start(&lanes[i]);
    bench_pin(WRITER_CPU);
    for (size_t i = 0; i < count; i++)
        if (lanes[i].kind->open)
            lanes[i].kind->open(&lanes[i]);
    for (size_t i = 0; i < count; i++)
        await_reader(&lanes[i]);
}

void lanes_close(struct lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].kind->finish)
            lanes[i].kind->finish(&lanes[i]);
        bench_kill(lanes[i].reader);
        if (lanes[i].kind->close)
            lanes[i].kind->close(&lanes[i]);
        samples_clear(&lanes[i].samples);
    }
}

/* ---- the least that the kernel can do: no frame, only the news ---- */

static void eventfd_prepare(struct lane *lane)
{
    lane->fd[0] = eventfd(0, EFD_NONBLOCK);
    if (lane->fd[0] < 0)
        bench_die("eventfd");
}

static void eventfd_wait(struct lane *lane)
{
    struct pollfd wait = {.fd = lane->fd[0], .events = POLLIN};
    eventfd_t value;
    lane_is_ready(lane);
    for (uint64_t number = 1;;) {
        if (poll(&wait, 1, -1) > 0 && !eventfd_read(lane->fd[0], &value))
            lane_received(lane, lane_arrival(lane), number++);
    }
}

static void eventfd_post(struct lane *lane)
{
    lane_sent(lane);
    eventfd_write(lane->fd[0], 1);
}

static void eventfd_close(struct lane *lane)
{
    close(lane->fd[0]);
}

const struct lane_kind lane_eventfd = {
    .prepare = eventfd_prepare,
    .read = eventfd_wait,
    .post = eventfd_post,
    .close = eventfd_close,
};

static void futex_wait(struct lane *lane)
{
    lane_is_ready(lane);
    for (uint32_t number = 0;;) {
        while (atomic_load(&lane->shared->word) == number)
            syscall(SYS_futex, &lane->shared->word, FUTEX_WAIT, number, NULL, NULL, 0);
        number++;
        lane_received(lane, lane_arrival(lane), number);
    }
}

static void futex_post(struct lane *lane)
{
    lane_sent(lane);
    atomic_fetch_add(&lane->shared->word, 1);
    syscall(SYS_futex, &lane->shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

const struct lane_kind lane_futex = {.read = futex_wait, .post = futex_post};

/* ---- framebus ---- */

void lane_bus(const struct lane *lane, char name[LANE_BUS_MAX])
{
    snprintf(name, LANE_BUS_MAX, "lane-%d", (int)(lane->reader ? lane->reader : getpid()));
}

static void framebus_read(struct lane *lane)
{
    char name[LANE_BUS_MAX];
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    const struct framebus_reader_options options = {
        .wait_ns = -1,
        .spin_ns = lane->spin_ns,
        .anticipate = lane->anticipate,
        .delivery = lane->lossless ? FRAMEBUS_DELIVERY_LOSSLESS : FRAMEBUS_DELIVERY_LIVE,
    };
    lane_bus(lane, name);
    bench_check(framebus_reader_open(&reader, name, &options), "reader");
    lane_is_ready(lane);
    for (;;) {
        frame = bench_next(reader, -1);
        int64_t arrival = lane_arrival(lane);
        lane_received(lane, arrival, *(const uint64_t *)frame->data);
        framebus_reader_release(reader, frame);
    }
}

static void framebus_open(struct lane *lane)
{
    char name[LANE_BUS_MAX];
    lane_bus(lane, name);
    lane->data = bench_writer(name, lane->fourcc, lane->width, lane->height,
                              &(struct framebus_writer_options){
                                  .lossless = lane->lossless,
                                  .lossless_timeout_ns = -1,
                                  .history = lane->lossless ? LANE_DEPTH : 0,
                              });
}

static void framebus_serve(struct lane *lane)
{
    bench_check(framebus_writer_dispatch(lane->data), "dispatch");
}

static void framebus_post(struct lane *lane)
{
    struct framebus_frame *frame;
    bench_check(framebus_writer_begin(lane->data, &frame), "begin");
    *(uint64_t *)frame->data = lane->number;
    lane_sent(lane);
    bench_check(framebus_writer_publish(lane->data, frame), "publish");
    framebus_writer_release(lane->data, frame);
}

static void framebus_close(struct lane *lane)
{
    framebus_writer_close(lane->data);
}

const struct lane_kind lane_framebus = {
    .read = framebus_read,
    .open = framebus_open,
    .serve = framebus_serve,
    .post = framebus_post,
    .close = framebus_close,
};
