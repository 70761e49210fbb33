/* SPDX-License-Identifier: MIT */
/* Reads .fbr files. */
#include "cli/report.h"
#include "media/fbr-layout.h"
#include "media/fbr.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fbr_source {
    struct source source;
    int fd;
    uint64_t size; /* of the file */
    struct fbr_entry *entry;
    size_t entries, room, next;
    uint64_t format_at; /* offset of the record of this format; 0: none yet */
    struct framebus_format format;
    char caps[FRAMEBUS_CAPS_MAX];
    struct fbr_frame frame; /* record of the frame at hand */
    uint64_t data_at;
    void *meta; /* of that frame */
    uint32_t meta_room;
};

/* False if not all of it could be read: nothing beyond the end of the file can. */
static bool fbr_read_at(const struct fbr_source *fbr, void *to, uint64_t size, uint64_t at)
{
    uint8_t *next = to;
    if (at > fbr->size || size > fbr->size - at)
        return false;
    while (size) {
        ssize_t got = pread(fbr->fd, next, size < SSIZE_MAX ? size : SSIZE_MAX, (off_t)at);
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

/* Reads a record's own struct of `size` bytes. A longer one, with fields that are unknown here, is fine. */
static bool fbr_read_head(const struct fbr_source *fbr, void *head, uint32_t size, uint32_t type, uint64_t at)
{
    const struct fbr_record *record = head;
    return fbr_read_at(fbr, head, size, at) && record->type == type && record->head_size >= size &&
           record->head_size <= record->size && record->size <= fbr->size - at;
}

static bool fbr_read_format(struct fbr_source *fbr, uint64_t at)
{
    struct fbr_format head;
    struct framebus_format format;
    if (!fbr_read_head(fbr, &head, sizeof head, FBR_FORMAT, at) || !head.caps_bytes ||
        head.caps_bytes > sizeof fbr->caps || head.caps_bytes > head.record.size - head.record.head_size ||
        !fbr_read_at(fbr, fbr->caps, head.caps_bytes, at + head.record.head_size) ||
        fbr->caps[head.caps_bytes - 1])
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
        .orientation = head.orientation,
        .caps = fbr->caps,
    };
    memcpy(format.stride, head.stride, sizeof format.stride);
    memcpy(format.offset, head.offset, sizeof format.offset);
    /* A frame cannot be larger than the file that holds it: no memory is reserved for such a one. */
    if (!format.fourcc && format.size > fbr->size)
        format.size = fbr->size;
    if (framebus_format_check(&format) < 0 || format.size > fbr->size)
        return false;
    fbr->format = format;
    fbr->format_at = at;
    return true;
}

static bool fbr_read_frame(const struct fbr_source *fbr, struct fbr_frame *head, uint64_t at)
{
    uint64_t body;
    if (!fbr_read_head(fbr, head, sizeof *head, FBR_FRAME, at))
        return false;
    body = head->record.size - head->record.head_size;
    return head->meta_bytes <= FRAMEBUS_META_MAX && head->meta_bytes <= body &&
           head->data_bytes <= body - head->meta_bytes;
}

static bool fbr_read_meta(struct fbr_source *fbr, const struct fbr_frame *head, uint64_t at)
{
    if (head->meta_bytes > fbr->meta_room) {
        free(fbr->meta);
        fbr->meta = malloc(head->meta_bytes);
        if (!fbr->meta)
            report_out_of_memory();
        fbr->meta_room = head->meta_bytes;
    }
    return fbr_read_at(fbr, fbr->meta, head->meta_bytes, at + head->record.head_size);
}

static bool fbr_source_add_entry(struct fbr_source *fbr, struct fbr_entry entry)
{
    if (fbr->entries == fbr->room) {
        size_t room = fbr->room ? 2 * fbr->room : 1024;
        struct fbr_entry *grown = realloc(fbr->entry, room * sizeof *grown);
        if (!grown)
            return false;
        fbr->entry = grown;
        fbr->room = room;
    }
    fbr->entry[fbr->entries++] = entry;
    return true;
}

/* Goes from record to record as long as they make sense. Returns the offset where that ends. */
static uint64_t fbr_scan(struct fbr_source *fbr, uint64_t at)
{
    uint64_t format_at = 0;
    struct fbr_record record;
    while (fbr_read_at(fbr, &record, sizeof record, at) && record.head_size >= sizeof record &&
           record.size >= record.head_size && record.size <= fbr->size - at && record.size % 8 == 0) {
        struct fbr_frame frame;
        if (record.type == FBR_FORMAT)
            format_at = at;
        else if (record.type == FBR_FRAME &&
                 (!format_at || !fbr_read_frame(fbr, &frame, at) ||
                  !fbr_source_add_entry(fbr, (struct fbr_entry){at, format_at, frame.publish_ns})))
            break;
        at += record.size; /* records of unknown kinds are skipped */
    }
    return at;
}

/* Reads the index that the end points to. False: there is none, or it is damaged. */
static bool fbr_load_index(struct fbr_source *fbr)
{
    struct fbr_index index;
    struct fbr_end end;
    if (fbr->size < sizeof end || !fbr_read_head(fbr, &end, sizeof end, FBR_END, fbr->size - sizeof end) ||
        memcmp(end.magic, fbr_magic, sizeof fbr_magic) != 0 ||
        !fbr_read_head(fbr, &index, sizeof index, FBR_INDEX, end.index_at) ||
        index.entries > (index.record.size - index.record.head_size) / sizeof *fbr->entry ||
        index.entries >= SIZE_MAX / sizeof *fbr->entry)
        return false;
    fbr->entries = fbr->room = index.entries;
    fbr->entry = malloc(index.entries * sizeof *fbr->entry + 1);
    if (fbr->entry && fbr_read_at(fbr, fbr->entry, index.entries * sizeof *fbr->entry,
                                  end.index_at + index.record.head_size))
        return true;
    free(fbr->entry);
    fbr->entry = NULL;
    fbr->entries = fbr->room = 0;
    return false;
}

static int fbr_damaged(const struct fbr_source *fbr)
{
    report_error("the file is damaged: frame %zu, at byte %" PRIu64 " by the index, makes no sense",
                 fbr->next, fbr->entry[fbr->next].frame_at);
    return -EBADMSG;
}

static int fbr_next(struct source *source, struct saved_frame *saved)
{
    struct fbr_source *fbr = (struct fbr_source *)source;
    struct fbr_frame *frame = &fbr->frame;
    const struct fbr_entry *entry = &fbr->entry[fbr->next];
    if (fbr->next == fbr->entries)
        return 0;
    if ((fbr->format_at != entry->format_at && !fbr_read_format(fbr, entry->format_at)) ||
        !fbr_read_frame(fbr, frame, entry->frame_at) ||
        (fbr->format.fourcc && frame->data_bytes > fbr->format.size) ||
        !fbr_read_meta(fbr, frame, entry->frame_at))
        return fbr_damaged(fbr);
    fbr->data_at = entry->frame_at + frame->record.head_size + frame->meta_bytes;
    *saved = (struct saved_frame){
        .frame =
            {
                .format = &fbr->format,
                .size = frame->data_bytes,
                .sequence = frame->sequence,
                .missed = frame->missed,
                .capture_ns = frame->capture_ns,
                .publish_ns = frame->publish_ns,
                .duration_ns = frame->duration_ns,
                .flags = frame->flags,
                .crop = {frame->crop[0], frame->crop[1], frame->crop[2], frame->crop[3]},
            },
        .meta = fbr->meta,
        .meta_size = frame->meta_bytes,
    };
    fbr->next++;
    return 1;
}

static int fbr_read(struct source *source, const struct framebus_frame *frame)
{
    struct fbr_source *fbr = (struct fbr_source *)source;
    if (fbr_read_at(fbr, frame->data, fbr->frame.data_bytes, fbr->data_at))
        return 0;
    fbr->next--;
    return fbr_damaged(fbr);
}

static int fbr_rewind(struct source *source)
{
    ((struct fbr_source *)source)->next = 0;
    return 0;
}

static void fbr_source_close(struct source *source)
{
    struct fbr_source *fbr = (struct fbr_source *)source;
    close(fbr->fd);
    free(fbr->entry);
    free(fbr->meta);
    free(fbr);
}

static const struct source_kind fbr_source_kind = {
    .next = fbr_next, .read = fbr_read, .rewind = fbr_rewind, .close = fbr_source_close};

static bool fbr_begin(struct fbr_source *fbr)
{
    struct fbr_head head;
    struct stat status;
    uint64_t end;
    if (fstat(fbr->fd, &status) == 0)
        fbr->size = (uint64_t)status.st_size;
    if (!fbr_read_at(fbr, &head, sizeof head, 0) || memcmp(head.magic, fbr_magic, sizeof fbr_magic) != 0) {
        report_error("the file is not a .fbr recording: it does not begin as one");
        return false;
    }
    if (head.version == __builtin_bswap32(FBR_VERSION)) {
        report_error(
            "the recording has the other byte order: play it on a machine like the one that made it");
        return false;
    }
    if (head.version != FBR_VERSION || head.head_size < sizeof head) {
        report_error("the recording has version %" PRIu32 " of the format; this program reads version %d",
                     head.version, FBR_VERSION);
        return false;
    }
    if (fbr_load_index(fbr))
        return true;
    end = fbr_scan(fbr, head.head_size);
    report_error("the recording has no usable index: it was cut off; %zu frames are there, %" PRIu64
                 " bytes at the end are of no use",
                 fbr->entries, end < fbr->size ? fbr->size - end : 0);
    return true;
}

struct source *fbr_source_open(int fd)
{
    struct fbr_source *fbr = calloc(1, sizeof *fbr);
    if (!fbr)
        report_out_of_memory();
    *fbr = (struct fbr_source){.source = {.kind = &fbr_source_kind, .timed = true}, .fd = fd};
    if (!fbr_begin(fbr)) {
        fbr_source_close(&fbr->source);
        return NULL;
    }
    return &fbr->source;
}
