/* SPDX-License-Identifier: MIT */
/* framebus test: publishes a moving test picture. */
#include "again.h"
#include "cli/clock.h"
#include "cli/values.h"
#include "command.h"
#include "interrupts.h"
#include "names.h"
#include "pixels/testpicture.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct test_settings {
    const struct framebus_format_info *format;
    struct value_pair size, rate; /* rate 0: no limit */
    uint64_t count;               /* 0: no end */
    struct framebus_writer_options writer;
};

struct test {
    const struct test_settings *settings;
    struct framebus_writer *writer;
    struct testpicture *picture;
    int interrupts;
    int64_t start_ns; /* time at which the first frame was due */
    uint32_t number;  /* of the next frame */
    uint32_t late;
};

static int test_describe(const struct test_settings *settings, struct framebus_format *format)
{
    const struct framebus_format_info *info = settings->format;
    int r = framebus_format_init(format, info->fourcc, settings->size.first, settings->size.second);
    if (settings->rate.first) {
        format->rate_num = settings->rate.first;
        format->rate_den = settings->rate.second;
    }
    /* The colorimetry that every reader would guess. */
    if (info->yuv && format->height >= 720)
        format->color = (struct framebus_color){.primaries = 1, .transfer = 1, .matrix = 1, .range = 1};
    else if (info->yuv)
        format->color = (struct framebus_color){.primaries = 6, .transfer = 6, .matrix = 6, .range = 1};
    return r;
}

/* Waits until the next frame is due, and serves readers meanwhile. False: a signal asks to end. */
static bool test_wait(struct test *test)
{
    const struct test_settings *settings = test->settings;
    struct pollfd wait[] = {{.fd = framebus_writer_fd(test->writer), .events = POLLIN},
                            {.fd = test->interrupts, .events = POLLIN}};
    int64_t period, due, now = clock_now();
    if (!settings->rate.first)
        return !is_readable(test->interrupts);
    period = NS_PER_S * settings->rate.second / settings->rate.first;
    due =
        test->start_ns + (int64_t)((double)test->number * 1e9 * settings->rate.second / settings->rate.first);
    if (now > due + period) { /* too slow: what was lost is not caught up with */
        test->late++;
        test->start_ns += now - due;
        due = now;
    }
    for (;; now = clock_now()) {
        int64_t left = due > now ? due - now : 0;
        struct timespec time = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
        ppoll(wait, 2, &time, NULL);
        if (wait[1].revents)
            return false;
        if (wait[0].revents)
            framebus_writer_dispatch(test->writer);
        if (!left)
            return true;
    }
}

static int test_publish(struct test *test)
{
    struct framebus_frame *frame;
    char clock[TEXT_TIME_ROOM];
    int r = writer_begin_again(test->writer, 0, &frame);
    if (r < 0)
        return r;
    text_time_of_day("%H:%M:%S", clock);
    frame->capture_ns = clock_now();
    if (test->settings->rate.first)
        frame->duration_ns = NS_PER_S * test->settings->rate.second / test->settings->rate.first;
    testpicture_paint(test->picture, frame, test->number, clock);
    r = framebus_writer_publish(test->writer, frame);
    framebus_writer_release(test->writer, frame);
    return r;
}

static int test_publish_all(struct test *test)
{
    int r = 0;
    test->start_ns = clock_now();
    while ((!test->settings->count || test->number < test->settings->count) && test_wait(test)) {
        r = test_publish(test);
        if (r < 0)
            break;
        test->number++;
    }
    if (r == -ECANCELED || r == 0)
        r = writer_end_again(test->writer);
    return r < 0 ? report_error("%s", framebus_last_error()) : STATUS_DONE;
}

static int test_serve(struct test *test, const char *name, const struct framebus_format *format)
{
    char text[128];
    int status;
    if (framebus_writer_open(&test->writer, name, format, &test->settings->writer) < 0)
        return report_error("%s", framebus_last_error());
    fprintf(stderr, "publishing %s on %s", framebus_format_describe(format, text, sizeof text), name);
    fprintf(stderr, isatty(STDIN_FILENO) ? "; Ctrl-C ends\n" : "\n");
    status = test_publish_all(test);
    fprintf(stderr, "%u frames in %.1f s, %u of them late\n", test->number,
            (double)(clock_now() - test->start_ns) / 1e9, test->late);
    framebus_writer_close(test->writer);
    return status;
}

/* ---- Options ---- */

static const char *test_parse_rate(const char *text, void *field)
{
    if (strcmp(text, "0") != 0)
        return value_rate(text, field);
    *(struct value_pair *)field = (struct value_pair){0, 1};
    return NULL;
}

static const char *test_parse_history(const char *text, void *field)
{
    return value_within(text, 1, 256, field) ? NULL : "is not a number of frames from 1 to 256";
}

static const char *test_list_formats(const char *text, void *field)
{
    const struct framebus_format_info *info;
    (void)text, (void)field;
    for (size_t i = 0; (info = framebus_format_at(i)); i++)
        printf("%s\n", info->name);
    return options_done;
}

static int test_run(int argc, char **argv)
{
    struct test_settings settings = {
        .format = framebus_format_by_name("NV12"),
        .size = {1280, 720},
        .rate = {30, 1},
        .writer.label = "framebus test",
    };
    struct test test = {.settings = &settings};
    struct framebus_format format;
    int status;
    if (!options_read(&command_test.usage, argc, argv, &settings, &status))
        return status;
    if (test_describe(&settings, &format) < 0)
        return report_usage("--size %ux%u: %s", settings.size.first, settings.size.second,
                            framebus_last_error());
    if (testpicture_create(&test.picture, &format) < 0)
        return report_error("there is no memory for a picture of %s", settings.format->name);
    settings.writer.cancel_fd = test.interrupts = interrupts_open(0, STATUS_FAILED);
    status = test_serve(&test, argv[optind], &format);
    testpicture_destroy(test.picture);
    return status;
}

#define TEST_FIELD(name) offsetof(struct test_settings, name)

static const struct option_row test_options[] = {
    {"format", 'f', "FORMAT", format_parse, TEST_FIELD(format), "pixel format [NV12]"},
    {"size", 's', "WxH", value_size, TEST_FIELD(size),
     "width and height of the picture in pixels [1280x720]"},
    {"rate", 'r', "RATE", test_parse_rate, TEST_FIELD(rate),
     "frames a second: 60, 59.94, 30000/1001; 0: as many as it can [30]"},
    {"count", 'n', "N", value_count, TEST_FIELD(count), "end after N frames"},
    {"memory", 'm', "KIND", memory_parse, TEST_FIELD(writer.memory), "memfd, posix or sysv [memfd]"},
    {"history", 'H', "N", test_parse_history, TEST_FIELD(writer.history),
     "keep N frames for readers that come late or lag [4]"},
    {"lossless", 'l', NULL, NULL, TEST_FIELD(writer.lossless), "wait for lossless readers"},
    {"formats", 0, NULL, test_list_formats, 0, "list the pixel formats"},
    {0},
};

const struct command command_test = {
    .usage =
        {
            .name = "framebus test",
            .arguments = "[OPTION]... NAME",
            .summary = "publish a moving test picture with number and clock",
            .text =
                "Publishes a test picture on a bus until it is interrupted: colour bars, a bar that wanders, "
                "the number of the frame and the time of day. The rows of black and white cells hold the "
                "number for machines: 'framebus check' counts by it what was torn, doubled or lost on the "
                "way, also in another format. Pictures below 80x48 have only the wandering bar.",
            .options = test_options,
            .examples = "framebus test cam0\n"
                        "framebus test --format P010_10LE --size 1920x1080 --rate 59.94 --count 600 cam0\n",
            .operand = {"the name of a bus"},
        },
    .run = test_run,
};
