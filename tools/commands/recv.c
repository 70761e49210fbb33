/* SPDX-License-Identifier: MIT */
/* framebus recv: writes a bus to standard output. */
#include "again.h"
#include "cli/values.h"
#include "command.h"
#include "media/raw.h"
#include "media/y4m.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

struct recv {
    uint64_t frames; /* 0: no end */
    int64_t wait_ns;
    bool raw, convert, follow, latest, lossless, quiet;
};

/* Writes frames until there are no more. 0, or a negative errno once the reason is reported. */
static int recv_pass_all(const struct recv *recv, struct framebus_reader *reader, struct sink *sink,
                         uint64_t *frames)
{
    while (!recv->frames || *frames < recv->frames) {
        struct framebus_frame *frame;
        int r = reader_next_again(reader, &frame, -1);
        if (r == -ENODATA && recv->follow)
            continue;
        if (r == -ENODATA || r == -ECANCELED)
            return 0;
        if (r < 0) {
            report_error("%s", framebus_last_error());
            return r;
        }
        r = sink->kind->write(sink, &(struct saved_frame){.frame = *frame});
        framebus_reader_release(reader, frame);
        if (r == -EINTR || r == -EPIPE) /* nobody reads the output any more: the usual end */
            return 0;
        if (r < 0)
            return r;
        ++*frames;
    }
    return 0;
}

static int recv_bus(const struct recv *recv, const char *name)
{
    int interrupts = stream_interrupts(0);
    struct framebus_reader_options options = {
        .delivery = recv->latest     ? FRAMEBUS_DELIVERY_LATEST
                    : recv->lossless ? FRAMEBUS_DELIVERY_LOSSLESS
                                     : FRAMEBUS_DELIVERY_LIVE,
        .wait_ns = recv->wait_ns,
        .follow = recv->follow,
        .cancel_fd = interrupts,
    };
    struct framebus_reader *reader;
    int r = reader_open_again(&reader, name, options);
    if (r < 0)
        return r == -ECANCELED ? STATUS_DONE : report_error("%s", framebus_last_error());

    struct sink *sink = recv->raw ? raw_sink_open(STDOUT_FILENO, interrupts)
                                  : y4m_sink_open(STDOUT_FILENO, interrupts, recv->convert);
    struct framebus_reader_stats stats;
    uint64_t frames = 0;
    r = recv_pass_all(recv, reader, sink, &frames);
    framebus_reader_get_stats(reader, &stats);
    framebus_reader_close(reader);
    if (!recv->quiet)
        fprintf(stderr, "received %" PRIu64 " frames, %" PRIu64 " missed\n", frames, stats.missed);
    sink->kind->close(sink);
    return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

static int recv_run(int argc, char **argv)
{
    struct recv recv = {0};
    int status;
    if (!options_read(&command_recv.usage, argc, argv, &recv, &status))
        return status;
    if (recv.latest && recv.lossless)
        return report_usage("--latest and --lossless exclude each other");
    if (recv.raw && recv.convert)
        return report_usage("--raw passes frames on as they are: --convert has no use there");
    if (isatty(STDOUT_FILENO))
        return report_usage(
            "standard output is a terminal; pipe it into a program: framebus recv %s | ffplay -",
            argv[optind]);
    return recv_bus(&recv, argv[optind]);
}

static const struct option_row recv_options[] = {
    {"raw", 'r', NULL, NULL, offsetof(struct recv, raw),
     "bare frames: pictures without padding, payloads (JPEG, ...) as they are"},
    {"convert", 0, NULL, NULL, offsetof(struct recv, convert),
     "make 8-bit 4:4:4 YUV of RGB and whatever else YUV4MPEG2 cannot hold"},
    {"frames", 'n', "N", value_count, offsetof(struct recv, frames), "end after N frames"},
    {"wait", 'w', "TIME", value_duration, offsetof(struct recv, wait_ns),
     "wait at most TIME for a writer (10s, 500ms) [do not wait]"},
    {"follow", 'F', NULL, NULL, offsetof(struct recv, follow),
     "do not end with the stream: wait for the next writer of that name"},
    {"latest", 0, NULL, NULL, offsetof(struct recv, latest), "only the newest frame each time"},
    {"lossless", 'l', NULL, NULL, offsetof(struct recv, lossless),
     "every frame: the writer waits, if it is a lossless one"},
    {"quiet", 'q', NULL, NULL, offsetof(struct recv, quiet), "print nothing at the end"},
    {0},
};

static const struct usage_term recv_statuses[] = {
    {"0", "the stream ended, a signal came, or nobody reads the output any more"},
    {"1", "it failed: no bus, the writer died, or the format changed in a stream that cannot say so"},
    {"2", "wrong command line"},
    {0},
};

const struct command command_recv = {
    .usage =
        {
            .name = "framebus recv",
            .arguments = "[OPTION]... NAME",
            .summary = "write a bus to standard output as YUV4MPEG2 or raw frames",
            .text =
                "Writes the frames of bus NAME to standard output: as YUV4MPEG2, which most video tools "
                "read, or "
                "as bare frames with --raw. YUV pictures of every arrangement are put into planes without "
                "touching a value. It ends when the stream does, or when nobody reads the output any more, "
                "and "
                "says how many frames were missed because the reader of the output was too slow.",
            .options = recv_options,
            .statuses = recv_statuses,
            .examples = "framebus recv cam0 | ffplay -\n"
                        "framebus recv --frames 100 cam0 | ffmpeg -i - out.mp4\n"
                        "framebus recv --raw cam0 > frames\n",
            .operand = {"the name of a bus"},
        },
    .run = recv_run,
};
