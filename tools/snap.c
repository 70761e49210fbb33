/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "convert.h"
#include "jpeg.h"
#include "png-file.h"
#include "text.h"
#include "values.h"

#define DEFAULT_WAIT (5 * NS_PER_S)

/* A picture as it comes from convert.h and jpeg.h: B, G, R, unused. */
struct picture {
    uint8_t *pixels;
    int width, height, stride;
};

static int failed(const char *text, ...) FRAMEBUS_PRINTF(1, 2);

static int failed(const char *text, ...)
{
    va_list arguments;

    fputs("framebus snap: ", stderr);
    va_start(arguments, text);
    vfprintf(stderr, text, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return STATUS_FAILED;
}

static bool ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);

    return length >= tail && strcasecmp(path + length - tail, ending) == 0;
}

static bool is_jpeg(const struct framebus_format *format)
{
    char *name = content_name(format);
    bool jpeg = strcmp(name, "image/jpeg") == 0;

    free(name);
    return jpeg;
}

/* ---- Writing ---- */

/* In place: three bytes a pixel, R, G, B. */
static void pack(struct picture *picture)
{
    for (int y = 0; y < picture->height; y++) {
        uint8_t *from = picture->pixels + (size_t)y * picture->stride, *to = from;

        for (int x = 0; x < picture->width; x++, from += 4, to += 3) {
            uint8_t blue = from[0], green = from[1], red = from[2];

            to[0] = red;
            to[1] = green;
            to[2] = blue;
        }
    }
}

static int save_picture(struct picture *picture, const char *path)
{
    pack(picture);
    int r = png_file_write(path, picture->pixels, picture->width, picture->height, picture->stride);
    return r ? failed("cannot write %s: %s", path, strerror(-r)) : STATUS_DONE;
}

static int save_payload(const struct framebus_frame *frame, const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file && fwrite(frame->data, 1, frame->size, file) == frame->size && fclose(file) == 0)
        return STATUS_DONE;
    int status = failed("cannot write %s: %s", path, strerror(errno));
    if (file)
        unlink(path);
    return status;
}

/* ---- Converting ---- */

static bool make_room(struct picture *picture)
{
    picture->stride = picture->width * 4;
    picture->pixels = malloc((size_t)picture->stride * (size_t)picture->height);
    return picture->pixels;
}

/* Leaves what is to be shown. */
static void crop(struct picture *picture, const struct framebus_rect *rect)
{
    if (!rect->width || !rect->height)
        return;
    for (uint32_t y = 0; y < rect->height; y++)
        memmove(picture->pixels + (size_t)y * picture->stride,
                picture->pixels + (size_t)(rect->y + y) * picture->stride + (size_t)rect->x * 4,
                (size_t)rect->width * 4);
    picture->width = (int)rect->width;
    picture->height = (int)rect->height;
}

static int convert(const struct framebus_frame *frame, struct picture *picture)
{
    struct convert *converter = convert_create();

    picture->width = (int)frame->format->width;
    picture->height = (int)frame->format->height;
    int r = converter && make_room(picture)
                ? convert_picture(converter, frame, picture->pixels, picture->stride)
                : -ENOMEM;
    convert_destroy(converter);
    return r;
}

static int decode(const struct framebus_frame *frame, struct picture *picture)
{
    struct jpeg *jpeg;
    int r = jpeg_open(&jpeg, frame->data, frame->size, &picture->width, &picture->height);

    if (!r)
        r = make_room(picture) ? jpeg_decode(jpeg, picture->pixels, picture->stride) : -ENOMEM;
    jpeg_close(jpeg);
    return r;
}

static int save(const struct framebus_frame *frame, const char *bus, const char *path)
{
    const struct framebus_format *format = frame->format;
    bool jpeg = is_jpeg(format), as_jpeg = ends_in(path, ".jpg") || ends_in(path, ".jpeg");
    struct picture picture = {0};
    char text[128];
    int r, status;

    framebus_format_describe(format, text, sizeof(text));
    if (as_jpeg && !jpeg)
        return failed("%s is not JPEG: only what is can be saved as %s; say FILE.png", text, path);
    if (as_jpeg)
        return save_payload(frame, path);
    if (!jpeg && (!convert_knows(format->fourcc) || format->modifier))
        return failed(
            "%s cannot be converted here; GStreamer may: gst-launch-1.0 framebussrc bus=%s ! decodebin ! "
            "videoconvert ! pngenc snapshot=true ! filesink location=%s",
            text, bus, path);
    r = jpeg ? decode(frame, &picture) : convert(frame, &picture);
    if (r) {
        status = failed("cannot convert %s: %s", text, strerror(-r));
    } else {
        crop(&picture, &frame->crop);
        status = save_picture(&picture, path);
    }
    free(picture.pixels);
    return status;
}

static int take(const struct command *command, const char *bus, const char *path, int64_t wait_ns)
{
    struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LATEST,
        .quota = 1,
        .wait_ns = wait_ns,
        .cancel_fd = catch_interrupts(0),
        .label = "framebus snap",
    };
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    int status;

    if (framebus_reader_open(&reader, bus, &options) < 0)
        return call_error(command);
    int r = framebus_reader_next(reader, &frame, wait_ns ? wait_ns : DEFAULT_WAIT);
    if (r == 0) {
        status = save(frame, bus, path);
        framebus_reader_release(reader, frame);
    } else {
        status = call_error(command);
    }
    framebus_reader_close(reader);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"wait", required_argument, NULL, 'W'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int64_t wait_ns = 0;
    int option, status;

    while ((option = next_option(command, argc, argv, "h", options, &status)) > 0)
        if (!parse_time(optarg, &wait_ns))
            return usage_error(command, "--wait %s: expected a time such as 10s", optarg);
    if (option == 0)
        return status;
    if (argc - optind == 1)
        return usage_error(command, "the name of a file is missing: %s FILE.png", argv[optind]);
    if (!check_operands(command, argc, argv, 2, 2, &status))
        return status;
    if (!ends_in(argv[optind + 1], ".png") && !ends_in(argv[optind + 1], ".jpg") &&
        !ends_in(argv[optind + 1], ".jpeg") && strcmp(argv[optind + 1], "-") != 0)
        return usage_error(command, "%s: the name must end in .png, or in .jpg for JPEG frames",
                           argv[optind + 1]);
    return take(command, argv[optind], argv[optind + 1], wait_ns);
}

const struct command command_snap = {
    .name = "snap",
    .arguments = "[--wait TIME] NAME FILE",
    .summary = "save the newest frame as a picture",
    .help =
        "Saves the newest frame of a bus, the part of it that is to be shown, with 8 bits a colour, as "
        "FILE.png;\n"
        "'-' writes that to standard output. JPEG frames can also be saved as FILE.jpg, byte for byte.\n"
        "\n"
        "Colours follow the matrix and the range that the frame tells; transparency is not looked at.\n"
        "\n"
        "Options:\n"
        "      --wait TIME  wait so long for a writer, and for a frame [no writer: not at all; frame: 5s]\n"
        "  -h, --help       show this text\n",
    .run = run,
};
