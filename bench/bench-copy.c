/* SPDX-License-Identifier: MIT */
/*
 * The copy that is left when a frame comes in imported memory: into a slot, by memcpy() of the whole, row by
 * row, with stores that pass the caches by, and by two threads; and how long reading the frame takes
 * afterwards.
 */
#include "bench.h"

#include <drm_fourcc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ROW     4096 /* bytes */
#define PADDING 64

struct job {
    uint8_t *to;
    const uint8_t *from;
    size_t size;
};

static void copy_whole(const struct job *job)
{
    memcpy(job->to, job->from, job->size);
}

static void copy_rows(const struct job *job)
{
    for (size_t at = 0; at < job->size; at += ROW)
        memcpy(job->to + at, job->from + at, job->size - at < ROW ? job->size - at : ROW);
}

/* The source's rows are further apart. */
static void copy_padded_rows(const struct job *job)
{
    const uint8_t *from = job->from;
    for (size_t at = 0; at < job->size; at += ROW, from += ROW + PADDING)
        memcpy(job->to + at, from, job->size - at < ROW ? job->size - at : ROW);
}

#ifdef __SSE2__
static void copy_past_caches(const struct job *job)
{
    const __m128i *from = (const __m128i *)job->from;
    __m128i *to = (__m128i *)job->to;
    for (size_t i = 0; i < job->size / sizeof *to; i++)
        _mm_stream_si128(to + i, _mm_loadu_si128(from + i));
    _mm_sfence();
}
#endif

/* ---- two threads ---- */

static struct {
    struct job job;
    pthread_barrier_t begin, end;
    bool stop;
} half;

static void *help(void *unused)
{
    bench_pin(READER_CPU);
    for (;;) {
        pthread_barrier_wait(&half.begin);
        if (half.stop)
            return unused;
        copy_whole(&half.job);
        pthread_barrier_wait(&half.end);
    }
}

static void copy_by_two(const struct job *job)
{
    const size_t first = job->size / 2;
    half.job = (struct job){job->to + first, job->from + first, job->size - first};
    pthread_barrier_wait(&half.begin);
    copy_whole(&(struct job){job->to, job->from, first});
    pthread_barrier_wait(&half.end);
}

/* ---- */

static const struct {
    const char *name;
    void (*copy)(const struct job *);
} ways[] = {
    {"memcpy", copy_whole},
    {"memcpy of rows", copy_rows},
    {"memcpy of padded rows", copy_padded_rows},
#ifdef __SSE2__
    {"stores past the caches", copy_past_caches},
#endif
    {"two threads", copy_by_two},
};
#define WAYS (sizeof ways / sizeof *ways)

static const struct {
    const char *name;
    uint32_t fourcc, width, height;
} frames[] = {
    {"640x480 GRAY8", DRM_FORMAT_R8, 640, 480},
    {"1920x1080 NV12", DRM_FORMAT_NV12, 1920, 1080},
    {"3840x2160 NV12", DRM_FORMAT_NV12, 3840, 2160},
};

static uint64_t sum; /* of what was read, so that it has to be */

static void look_at(const struct job *job)
{
    for (size_t at = 0; at < job->size; at += 64)
        sum += job->to[at];
}

static void measure(size_t which, const uint8_t *from, struct samples copying[WAYS],
                    struct samples reading[WAYS])
{
    struct framebus_writer *w =
        bench_writer("copy", frames[which].fourcc, frames[which].width, frames[which].height, NULL);
    for (size_t i = 0; i < bench_count(200, 4); i++)
        for (size_t way = 0; way < WAYS; way++) {
            struct framebus_frame *frame;
            bench_check(framebus_writer_begin(w, &frame), "begin");
            const struct job job = {frame->data, from, frame->size};
            int64_t begun = now();
            ways[way].copy(&job);
            int64_t copied = now();
            look_at(&job);
            int64_t read = now();
            samples_add(&copying[way], (double)(copied - begun) / 1000);
            samples_add(&reading[way], (double)(read - copied) / 1000);
            bench_check(framebus_writer_publish(w, frame), "publish");
            framebus_writer_release(w, frame);
        }
    framebus_writer_close(w);
}

static void report(const char *figure, const char *of, struct samples samples[WAYS])
{
    char situation[96];
    snprintf(situation, sizeof situation, "%s, %s", of, figure);
    for (size_t way = 0; way < WAYS; way++)
        bench_row(&(struct bench_row){
            .situation = situation,
            .contestant = ways[way].name,
            .unit = "us",
            .samples = &samples[way],
            .reference = way ? ways[0].name : NULL,
        });
}

int main(int argc, char **argv)
{
    bench_open("copy", argc, argv);
    bench_pin(WRITER_CPU);
    const size_t most = 2 * 3840 * 2160;
    uint8_t *from = malloc(most);
    pthread_t helper;
    if (!from || pthread_barrier_init(&half.begin, NULL, 2) || pthread_barrier_init(&half.end, NULL, 2) ||
        pthread_create(&helper, NULL, help, NULL))
        bench_die("no memory or threads");
    memset(from, 0x80, most);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct samples copying[WAYS] = {0}, reading[WAYS] = {0};
        measure(i, from, copying, reading);
        report("copy", frames[i].name, copying);
        report("reading afterwards", frames[i].name, reading);
    }
    half.stop = true;
    pthread_barrier_wait(&half.begin);
    pthread_join(helper, NULL);
    free(from);
    return bench_close();
}
