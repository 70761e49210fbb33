/* SPDX-License-Identifier: MIT */
/*
 * The other side for tests of the command:
 *   tools-peer write NAME [KEY=VALUE]...   publishes 100 frames a second until it is told to end
 *   tools-peer paint NAME [KEY=VALUE]...   publishes test pictures; each `tear`th, `repeat`th, `skip`th is
 * bad tools-peer read NAME [KEY=VALUE]...    takes frames until then, and holds `hold` of them
 */
#include <framebus.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pixels/testpicture.h"

#define HOLD_MAX 16

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* The value of KEY=VALUE among the arguments, or what is to stand for it. */
static const char *value_of(char **argv, const char *key, const char *otherwise)
{
    size_t length = strlen(key);

    for (; *argv; argv++)
        if (strncmp(*argv, key, length) == 0 && (*argv)[length] == '=')
            return *argv + length + 1;
    return otherwise;
}

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, framebus_last_error());
    return EXIT_FAILURE;
}

static void ready(void)
{
    puts("ready");
    fflush(stdout);
}

static int describe(char **argv, struct framebus_format *format)
{
    const char *caps = value_of(argv, "caps", NULL);
    int r;

    if (caps)
        r = framebus_format_init_opaque(format, caps, 4096);
    else
        r = framebus_format_init(format, framebus_format_by_name(value_of(argv, "format", "NV12"))->fourcc,
                                 320, 240);
    format->rate_num = 100;
    format->rate_den = 1;
    format->orientation = (uint32_t)atoi(value_of(argv, "orientation", "0"));
    return r;
}

/* What the frames hold: bytes of this value, or those of a file. */
struct content {
    int fill;
    void *data;
    size_t size;
    struct framebus_rect crop;
    uint32_t flags;
};

static struct content content_of(char **argv)
{
    struct content content = {.fill = atoi(value_of(argv, "fill", "128")),
                              .flags = (uint32_t)atoi(value_of(argv, "flags", "0"))};
    struct framebus_rect *crop = &content.crop;
    const char *path = value_of(argv, "file", NULL);
    FILE *file = path ? fopen(path, "rb") : NULL;

    if (file) {
        content.data = malloc(1 << 20);
        content.size = fread(content.data, 1, 1 << 20, file);
        fclose(file);
    }
    sscanf(value_of(argv, "crop", ""), "%u,%u,%u,%u", &crop->x, &crop->y, &crop->width, &crop->height);
    return content;
}

static int publish(struct framebus_writer *writer, const struct framebus_format *format,
                   const struct content *content)
{
    size_t size = content->data ? content->size : format->size;
    struct framebus_frame *frame;
    int r = framebus_writer_begin_size(writer, size, &frame);

    if (r < 0)
        return r;
    if (content->data)
        memcpy(frame->data, content->data, size);
    else
        memset(frame->data, content->fill, size);
    frame->size = size;
    frame->crop = content->crop;
    frame->flags = content->flags;
    r = framebus_writer_publish(writer, frame);
    framebus_writer_release(writer, frame);
    return r;
}

static int write_frames(const char *name, char **argv)
{
    bool idle = atoi(value_of(argv, "idle", "0")); /* no format, no frames */
    struct content content = content_of(argv);
    struct framebus_writer_options options = {
        .memory = (enum framebus_memory)atoi(value_of(argv, "memory", "0")),
        .access_mode = (uint32_t)strtoul(value_of(argv, "mode", "0"), NULL, 8),
        .lossless = atoi(value_of(argv, "lossless", "0")),
        .label = value_of(argv, "label", NULL),
    };
    struct framebus_writer *writer;
    struct framebus_format format;
    int r;

    if (describe(argv, &format) < 0)
        return failed("format");
    r = framebus_writer_open(&writer, name, idle ? NULL : &format, &options);
    for (bool first = true; r >= 0 && !stop; first = false) {
        r = idle ? framebus_writer_dispatch(writer) : publish(writer, &format, &content);
        if (first && r >= 0)
            ready();
        usleep(10000);
    }
    if (r < 0)
        failed("write");
    framebus_writer_close(writer);
    free(content.data);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* True for each `key`th frame. */
static bool is_bad(char **argv, const char *key, uint32_t frame)
{
    uint32_t every = (uint32_t)atoi(value_of(argv, key, "0"));

    return every && frame % every == every - 1;
}

static int paint_frames(const char *name, char **argv)
{
    struct framebus_writer *writer;
    struct framebus_frame *frame;
    struct framebus_format format;
    struct testpicture *picture;
    uint32_t number = 0;
    int r = describe(argv, &format);

    if (r < 0 || testpicture_create(&picture, &format) < 0)
        return failed("format");
    r = framebus_writer_open(&writer, name, &format, NULL);
    for (uint32_t i = 0; r >= 0 && !stop && (r = framebus_writer_begin(writer, &frame)) >= 0; i++) {
        number += is_bad(argv, "repeat", i) ? 0 : is_bad(argv, "skip", i) ? 2 : 1;
        testpicture_paint(picture, frame, number, "");
        if (is_bad(argv, "tear", i)) { /* the upper half of another one */
            void *lower = malloc(format.size / 2);
            memcpy(lower, (char *)frame->data + format.size / 2, format.size / 2);
            testpicture_paint(picture, frame, number + 1, "");
            memcpy((char *)frame->data + format.size / 2, lower, format.size / 2);
            free(lower);
        }
        r = framebus_writer_publish(writer, frame);
        framebus_writer_release(writer, frame);
        if (!i)
            ready();
        usleep(10000);
    }
    if (r < 0)
        failed("paint");
    framebus_writer_close(writer);
    testpicture_destroy(picture);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int read_frames(const char *name, char **argv)
{
    unsigned hold = (unsigned)atoi(value_of(argv, "hold", "0")), held = 0;
    struct framebus_reader_options options = {
        .quota = hold + 1,
        .delivery = (enum framebus_delivery)atoi(value_of(argv, "delivery", "0")),
        .label = value_of(argv, "label", NULL),
    };
    struct framebus_frame *frames[HOLD_MAX], *frame;
    struct framebus_reader *reader;
    bool told = false;
    int r;

    if (hold > HOLD_MAX || framebus_reader_open(&reader, name, &options) < 0)
        return failed("open");
    do {
        r = framebus_reader_next(reader, &frame, 100000000);
        if (r == 0 && held < hold)
            frames[held++] = frame;
        else if (r == 0)
            framebus_reader_release(reader, frame);
        if (r == 0 && held == hold && !told) {
            ready();
            told = true;
        }
    } while (!stop && (r == 0 || r == -ETIMEDOUT));
    while (held)
        framebus_reader_release(reader, frames[--held]);
    framebus_reader_close(reader);
    return stop ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (argc < 3)
        return 2;
    if (strcmp(argv[1], "paint") == 0)
        return paint_frames(argv[2], argv + 3);
    return strcmp(argv[1], "write") == 0 ? write_frames(argv[2], argv + 3) : read_frames(argv[2], argv + 3);
}
