/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arguments.h"
#include "raw.h"
#include "stream.h"
#include "y4m.h"

struct options {
    uint64_t frames;
    int64_t wait_ns;
    bool raw, convert, follow, latest, lossless, quiet;
};

/* Takes frames until there are no more. 0, or a negative errno once the reason is said. */
static int pass_all(struct framebus_reader *reader, struct sink *sink, const struct options *options,
                    uint64_t *frames)
{
    uint8_t meta[FRAMEBUS_META_MAX];
    struct framebus_frame *frame;
    struct shot shot;
    int r = 0;

    while (r == 0 && (!options->frames || *frames < options->frames)) {
        r = framebus_reader_next(reader, &frame, -1);
        if (r == -ENODATA && options->follow) {
            r = 0;
            continue;
        }
        if (r < 0)
            break;
        shot_of_frame(&shot, frame, meta);
        r = sink->kind->write(sink, &shot);
        framebus_reader_release(reader, frame);
        if (r == 0)
            ++*frames;
        else
            return r == -EINTR || r == -EPIPE ? 0 : r; /* nobody listens any more: that is how one ends it */
    }
    if (r == -ENODATA || r == -ECANCELED)
        return 0;
    if (r < 0)
        complain("%s", framebus_last_error());
    return r;
}

static int receive(const char *name, const struct options *options)
{
    int interrupts = interrupts_open(0);
    struct framebus_reader_options how = {
        .delivery = options->latest     ? FRAMEBUS_DELIVERY_LATEST
                    : options->lossless ? FRAMEBUS_DELIVERY_LOSSLESS
                                        : FRAMEBUS_DELIVERY_LIVE,
        .wait_ns = options->wait_ns,
        .follow = options->follow,
        .cancel_fd = interrupts,
    };
    struct framebus_reader_stats stats;
    struct framebus_reader *reader;
    struct sink *sink;
    uint64_t frames = 0;
    int r = framebus_reader_open(&reader, name, &how);

    if (r < 0)
        return r == -ECANCELED ? STATUS_DONE : complain("%s", framebus_last_error());
    sink = options->raw ? raw_sink(STDOUT_FILENO, interrupts)
                        : y4m_sink(STDOUT_FILENO, interrupts, options->convert);
    r = sink ? pass_all(reader, sink, options, &frames) : -ENOMEM;
    framebus_reader_get_stats(reader, &stats);
    framebus_reader_close(reader);
    if (!options->quiet)
        fprintf(stderr, "received %" PRIu64 " frames, %" PRIu64 " missed\n", frames, stats.missed);
    if (sink)
        sink->kind->close(sink);
    return r < 0 ? STATUS_FAILED : STATUS_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const char *const operands[] = {"the name of a bus"};
    struct options options = {0};
    const struct argument arguments[] = {
        {"raw", 'r', NULL, &options.raw},
        {"convert", 0, NULL, &options.convert},
        {"frames", 'n', parse_count, &options.frames},
        {"wait", 'w', parse_duration, &options.wait_ns},
        {"follow", 'F', NULL, &options.follow},
        {"latest", 0, NULL, &options.latest},
        {"lossless", 'l', NULL, &options.lossless},
        {"quiet", 'q', NULL, &options.quiet},
        {0},
    };
    int status;

    if (!read_arguments(command, argc, argv, arguments, operands, 1, &status))
        return status;
    if (options.latest && options.lossless)
        return usage_error(command, "--latest and --lossless exclude each other");
    if (options.raw && options.convert)
        return usage_error(command, "--raw passes frames on as they are: --convert has no use there");
    if (isatty(STDOUT_FILENO))
        return usage_error(command,
                           "standard output is a terminal; pipe it into a program: framebus recv %s | "
                           "ffplay -",
                           argv[optind]);
    return receive(argv[optind], &options);
}

const struct command command_recv = {
    .name = "recv",
    .arguments = "[OPTION]... NAME",
    .summary = "write a bus to standard output as YUV4MPEG2 or raw frames",
    .help =
        "Writes the frames of bus NAME to standard output: as YUV4MPEG2, which most video tools read, or as\n"
        "bare frames with --raw. YUV pictures of every arrangement are put into planes without touching a\n"
        "value. It ends when the stream does, or when nobody reads the output any more. How many frames "
        "were\n"
        "missed, because the reader of the output was too slow, is said at the end.\n"
        "\n"
        "  framebus recv cam0 | ffplay -\n"
        "  framebus recv --frames 100 cam0 | ffmpeg -i - out.mp4\n"
        "  framebus recv --raw cam0 > frames\n"
        "\n"
        "Options:\n"
        "  -r, --raw            bare frames: pictures without padding, payloads (JPEG, ...) as they are\n"
        "      --convert        RGB and whatever else YUV4MPEG2 cannot hold becomes 8-bit 4:4:4 YUV\n"
        "  -n, --frames N       end after N frames\n"
        "  -w, --wait TIME      wait so long for a writer to appear (10s, 500ms)\n"
        "  -F, --follow         do not end with the stream: wait for the next writer of that name\n"
        "      --latest         only the newest frame each time\n"
        "  -l, --lossless       every frame; the writer waits, if it is a lossless one\n"
        "  -q, --quiet          say nothing at the end\n"
        "  -h, --help           show this text\n",
    .run = run,
};
