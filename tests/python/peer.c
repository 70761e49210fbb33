/* SPDX-License-Identifier: MIT */
/*
 * The C side for tests of the Python module:
 *   python-peer formats NAME WIDTH HEIGHT PAD    publishes a frame of every format of the table and tells
 * where its planes are; PAD more bytes between rows than usual python-peer write NAME FORMAT WIDTH HEIGHT 100
 * frames a second until SIGINT (ends the stream) or SIGTERM; all bytes of frame n are n, and metadata "numb"
 * has n in four bytes python-peer read NAME COUNT                  a line for each frame of a lossless writer
 */
#include <framebus.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMB (uint32_t)('n' | 'u' << 8 | 'm' << 16 | 'b' << 24)

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    stop = number;
}

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, framebus_last_error());
    return EXIT_FAILURE;
}

/* ---- writing ---- */

/* As usual, with more room between the rows. */
static int describe(struct framebus_format *format, uint32_t fourcc, uint32_t width, uint32_t height,
                    uint32_t pad)
{
    int r = framebus_format_init(format, fourcc, width, height);
    uint64_t at = 0;

    for (unsigned p = 0; r == 0 && p < format->planes; p++) {
        uint64_t end = p + 1 < format->planes ? format->offset[p + 1] : format->size;
        uint64_t rows = (end - format->offset[p]) / format->stride[p];
        format->stride[p] += pad;
        format->offset[p] = at;
        at += rows * format->stride[p];
    }
    format->size = at;
    return r;
}

/* Byte c of row r of plane p is 7p + 13r + c; what is between the rows is 238. */
static void fill_planes(struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;

    memset(frame->data, 238, format->size);
    for (unsigned p = 0; p < format->planes; p++)
        for (uint32_t r = 0; r < framebus_format_rows(format, p); r++) {
            uint8_t *row = (uint8_t *)frame->plane[p].data + (size_t)r * frame->plane[p].stride;
            for (uint32_t c = 0; c < framebus_format_row_bytes(format, p); c++)
                row[c] = (uint8_t)(7 * p + 13 * r + c);
        }
}

static void tell_planes(const char *name, const struct framebus_frame *frame)
{
    for (unsigned p = 0; p < frame->format->planes; p++)
        printf("%s %td %u %u %u\n", name, (uint8_t *)frame->plane[p].data - (uint8_t *)frame->data,
               frame->plane[p].stride, framebus_format_rows(frame->format, p),
               framebus_format_row_bytes(frame->format, p));
    fflush(stdout);
}

static int publish_formats(const char *name, uint32_t width, uint32_t height, uint32_t pad)
{
    struct framebus_writer_options options = {.lossless = true, .lossless_timeout_ns = -1};
    const struct framebus_format_info *info;
    struct framebus_writer *writer;
    struct framebus_format format;
    struct framebus_frame *frame;
    int r = framebus_writer_open(&writer, name, NULL, &options);
    struct framebus_bus_info *bus = NULL;

    while (r == 0 && !stop && (!bus || !bus->readers)) { /* the reader must not miss the first ones */
        framebus_info_free(bus, 1);
        usleep(1000);
        r = framebus_writer_dispatch(writer);
        if (r == 0)
            r = framebus_writer_get_info(writer, &bus);
    }
    framebus_info_free(bus, 1);
    for (size_t i = 0; r == 0 && (info = framebus_format_at(i)); i++) {
        r = describe(&format, info->fourcc, width, height, pad);
        if (r == 0)
            r = framebus_writer_set_format(writer, &format);
        if (r == 0)
            r = framebus_writer_begin(writer, &frame);
        if (r < 0)
            break;
        fill_planes(frame);
        tell_planes(info->name, frame);
        r = framebus_writer_publish(writer, frame);
        framebus_writer_release(writer, frame);
    }
    if (r == 0)
        r = framebus_writer_end(writer);
    if (r < 0)
        failed("formats");
    framebus_writer_close(writer);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int publish_numbers(const char *name, const char *format_name, uint32_t width, uint32_t height)
{
    const struct framebus_format_info *info = framebus_format_by_name(format_name);
    struct framebus_format format;
    struct framebus_writer *writer;
    struct framebus_frame *frame;
    uint32_t n = 0;
    int r = info ? describe(&format, info->fourcc, width, height, 0) : -EINVAL;

    if (r == 0) {
        format.rate_num = 100;
        format.rate_den = 1;
        r = framebus_writer_open(&writer, name, &format, NULL);
    }
    if (r < 0)
        return failed("open");
    for (; r == 0 && !stop; n++) {
        r = framebus_writer_begin(writer, &frame);
        if (r < 0)
            break;
        memset(frame->data, (uint8_t)n, frame->size);
        r = framebus_frame_add_meta(frame, NUMB, &n, sizeof n);
        if (r == 0)
            r = framebus_writer_publish(writer, frame);
        framebus_writer_release(writer, frame);
        usleep(10000);
    }
    if (r == 0 && stop == SIGINT)
        r = framebus_writer_end(writer);
    if (r < 0)
        failed("write");
    framebus_writer_close(writer);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- reading ---- */

static void tell(const struct framebus_frame *frame)
{
    const uint8_t *data = frame->data;
    char text[64];
    uint64_t sum = 0;
    size_t size;
    const char *meta = framebus_frame_meta_at(frame, 0, NULL, &size);

    for (uint64_t i = 0; i < frame->size; i++)
        sum += (i + 1) * data[i];
    printf("%s, sequence %" PRIu64 ", size %" PRIu64 ", sum %" PRIu64 ", capture %" PRId64
           ", duration %" PRId64 ", flags %u, crop %ux%u+%u+%u, color %u/%u/%u/%u, meta %.*s, caps %s\n",
           framebus_format_describe(frame->format, text, sizeof text), frame->sequence, frame->size, sum,
           frame->capture_ns, frame->duration_ns, frame->flags, frame->crop.width, frame->crop.height,
           frame->crop.x, frame->crop.y, frame->format->color.primaries, frame->format->color.transfer,
           frame->format->color.matrix, frame->format->color.range, (int)size, meta ? meta : "",
           frame->format->caps ? frame->format->caps : "");
    fflush(stdout);
}

static int read_frames(const char *name, long count)
{
    struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS, .wait_ns = -1};
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    int r = framebus_reader_open(&reader, name, &options);

    while (r == 0 && count-- > 0) {
        r = framebus_reader_next(reader, &frame, -1);
        if (r == 0) {
            tell(frame);
            framebus_reader_release(reader, frame);
        }
    }
    if (r < 0)
        failed("read");
    framebus_reader_close(reader);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (argc == 6 && strcmp(argv[1], "formats") == 0)
        return publish_formats(argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]),
                               (uint32_t)atoi(argv[5]));
    if (argc == 6 && strcmp(argv[1], "write") == 0)
        return publish_numbers(argv[2], argv[3], (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]));
    if (argc == 4 && strcmp(argv[1], "read") == 0)
        return read_frames(argv[2], atol(argv[3]));
    return 2;
}
