/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arguments.h"
#include "clock.h"
#include "stream.h"

/* Who lags by more than this does not hurry to catch up: the times begin anew. */
#define LAG_MAX_NS INT64_C(300000000)

struct feed {
    const struct feed_options *options;
    struct source *source;
    struct framebus_writer *writer;
    struct framebus_format *format; /* the writer's */
    int64_t start_ns;               /* when the frame was due that the clock below began with */
    int64_t clock_ns, since;        /* file time, or frames, since then */
    uint64_t frames;
    bool started;
};

static int library_failed(int error)
{
    if (error == -ECANCELED)
        return -EINTR;
    complain("%s", framebus_last_error());
    return error;
}

static int wait_for_readers(struct feed *feed)
{
    uint32_t readers = 0;
    int r = 0;

    while (r == 0 && readers < feed->options->readers) {
        struct framebus_bus_info *info;

        r = serve_until(feed->writer, feed->options->interrupts, -1, now_ns() + 5000000);
        if (r == 0 && framebus_writer_get_info(feed->writer, &info) == 0) {
            readers = info->readers;
            framebus_info_free(info, 1);
        }
    }
    return r;
}

static int take_format(struct feed *feed, const struct framebus_format *format)
{
    struct framebus_writer_options options = {
        .lossless = feed->options->lossless,
        .lossless_timeout_ns = -1,
        .cancel_fd = feed->options->interrupts,
    };
    int r;

    if (feed->format && framebus_format_equal(feed->format, format))
        return 0;
    free(feed->format);
    feed->format = format_copy(format);
    if (!feed->format)
        return complain("out of memory"), -ENOMEM;
    if (feed->writer) {
        r = framebus_writer_set_format(feed->writer, feed->format);
        feed->since = 0; /* the rate may be another one */
        feed->started = false;
        return r < 0 ? library_failed(r) : 0;
    }
    r = framebus_writer_open(&feed->writer, feed->options->name, feed->format, &options);
    if (r < 0)
        return library_failed(r);
    if (feed->options->serve)
        *feed->options->serve = feed->writer;
    return wait_for_readers(feed);
}

/* When a frame is to be published; 0: at once. */
static int64_t due_time(struct feed *feed, const struct shot *shot)
{
    const struct framebus_format *format = shot->format;
    double speed = feed->options->speed > 0 ? feed->options->speed : 1, wait;
    int64_t now = now_ns(), due;

    if (feed->options->fast || (!feed->source->timed && !format->rate_num))
        return 0;
    if (!feed->started) {
        feed->start_ns = now;
        feed->clock_ns = shot->publish_ns;
        feed->since = 0;
        feed->started = true;
    }
    if (feed->source->timed)
        wait = (double)(shot->publish_ns - feed->clock_ns);
    else
        wait = (double)feed->since++ * 1e9 * format->rate_den / format->rate_num;
    wait /= speed;
    due = wait >= 0 && wait < 1e17 ? feed->start_ns + (int64_t)wait : now;
    if (due + LAG_MAX_NS < now || wait < 0 || wait >= 1e17) {
        feed->started = false;
        return now;
    }
    return due;
}

static void set_times(const struct feed *feed, const struct shot *shot, int64_t due,
                      struct framebus_frame *frame)
{
    int64_t latency = shot->publish_ns - shot->capture_ns;

    /* What was old when it was recorded is as old when it is played. */
    if (feed->source->timed && shot->capture_ns > 0 && latency >= 0)
        frame->capture_ns = (due ? due : now_ns()) - latency;
    if (frame->capture_ns < 0)
        frame->capture_ns = 0;
    if (!frame->duration_ns && shot->format->rate_num && shot->format->fourcc)
        frame->duration_ns = INT64_C(1000000000) * shot->format->rate_den / shot->format->rate_num;
}

static int publish(struct feed *feed, const struct shot *shot, struct framebus_frame *frame)
{
    int64_t due;
    int r = feed->source->kind->read(feed->source, frame);

    if (r < 0)
        return r;
    r = shot_to_frame(shot, frame);
    if (r < 0) {
        complain("the metadata of frame %" PRIu64 " is damaged", feed->frames);
        return r;
    }
    due = due_time(feed, shot);
    if (due)
        r = serve_until(feed->writer, feed->options->interrupts, -1, due);
    if (r < 0)
        return r;
    set_times(feed, shot, due, frame);
    r = framebus_writer_publish(feed->writer, frame);
    return r < 0 ? library_failed(r) : 0;
}

static int pass_one(struct feed *feed, const struct shot *shot)
{
    struct framebus_frame *frame;
    int r = take_format(feed, shot->format);

    if (r < 0)
        return r;
    r = framebus_writer_begin_size(feed->writer, shot->size, &frame);
    if (r < 0)
        return library_failed(r);
    r = publish(feed, shot, frame);
    framebus_writer_release(feed->writer, frame);
    if (r == 0)
        feed->frames++;
    /* Without pauses for a while: has a signal come? */
    return r == 0 ? serve_until(NULL, feed->options->interrupts, -1, 0) : r;
}

static int pass_all(struct feed *feed)
{
    uint64_t before;
    struct shot shot;
    int r;

    do {
        before = feed->frames;
        while ((r = feed->source->kind->next(feed->source, &shot)) > 0) {
            r = pass_one(feed, &shot);
            if (r < 0)
                return r;
        }
        if (r == 0 && feed->options->loop)
            r = feed->source->kind->rewind(feed->source);
        feed->started = false;
    } while (r == 0 && feed->options->loop && feed->frames > before);
    return r;
}

int feed(struct source *source, const struct feed_options *options)
{
    struct feed feed = {.options = options, .source = source};
    int64_t began = now_ns();
    int r = pass_all(&feed);

    if (feed.writer)
        framebus_writer_end(feed.writer);
    if (options->serve)
        *options->serve = NULL;
    framebus_writer_close(feed.writer);
    free(feed.format);
    if (!options->quiet)
        fprintf(stderr, "%s %" PRIu64 " frames in %.1f s\n", options->verb, feed.frames,
                (double)(now_ns() - began) / 1e9);
    return r < 0 && r != -EINTR ? STATUS_FAILED : STATUS_DONE;
}
