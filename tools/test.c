/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "picture.h"
#include "values.h"

struct wishes {
    const char *format;
    uint32_t width, height, rate_num, rate_den, count;
    struct framebus_writer_options writer;
};

struct run {
    const struct command *command;
    const struct wishes *wishes;
    struct framebus_writer *writer;
    struct picture *picture;
    int interrupt;
    int64_t start;   /* when the first frame was due */
    uint32_t number; /* of the next frame */
    uint32_t late;
};

static int list_formats(void)
{
    const struct framebus_format_info *info;

    for (size_t i = 0; (info = framebus_format_at(i)); i++)
        printf("%s\n", info->name);
    return STATUS_DONE;
}

static bool parse_option(const struct command *command, int option, struct wishes *wishes, int *status)
{
    switch (option) {
    case 'f':
        wishes->format = optarg;
        return framebus_format_by_name(optarg) ||
               wrong_value(command, "format", "a name that 'framebus test --formats' lists", status);
    case 's':
        return parse_size(optarg, &wishes->width, &wishes->height) ||
               wrong_value(command, "size", "WIDTHxHEIGHT, each 1 to 16384", status);
    case 'r':
        return parse_rate(optarg, &wishes->rate_num, &wishes->rate_den) ||
               wrong_value(command, "rate", "frames a second, such as 60, 59.94 or 30000/1001; 0: no limit",
                           status);
    case 'n':
        return parse_number(optarg, 1, UINT32_MAX, &wishes->count) ||
               wrong_value(command, "count", "a number of frames", status);
    case 'm':
        return parse_memory(optarg, &wishes->writer.memory) ||
               wrong_value(command, "memory", "memfd, posix or sysv", status);
    case 'H':
        return parse_number(optarg, 1, 256, &wishes->writer.history) ||
               wrong_value(command, "history", "1 to 256 frames", status);
    case 'l':
        wishes->writer.lossless = true;
        return true;
    default:
        *status = list_formats();
        return false;
    }
}

static int describe(const struct wishes *wishes, struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_by_name(wishes->format);
    int r = framebus_format_init(format, info->fourcc, wishes->width, wishes->height);

    if (wishes->rate_num) {
        format->rate_num = wishes->rate_num;
        format->rate_den = wishes->rate_den;
    }
    /* What everybody guesses, said aloud. */
    if (info->yuv && format->height >= 720)
        format->color = (struct framebus_color){.primaries = 1, .transfer = 1, .matrix = 1, .range = 1};
    else if (info->yuv)
        format->color = (struct framebus_color){.primaries = 6, .transfer = 6, .matrix = 6, .range = 1};
    return r;
}

/* Waits until the next frame is due, and serves readers meanwhile. False: asked to end. */
static bool wait_until_due(struct run *run)
{
    const struct wishes *wishes = run->wishes;
    struct pollfd wait[] = {{.fd = framebus_writer_fd(run->writer), .events = POLLIN},
                            {.fd = run->interrupt, .events = POLLIN}};
    int64_t period, due, now = now_ns();

    if (!wishes->rate_num)
        return !is_readable(run->interrupt);
    period = NS_PER_S * wishes->rate_den / wishes->rate_num;
    due = run->start + (int64_t)((double)run->number * 1e9 * wishes->rate_den / wishes->rate_num);
    if (now > due + period) { /* too slow: what was lost is not caught up with */
        run->late++;
        run->start += now - due;
        due = now;
    }
    for (;; now = now_ns()) {
        int64_t left = due > now ? due - now : 0;
        struct timespec time = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};

        ppoll(wait, 2, &time, NULL);
        if (wait[1].revents)
            return false;
        if (wait[0].revents)
            framebus_writer_dispatch(run->writer);
        if (!left)
            return true;
    }
}

static int publish(struct run *run)
{
    struct framebus_frame *frame;
    char clock[32];
    int r = framebus_writer_begin(run->writer, &frame);

    if (r < 0)
        return r;
    format_time(clock, sizeof(clock), "%H:%M:%S");
    frame->capture_ns = now_ns();
    if (run->wishes->rate_num)
        frame->duration_ns = NS_PER_S * run->wishes->rate_den / run->wishes->rate_num;
    picture_paint(run->picture, frame, run->number, clock);
    r = framebus_writer_publish(run->writer, frame);
    framebus_writer_release(run->writer, frame);
    return r;
}

static int publish_all(struct run *run)
{
    int r = 0;

    run->start = now_ns();
    while ((!run->wishes->count || run->number < run->wishes->count) && wait_until_due(run)) {
        r = publish(run);
        if (r < 0)
            break;
        run->number++;
    }
    if (r == -ECANCELED || r == 0)
        r = framebus_writer_end(run->writer);
    return r < 0 ? call_error(run->command) : STATUS_DONE;
}

static int serve(struct run *run, const char *name, const struct framebus_format *format)
{
    char text[128];
    int status;

    if (framebus_writer_open(&run->writer, name, format, &run->wishes->writer) < 0)
        return call_error(run->command);
    fprintf(stderr, "publishing %s on %s", framebus_format_describe(format, text, sizeof(text)), name);
    fprintf(stderr, isatty(STDIN_FILENO) ? "; Ctrl-C ends\n" : "\n");
    status = publish_all(run);
    fprintf(stderr, "%u frames in %.1f s, %u of them late\n", run->number,
            (double)(now_ns() - run->start) / 1e9, run->late);
    framebus_writer_close(run->writer);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'}, {"size", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},   {"count", required_argument, NULL, 'n'},
        {"memory", required_argument, NULL, 'm'}, {"history", required_argument, NULL, 'H'},
        {"lossless", no_argument, NULL, 'l'},     {"formats", no_argument, NULL, 'F'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct wishes wishes = {.format = "NV12", .width = 1280, .height = 720, .rate_num = 30, .rate_den = 1};
    struct run state = {.command = command, .wishes = &wishes};
    struct framebus_format format;
    int option, status;

    wishes.writer.label = "framebus test";
    while ((option = next_option(command, argc, argv, "f:s:r:n:m:H:lh", options, &status)) > 0)
        if (!parse_option(command, option, &wishes, &status))
            return status;
    if (option == 0 || !check_operands(command, argc, argv, 1, 1, &status))
        return status;
    if (describe(&wishes, &format) < 0)
        return call_error(command);
    state.interrupt = catch_interrupts(0);
    if (state.interrupt < 0 || picture_create(&state.picture, &format) < 0) {
        fprintf(stderr, "framebus test: no memory for a picture of %s\n", wishes.format);
        return STATUS_FAILED;
    }
    wishes.writer.cancel_fd = state.interrupt;
    status = serve(&state, argv[optind], &format);
    picture_destroy(state.picture);
    return status;
}

const struct command command_test = {
    .name = "test",
    .arguments = "[OPTION]... NAME",
    .summary = "publish a moving test picture with number and clock",
    .help =
        "Publishes a test picture on a bus until it is interrupted: colour bars, a bar that wanders, the "
        "number\n"
        "of the frame and the time of day. The rows of black and white cells hold the number for machines:\n"
        "'framebus check' counts by it what was torn, doubled or lost on the way, also in another format.\n"
        "Pictures below 80x48 have only the wandering bar.\n"
        "\n"
        "Options:\n"
        "  -f, --format FORMAT  pixel format [NV12]\n"
        "  -s, --size WxH       of the picture in pixels [1280x720]\n"
        "  -r, --rate RATE      frames a second: 60, 59.94, 30000/1001; 0 is as many as it can [30]\n"
        "  -n, --count N        end after so many frames\n"
        "  -m, --memory KIND    memfd, posix or sysv [memfd]\n"
        "  -H, --history N      frames kept for readers that come late or lag [4]\n"
        "  -l, --lossless       wait for lossless readers\n"
        "      --formats        list the pixel formats\n"
        "  -h, --help           show this text\n"
        "\n"
        "Examples:\n"
        "  framebus test cam0\n"
        "  framebus test --format P010_10LE --size 1920x1080 --rate 59.94 --count 600 cam0\n",
    .run = run,
};
