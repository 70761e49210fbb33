/* SPDX-License-Identifier: MIT */
/*
 * How long until a sleeping reader in another process has the frame: framebus's publish -> next
 * beside the least that the kernel can do, an eventfd written in one process and polled and read in
 * the other, and a futex.
 */
#include "lane.h"

#include <drm_fourcc.h>
#include <stdio.h>

#define SPIN (50 * NS_PER_MS) /* the longest there is: longer than a period at 30 Hz */

enum {
    EVENTFD,
    FUTEX,
    VGA,
    HD,
    UHD,
    UHD2,
    SPINNING,
    LANES,
};

static struct lane lanes[LANES] = {
    [EVENTFD] = {.kind = &lane_eventfd, .name = "eventfd"},
    [FUTEX] = {.kind = &lane_futex, .name = "futex"},
    [VGA] = {&lane_framebus, "framebus 640x480 GRAY8", DRM_FORMAT_R8, 640, 480},
    [HD] = {&lane_framebus, "framebus 1920x1080 NV12", DRM_FORMAT_NV12, 1920, 1080},
    [UHD] = {&lane_framebus, "framebus 3840x2160 NV12", DRM_FORMAT_NV12, 3840, 2160},
    [UHD2] = {&lane_framebus, "framebus 7680x4320 P010", DRM_FORMAT_P010, 7680, 4320},
    [SPINNING] = {&lane_framebus, "framebus 640x480 GRAY8, spinning", DRM_FORMAT_R8, 640, 480, SPIN},
};

static const struct {
    const char *name;
    int64_t pause;
    size_t samples, block;
    double limit;
} cadences[] = {
    {"30 Hz", 33333333, 400, 20, 0},
    {"60 Hz", 16666667, 600, 20, 1.15},
    {"240 Hz", 4166667, 1200, 20, 1.15},
    {"back to back", 0, 40000, 500, 1.3},
};

static void report(const char *cadence, double limit)
{
    struct samples largest = {0}, smallest = {0};
    for (size_t i = 0; i < lanes[UHD2].samples.count; i++)
        samples_add(&largest, lanes[UHD2].samples.value[i]);
    for (size_t i = 0; i < lanes[VGA].samples.count; i++)
        samples_add(&smallest, lanes[VGA].samples.value[i]);
    for (int i = 0; i < LANES; i++) {
        bool bounded = limit > 0 && i >= VGA && i != SPINNING;
        bool spins = i == SPINNING && limit > 1.2;
        bench_row(&(struct bench_row){
            .situation = cadence,
            .contestant = lanes[i].name,
            .unit = "us",
            .samples = &lanes[i].samples,
            .reference = i == EVENTFD ? NULL : lanes[EVENTFD].name,
            .aim = bounded || spins ? AIM_RATIO_AT_MOST : AIM_NONE,
            .bound = spins ? 0.3 : limit,
        });
    }
    char situation[64];
    snprintf(situation, sizeof situation, "%s, largest against smallest", cadence);
    bench_row(&(struct bench_row){situation, lanes[VGA].name, "us", &smallest});
    bench_row(&(struct bench_row){situation, lanes[UHD2].name, "us", &largest, lanes[VGA].name,
                                  AIM_RATIO_AT_MOST, 1.05});
}

int main(int argc, char **argv)
{
    bench_open("wakeup", argc, argv);
    lanes_open(lanes, LANES);
    for (size_t i = 0; i < sizeof cadences / sizeof *cadences; i++) {
        lanes_measure(lanes, LANES, bench_count(cadences[i].samples, 2), bench_count(cadences[i].block, 2),
                      cadences[i].pause);
        report(cadences[i].name, cadences[i].limit);
    }
    lanes_close(lanes, LANES);
    return bench_close();
}
