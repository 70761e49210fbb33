/* SPDX-License-Identifier: MIT */
/* A frame on its way between a bus and a file. */
#ifndef SHOT_H
#define SHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framebus.h"

struct shot {
    const struct framebus_format *format;
    const uint8_t *data; /* as it lies in the slot: planes where the format says */
    uint64_t size;
    uint64_t sequence, missed;
    int64_t capture_ns, publish_ns, duration_ns;
    uint32_t flags; /* enum framebus_frame_flag */
    struct framebus_rect crop;
    /* Blocks of metadata one after another: tag and size, 32 bits each, then the bytes, up to a multiple
     * of 8. */
    const uint8_t *meta;
    uint32_t meta_size;
};

/* Describes a reader's frame. `meta` has room for FRAMEBUS_META_MAX bytes and takes the blocks. */
void shot_of_frame(struct shot *shot, const struct framebus_frame *frame, uint8_t *meta);

/* Gives what is not its bytes to a frame that is to be published. -EBADMSG: no blocks of metadata. */
int shot_to_frame(const struct shot *shot, struct framebus_frame *frame);

/* The first block of metadata with this tag, and its size; NULL: there is none. */
const void *shot_meta(const struct shot *shot, uint32_t tag, size_t *size);

/* A copy that free() takes whole; NULL if there is no memory. The caps text is copied too. */
struct framebus_format *format_copy(const struct framebus_format *format);

/* True if it is a picture whose bytes lie where the format says, so that one can make another of it. */
bool shot_is_picture(const struct shot *shot);

/* Where frames come from. */
struct source {
    const struct source_kind *kind;
    uint64_t frames; /* that it has in all; 0: not known */
    bool timed;      /* shots have a publish_ns that says when they are due */
};

struct source_kind {
    /* Goes to the next frame and tells all of it but the bytes; `format` is the source's. 1, 0 at the end,
     * or a negative errno once the reason is said (-EINTR: a signal came). */
    int (*next)(struct source *source, struct shot *shot);
    /* Reads its shot->size bytes. 0 or likewise. */
    int (*read)(struct source *source, const struct framebus_frame *frame);
    int (*rewind)(struct source *source); /* NULL: cannot be done */
    void (*close)(struct source *source);
};

/* Where frames go. Functions return 0, or a negative errno once the reason is said; -EPIPE without saying. */
struct sink {
    const struct sink_kind *kind;
    uint64_t bytes; /* written so far */
};

struct sink_kind {
    int (*write)(struct sink *sink, const struct shot *shot);
    int (*finish)(struct sink *sink); /* completes what was written */
    void (*close)(struct sink *sink);
};

#endif
