/* SPDX-License-Identifier: MIT */
#include "frame.h"
#include "base/log.h"
#include "base/memory.h"
#include "shared/atomic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void frame_init(struct frame *f, const struct frame_pool *pool, uint32_t slot, uint8_t *data)
{
    const struct framebus_format *format = pool->format;
    f->owner = pool->owner;
    f->handle = pool->handle;
    f->meta = data + pool->capacity;
    f->meta_max = pool->meta_max;
    f->public.format = format;
    f->public.format_serial = pool->serial;
    f->public.slot = slot;
    f->public.data = data;
    f->public.capacity = pool->capacity;
    for (uint32_t p = 0; p < format->planes; p++) {
        f->public.plane[p].data = data + format->offset[p];
        f->public.plane[p].stride = format->stride[p];
    }
}

bool crop_is_sane(const struct framebus_rect *crop, const struct framebus_format *format)
{
    if (!crop->x && !crop->y && !crop->width && !crop->height)
        return true;
    return crop->width && crop->x < format->width && crop->width <= format->width - crop->x && crop->height &&
           crop->y < format->height && crop->height <= format->height - crop->y;
}

char *framebus_flags_describe(uint32_t flags, char *text, size_t room)
{
    static const char *const names[] = {"discont",   "delta",     "corrupted",      "header", "gap",
                                        "droppable", "marker",    "interlaced",     "tff",    "rff",
                                        "one field", "multiview", "first in bundle"};
    const uint32_t known = (1u << (sizeof names / sizeof *names)) - 1;
    size_t length = 0;
    if (!text || !room)
        return text;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names && length < room; i++)
        if (flags & 1u << i)
            length += (size_t)snprintf(text + length, room - length, "%s%s", length ? ", " : "", names[i]);
    if (flags & ~known && length < room)
        snprintf(text + length, room - length, "%s0x%" PRIx32, length ? ", " : "", flags & ~known);
    return text;
}

/* ---- metadata ---- */

/* Metadata: blocks of tag, size and bytes, each padded to a multiple of 8. */
struct block {
    uint32_t tag;
    uint32_t size; /* of the bytes that follow, without padding */
};

_Static_assert(sizeof(struct block) == 8, "metadata block");

static size_t block_padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* Returns 0 if blocks of `room` bytes in all can be appended to a frame, and makes sure of their memory. */
static int frame_make_room(struct frame *f, size_t room)
{
    if (f->state == FRAME_PUBLISHED)
        return fail(-EALREADY, "frame %" PRIu64 " is published: its metadata cannot change any more",
                    f->public.sequence);
    if (f->state != FRAME_LENT)
        return fail(-EINVAL, "metadata can be added to a writer's frame only, between begin and publish");
    uint32_t left = f->meta_max - f->meta_size;
    if (room > left)
        return fail(-ENOSPC,
                    "%zu bytes of metadata, heads included, do not fit in the %" PRIu32 " of %" PRIu32
                    " that are left: open the writer with a larger meta_size",
                    room, left, f->meta_max);
    uint32_t end = f->meta_size + (uint32_t)room;
    return end > f->meta_backed ? f->back_meta(f, end) : 0;
}

int framebus_frame_append_meta(struct framebus_frame *frame, uint32_t tag, size_t size, void **data)
{
    struct frame *f = (struct frame *)frame;
    struct block head = {.tag = tag, .size = (uint32_t)size};
    *data = NULL;
    if (!frame)
        return fail(-EINVAL, "metadata without a frame");
    size_t padded = size <= FRAMEBUS_META_MAX ? block_padded(size) : size - sizeof head;
    int r = frame_make_room(f, sizeof head + padded);
    if (r)
        return r;
    uint8_t *at = f->meta + f->meta_size;
    memcpy(at, &head, sizeof head);
    memset(at + sizeof head + size, 0, padded - size);
    f->meta_size += (uint32_t)(sizeof head + padded);
    *data = at + sizeof head;
    return 0;
}

int framebus_frame_add_meta(struct framebus_frame *frame, uint32_t tag, const void *data, size_t size)
{
    void *to;
    if (!data && size)
        return fail(-EINVAL, "metadata without data");
    int r = framebus_frame_append_meta(frame, tag, size, &to);
    if (!r && size)
        memcpy(to, data, size);
    return r;
}

/* The block at *at of so many bytes, after which *at is behind it. NULL: there is none, or a malformed one.
 */
static const void *block_next(const uint8_t *bytes, size_t count, size_t *at, struct block *head)
{
    if (*at % 8 || *at > count || count - *at < sizeof *head)
        return NULL;
    /* Loaded once: what is checked is what is used, whatever the writer does meanwhile. */
    const shared_u32 *words = (const shared_u32 *)(bytes + *at);
    *head = (struct block){.tag = load_relaxed(&words[0]), .size = load_relaxed(&words[1])};
    size_t start = *at + sizeof *head, left = count - start;
    if (head->size > left)
        return NULL;
    *at = start + (block_padded(head->size) < left ? block_padded(head->size) : left);
    return bytes + start;
}

const void *framebus_meta_next(const void *bytes, size_t packed, size_t *at, uint32_t *tag, size_t *size)
{
    struct block head = {0};
    const void *data = bytes && (uintptr_t)bytes % 8 == 0 ? block_next(bytes, packed, at, &head) : NULL;
    if (tag)
        *tag = data ? head.tag : 0;
    if (size)
        *size = data ? head.size : 0;
    return data;
}

const void *framebus_frame_next_meta(const struct framebus_frame *frame, size_t *at, uint32_t *tag,
                                     size_t *size)
{
    const struct frame *f = (const struct frame *)frame;
    return framebus_meta_next(f ? f->meta : NULL, f ? f->meta_size : 0, at, tag, size);
}

const void *framebus_frame_meta_at(const struct framebus_frame *frame, unsigned index, uint32_t *tag,
                                   size_t *size)
{
    const void *data;
    size_t at = 0;
    do
        data = framebus_frame_next_meta(frame, &at, tag, size);
    while (data && index--);
    return data;
}

const void *framebus_frame_get_meta(const struct framebus_frame *frame, uint32_t tag, unsigned index,
                                    size_t *size)
{
    uint32_t found;
    const void *data;
    size_t at = 0;
    while ((data = framebus_frame_next_meta(frame, &at, &found, size)))
        if (found == tag && index-- == 0)
            return data;
    return NULL;
}

/* ---- time by other clocks ---- */

_Static_assert(sizeof(struct framebus_clock_time) == 16, "framebus_clock_time");

static bool clock_is_known(uint32_t clock)
{
    return clock == FRAMEBUS_CLOCK_REALTIME || clock == FRAMEBUS_CLOCK_TAI;
}

int framebus_frame_set_clock_time(struct framebus_frame *frame, const struct framebus_clock_time *time)
{
    if (!time || !clock_is_known(time->clock))
        return fail(-EINVAL, "clock %" PRIu32 " is none of 1 (realtime), 2 (TAI)", time ? time->clock : 0);
    return framebus_frame_add_meta(frame, FRAMEBUS_META_CLOCK_TIME, time, sizeof *time);
}

int framebus_frame_get_clock_time(const struct framebus_frame *frame, uint32_t clock,
                                  struct framebus_clock_time *time)
{
    const void *block;
    uint32_t tag;
    size_t size, at = 0;
    while ((block = framebus_frame_next_meta(frame, &at, &tag, &size))) {
        if (tag != FRAMEBUS_META_CLOCK_TIME || size != sizeof *time)
            continue;
        memcpy(time, block, sizeof *time);
        if (clock_is_known(time->clock) && (!clock || clock == time->clock))
            return 0;
    }
    return fail(-ENODATA, "the frame has no time of %s clock", clock ? "this" : "another");
}

/* ---- packed ---- */

size_t framebus_frame_copy_meta(const struct framebus_frame *frame, void *bytes, size_t room)
{
    const struct frame *f = (const struct frame *)frame;
    struct block head;
    const void *data;
    size_t at = 0, copied = 0;
    while ((data = block_next(f->meta, f->meta_size, &at, &head))) {
        size_t padded = block_padded(head.size);
        if (bytes && sizeof head + padded > room - copied)
            break;
        uint8_t *to = bytes ? (uint8_t *)bytes + copied : NULL;
        copied += sizeof head + padded;
        if (!to)
            continue;
        memcpy(to, &head, sizeof head);
        memcpy(to + sizeof head, data, head.size);
        memset(to + sizeof head + head.size, 0, padded - head.size);
    }
    return copied;
}

int framebus_frame_restore_meta(struct framebus_frame *frame, const void *bytes, size_t size)
{
    struct frame *f = (struct frame *)frame;
    struct block head;
    size_t at = 0;
    if (!size)
        return 0;
    if (!frame || !bytes || (uintptr_t)bytes % 8)
        return fail(-EINVAL, "packed metadata %s",
                    !frame  ? "without a frame"
                    : bytes ? "that does not begin at a multiple of 8 bytes"
                            : "without bytes");
    while (size % 8 == 0 && block_next(bytes, size, &at, &head))
        ;
    if (at != size)
        return fail(-EBADMSG, "%zu bytes of packed metadata are not whole blocks: at byte %zu there is none",
                    size, at);
    int r = frame_make_room(f, size);
    if (r)
        return r;
    memcpy(f->meta + f->meta_size, bytes, size);
    f->meta_size += (uint32_t)size;
    return 0;
}

/* ---- memory that is shared with devices ---- */

int framebus_frame_dmabuf(const struct framebus_frame *frame, struct framebus_dmabuf *dmabuf)
{
    const struct memory *o = ((const struct frame *)frame)->memory;
    if (!o)
        return fail(
            -ENOTSUP,
            "this frame is not in a DMA-BUF: its writer has none, or none for this reader, or none was "
            "asked for at open");
    if (!o->dmabuf)
        return fail(-ENOTSUP, "this frame is in an imported memfd, which is not a DMA-BUF");
    *dmabuf = (struct framebus_dmabuf){.serial = o->serial, .parts = o->parts};
    memcpy(dmabuf->part, o->part, sizeof dmabuf->part);
    for (uint32_t i = 0; i < frame->format->planes; i++) {
        uint64_t offset = frame->format->offset[i];
        dmabuf->plane[i].fd = memory_part_at(o, &offset)->fd;
        dmabuf->plane[i].offset = offset;
        dmabuf->plane[i].stride = frame->format->stride[i];
    }
    return 0;
}

int framebus_frame_begin_access(const struct framebus_frame *frame, bool write)
{
    return memory_begin_access(((const struct frame *)frame)->memory, write);
}

int framebus_frame_end_access(const struct framebus_frame *frame, bool write)
{
    return memory_end_access(((const struct frame *)frame)->memory, write);
}
