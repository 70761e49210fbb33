/* SPDX-License-Identifier: MIT */
/* Writes .fbr files. */
#include "cli/clock.h"
#include "cli/report.h"
#include "media/fbr-layout.h"
#include "media/fbr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

struct fbr_sink {
    struct sink sink;
    int fd;
    struct framebus_format *format; /* the last format written; NULL: nothing was */
    uint64_t format_at;
    struct fbr_entry *entry;
    size_t entries, room;
};

static size_t fbr_padding(size_t size)
{
    return -size & 7;
}

/* Writes all parts. A record is written whole, or the recording is over. */
static int fbr_write_parts(struct fbr_sink *fbr, struct iovec *parts, int count)
{
    while (count) {
        ssize_t written = writev(fbr->fd, parts, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            int error = errno;
            report_error("cannot write to the file: %s", strerror(error));
            return -error;
        }
        fbr->sink.bytes += (uint64_t)written;
        for (; count && (size_t)written >= parts->iov_len; count--, parts++)
            written -= (ssize_t)parts->iov_len;
        if (count) {
            parts->iov_base = (uint8_t *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return 0;
}

static int fbr_write_head(struct fbr_sink *fbr)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct fbr_head head = {
        .version = FBR_VERSION,
        .head_size = sizeof head,
        .realtime_ns = now.tv_sec * NS_PER_S + now.tv_nsec,
        .monotonic_ns = clock_now(),
    };
    struct iovec part = {&head, sizeof head};
    memcpy(head.magic, fbr_magic, sizeof head.magic);

    return fbr_write_parts(fbr, &part, 1);
}

static int fbr_write_format(struct fbr_sink *fbr, const struct framebus_format *format)
{
    static uint8_t zeroes[8];
    const char *caps = format->caps ? format->caps : "";
    size_t caps_bytes = strlen(caps) + 1, pad = fbr_padding(caps_bytes);
    struct fbr_format record = {
        .record = {FBR_FORMAT, sizeof record, sizeof record + caps_bytes + pad},
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
        .orientation = format->orientation,
        .caps_bytes = (uint32_t)caps_bytes,
    };
    struct iovec parts[] = {{&record, sizeof record}, {(void *)caps, caps_bytes}, {zeroes, pad}};
    memcpy(record.stride, format->stride, sizeof record.stride);
    memcpy(record.offset, format->offset, sizeof record.offset);
    free(fbr->format);
    fbr->format = format_copy(format);
    fbr->format_at = fbr->sink.bytes;
    if (!fbr->format)
        report_out_of_memory();
    return fbr_write_parts(fbr, parts, 3);
}

static void fbr_sink_add_entry(struct fbr_sink *fbr, int64_t publish_ns)
{
    if (fbr->entries == fbr->room) {
        size_t room = fbr->room ? 2 * fbr->room : 1024;
        struct fbr_entry *entry = realloc(fbr->entry, room * sizeof *entry);
        if (!entry)
            report_out_of_memory();
        fbr->entry = entry;
        fbr->room = room;
    }
    fbr->entry[fbr->entries++] = (struct fbr_entry){fbr->sink.bytes, fbr->format_at, publish_ns};
}

static int fbr_write(struct sink *sink, const struct saved_frame *saved)
{
    static uint8_t zeroes[8];
    struct fbr_sink *fbr = (struct fbr_sink *)sink;
    const struct framebus_frame *frame = &saved->frame;
    size_t pad = fbr_padding(frame->size);
    struct fbr_frame record = {
        .record = {FBR_FRAME, sizeof record, sizeof record + saved->meta_size + frame->size + pad},
        .sequence = frame->sequence,
        .missed = frame->missed,
        .capture_ns = frame->capture_ns,
        .publish_ns = frame->publish_ns,
        .duration_ns = frame->duration_ns,
        .flags = frame->flags,
        .meta_bytes = saved->meta_size,
        .crop = {frame->crop.x, frame->crop.y, frame->crop.width, frame->crop.height},
        .data_bytes = frame->size,
    };
    struct iovec parts[] = {
        {&record, sizeof record},
        {(void *)saved->meta, saved->meta_size},
        {frame->data, frame->size},
        {zeroes, pad},
    };
    int r = fbr->format ? 0 : fbr_write_head(fbr);
    if (r == 0 && (!fbr->format || !framebus_format_equal(fbr->format, frame->format)))
        r = fbr_write_format(fbr, frame->format);
    if (r < 0)
        return r;
    fbr_sink_add_entry(fbr, frame->publish_ns);
    return fbr_write_parts(fbr, parts, 4);
}

static int fbr_finish(struct sink *sink)
{
    struct fbr_sink *fbr = (struct fbr_sink *)sink;
    size_t bytes = fbr->entries * sizeof *fbr->entry;
    struct fbr_index index = {
        .record = {FBR_INDEX, sizeof index, sizeof index + bytes},
        .entries = fbr->entries,
    };
    struct fbr_end end = {
        .record = {FBR_END, sizeof end, sizeof end},
        .index_at = sink->bytes,
    };
    struct iovec parts[] = {{&index, sizeof index}, {fbr->entry, bytes}, {&end, sizeof end}};
    memcpy(end.magic, fbr_magic, sizeof end.magic);
    return fbr->format ? fbr_write_parts(fbr, parts, 3) : 0;
}

static void fbr_sink_close(struct sink *sink)
{
    struct fbr_sink *fbr = (struct fbr_sink *)sink;
    free(fbr->format);
    free(fbr->entry);
    free(fbr);
}

static const struct sink_kind fbr_sink_kind = {
    .write = fbr_write, .finish = fbr_finish, .close = fbr_sink_close};

struct sink *fbr_sink_open(int fd)
{
    struct fbr_sink *fbr = calloc(1, sizeof *fbr);
    if (!fbr)
        report_out_of_memory();
    *fbr = (struct fbr_sink){.sink = {.kind = &fbr_sink_kind}, .fd = fd};
    return &fbr->sink;
}
