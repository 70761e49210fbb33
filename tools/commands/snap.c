/* SPDX-License-Identifier: MIT */
/* framebus snap: saves the newest frame of a bus as a picture. */
#include "again.h"
#include "cli/clock.h"
#include "cli/values.h"
#include "command.h"
#include "interrupts.h"
#include "names.h"
#include "pixels/convert.h"
#include "pixels/jpeg.h"
#include "pixels/png-file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FRAME_WAIT_NS (5 * NS_PER_S) /* for a frame, unless --wait says otherwise */

/* Pixels as convert.h and jpeg.h make them: B, G, R, unused. */
struct still {
    uint8_t *pixels;
    int width, height, stride;
};

static bool ends_in(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length >= tail && strcasecmp(path + length - tail, ending) == 0;
}

static bool format_is_jpeg(const struct framebus_format *format)
{
    char *name = content_name(format);
    bool jpeg = strcmp(name, "image/jpeg") == 0;
    free(name);
    return jpeg;
}

/* ---- Writing ---- */

/* Makes three bytes a pixel of four, in place: R, G, B. */
static void still_pack(struct still *still)
{
    for (int y = 0; y < still->height; y++) {
        uint8_t *from = still->pixels + (size_t)y * still->stride, *to = from;
        for (int x = 0; x < still->width; x++, from += 4, to += 3) {
            uint8_t blue = from[0], green = from[1], red = from[2];
            to[0] = red;
            to[1] = green;
            to[2] = blue;
        }
    }
}

static int still_write(struct still *still, const char *path)
{
    still_pack(still);
    int r = png_file_write(path, still->pixels, still->width, still->height, still->stride);
    return r ? report_error("cannot write %s: %s", path, strerror(-r)) : STATUS_DONE;
}

static int snap_write_payload(const struct framebus_frame *frame, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (file && fwrite(frame->data, 1, frame->size, file) == frame->size && fclose(file) == 0)
        return STATUS_DONE;
    int status = report_error("cannot write %s: %s", path, strerror(errno));
    if (file)
        unlink(path);
    return status;
}

/* ---- Converting ---- */

static bool still_allocate(struct still *still)
{
    still->stride = still->width * 4;
    still->pixels = malloc((size_t)still->stride * (size_t)still->height);
    return still->pixels;
}

/* Leaves only the part that is to be shown. */
static void still_crop(struct still *still, const struct framebus_rect *rect)
{
    if (!rect->width || !rect->height)
        return;
    for (uint32_t y = 0; y < rect->height; y++)
        memmove(still->pixels + (size_t)y * still->stride,
                still->pixels + (size_t)(rect->y + y) * still->stride + (size_t)rect->x * 4,
                (size_t)rect->width * 4);
    still->width = (int)rect->width;
    still->height = (int)rect->height;
}

/* Mirrors and turns the picture as its format says. False: no memory. */
static bool still_turn(struct still *still, uint32_t orientation)
{
    const int w = still->width, h = still->height;
    struct still turned = {.width = orientation & 1 ? h : w, .height = orientation & 1 ? w : h};
    if (orientation == FRAMEBUS_ORIENTATION_NORMAL)
        return true;
    if (!still_allocate(&turned))
        return false;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int column = orientation & FRAMEBUS_ORIENTATION_MIRROR ? w - 1 - x : x;
            const int to[4][2] = {
                {column, y}, {h - 1 - y, column}, {w - 1 - column, h - 1 - y}, {y, w - 1 - column}};
            const int *at = to[orientation & 3];
            memcpy(turned.pixels + (size_t)at[1] * turned.stride + (size_t)at[0] * 4,
                   still->pixels + (size_t)y * still->stride + (size_t)x * 4, 4);
        }
    free(still->pixels);
    *still = turned;
    return true;
}

static int still_convert(const struct framebus_frame *frame, struct still *still)
{
    struct convert *convert = convert_create();
    still->width = (int)frame->format->width;
    still->height = (int)frame->format->height;
    int r = convert && still_allocate(still) ? convert_prepare(convert, frame->format) : -ENOMEM;
    if (!r)
        r = convert_picture(convert, frame, still->pixels, still->stride);
    convert_destroy(convert);
    return r;
}

static int still_decode(const struct framebus_frame *frame, struct still *still)
{
    struct jpeg *jpeg;
    int r = jpeg_open(&jpeg, frame->data, frame->size, &still->width, &still->height);
    if (!r)
        r = still_allocate(still) ? jpeg_decode(jpeg, still->pixels, still->stride) : -ENOMEM;
    jpeg_close(jpeg);
    return r;
}

static int snap_save(const struct framebus_frame *frame, const char *bus, const char *path)
{
    const struct framebus_format *format = frame->format;
    bool jpeg = format_is_jpeg(format), as_jpeg = ends_in(path, ".jpg") || ends_in(path, ".jpeg");
    struct still still = {0};
    char text[128];
    int r, status;
    framebus_format_describe(format, text, sizeof text);
    if (as_jpeg && !jpeg)
        return report_error("%s is not JPEG: only JPEG frames can be saved as %s; say FILE.png", text, path);
    if (as_jpeg)
        return snap_write_payload(frame, path);
    if (!jpeg && (!convert_knows(format->fourcc) || format->modifier))
        return report_error(
            "%s cannot be converted here; GStreamer may: gst-launch-1.0 framebussrc bus=%s ! %s ! "
            "videoconvert ! pngenc snapshot=true ! filesink location=%s",
            text, bus, format->modifier ? "vapostproc" : "decodebin", path);
    r = jpeg ? still_decode(frame, &still) : still_convert(frame, &still);
    if (!r) {
        still_crop(&still, &frame->crop);
        r = still_turn(&still, format->orientation) ? 0 : -ENOMEM;
    }
    if (r) {
        status = report_error("cannot convert %s: %s", text, strerror(-r));
    } else {
        status = still_write(&still, path);
    }
    free(still.pixels);
    return status;
}

static int snap_newest(const char *bus, const char *path, int64_t wait_ns)
{
    struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LATEST,
        .quota = 1,
        .wait_ns = wait_ns,
        .cancel_fd = interrupts_open(0, STATUS_FAILED),
        .label = "framebus snap",
    };
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    int status;
    if (reader_open_again(&reader, bus, options) < 0)
        return report_error("%s", framebus_last_error());
    int r = reader_next_again(reader, &frame, wait_ns ? wait_ns : FRAME_WAIT_NS);
    if (r == 0) {
        status = snap_save(frame, bus, path);
        framebus_reader_release(reader, frame);
    } else {
        status = report_error("%s", framebus_last_error());
    }
    framebus_reader_close(reader);
    return status;
}

static int snap_run(int argc, char **argv)
{
    int64_t wait_ns = 0;
    int status;
    if (!options_read(&command_snap.usage, argc, argv, &wait_ns, &status))
        return status;
    const char *path = argv[optind + 1];
    if (!ends_in(path, ".png") && !ends_in(path, ".jpg") && !ends_in(path, ".jpeg") && strcmp(path, "-") != 0)
        return report_usage("%s: the name must end in .png, or in .jpg for JPEG frames", path);
    return snap_newest(argv[optind], path, wait_ns);
}

static const struct option_row snap_options[] = {
    {"wait", 0, "TIME", value_duration, 0,
     "wait at most TIME for a writer and for a frame [do not wait for a writer; 5s for a frame]"},
    {0},
};

const struct command command_snap = {
    .usage =
        {
            .name = "framebus snap",
            .arguments = "[--wait TIME] NAME FILE",
            .summary = "save the newest frame as a picture",
            .text =
                "Saves the newest frame of a bus, the part of it that is to be shown, upright, with 8 bits a "
                "colour, "
                "as FILE.png; '-' writes it to standard output. JPEG frames can also be saved as FILE.jpg, "
                "byte for byte.\n"
                "\n"
                "Colours follow the matrix and the range of the frame; transparency is ignored.",
            .options = snap_options,
            .examples = "framebus snap cam0 cam0.png\n"
                        "framebus snap cam0 - | display\n",
            .operand = {"the name of a bus", "the name of a file"},
        },
    .run = snap_run,
};
