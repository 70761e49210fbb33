/* SPDX-License-Identifier: MIT */
#include "source.h"
#include "cli/clock.h"

#include <errno.h>
#include <stdio.h>

#define RETRY_NS     NS_PER_S
#define STALL_NS     (2 * NS_PER_S)
#define STALL_FRAMES 4

static void source_fail(struct source *source)
{
    snprintf(source->problem, sizeof source->problem, "%s", framebus_last_error());
    framebus_reader_close(source->reader);
    source->reader = NULL;
    source->fd = -1;
    source->has_writer = false;
    source->state = SOURCE_FAILED;
    source->retry_ns = clock_now() + RETRY_NS;
}

static int source_attach(struct source *source)
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
        source_fail(source);
        return r;
    }
    source->state = source->frames ? SOURCE_LOST : SOURCE_WAITING;
    return 0;
}

int source_open(struct source *source, const char *name, bool dmabuf)
{
    *source = (struct source){.name = name, .dmabuf = dmabuf, .fd = -1};
    return source_attach(source) == -EINVAL ? -EINVAL : 0;
}

bool source_retry(struct source *source)
{
    return source->state == SOURCE_FAILED && clock_now() >= source->retry_ns && source_attach(source) == 0;
}

static int64_t frame_interval(const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    if (format->rate_num && format->rate_den)
        return NS_PER_S * format->rate_den / format->rate_num;
    return frame->duration_ns > 0 ? frame->duration_ns : 0;
}

static void source_check_writer(struct source *source)
{
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(source->reader, &stats);
    source->writers = stats.writers;
    source->has_writer = stats.has_writer;
    source->writer_pid = stats.writer_pid;
    if (!stats.connected && source->state == SOURCE_LIVE)
        source->state = SOURCE_LOST;
}

int source_next(struct source *source, struct framebus_frame **frame)
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
        source->last_frame_ns = clock_now();
        source->expected_ns = frame_interval(*frame);
        source_check_writer(source);
        return 0;
    }
    if (r == -ETIMEDOUT)
        source_check_writer(source);
    else
        source_fail(source);
    return -EAGAIN;
}

void source_release(struct source *source, struct framebus_frame *frame)
{
    framebus_reader_release(source->reader, frame);
}

static int64_t source_stall_limit(const struct source *source)
{
    int64_t frames = source->expected_ns * STALL_FRAMES;
    return frames > STALL_NS ? frames : STALL_NS;
}

int64_t source_stalled(const struct source *source)
{
    int64_t silent = clock_now() - source->last_frame_ns;
    return source->state == SOURCE_LIVE && source->expected_ns && silent > source_stall_limit(source) ? silent
                                                                                                      : 0;
}

int64_t source_next_change(const struct source *source)
{
    int64_t due = source->state == SOURCE_FAILED ? source->retry_ns
                                                 : source->last_frame_ns + source_stall_limit(source);
    int64_t now = clock_now();
    if (source->state != SOURCE_FAILED && (source->state != SOURCE_LIVE || !source->expected_ns))
        return -1;
    return due > now ? due - now : source->state == SOURCE_FAILED ? 0 : -1;
}

void source_close(struct source *source)
{
    framebus_reader_close(source->reader);
    source->reader = NULL;
}
