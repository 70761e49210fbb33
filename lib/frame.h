/* SPDX-License-Identifier: MIT */
/* A frame from the inside: what writer and reader keep about it beside what its user sees. */
#ifndef FRAMEBUS_FRAME_H
#define FRAMEBUS_FRAME_H

#include "base/fork.h"
#include "framebus.h"
#include "user.h"

enum frame_state {
    FRAME_FREE = 0,
    FRAME_LENT,      /* a writer's, being filled in */
    FRAME_PUBLISHED, /* a writer's, still lent, no longer to be changed */
    FRAME_READ,      /* a reader's */
};

struct memory;

struct frame {
    struct framebus_frame public;   /* first: a pointer to it is a pointer to this */
    void *owner;                    /* pool of the writer or of the reader */
    const struct fork_node *handle; /* of that writer or reader */
    uint8_t *meta;                  /* meta_max bytes in the slot, 8-byte aligned. A reader's are read-only,
                                       and a hostile writer may change them at any time */
    uint32_t meta_size;             /* bytes of blocks there; ours, at most meta_max */
    uint32_t meta_max;              /* a multiple of 8 */
    uint32_t meta_backed;           /* bytes there, from the first on, that are known to have memory */
    /* A writer's: gives memory to the first `bytes` of metadata. */
    int (*back_meta)(struct frame *f, uint32_t bytes);
    uint8_t state;               /* enum frame_state */
    bool backed;                 /* a reader's: its slot is known to have memory, see region_touch() */
    const struct memory *memory; /* memory that devices or others share; NULL: only the slot */
    _Atomic uint32_t holds;      /* a reader's: number of times it was delivered and not released since */
    uint32_t import;             /* serial of the import that data points to; 0: the slot */
    struct user *user;           /* kept with that import, or with the slot; NULL: none */
};

/* What the frames of a pool have in common. */
struct frame_pool {
    void *owner;
    const struct fork_node *handle;
    const struct framebus_format *format;
    uint32_t serial;
    uint32_t meta_max;
    uint64_t capacity;
};

/* Describes the frame of a pool's slot, at `data`, its metadata `capacity` bytes behind its beginning.
 * pool->handle and pool->format must outlive it. */
void frame_init(struct frame *f, const struct frame_pool *pool, uint32_t slot, uint8_t *data);

/* True for a crop of all zeros, or one with an area inside the picture. */
bool crop_is_sane(const struct framebus_rect *crop, const struct framebus_format *format);

#endif
