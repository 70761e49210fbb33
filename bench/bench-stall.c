/* SPDX-License-Identifier: MIT */
/*
 * What a stopped neighbour does to everybody else. Three buses, each with one honest reader and one
 * neighbour: one that runs, one that is stopped (SIGSTOP) while it sleeps, one that is stopped with
 * all the frames that it may hold. What does a frame cost the writer, begin to release, and how soon
 * does the honest reader have it? Only framebus: how others fare is told beside the GStreamer pair.
 */
#include "lane.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUOTA 2
#define BLOCK 20
#define AIM   1.15

enum {
    RUNNING,
    STOPPED,
    HOLDING,
    LANES,
};

#define FRAMES .kind = &lane_framebus, .fourcc = DRM_FORMAT_NV12, .width = 1920, .height = 1080

static struct lane lanes[LANES] = {
    [RUNNING] = {.name = "neighbour runs", FRAMES},
    [STOPPED] = {.name = "neighbour stopped", FRAMES},
    [HOLDING] = {.name = "neighbour stopped, holding frames", FRAMES},
};

static const struct {
    const char *name;
    int64_t pause;
    size_t samples;
} cadences[] = {{"60 Hz", 16666667, 600}, {"240 Hz", 4166667, 1200}, {"back to back", 0, 20000}};

static _Atomic uint32_t *attached;

static void be_neighbour(struct lane *lane, bool hold)
{
    char bus[LANE_BUS_MAX];
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    lane_bus(lane, bus);
    bench_pin(READER_CPU);
    bench_check(framebus_reader_open(&reader, bus, NULL), "reader");
    for (int i = 0; hold && i < QUOTA; i++)
        while (framebus_reader_next(reader, &frame, NS_PER_S))
            ;
    atomic_fetch_add(attached, 1);
    for (int r = 0; !r || r == -EINTR;) {
        if (hold)
            pause();
        else if (!(r = framebus_reader_next(reader, &frame, -1)))
            framebus_reader_release(reader, frame);
    }
    _exit(0); /* the writer has gone */
}

static pid_t add_neighbour(struct lane *lane, bool hold, bool stop)
{
    uint32_t before = atomic_load(attached);
    pid_t pid = bench_fork();
    if (pid == 0)
        be_neighbour(lane, hold);
    while (atomic_load(attached) == before) {
        lane->kind->serve(lane);
        lane_measure(lane);
        bench_sleep(NS_PER_MS);
    }
    bench_sleep(NS_PER_MS);
    if (stop && (kill(pid, SIGSTOP) || waitpid(pid, NULL, WUNTRACED) != pid))
        bench_die("cannot stop a reader");
    return pid;
}

static void measure(const char *cadence, int64_t pause, size_t samples)
{
    struct samples cost[LANES] = {0};
    char situation[96];
    for (int i = 0; i < LANES; i++)
        samples_clear(&lanes[i].samples);
    while (cost[0].count < samples)
        for (int i = 0; i < LANES; i++)
            for (size_t k = 0; k < bench_count(BLOCK, 2); k++) {
                if (pause)
                    bench_sleep(pause);
                samples_add(&cost[i], (double)lane_measure(&lanes[i]) / 1000);
            }
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < LANES; i++) {
            snprintf(situation, sizeof situation, "%s, %s",
                     part ? "writer's begin to release" : "honest reader's latency", cadence);
            bench_row(&(struct bench_row){
                .situation = situation,
                .contestant = lanes[i].name,
                .unit = "us",
                .samples = part ? &cost[i] : &lanes[i].samples,
                .reference = i == RUNNING ? NULL : lanes[RUNNING].name,
                .aim = i == RUNNING ? AIM_NONE : AIM_RATIO_AT_MOST,
                .bound = AIM,
            });
        }
}

int main(int argc, char **argv)
{
    pid_t neighbours[LANES];
    bench_open("stall", argc, argv);
    attached = bench_share(sizeof *attached);
    lanes_open(lanes, LANES);
    for (int i = 0; i < LANES; i++)
        neighbours[i] = add_neighbour(&lanes[i], i == HOLDING, i != RUNNING);
    for (size_t i = 0; i < sizeof cadences / sizeof *cadences; i++)
        measure(cadences[i].name, cadences[i].pause, bench_count(cadences[i].samples, 4));
    for (int i = 0; i < LANES; i++)
        bench_kill(neighbours[i]);
    lanes_close(lanes, LANES);
    return bench_close();
}
