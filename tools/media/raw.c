/* SPDX-License-Identifier: MIT */
#include "media/raw.h"
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX (UINT64_C(256) << 20)

/* ---- Reading ---- */

struct raw_source {
    struct source source;
    struct input *input;
    struct raw_options options;
    uint8_t *payload; /* bytes of the frame at hand, unless it is a picture */
    size_t room, filled;
    uint64_t frame; /* number of the next frame */
};

static int raw_ended_early(uint64_t number, uint64_t had, uint64_t all)
{
    report_error("the stream ends within frame %" PRIu64 ": %" PRIu64 " of its %" PRIu64 " bytes came",
                 number, had, all);
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
                return raw_ended_early(number, had, all);
        }
    }
    return 0;
}

static int raw_add_bytes(struct raw_source *raw, size_t count)
{
    ssize_t got;
    if (raw->filled + count > raw->room) {
        size_t room = 2 * (raw->filled + count);
        uint8_t *payload = room <= PAYLOAD_MAX ? realloc(raw->payload, room) : NULL;
        if (!payload) {
            report_error("frame %" PRIu64 " has more than %zu bytes, which is too much", raw->frame,
                         raw->filled);
            return -ENOMEM;
        }
        raw->payload = payload;
        raw->room = room;
    }
    got = input_read(raw->input, raw->payload + raw->filled, count);
    if (got < 0)
        return (int)got;
    raw->filled += (size_t)got;
    return (size_t)got == count ? 0 : -ENODATA;
}

static int raw_not_jpeg(const struct raw_source *raw)
{
    report_error("frame %" PRIu64 " is not a JPEG file, near byte %" PRIu64, raw->frame, raw->input->total);
    return -EBADMSG;
}

/* Reads from the start of a scan to the marker that ends it. */
static int raw_read_scan(struct raw_source *raw)
{
    int r = raw_add_bytes(raw, 2);
    while (r == 0) {
        const uint8_t *last = raw->payload + raw->filled - 2;
        /* 0 is a stuffed byte, D0 to D7 are restarts, FF fills. */
        if (last[0] == 0xff && last[1] != 0 && last[1] != 0xff && (last[1] & 0xf8) != 0xd0)
            return 0;
        r = raw_add_bytes(raw, 1);
    }
    return r;
}

/* Reads a JPEG file segment by segment: an embedded thumbnail has an end of its own. */
static int raw_read_jpeg(struct raw_source *raw)
{
    int r = raw_add_bytes(raw, 2);
    if (r == -ENODATA && !raw->filled)
        return r;
    if (r == 0 && (raw->payload[0] != 0xff || raw->payload[1] != 0xd8))
        return raw_not_jpeg(raw);
    if (r == 0)
        r = raw_add_bytes(raw, 2);
    while (r == 0) {
        const uint8_t *marker = raw->payload + raw->filled - 2;
        uint8_t kind = marker[1];
        size_t length;
        if (marker[0] != 0xff)
            return raw_not_jpeg(raw);
        if (kind == 0xd9)
            return 0;
        if (kind == 0xff) { /* fills */
            raw->filled--;
            r = raw_add_bytes(raw, 1);
            continue;
        }
        r = raw_add_bytes(raw, 2);
        if (r < 0)
            break;
        length = (size_t)raw->payload[raw->filled - 2] << 8 | raw->payload[raw->filled - 1];
        if (length < 2)
            return raw_not_jpeg(raw);
        r = raw_add_bytes(raw, length - 2);
        if (r == 0)
            r = kind == 0xda ? raw_read_scan(raw) : raw_add_bytes(raw, 2);
    }
    if (r == -ENODATA) {
        report_error("the stream ends within frame %" PRIu64 ", after %zu bytes of it", raw->frame,
                     raw->filled);
        return -EBADMSG;
    }
    return r;
}

static int raw_read_piece(struct raw_source *raw)
{
    int r = raw_add_bytes(raw, raw->options.frame_bytes);
    if (r == -ENODATA && raw->filled)
        return raw_ended_early(raw->frame, raw->filled, raw->options.frame_bytes);
    return r;
}

static int raw_next(struct source *source, struct saved_frame *saved)
{
    struct raw_source *raw = (struct raw_source *)source;
    int r = 0;
    *saved =
        (struct saved_frame){.frame = {.format = &raw->options.format, .size = raw->options.format.size}};
    raw->filled = 0;
    if (raw->options.format.fourcc) {
        r = raw_add_bytes(raw, 1); /* is there another frame? */
        if (r == 0) {
            raw->input->from--; /* a single byte always comes from the buffer */
            raw->input->total--;
        }
    } else {
        r = raw->options.frame_bytes ? raw_read_piece(raw) : raw_read_jpeg(raw);
        saved->frame.size = raw->filled;
    }
    return r == -ENODATA ? 0 : r < 0 ? r : 1;
}

static int raw_read(struct source *source, const struct framebus_frame *frame)
{
    struct raw_source *raw = (struct raw_source *)source;
    if (raw->options.format.fourcc)
        return input_picture(raw->input, &raw->options.format, frame, raw->frame++);
    memcpy(frame->data, raw->payload, raw->filled);
    raw->frame++;
    return 0;
}

static void raw_close(struct source *source)
{
    struct raw_source *raw = (struct raw_source *)source;
    free(raw->payload);
    free(raw);
}

static const struct source_kind raw_source_kind = {.next = raw_next, .read = raw_read, .close = raw_close};

struct source *raw_source_open(struct input *input, const struct raw_options *options)
{
    struct raw_source *raw = calloc(1, sizeof *raw);
    if (!raw)
        report_out_of_memory();
    *raw = (struct raw_source){.source = {.kind = &raw_source_kind}, .input = input, .options = *options};
    return &raw->source;
}

/* ---- Writing ---- */

struct raw_sink {
    struct sink sink;
    int fd, interrupts;
    struct framebus_format *format; /* of the first frame; NULL: there was none yet */
    uint8_t *rows;                  /* room for a plane without padding */
};

static int raw_write_plane(struct raw_sink *raw, const struct framebus_frame *frame, unsigned plane)
{
    size_t bytes = framebus_format_row_bytes(frame->format, plane);
    size_t rows = framebus_format_rows(frame->format, plane);
    const struct framebus_plane *from = &frame->plane[plane];
    raw->sink.bytes += bytes * rows;
    if (from->stride == bytes)
        return output_write(raw->fd, raw->interrupts, from->data, bytes * rows);
    for (size_t row = 0; row < rows; row++)
        memcpy(raw->rows + row * bytes, (const uint8_t *)from->data + row * from->stride, bytes);
    return output_write(raw->fd, raw->interrupts, raw->rows, bytes * rows);
}

static int raw_check_format(struct raw_sink *raw, const struct framebus_format *format)
{
    if (raw->format)
        return format_is_alike(raw->format, format)
                   ? 0
                   : format_refuse_change(raw->format, format,
                                          "which bare frames cannot show; the stream ends here");
    raw->format = format_copy(format);
    raw->rows = malloc(format->size);
    if (!raw->format || !raw->rows)
        report_out_of_memory();
    return 0;
}

static int raw_write(struct sink *sink, const struct saved_frame *saved)
{
    struct raw_sink *raw = (struct raw_sink *)sink;
    const struct framebus_frame *frame = &saved->frame;
    int r = raw_check_format(raw, frame->format);
    if (r == 0 && !frame_is_picture(frame)) {
        sink->bytes += frame->size;
        return output_write(raw->fd, raw->interrupts, frame->data, frame->size);
    }
    for (unsigned i = 0; r == 0 && i < frame->format->planes; i++)
        r = raw_write_plane(raw, frame, i);
    return r;
}

static void raw_sink_close(struct sink *sink)
{
    struct raw_sink *raw = (struct raw_sink *)sink;
    free(raw->format);
    free(raw->rows);
    free(raw);
}

static const struct sink_kind raw_sink_kind = {.write = raw_write, .close = raw_sink_close};

struct sink *raw_sink_open(int fd, int interrupts)
{
    struct raw_sink *raw = calloc(1, sizeof *raw);
    if (!raw)
        report_out_of_memory();
    *raw = (struct raw_sink){.sink = {.kind = &raw_sink_kind}, .fd = fd, .interrupts = interrupts};
    return &raw->sink;
}
