/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "fbr-layout.h"
#include "fbr.h"

struct reader {
    struct source source;
    int fd;
    uint64_t size; /* of the file */
    struct fbr_entry *entry;
    size_t entries, room, next;
    uint64_t format_at; /* where the format below stands; 0: none yet */
    struct framebus_format format;
    char caps[FRAMEBUS_CAPS_MAX];
    struct fbr_frame frame; /* the one at hand */
    uint64_t data_at;
    uint8_t meta[FRAMEBUS_META_MAX];
};

/* Whether all of it could be read; nothing beyond the end of the file can. */
static bool read_at(const struct reader *reader, void *to, uint64_t size, uint64_t at)
{
    uint8_t *next = to;

    if (at > reader->size || size > reader->size - at)
        return false;
    while (size) {
        ssize_t got = pread(reader->fd, next, size < SSIZE_MAX ? size : SSIZE_MAX, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        next += got;
        at += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return true;
}

/* Reads a record's head of `size` bytes. What comes after the fields that we know is skipped. */
static bool read_head(const struct reader *reader, void *head, uint32_t size, uint32_t type, uint64_t at)
{
    const struct fbr_record *record = head;

    return read_at(reader, head, size, at) && record->type == type && record->head_size >= size &&
           record->head_size <= record->size && record->size <= reader->size - at;
}

static bool read_format(struct reader *reader, uint64_t at)
{
    struct fbr_format head;
    struct framebus_format format;

    if (!read_head(reader, &head, sizeof(head), FBR_FORMAT, at) || !head.caps_bytes ||
        head.caps_bytes > sizeof(reader->caps) ||
        head.caps_bytes > head.record.size - head.record.head_size ||
        !read_at(reader, reader->caps, head.caps_bytes, at + head.record.head_size) ||
        reader->caps[head.caps_bytes - 1])
        return false;
    format = (struct framebus_format){
        .fourcc = head.fourcc,
        .width = head.width,
        .height = head.height,
        .rate_num = head.rate_num,
        .rate_den = head.rate_den,
        .aspect_num = head.aspect_num,
        .aspect_den = head.aspect_den,
        .color = {head.primaries, head.transfer, head.matrix, head.range},
        .modifier = head.modifier,
        .size = head.frame_size,
        .planes = head.planes,
        .caps = reader->caps,
    };
    memcpy(format.stride, head.stride, sizeof(format.stride));
    memcpy(format.offset, head.offset, sizeof(format.offset));
    /* No frame is larger than the file that holds it: who says so wants memory for nothing. */
    if (!format.fourcc && format.size > reader->size)
        format.size = reader->size;
    if (framebus_format_check(&format) < 0 || format.size > reader->size)
        return false;
    reader->format = format;
    reader->format_at = at;
    return true;
}

static bool read_frame(const struct reader *reader, struct fbr_frame *head, uint64_t at)
{
    uint64_t body;

    if (!read_head(reader, head, sizeof(*head), FBR_FRAME, at))
        return false;
    body = head->record.size - head->record.head_size;
    return head->meta_bytes <= FRAMEBUS_META_MAX && head->meta_bytes <= body &&
           head->data_bytes <= body - head->meta_bytes;
}

static bool add_entry(struct reader *reader, struct fbr_entry entry)
{
    if (reader->entries == reader->room) {
        size_t room = reader->room ? 2 * reader->room : 1024;
        struct fbr_entry *grown = realloc(reader->entry, room * sizeof(*grown));

        if (!grown)
            return false;
        reader->entry = grown;
        reader->room = room;
    }
    reader->entry[reader->entries++] = entry;
    return true;
}

/* Goes from record to record as far as they make sense. Returns where that ends. */
static uint64_t scan(struct reader *reader, uint64_t at)
{
    uint64_t format_at = 0;
    struct fbr_record record;

    while (read_at(reader, &record, sizeof(record), at) && record.head_size >= sizeof(record) &&
           record.size >= record.head_size && record.size <= reader->size - at && record.size % 8 == 0) {
        struct fbr_frame frame;

        if (record.type == FBR_FORMAT)
            format_at = at;
        else if (record.type == FBR_FRAME &&
                 (!format_at || !read_frame(reader, &frame, at) ||
                  !add_entry(reader, (struct fbr_entry){at, format_at, frame.publish_ns})))
            break;
        at += record.size; /* records of kinds that we do not know are skipped */
    }
    return at;
}

/* The index that the end points to. False: there is none, or it is damaged. */
static bool load_index(struct reader *reader)
{
    struct fbr_index index;
    struct fbr_end end;

    if (reader->size < sizeof(end) ||
        !read_head(reader, &end, sizeof(end), FBR_END, reader->size - sizeof(end)) ||
        memcmp(end.magic, FBR_MAGIC, sizeof(end.magic)) != 0 ||
        !read_head(reader, &index, sizeof(index), FBR_INDEX, end.index_at) ||
        index.entries > (index.record.size - index.record.head_size) / sizeof(*reader->entry))
        return false;
    reader->entries = reader->room = index.entries;
    reader->entry = malloc(index.entries * sizeof(*reader->entry) + 1);
    if (reader->entry && read_at(reader, reader->entry, index.entries * sizeof(*reader->entry),
                                 end.index_at + index.record.head_size))
        return true;
    free(reader->entry);
    reader->entry = NULL;
    reader->entries = reader->room = 0;
    return false;
}

static int damaged(const struct reader *reader)
{
    complain("the file is damaged: frame %zu, said to be at byte %" PRIu64 ", makes no sense", reader->next,
             reader->entry[reader->next].frame_at);
    return -EBADMSG;
}

static int fbr_next(struct source *source, struct shot *shot)
{
    struct reader *reader = (struct reader *)source;
    struct fbr_frame *frame = &reader->frame;
    const struct fbr_entry *entry = &reader->entry[reader->next];

    if (reader->next == reader->entries)
        return 0;
    if ((reader->format_at != entry->format_at && !read_format(reader, entry->format_at)) ||
        !read_frame(reader, frame, entry->frame_at) ||
        (reader->format.fourcc && frame->data_bytes > reader->format.size) ||
        !read_at(reader, reader->meta, frame->meta_bytes, entry->frame_at + frame->record.head_size))
        return damaged(reader);
    reader->data_at = entry->frame_at + frame->record.head_size + frame->meta_bytes;
    *shot = (struct shot){
        .format = &reader->format,
        .size = frame->data_bytes,
        .sequence = frame->sequence,
        .missed = frame->missed,
        .capture_ns = frame->capture_ns,
        .publish_ns = frame->publish_ns,
        .duration_ns = frame->duration_ns,
        .flags = frame->flags,
        .crop = {frame->crop[0], frame->crop[1], frame->crop[2], frame->crop[3]},
        .meta = reader->meta,
        .meta_size = frame->meta_bytes,
    };
    reader->next++;
    return 1;
}

static int fbr_read(struct source *source, const struct framebus_frame *frame)
{
    struct reader *reader = (struct reader *)source;

    if (read_at(reader, frame->data, reader->frame.data_bytes, reader->data_at))
        return 0;
    reader->next--;
    return damaged(reader);
}

static int fbr_rewind(struct source *source)
{
    ((struct reader *)source)->next = 0;
    return 0;
}

static void fbr_close(struct source *source)
{
    struct reader *reader = (struct reader *)source;

    close(reader->fd);
    free(reader->entry);
    free(reader);
}

static const struct source_kind fbr_kind = {
    .next = fbr_next, .read = fbr_read, .rewind = fbr_rewind, .close = fbr_close};

static bool begin(struct reader *reader)
{
    struct fbr_head head;
    struct stat status;
    uint64_t end;

    if (fstat(reader->fd, &status) == 0)
        reader->size = (uint64_t)status.st_size;
    if (!read_at(reader, &head, sizeof(head), 0) || memcmp(head.magic, FBR_MAGIC, sizeof(head.magic)) != 0) {
        complain("the file is no .fbr recording: it does not begin as one");
        return false;
    }
    if (head.version != FBR_VERSION || head.head_size < sizeof(head)) {
        complain("the recording has version %" PRIu32 " of the format; this program reads version %d",
                 head.version, FBR_VERSION);
        return false;
    }
    if (load_index(reader))
        return true;
    end = scan(reader, head.head_size);
    complain("the recording has no usable index: it was cut off; %zu frames are there, %" PRIu64
             " bytes at the end are of no use",
             reader->entries, end < reader->size ? reader->size - end : 0);
    return true;
}

struct source *fbr_source(int fd)
{
    struct reader *reader = calloc(1, sizeof(*reader));

    if (!reader) {
        complain("out of memory");
        close(fd);
        return NULL;
    }
    *reader = (struct reader){.source = {.kind = &fbr_kind, .timed = true}, .fd = fd};
    if (!begin(reader)) {
        fbr_close(&reader->source);
        return NULL;
    }
    reader->source.frames = reader->entries;
    return &reader->source;
}
