/* SPDX-License-Identifier: MIT */
/*
 * framebus beside other ways to pass a frame from process to process, in place or as bytes, all of
 * them lossless: latency, processor time, and how many frames a second really get across (the
 * writer numbers each frame in its first bytes, and the reader looks).
 */
#include "lane-peers.h"

#include <drm_fourcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define SPIN   (20 * NS_PER_MS)
#define PERIOD 16666667
#define BLOCK  20

#define FRAMES .fourcc = DRM_FORMAT_NV12, .width = 1920, .height = 1080, .lossless = true

enum {
    FRAMEBUS,
    SPINNING,
    PIPE,
    SOCKET,
    FDS,
#ifdef HAVE_ICEORYX
    ICEORYX,
    POLLING,
#endif
    LANES,
};

static struct lane lanes[] = {
    [FRAMEBUS] = {.kind = &lane_framebus, .name = "framebus", FRAMES},
    [SPINNING] = {.kind = &lane_framebus, .name = "framebus, spinning", FRAMES, .spin_ns = SPIN},
    [PIPE] = {.kind = &lane_pipe, .name = "pipe, the bytes", FRAMES},
    [SOCKET] = {.kind = &lane_socket, .name = "unix socket, the bytes", FRAMES},
    [FDS] = {.kind = &lane_fds, .name = "unix socket, an fd a frame", FRAMES},
#ifdef HAVE_ICEORYX
    [ICEORYX] = {.kind = &lane_iceoryx, .name = "iceoryx", FRAMES},
    [POLLING] = {.kind = &lane_iceoryx, .name = "iceoryx, polling", FRAMES, .spin_ns = SPIN},
#endif
};

static size_t count = LANES;

static void report(const char *situation, const char *unit)
{
    for (size_t i = 0; i < count; i++)
        bench_row(&(struct bench_row){
            .situation = situation,
            .contestant = lanes[i].name,
            .unit = unit,
            .samples = &lanes[i].samples,
            .reference = i == FRAMEBUS ? NULL : lanes[FRAMEBUS].name,
        });
}

static void measure_latency(void)
{
    lanes_measure(lanes, count, bench_count(600, 2), bench_count(BLOCK, 2), PERIOD);
    report("latency at 60 Hz, 1080p NV12", "us");
    lanes_measure(lanes, count, bench_count(4000, 4), bench_count(BLOCK, 4), 0);
    report("latency back to back, 1080p NV12", "us");
}

/* Processor time of both sides, a frame; each block of frames is one sample. */
static void measure_cpu(struct lane *lane, struct samples *writer, struct samples *reader, size_t frames)
{
    clockid_t clock;
    if (clock_getcpuclockid(lane->reader, &clock))
        bench_die("no clock of the reader");
    int64_t reader_before = clock_of(clock), spent = 0;
    for (size_t i = 0; i < frames; i++) {
        bench_sleep(PERIOD);
        lane->number++;
        int64_t before = clock_of(CLOCK_THREAD_CPUTIME_ID);
        lane->kind->post(lane);
        spent += clock_of(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    bench_sleep(PERIOD);
    samples_add(writer, (double)spent / 1000 / (double)frames);
    samples_add(reader, (double)(clock_of(clock) - reader_before) / 1000 / (double)frames);
}

static void report_cpu(void)
{
    struct samples writer[LANES] = {0}, reader[LANES] = {0};
    for (size_t round = 0; round < bench_count(10, 1); round++)
        for (size_t i = 0; i < count; i++)
            if (!lanes[i].spin_ns) /* spends all there is */
                measure_cpu(&lanes[i], &writer[i], &reader[i], bench_count(BLOCK, 2));
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < count; i++)
            if (!lanes[i].spin_ns)
                bench_row(&(struct bench_row){
                    .situation = side ? "processor time a frame, reader, 60 Hz"
                                      : "processor time a frame, writer, 60 Hz",
                    .contestant = lanes[i].name,
                    .unit = "us",
                    .samples = side ? &reader[i] : &writer[i],
                    .reference = i == FRAMEBUS ? NULL : lanes[FRAMEBUS].name,
                });
}

/* Each aim has its own reference. */
static void report_rates(const char *situation, struct samples *rates, size_t reference, double aim)
{
    for (size_t k = 0; k < count; k++) {
        size_t i = (reference + k) % count; /* the reference first */
        struct samples copy = {0};
        for (size_t n = 0; n < rates[i].count; n++)
            samples_add(&copy, rates[i].value[n]);
        bench_row(&(struct bench_row){
            .situation = situation,
            .contestant = lanes[i].name,
            .unit = "1/s",
            .samples = &copy,
            .reference = i == reference ? NULL : lanes[reference].name,
            .aim = i == FRAMEBUS ? AIM_RATIO_AT_LEAST : AIM_NONE,
            .bound = aim,
        });
    }
}

static void measure_rates(void)
{
    struct samples rates[LANES] = {0};
    for (size_t round = 0; round < bench_count(15, 1); round++)
        for (size_t i = 0; i < count; i++) {
            samples_add(&rates[i], lane_flood(&lanes[i], (int64_t)bench_count(100, 5) * NS_PER_MS));
            if (lanes[i].spin_ns)
                bench_sleep(lanes[i].spin_ns + NS_PER_MS);
        }
    report_rates("hand-overs a second, against fds", rates, FDS, 20);
#ifdef HAVE_ICEORYX
    if (count == LANES) {
        report_rates("hand-overs a second, against iceoryx", rates, ICEORYX, 2);
        report_rates("hand-overs a second, against iceoryx polling", rates, POLLING, 2);
    }
#endif
    for (size_t i = 0; i < count; i++)
        samples_clear(&rates[i]);
}

static int measure(void)
{
    lanes_open(lanes, count);
    measure_latency();
    report_cpu();
    measure_rates();
    lanes_close(lanes, count);
    return bench_close();
}

int main(int argc, char **argv)
{
    bench_open("peers", argc, argv);
#ifdef HAVE_ICEORYX
    if (roudi_start(lane_frame_size(&lanes[ICEORYX]))) {
        /* The daemon ends its clients when it ends, and takes it ill if they go without a word. */
        pid_t child = bench_fork();
        if (child == 0)
            exit(measure());
        int status;
        waitpid(child, &status, 0);
        roudi_stop();
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    fprintf(stderr, "bench-peers: iox-roudi does not start: going on without iceoryx\n");
    count = ICEORYX;
#endif
    return measure();
}
