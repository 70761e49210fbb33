/* SPDX-License-Identifier: MIT */
#include "frame.h"
#include "atomic.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void frames_init(struct frame *frames, uint32_t count, void *owner, const struct framebus_format *format,
                 uint32_t serial, uint8_t *data, uint64_t stride, uint64_t capacity)
{
    for (uint32_t i = 0; i < count; i++, data += stride) {
        struct frame *f = &frames[i];
        f->owner = owner;
        f->meta = data + capacity;
        f->public.format = format;
        f->public.format_serial = serial;
        f->public.slot = i;
        f->public.data = data;
        f->public.capacity = capacity;
        for (uint32_t p = 0; p < format->planes; p++) {
            f->public.plane[p].data = data + format->offset[p];
            f->public.plane[p].stride = format->stride[p];
        }
    }
}

bool crop_is_sane(const struct framebus_rect *crop, const struct framebus_format *format)
{
    if (!crop->x && !crop->y && !crop->width && !crop->height)
        return true;
    return crop->width && crop->x < format->width && crop->width <= format->width - crop->x && crop->height &&
           crop->y < format->height && crop->height <= format->height - crop->y;
}

/* Metadata: blocks of tag, size and bytes, each padded to a multiple of 8. */
struct block {
    uint32_t tag;
    uint32_t size; /* of the bytes that follow, without padding */
};

_Static_assert(sizeof(struct block) == 8 && FRAMEBUS_META_MAX % 8 == 0, "metadata block");

static uint32_t padded(uint32_t size)
{
    return (size + 7) & ~7u;
}

int framebus_frame_add_meta(struct framebus_frame *frame, uint32_t tag, const void *data, size_t size)
{
    if (!frame || (!data && size))
        return fail(-EINVAL, "metadata without %s", frame ? "data" : "a frame");
    struct frame *f = (struct frame *)frame;
    if (f->state == FRAME_PUBLISHED)
        return fail(-EALREADY, "frame %" PRIu64 " is published: its metadata cannot change any more",
                    frame->sequence);
    if (f->state != FRAME_LENT)
        return fail(-EINVAL, "metadata can be added to a writer's frame only, between begin and publish");

    uint32_t room = FRAMEBUS_META_MAX - f->meta_size;
    if (room < sizeof(struct block) || size > room - sizeof(struct block))
        return fail(-ENOSPC,
                    "%zu bytes of metadata and %zu for their head do not fit in the %" PRIu32
                    " that are left",
                    size, sizeof(struct block), room);
    struct block head = {.tag = tag, .size = (uint32_t)size};
    uint8_t *at = f->meta + f->meta_size;
    memcpy(at, &head, sizeof head);
    if (size)
        memcpy(at + sizeof head, data, size);
    memset(at + sizeof head + size, 0, padded(head.size) - head.size);
    f->meta_size += (uint32_t)sizeof head + padded(head.size);
    return 0;
}

/* The block at *at, and *at behind it. NULL: no block, or a malformed one. */
static const void *next_block(const struct frame *f, uint32_t *at, struct block *head)
{
    if (f->meta_size - *at < sizeof *head)
        return NULL;
    /* Loaded once: what is checked is what is used, whatever the writer does meanwhile. */
    const shared_u32 *words = (const shared_u32 *)(f->meta + *at);
    *head = (struct block){.tag = load_relaxed(&words[0]), .size = load_relaxed(&words[1])};
    uint32_t start = *at + (uint32_t)sizeof *head;
    if (head->size > f->meta_size - start)
        return NULL;
    uint32_t left = f->meta_size - start;
    *at = start + (padded(head->size) < left ? padded(head->size) : left);
    return f->meta + start;
}

const void *framebus_frame_meta_at(const struct framebus_frame *frame, unsigned index, uint32_t *tag,
                                   size_t *size)
{
    const struct frame *f = (const struct frame *)frame;
    struct block head = {0};
    const void *data = NULL;
    if (f && f->meta) {
        uint32_t at = 0;
        do
            data = next_block(f, &at, &head);
        while (data && index--);
    }
    if (tag)
        *tag = data ? head.tag : 0;
    if (size)
        *size = data ? head.size : 0;
    return data;
}

const void *framebus_frame_get_meta(const struct framebus_frame *frame, uint32_t tag, unsigned index,
                                    size_t *size)
{
    uint32_t found;
    const void *data;
    for (unsigned i = 0; (data = framebus_frame_meta_at(frame, i, &found, size)); i++)
        if (found == tag && index-- == 0)
            return data;
    return NULL;
}
