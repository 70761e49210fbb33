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

int shot_to_frame(const struct shot *shot, struct framebus_frame *frame)
{
    frame->size = shot->size;
    frame->duration_ns = shot->duration_ns;
    frame->flags = shot->flags;
    frame->crop = shot->crop;
    for (uint32_t at = 0; at < shot->meta_size;) {
        uint32_t head[2], rest = shot->meta_size - at;

        if (rest < BLOCK_HEAD)
            return -EBADMSG;
        memcpy(head, shot->meta + at, sizeof(head));
        if (head[1] > rest - BLOCK_HEAD || padded(head[1]) > rest - BLOCK_HEAD ||
            framebus_frame_add_meta(frame, head[0], shot->meta + at + BLOCK_HEAD, head[1]) < 0)
            return -EBADMSG;
        at += BLOCK_HEAD + padded(head[1]);
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
