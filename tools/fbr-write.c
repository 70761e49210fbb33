/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "arguments.h"
#include "fbr-layout.h"
#include "fbr.h"
#include "stream.h"

struct writer {
    struct sink sink;
    int fd;
    struct framebus_format *format; /* the last one written; NULL: nothing is */
    uint64_t format_at;
    struct fbr_entry *entry;
    size_t entries, room;
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static size_t padding(size_t size)
{
    return -size & 7;
}

/* All parts in one go. A record is written whole or the recording is over. */
static int write_parts(struct writer *writer, struct iovec *parts, int count)
{
    while (count) {
        ssize_t written = writev(writer->fd, parts, count);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            int error = errno;

            complain("cannot write to the file: %s", strerror(error));
            return -error;
        }
        writer->sink.bytes += (uint64_t)written;
        for (; count && (size_t)written >= parts->iov_len; count--, parts++)
            written -= (ssize_t)parts->iov_len;
        if (count) {
            parts->iov_base = (uint8_t *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

static int write_head(struct writer *writer)
{
    struct fbr_head head = {
        .magic = FBR_MAGIC,
        .version = FBR_VERSION,
        .head_size = sizeof(head),
        .realtime_ns = clock_ns(CLOCK_REALTIME),
        .monotonic_ns = clock_ns(CLOCK_MONOTONIC),
    };
    struct iovec part = {&head, sizeof(head)};

    return write_parts(writer, &part, 1);
}

static int write_format(struct writer *writer, const struct framebus_format *format)
{
    static uint8_t zeroes[8];
    const char *caps = format->caps ? format->caps : "";
    size_t caps_bytes = strlen(caps) + 1, pad = padding(caps_bytes);
    struct fbr_format record = {
        .record = {FBR_FORMAT, sizeof(record), sizeof(record) + caps_bytes + pad},
        .fourcc = format->fourcc,
        .width = format->width,
        .height = format->height,
        .rate_num = format->rate_num,
        .rate_den = format->rate_den,
        .aspect_num = format->aspect_num,
        .aspect_den = format->aspect_den,
        .primaries = format->color.primaries,
        .transfer = format->color.transfer,
        .matrix = format->color.matrix,
        .range = format->color.range,
        .modifier = format->modifier,
        .frame_size = format->size,
        .planes = format->planes,
        .caps_bytes = (uint32_t)caps_bytes,
    };
    struct iovec parts[] = {{&record, sizeof(record)}, {(void *)caps, caps_bytes}, {zeroes, pad}};

    memcpy(record.stride, format->stride, sizeof(record.stride));
    memcpy(record.offset, format->offset, sizeof(record.offset));
    free(writer->format);
    writer->format = format_copy(format);
    writer->format_at = writer->sink.bytes;
    if (!writer->format)
        return complain("out of memory"), -ENOMEM;
    return write_parts(writer, parts, 3);
}

static int add_entry(struct writer *writer, int64_t publish_ns)
{
    if (writer->entries == writer->room) {
        size_t room = writer->room ? 2 * writer->room : 1024;
        struct fbr_entry *entry = realloc(writer->entry, room * sizeof(*entry));

        if (!entry)
            return complain("out of memory"), -ENOMEM;
        writer->entry = entry;
        writer->room = room;
    }
    writer->entry[writer->entries++] = (struct fbr_entry){writer->sink.bytes, writer->format_at, publish_ns};
    return 0;
}

static int fbr_write(struct sink *sink, const struct shot *shot)
{
    static uint8_t zeroes[8];
    struct writer *writer = (struct writer *)sink;
    size_t pad = padding(shot->size);
    struct fbr_frame record = {
        .record = {FBR_FRAME, sizeof(record), sizeof(record) + shot->meta_size + shot->size + pad},
        .sequence = shot->sequence,
        .missed = shot->missed,
        .capture_ns = shot->capture_ns,
        .publish_ns = shot->publish_ns,
        .duration_ns = shot->duration_ns,
        .flags = shot->flags,
        .meta_bytes = shot->meta_size,
        .crop = {shot->crop.x, shot->crop.y, shot->crop.width, shot->crop.height},
        .data_bytes = shot->size,
    };
    struct iovec parts[] = {
        {&record, sizeof(record)},
        {(void *)shot->meta, shot->meta_size},
        {(void *)shot->data, shot->size},
        {zeroes, pad},
    };
    int r = writer->format ? 0 : write_head(writer);

    if (r == 0 && (!writer->format || !framebus_format_equal(writer->format, shot->format)))
        r = write_format(writer, shot->format);
    if (r == 0)
        r = add_entry(writer, shot->publish_ns);
    return r == 0 ? write_parts(writer, parts, 4) : r;
}

static int fbr_finish(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;
    size_t bytes = writer->entries * sizeof(*writer->entry);
    struct fbr_index index = {
        .record = {FBR_INDEX, sizeof(index), sizeof(index) + bytes},
        .entries = writer->entries,
    };
    struct fbr_end end = {
        .record = {FBR_END, sizeof(end), sizeof(end)},
        .index_at = sink->bytes,
        .magic = FBR_MAGIC,
    };
    struct iovec parts[] = {{&index, sizeof(index)}, {writer->entry, bytes}, {&end, sizeof(end)}};

    return writer->format ? write_parts(writer, parts, 3) : 0;
}

static void fbr_close(struct sink *sink)
{
    struct writer *writer = (struct writer *)sink;

    free(writer->format);
    free(writer->entry);
    free(writer);
}

static const struct sink_kind fbr_sink_kind = {.write = fbr_write, .finish = fbr_finish, .close = fbr_close};

struct sink *fbr_sink(int fd)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        complain("out of memory");
        return NULL;
    }
    *writer = (struct writer){.sink = {.kind = &fbr_sink_kind}, .fd = fd};
    return &writer->sink;
}
