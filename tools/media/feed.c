/* SPDX-License-Identifier: MIT */
/* Publishes the frames of a file or stream at the times that they are due. */
#include "media/feed.h"
#include "again.h"
#include "cli/clock.h"
#include "cli/report.h"
#include "media/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A feed that lags by more than this does not hurry to catch up: the times begin anew. */
#define LAG_MAX_NS (300 * NS_PER_MS)

struct feed {
    const struct feed_options *options;
    struct source *source;
    struct framebus_writer *writer;
    struct framebus_format *format; /* format of the writer */
    int64_t start_ns;               /* time at which the first frame since the last start was due */
    int64_t clock_ns, since;        /* time of that frame in the file; number of frames since then */
    uint64_t frames;
    bool started;
};

static int feed_report(int error)
{
    if (error == -ECANCELED)
        return -EINTR;
    report_error("%s", framebus_last_error());
    return error;
}

static int feed_wait_for_readers(struct feed *feed)
{
    uint32_t readers = 0;
    int r = 0;
    while (r == 0 && readers < feed->options->readers) {
        struct framebus_bus_info *info;
        r = stream_serve(feed->writer, feed->options->interrupts, -1, clock_now() + 5 * NS_PER_MS);
        if (r == 0 && framebus_writer_get_info(feed->writer, &info) == 0) {
            readers = info->readers;
            framebus_info_free(info, 1);
        }
    }
    return r;
}

static int feed_set_format(struct feed *feed, const struct framebus_format *format)
{
    struct framebus_writer_options options = {
        .lossless = feed->options->lossless,
        .lossless_timeout_ns = -1,
        .cancel_fd = feed->options->interrupts,
        .meta_size = FRAMEBUS_META_MAX, /* whatever the frames have */
    };
    int r;
    if (feed->format && framebus_format_equal(feed->format, format))
        return 0;
    free(feed->format);
    feed->format = format_copy(format);
    if (!feed->format)
        report_out_of_memory();
    if (feed->writer) {
        r = writer_set_format_again(feed->writer, feed->format);
        feed->since = 0; /* the rate may be another one */
        feed->started = false;
        return r < 0 ? feed_report(r) : 0;
    }
    r = framebus_writer_open(&feed->writer, feed->options->name, feed->format, &options);
    if (r < 0)
        return feed_report(r);
    if (feed->options->serve)
        *feed->options->serve = feed->writer;
    return feed_wait_for_readers(feed);
}

/* The time at which a frame is to be published; 0: at once. */
static int64_t feed_due_time(struct feed *feed, const struct framebus_frame *from)
{
    const struct framebus_format *format = from->format;
    double speed = feed->options->speed > 0 ? feed->options->speed : 1, wait;
    int64_t now = clock_now(), due;
    if (feed->options->fast || (!feed->source->timed && !format->rate_num))
        return 0;
    if (!feed->started) {
        feed->start_ns = now;
        feed->clock_ns = from->publish_ns;
        feed->since = 0;
        feed->started = true;
    }
    if (feed->source->timed)
        wait = (double)(from->publish_ns - feed->clock_ns);
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

static void feed_set_times(const struct feed *feed, const struct framebus_frame *from, int64_t due,
                           struct framebus_frame *frame)
{
    int64_t latency = from->publish_ns - from->capture_ns;
    /* A frame that was old when it was recorded is as old when it is played. */
    if (feed->source->timed && from->capture_ns > 0 && latency >= 0)
        frame->capture_ns = (due ? due : clock_now()) - latency;
    if (frame->capture_ns < 0)
        frame->capture_ns = 0;
    if (!frame->duration_ns && from->format->rate_num && from->format->fourcc)
        frame->duration_ns = NS_PER_S * from->format->rate_den / from->format->rate_num;
}

static int feed_publish(struct feed *feed, const struct saved_frame *saved, struct framebus_frame *frame)
{
    int64_t due;
    int r = feed->source->kind->read(feed->source, frame);
    if (r < 0)
        return r;
    r = saved_frame_restore(saved, frame);
    if (r < 0 && r != -EBADMSG)
        return feed_report(r);
    if (r < 0) {
        report_error("the metadata of frame %" PRIu64 " is damaged", feed->frames);
        return r;
    }
    due = feed_due_time(feed, &saved->frame);
    if (due)
        r = stream_serve(feed->writer, feed->options->interrupts, -1, due);
    if (r < 0)
        return r;
    feed_set_times(feed, &saved->frame, due, frame);
    r = framebus_writer_publish(feed->writer, frame);
    return r < 0 ? feed_report(r) : 0;
}

static int feed_pass(struct feed *feed, const struct saved_frame *saved)
{
    struct framebus_frame *frame;
    int r = feed_set_format(feed, saved->frame.format);
    if (r < 0)
        return r;
    r = writer_begin_again(feed->writer, saved->frame.size, &frame);
    if (r < 0)
        return feed_report(r);
    r = feed_publish(feed, saved, frame);
    framebus_writer_release(feed->writer, frame);
    if (r == 0)
        feed->frames++;
    /* There may be no pause for a long time: has a signal come? */
    return r == 0 ? stream_serve(NULL, feed->options->interrupts, -1, 0) : r;
}

static int feed_pass_all(struct feed *feed)
{
    uint64_t before;
    struct saved_frame saved;
    int r;
    do {
        before = feed->frames;
        while ((r = feed->source->kind->next(feed->source, &saved)) > 0) {
            r = feed_pass(feed, &saved);
            if (r < 0)
                return r;
        }
        if (r == 0 && feed->options->loop)
            r = feed->source->kind->rewind(feed->source);
        feed->started = false;
    } while (r == 0 && feed->options->loop && feed->frames > before);
    return r;
}

int feed_run(struct source *source, const struct feed_options *options)
{
    struct feed feed = {.options = options, .source = source};
    int64_t began = clock_now();
    int r = feed_pass_all(&feed);
    if (feed.writer)
        writer_end_again(feed.writer);
    if (options->serve)
        *options->serve = NULL;
    framebus_writer_close(feed.writer);
    free(feed.format);
    if (!options->quiet)
        fprintf(stderr, "%s %" PRIu64 " frames in %.1f s\n", options->verb, feed.frames,
                (double)(clock_now() - began) / 1e9);
    return r < 0 && r != -EINTR ? STATUS_FAILED : STATUS_DONE;
}
