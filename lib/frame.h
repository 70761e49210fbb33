/* SPDX-License-Identifier: MIT */
/* What writer and reader keep about a frame besides what its user sees. */
#ifndef FRAMEBUS_FRAME_H
#define FRAMEBUS_FRAME_H

#include "framebus.h"

enum frame_state {
    FRAME_FREE = 0,
    FRAME_LENT,      /* a writer's, being filled in */
    FRAME_PUBLISHED, /* a writer's, still lent, no longer to be changed */
    FRAME_READ,      /* a reader's */
};

struct outside;

struct frame {
    struct framebus_frame public;  /* first: a pointer to it is a pointer to this */
    void *owner;                   /* what the frame belongs to, as writer or reader see fit */
    uint8_t *meta;                 /* FRAMEBUS_META_MAX bytes in the slot, 8-byte aligned. A reader's are
                                      read-only, and a hostile writer may change them at any time */
    uint32_t meta_size;            /* bytes of blocks there; ours, at most FRAMEBUS_META_MAX */
    uint8_t state;                 /* enum frame_state */
    bool backed;                   /* a reader's: known to have memory, see region_touch() */
    const struct outside *outside; /* memory it shares with devices or others; NULL: none */
    uint32_t buffer;               /* serial of the foreign buffer that data points to; 0: the slot */
};

/* Describes the frames of a pool's slots: slot i at data + i * stride, its metadata `capacity` bytes
 * behind its beginning. `format` must outlive them. */
void frames_init(struct frame *frames, uint32_t count, void *owner, const struct framebus_format *format,
                 uint32_t serial, uint8_t *data, uint64_t stride, uint64_t capacity);

/* True for a crop of all zeros, or one with an area inside the picture. */
bool crop_is_sane(const struct framebus_rect *crop, const struct framebus_format *format);

#endif
