/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define RETRY_NS     1000000000ll
#define STALL_NS     2000000000ll
#define STALL_FRAMES 4

int64_t source_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void fail(struct source *source)
{
    snprintf(source->problem, sizeof(source->problem), "%s", framebus_last_error());
    framebus_reader_close(source->reader);
    source->reader = NULL;
    source->fd = -1;
    source->writer_pid = 0;
    source->state = SOURCE_FAILED;
    source->retry_ns = source_now() + RETRY_NS;
}

static int attach(struct source *source)
{
    const struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LATEST,
        .quota = 1,
        .follow = true,
        .label = "framebus-view",
        .dmabuf = source->dmabuf,
    };
    int r = framebus_reader_open(&source->reader, source->name, &options);

    if (!r) {
        r = framebus_reader_fd(source->reader);
        source->fd = r;
    }
    if (r < 0) {
        fail(source);
        return r;
    }
    source->state = source->frames ? SOURCE_LOST : SOURCE_WAITING;
    return 0;
}

int source_open(struct source *source, const char *name, bool dmabuf)
{
    *source = (struct source){.name = name, .dmabuf = dmabuf, .fd = -1};
    return attach(source) == -EINVAL ? -EINVAL : 0;
}

bool source_retry(struct source *source)
{
    return source->state == SOURCE_FAILED && source_now() >= source->retry_ns && attach(source) == 0;
}

static int64_t distance(const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;

    if (format->rate_num && format->rate_den)
        return 1000000000ll * format->rate_den / format->rate_num;
    return frame->duration_ns > 0 ? frame->duration_ns : 0;
}

static void look_at_writer(struct source *source)
{
    struct framebus_reader_stats stats;

    framebus_reader_get_stats(source->reader, &stats);
    source->writers = stats.writers;
    source->writer_pid = stats.writer_pid;
    if (!stats.connected && source->state == SOURCE_LIVE)
        source->state = SOURCE_LOST;
}

int source_take(struct source *source, struct framebus_frame **frame)
{
    int r;

    if (!source->reader)
        return -EAGAIN;
    do {
        r = framebus_reader_next(source->reader, frame, 0);
        if (r == -ENODATA)
            source->state = SOURCE_ENDED;
    } while (r == -ENODATA || r == -EINTR);

    if (r == 0) {
        source->state = SOURCE_LIVE;
        source->frames++;
        source->last_frame_ns = source_now();
        source->expected_ns = distance(*frame);
        look_at_writer(source);
        return 0;
    }
    if (r == -ETIMEDOUT)
        look_at_writer(source);
    else
        fail(source);
    return -EAGAIN;
}

void source_release(struct source *source, struct framebus_frame *frame)
{
    framebus_reader_release(source->reader, frame);
}

static int64_t stall_limit(const struct source *source)
{
    int64_t frames = source->expected_ns * STALL_FRAMES;

    return frames > STALL_NS ? frames : STALL_NS;
}

int64_t source_stalled(const struct source *source)
{
    int64_t silent = source_now() - source->last_frame_ns;

    return source->state == SOURCE_LIVE && source->expected_ns && silent > stall_limit(source) ? silent : 0;
}

int64_t source_next_change(const struct source *source)
{
    int64_t due =
        source->state == SOURCE_FAILED ? source->retry_ns : source->last_frame_ns + stall_limit(source);
    int64_t now = source_now();

    if (source->state != SOURCE_FAILED && (source->state != SOURCE_LIVE || !source->expected_ns))
        return -1;
    return due > now ? due - now : source->state == SOURCE_FAILED ? 0 : -1;
}

void source_close(struct source *source)
{
    framebus_reader_close(source->reader);
    source->reader = NULL;
}
