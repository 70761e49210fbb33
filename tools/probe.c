/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include "cli/clock.h"
#include "cli/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CALLERS 3 /* file descriptors of the caller of probes_run() */

struct probe *probes_find(struct probes *probes, const char *name)
{
    for (size_t i = 0; i < probes->count; i++)
        if (strcmp(probes->probe[i].name, name) == 0)
            return &probes->probe[i];
    return NULL;
}

/* Measures the frames that are there. False: the writer has gone. */
static bool probe_drain(struct probe *probe)
{
    struct framebus_frame *frame;
    int r;
    while ((r = framebus_reader_next(probe->reader, &frame, 0)) == 0 || r == -ENODATA) {
        if (r)
            continue;
        spread_add(&probe->ages, clock_now() - frame->capture_ns);
        probe->frames++;
        probe->bytes += frame->size;
        framebus_reader_release(probe->reader, frame);
    }
    return r == -ETIMEDOUT;
}

static void probes_add(struct probes *probes, const char *name)
{
    static const struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LATEST, .quota = 1, .label = "framebus top"};
    struct framebus_reader *reader;
    /* One that is full, or goes away just now, is tried again at the next listing. */
    if (framebus_reader_open(&reader, name, &options) < 0)
        return;
    probes->probe = realloc(probes->probe, (probes->count + 1) * sizeof *probes->probe);
    probes->wait = realloc(probes->wait, (probes->count + 1 + CALLERS) * sizeof *probes->wait);
    if (!probes->probe || !probes->wait)
        report_out_of_memory();
    struct probe *probe = &probes->probe[probes->count++];
    *probe = (struct probe){.reader = reader, .wanted = true};
    strcpy(probe->name, name);
    probe_drain(probe); /* the file descriptor becomes readable for what comes after that */
}

static void probes_remove(struct probes *probes, size_t at)
{
    framebus_reader_close(probes->probe[at].reader);
    spread_finish(&probes->probe[at].ages);
    probes->probe[at] = probes->probe[--probes->count];
}

void probes_follow(struct probes *probes, const struct framebus_bus_info *bus, size_t count)
{
    for (size_t i = 0; i < probes->count; i++)
        probes->probe[i].wanted = false;
    for (size_t i = 0; i < count; i++) {
        struct probe *probe = probes_find(probes, bus[i].name);
        if (probe)
            probe->wanted = bus[i].state != FRAMEBUS_BUS_STALE;
        else if (bus[i].state == FRAMEBUS_BUS_LIVE)
            probes_add(probes, bus[i].name);
    }
    for (size_t i = probes->count; i--;)
        if (!probes->probe[i].wanted)
            probes_remove(probes, i);
}

void probes_run(struct probes *probes, const int fd[3], int64_t end_ns)
{
    struct pollfd own[CALLERS], *wait = probes->wait ? probes->wait : own;
    int64_t left;
    while ((left = end_ns - clock_now()) > 0) {
        struct timespec time = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
        for (size_t i = 0; i < CALLERS; i++)
            wait[i] = (struct pollfd){.fd = fd[i], .events = POLLIN};
        for (size_t i = 0; i < probes->count; i++)
            wait[CALLERS + i] =
                (struct pollfd){.fd = framebus_reader_fd(probes->probe[i].reader), .events = POLLIN};
        if (ppoll(wait, CALLERS + probes->count, &time, NULL) < 0 || wait[0].revents || wait[1].revents ||
            wait[2].revents)
            return;
        for (size_t i = probes->count; i--;) /* backwards: the last one takes the place of one that goes */
            if (wait[CALLERS + i].revents && !probe_drain(&probes->probe[i]))
                probes_remove(probes, i);
    }
}

void probes_clear(struct probes *probes)
{
    for (size_t i = 0; i < probes->count; i++) {
        spread_clear(&probes->probe[i].ages);
        probes->probe[i].frames = probes->probe[i].bytes = 0;
    }
}

void probes_finish(struct probes *probes)
{
    while (probes->count)
        probes_remove(probes, probes->count - 1);
    free(probes->probe);
    free(probes->wait);
    *probes = (struct probes){0};
}
