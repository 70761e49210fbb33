/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"

#define PAYLOAD_MAX (UINT64_C(256) << 20)

/* ---- Reading ---- */

struct reader {
    struct source source;
    struct input *input;
    struct raw_options options;
    uint8_t *payload; /* the frame at hand, if it is no picture */
    size_t room, filled;
    uint64_t frame; /* number of the next one */
};

static int ended_early(uint64_t number, uint64_t had, uint64_t all)
{
    complain("the stream ends within frame %" PRIu64 ": %" PRIu64 " of its %" PRIu64 " bytes came", number,
             had, all);
    return -EBADMSG;
}

int input_picture(struct input *input, const struct framebus_format *format,
                  const struct framebus_frame *frame, uint64_t number)
{
    uint64_t had = 0, all = 0;

    for (unsigned i = 0; i < format->planes; i++)
        all += (uint64_t)framebus_format_row_bytes(format, i) * framebus_format_rows(format, i);
    for (unsigned i = 0; i < format->planes; i++) {
        uint32_t rows = framebus_format_rows(format, i), stride = frame->plane[i].stride;
        size_t part = framebus_format_row_bytes(format, i);
        uint8_t *to = frame->plane[i].data;

        if (stride == part) {
            part *= rows;
            rows = 1;
        }
        for (uint32_t row = 0; row < rows; row++) {
            ssize_t got = input_read(input, to + (size_t)row * stride, part);

            if (got < 0)
                return (int)got;
            had += (uint64_t)got;
            if ((size_t)got < part)
                return ended_early(number, had, all);
        }
    }
    return 0;
}

static int add_bytes(struct reader *reader, size_t count)
{
    ssize_t got;

    if (reader->filled + count > reader->room) {
        size_t room = 2 * (reader->filled + count);
        uint8_t *payload = room <= PAYLOAD_MAX ? realloc(reader->payload, room) : NULL;

        if (!payload) {
            complain("frame %" PRIu64 " has more than %zu bytes, which is too much", reader->frame,
                     reader->filled);
            return -ENOMEM;
        }
        reader->payload = payload;
        reader->room = room;
    }
    got = input_read(reader->input, reader->payload + reader->filled, count);
    if (got < 0)
        return (int)got;
    reader->filled += (size_t)got;
    return (size_t)got == count ? 0 : -ENODATA;
}

static int not_jpeg(const struct reader *reader)
{
    complain("frame %" PRIu64 " is no JPEG file, near byte %" PRIu64, reader->frame, reader->input->total);
    return -EBADMSG;
}

/* From the start of a scan to the marker that ends it. */
static int read_scan(struct reader *reader)
{
    int r = add_bytes(reader, 2);

    while (r == 0) {
        const uint8_t *last = reader->payload + reader->filled - 2;

        /* 0 is a stuffed byte, D0 to D7 are restarts, FF fills. */
        if (last[0] == 0xff && last[1] != 0 && last[1] != 0xff && (last[1] & 0xf8) != 0xd0)
            return 0;
        r = add_bytes(reader, 1);
    }
    return r;
}

/* One JPEG file, segment by segment: an embedded thumbnail has an end of its own. */
static int read_jpeg(struct reader *reader)
{
    int r = add_bytes(reader, 2);

    if (r == -ENODATA && !reader->filled)
        return r;
    if (r == 0 && (reader->payload[0] != 0xff || reader->payload[1] != 0xd8))
        return not_jpeg(reader);
    if (r == 0)
        r = add_bytes(reader, 2);
    while (r == 0) {
        const uint8_t *marker = reader->payload + reader->filled - 2;
        uint8_t kind = marker[1];
        size_t length;

        if (marker[0] != 0xff)
            return not_jpeg(reader);
        if (kind == 0xd9)
            return 0;
        if (kind == 0xff) { /* fills */
            reader->filled--;
            r = add_bytes(reader, 1);
            continue;
        }
        r = add_bytes(reader, 2);
        if (r < 0)
            break;
        length = (size_t)reader->payload[reader->filled - 2] << 8 | reader->payload[reader->filled - 1];
        if (length < 2)
            return not_jpeg(reader);
        r = add_bytes(reader, length - 2);
        if (r == 0)
            r = kind == 0xda ? read_scan(reader) : add_bytes(reader, 2);
    }
    if (r == -ENODATA) {
        complain("the stream ends within frame %" PRIu64 ", after %zu bytes of it", reader->frame,
                 reader->filled);
        return -EBADMSG;
    }
    return r;
}

static int read_piece(struct reader *reader)
{
    int r = add_bytes(reader, reader->options.frame_bytes);

    if (r == -ENODATA && reader->filled)
        return ended_early(reader->frame, reader->filled, reader->options.frame_bytes);
    return r;
}

static int raw_next(struct source *source, struct shot *shot)
{
    struct reader *reader = (struct reader *)source;
    int r = 0;

    *shot = (struct shot){.format = &reader->options.format, .size = reader->options.format.size};
    reader->filled = 0;
    if (reader->options.format.fourcc) {
        r = add_bytes(reader, 1); /* is there another frame? */
        if (r == 0) {
            reader->input->from--; /* a single byte always comes from the buffer */
            reader->input->total--;
        }
    } else {
        r = reader->options.frame_bytes ? read_piece(reader) : read_jpeg(reader);
        shot->size = reader->filled;
    }
    return r == -ENODATA ? 0 : r < 0 ? r : 1;
}

static int raw_read(struct source *source, const struct framebus_frame *frame)
{
    struct reader *reader = (struct reader *)source;

    if (reader->options.format.fourcc)
        return input_picture(reader->input, &reader->options.format, frame, reader->frame++);
    memcpy(frame->data, reader->payload, reader->filled);
    reader->frame++;
    return 0;
}

static void raw_close(struct source *source)
{
    struct reader *reader = (struct reader *)source;

    free(reader->payload);
    free(reader);
}

static const struct source_kind raw_source_kind = {.next = raw_next, .read = raw_read, .close = raw_close};

struct source *raw_source(struct input *input, const struct raw_options *options)
{
    struct reader *reader = calloc(1, sizeof(*reader));

    if (!reader) {
        complain("out of memory");
        return NULL;
    }
    *reader = (struct reader){.source = {.kind = &raw_source_kind}, .input = input, .options = *options};
    return &reader->source;
}

/* ---- Writing ---- */

struct writer {
    struct sink sink;
    int fd, interrupts;
    struct framebus_format *format; /* of the first picture */
    uint8_t *rows;                  /* of one plane, without padding */
};

static int write_plane(struct writer *writer, const struct shot *shot, unsigned plane)
{
    const struct framebus_format *format = shot->format;
    size_t bytes = framebus_format_row_bytes(format, plane), rows = framebus_format_rows(format, plane);
    const uint8_t *from = shot->data + format->offset[plane];

    writer->sink.bytes += bytes * rows;
    if (format->stride[plane] == bytes)
        return output_write(writer->fd, writer->interrupts, from, bytes * rows);
    for (size_t row = 0; row < rows; row++)
        memcpy(writer->rows + row * bytes, from + row * format->stride[plane], bytes);
    return output_write(writer->fd, writer->interrupts, writer->rows, bytes * rows);
}

static int check_change(struct writer *writer, const struct shot *shot)
{
    char before[128], now[128];

    if (!writer->format) {
        writer->format = format_copy(shot->format);
        writer->rows = malloc(shot->format->size);
        if (writer->format && writer->rows)
            return 0;
        complain("out of memory");
        return -ENOMEM;
    }
    if (writer->format->fourcc == shot->format->fourcc && writer->format->width == shot->format->width &&
        writer->format->height == shot->format->height && writer->format->modifier == shot->format->modifier)
        return 0;
    complain("the format changes from %s to %s, which nobody could tell from the bytes; the stream ends here",
             framebus_format_describe(writer->format, before, sizeof(before)),
             framebus_format_describe(shot->format, now, sizeof(now)));
    return -EINVAL;
}

static int raw_write(struct sink *sink, const struct shot *shot)
{
    struct writer *writer = (struct writer *)sink;
    int r = check_change(writer, shot);

    if (r == 0 && !shot_is_picture(shot)) {
        sink->bytes += shot->size;
        return output_write(writer->fd, writer->interrupts, shot->data, shot->size);
    }
    for (unsigned i = 0; r == 0 && i < shot->format->planes; i++)
        r = write_plane(writer, shot, i);
    return r;
}

static int raw_finish(struct sink *sink)
{
    (void)sink;
    return 0;
}

static void raw_sink_close(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;

    free(writer->format);
    free(writer->rows);
    free(writer);
}

static const struct sink_kind raw_sink_kind = {
    .write = raw_write, .finish = raw_finish, .close = raw_sink_close};

struct sink *raw_sink(int fd, int interrupts)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        complain("out of memory");
        return NULL;
    }
    *writer = (struct writer){.sink = {.kind = &raw_sink_kind}, .fd = fd, .interrupts = interrupts};
    return &writer->sink;
}
