/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "feed.h"
#include "raw.h"
#include "stream.h"
#include "y4m.h"

struct options {
    struct feed_options feed;
    const char *caps, *format;
    struct pair size, rate;
    uint64_t frame_bytes;
    bool raw;
};

static const char *describe(const struct options *options, struct framebus_format *format)
{
    const struct framebus_format_info *info;
    const char *wrong = NULL;

    if (options->caps) {
        wrong = format_from_caps(format, options->caps);
    } else {
        info = framebus_format_by_name(options->format);
        if (!info)
            wrong = options->format ? "--format is not the name of a format, such as NV12"
                                    : "--raw needs --caps, or --format and --size";
        else if (framebus_format_init(format, info->fourcc, options->size.first, options->size.second) < 0)
            wrong = "--size must be told with --format, up to 16384x16384";
    }
    if (!wrong && !format->fourcc && !options->frame_bytes && strncmp(format->caps, "image/jpeg", 10) != 0)
        wrong =
            "nothing tells where such a frame ends: --frame-bytes, or 'gst-launch-1.0 ... ! framebussink'";
    if (!wrong && format->fourcc && options->frame_bytes)
        wrong = "--frame-bytes is for payloads; the bytes of a picture follow from its format and size";
    if (!wrong && options->rate.first) {
        format->rate_num = options->rate.first;
        format->rate_den = options->rate.second;
    }
    return wrong;
}

static struct source *open_source(const struct options *options, struct input *input,
                                  const struct raw_options *raw)
{
    return options->raw ? raw_source(input, raw) : y4m_source(input);
}

static int run(const struct command *command, int argc, char **argv)
{
    static const char *const operands[] = {"the name of a bus"};
    static struct input input = {.fd = STDIN_FILENO};
    struct options options = {.feed = {.serve = &input.writer, .verb = "sent"}};
    const struct argument arguments[] = {
        {"raw", 'r', NULL, &options.raw},
        {"caps", 'c', parse_text, &options.caps},
        {"format", 'f', parse_text, &options.format},
        {"size", 's', parse_sides, &options.size},
        {"rate", 0, parse_fraction, &options.rate},
        {"frame-bytes", 0, parse_bytes, &options.frame_bytes},
        {"fast", 0, NULL, &options.feed.fast},
        {"lossless", 'l', NULL, &options.feed.lossless},
        {"readers", 0, parse_count, &options.feed.readers},
        {"quiet", 'q', NULL, &options.feed.quiet},
        {0},
    };
    struct raw_options raw = {0};
    struct source *source;
    int status;

    if (!read_arguments(command, argc, argv, arguments, operands, 1, &status))
        return status;
    if (options.raw) {
        const char *wrong = describe(&options, &raw.format);

        if (wrong)
            return usage_error(command, "%s", wrong);
        raw.frame_bytes = options.frame_bytes;
    } else if (options.caps || options.format || options.size.first || options.rate.first ||
               options.frame_bytes) {
        return usage_error(command, "what the frames are can only be told with --raw");
    }
    if (isatty(STDIN_FILENO))
        return usage_error(command, "standard input is a terminal; a video stream is expected there");
    options.feed.name = argv[optind];
    options.feed.interrupts = input.interrupts = interrupts_open(0);
    source = open_source(&options, &input, &raw);
    if (!source)
        return STATUS_FAILED;
    status = feed(source, &options.feed);
    source->kind->close(source);
    return status;
}

const struct command command_send = {
    .name = "send",
    .arguments = "[OPTION]... NAME",
    .summary = "publish a YUV4MPEG2 or raw video stream from standard input",
    .help =
        "Publishes the video stream on standard input as bus NAME: YUV4MPEG2, as most video tools write it,\n"
        "or bare frames with --raw. Frames are published at the stream's own rate; at the end of the input\n"
        "the readers are told that the stream has ended.\n"
        "\n"
        "  ffmpeg -i film.mp4 -f yuv4mpegpipe - | framebus send cam0\n"
        "  ffmpeg -i film.mp4 -f rawvideo -pix_fmt bgra - | framebus send --raw -f BGRA -s 1280x720 --rate "
        "25 cam0\n"
        "  ffmpeg -i film.mp4 -c:v mjpeg -f mjpeg - | framebus send --raw -c image/jpeg,framerate=25/1 cam0\n"
        "\n"
        "Options:\n"
        "  -r, --raw              bare frames; pictures without padding between rows and planes\n"
        "  -f, --format FORMAT    what the pictures are: NV12, BGRx, ..., as GStreamer calls it\n"
        "  -s, --size WxH         and how large\n"
        "      --rate RATE        frames a second: 30, 30000/1001, 29.97; not told: as quickly as they come\n"
        "  -c, --caps CAPS        all of it as caps: 'video/x-raw,format=NV12,width=640,height=480'; other\n"
        "                         media types are passed on as they are: image/jpeg, one file after "
        "another,\n"
        "      --frame-bytes N    or anything in pieces of N bytes\n"
        "      --fast             publish as quickly as the input comes\n"
        "  -l, --lossless         wait for readers that ask for every frame (framebus recv --lossless)\n"
        "      --readers N        wait until there are N readers before the first frame\n"
        "  -q, --quiet            say nothing at the end\n"
        "  -h, --help             show this text\n",
    .run = run,
};
