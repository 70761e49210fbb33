/* SPDX-License-Identifier: MIT */
/* framebus send: publishes a video stream from standard input. */
#include "cli/values.h"
#include "command.h"
#include "media/feed.h"
#include "media/payload.h"
#include "media/raw.h"
#include "media/y4m.h"
#include "names.h"

#include <string.h>
#include <unistd.h>

struct send {
    struct feed_options feed;
    struct framebus_format payload; /* --caps; without caps: not given */
    const struct framebus_format_info *format;
    struct value_pair size, rate;
    uint64_t frame_bytes;
    bool raw;
};

/* Fills in what frames without heads are. Returns NULL, or what is wrong with the options. */
static const char *send_describe(const struct send *send, struct framebus_format *format)
{
    bool is_payload = send->payload.caps;
    *format = send->payload;
    if (is_payload && send->format)
        return "--caps and --format exclude each other";
    if (!is_payload && !send->format)
        return "--raw needs --format and --size, or --caps";
    if (send->format && !send->size.first)
        return "--format needs --size";
    if (send->format &&
        framebus_format_init(format, send->format->fourcc, send->size.first, send->size.second) < 0)
        return framebus_last_error();
    if (is_payload && !send->frame_bytes && strncmp(format->caps, "image/jpeg", 10) != 0)
        return "such a frame has no end of its own: use --frame-bytes, or 'gst-launch-1.0 ... ! "
               "framebussink'";
    if (!is_payload && send->frame_bytes)
        return "--frame-bytes is for payloads; the bytes of a picture follow from its format and size";
    if (send->rate.first) {
        format->rate_num = send->rate.first;
        format->rate_den = send->rate.second;
    }
    return NULL;
}

static int send_run(int argc, char **argv)
{
    static struct input input = {.fd = STDIN_FILENO};
    struct send send = {.feed = {.serve = &input.writer, .verb = "sent"}};
    struct raw_options raw = {0};
    int status;
    if (!options_read(&command_send.usage, argc, argv, &send, &status))
        return status;
    if (send.raw) {
        const char *wrong = send_describe(&send, &raw.format);
        if (wrong)
            return report_usage("%s", wrong);
        raw.frame_bytes = send.frame_bytes;
    } else if (send.payload.caps || send.format || send.size.first || send.rate.first || send.frame_bytes) {
        return report_usage("--format, --size, --rate, --caps and --frame-bytes need --raw");
    }
    if (isatty(STDIN_FILENO))
        return report_usage("standard input is a terminal; a video stream is expected there");
    send.feed.name = argv[optind];
    send.feed.interrupts = input.interrupts = stream_interrupts(0);
    struct source *source = send.raw ? raw_source_open(&input, &raw) : y4m_source_open(&input);
    if (!source)
        return STATUS_FAILED;
    status = feed_run(source, &send.feed);
    source->kind->close(source);
    return status;
}

static const char *send_parse_caps(const char *text, void *field)
{
    return payload_format(text, field);
}

static const struct option_row send_options[] = {
    {"raw", 'r', NULL, NULL, offsetof(struct send, raw),
     "bare frames; pictures without padding between rows and planes"},
    {"format", 'f', "FORMAT", format_parse, offsetof(struct send, format),
     "pixel format of the pictures: NV12, BGRx, ..., as GStreamer calls it"},
    {"size", 's', "WxH", value_size, offsetof(struct send, size), "width and height of the pictures"},
    {"rate", 0, "RATE", value_rate, offsetof(struct send, rate),
     "frames a second: 30, 30000/1001, 29.97 [as quickly as they come]"},
    {"caps", 'c', "CAPS", send_parse_caps, offsetof(struct send, payload),
     "caps of payloads that are not pictures, such as image/jpeg,framerate=25/1: JPEG files one after "
     "another, or "
     "anything with --frame-bytes"},
    {"frame-bytes", 0, "N", value_bytes, offsetof(struct send, frame_bytes), "size of each payload"},
    {"fast", 0, NULL, NULL, offsetof(struct send, feed.fast), "publish as quickly as the input comes"},
    {"lossless", 'l', NULL, NULL, offsetof(struct send, feed.lossless),
     "wait, without a time limit, for readers that ask for every frame (framebus recv --lossless)"},
    {"readers", 0, "N", value_count, offsetof(struct send, feed.readers),
     "wait for N readers before the first frame"},
    {"quiet", 'q', NULL, NULL, offsetof(struct send, feed.quiet), "print nothing at the end"},
    {0},
};

static const struct usage_term send_statuses[] = {
    {"0", "the input ended, or a signal came"},
    {"1", "it failed: the input is damaged or ends within a frame, or the bus has a writer"},
    {"2", "wrong command line"},
    {0},
};

const struct command command_send = {
    .usage =
        {
            .name = "framebus send",
            .arguments = "[OPTION]... NAME",
            .summary = "publish a YUV4MPEG2 or raw video stream from standard input",
            .text =
                "Publishes the video stream on standard input as bus NAME: YUV4MPEG2, as most video tools "
                "write it, or bare frames with --raw. Frames are published at the rate of the stream; at the "
                "end of the input the readers are told that the stream has ended.",
            .options = send_options,
            .statuses = send_statuses,
            .examples =
                "ffmpeg -i film.mp4 -f yuv4mpegpipe - | framebus send cam0\n"
                "ffmpeg -i film.mp4 -f rawvideo -pix_fmt bgra - | framebus send --raw -f BGRA -s 1280x720 "
                "--rate "
                "25 cam0\n"
                "ffmpeg -i film.mp4 -c:v mjpeg -f mjpeg - | framebus send --raw -c image/jpeg,framerate=25/1 "
                "cam0\n",
            .operand = {"the name of a bus"},
        },
    .run = send_run,
};
