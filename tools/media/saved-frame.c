/* SPDX-License-Identifier: MIT */
#include "media/saved-frame.h"
#include "cli/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int saved_frame_restore(const struct saved_frame *saved, struct framebus_frame *frame)
{
    frame->size = saved->frame.size;
    frame->duration_ns = saved->frame.duration_ns;
    frame->flags = saved->frame.flags;
    frame->crop = saved->frame.crop;
    return framebus_frame_restore_meta(frame, saved->meta, saved->meta_size);
}

bool frame_is_picture(const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    return framebus_format_find(format->fourcc) && !format->modifier && frame->size >= format->size;
}

struct framebus_format *format_copy(const struct framebus_format *format)
{
    const char *caps = format->caps ? format->caps : "";
    struct framebus_format *copy = malloc(sizeof *copy + strlen(caps) + 1);
    if (!copy)
        return NULL;
    *copy = *format;
    copy->caps = strcpy((char *)(copy + 1), caps);
    return copy;
}

bool format_is_alike(const struct framebus_format *a, const struct framebus_format *b)
{
    return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height &&
           a->modifier == b->modifier;
}

int format_refuse_change(const struct framebus_format *before, const struct framebus_format *now,
                         const char *why)
{
    char was[128], is[128];
    report_error("the format changes from %s to %s, %s", framebus_format_describe(before, was, sizeof was),
                 framebus_format_describe(now, is, sizeof is), why);
    return -EINVAL;
}
