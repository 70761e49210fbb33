/* SPDX-License-Identifier: MIT */
#include "shot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_HEAD 8

static uint32_t padded(size_t size)
{
    return (uint32_t)(size + 7) & ~7U;
}

void shot_of_frame(struct shot *shot, const struct framebus_frame *frame, uint8_t *meta)
{
    const void *block;
    uint32_t tag, used = 0;
    size_t size;

    for (unsigned i = 0; (block = framebus_frame_meta_at(frame, i, &tag, &size)); i++) {
        uint32_t head[2] = {tag, (uint32_t)size};

        if (size > FRAMEBUS_META_MAX || BLOCK_HEAD + padded(size) > FRAMEBUS_META_MAX - used)
            break;
        memcpy(meta + used, head, sizeof(head));
        memset(meta + used + BLOCK_HEAD, 0, padded(size));
        memcpy(meta + used + BLOCK_HEAD, block, size);
        used += BLOCK_HEAD + padded(size);
    }
    *shot = (struct shot){
        .format = frame->format,
        .data = frame->data,
        .size = frame->size,
        .sequence = frame->sequence,
        .missed = frame->missed,
        .capture_ns = frame->capture_ns,
        .publish_ns = frame->publish_ns,
        .duration_ns = frame->duration_ns,
        .flags = frame->flags,
        .crop = frame->crop,
        .meta = meta,
        .meta_size = used,
    };
}

/* The block at *at, which then is where the next one begins. NULL: no block fits there. */
static const void *next_block(const struct shot *shot, uint32_t *at, uint32_t head[2])
{
    uint32_t rest = shot->meta_size - *at, from = *at + BLOCK_HEAD;

    if (rest < BLOCK_HEAD)
        return NULL;
    memcpy(head, shot->meta + *at, BLOCK_HEAD);
    if (head[1] > rest - BLOCK_HEAD || padded(head[1]) > rest - BLOCK_HEAD)
        return NULL;
    *at = from + padded(head[1]);
    return shot->meta + from;
}

const void *shot_meta(const struct shot *shot, uint32_t tag, size_t *size)
{
    const void *block;
    uint32_t at = 0, head[2];

    while ((block = next_block(shot, &at, head)))
        if (head[0] == tag) {
            *size = head[1];
            return block;
        }
    return NULL;
}

int shot_to_frame(const struct shot *shot, struct framebus_frame *frame)
{
    frame->size = shot->size;
    frame->duration_ns = shot->duration_ns;
    frame->flags = shot->flags;
    frame->crop = shot->crop;
    for (uint32_t at = 0; at < shot->meta_size;) {
        uint32_t head[2];
        const void *block = next_block(shot, &at, head);

        if (!block || framebus_frame_add_meta(frame, head[0], block, head[1]) < 0)
            return -EBADMSG;
    }
    return 0;
}

struct framebus_format *format_copy(const struct framebus_format *format)
{
    const char *caps = format->caps ? format->caps : "";
    struct framebus_format *copy = malloc(sizeof(*copy) + strlen(caps) + 1);

    if (!copy)
        return NULL;
    *copy = *format;
    copy->caps = strcpy((char *)(copy + 1), caps);
    return copy;
}

bool shot_is_picture(const struct shot *shot)
{
    const struct framebus_format *format = shot->format;

    return framebus_format_find(format->fourcc) && !format->modifier && shot->size >= format->size;
}
