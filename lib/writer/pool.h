/* SPDX-License-Identifier: MIT */
/* The pools of a writer: the present one, and those that ended and are still in use. */
#ifndef FRAMEBUS_WRITER_POOL_H
#define FRAMEBUS_WRITER_POOL_H

#include "base/memory.h"
#include "base/region.h"
#include "frame.h"
#include "shared/slots.h"

/* What is kept of a slot, beside slots.note, which is dense because it is scanned. */
struct pool_slot {
    struct frame frame;
    struct memory export; /* if the pool is exported */
};

struct pool {
    struct framebus_writer *writer;
    struct region region;
    struct layout_header *header; /* in the region, where only we write, so it may be read back */
    struct framebus_format format;
    char *caps;
    struct slots slots;
    struct pool_slot *slot; /* [slots.limit] */
    uint64_t memory;        /* bytes that have been reserved */
    bool exported;          /* all slots are DMA-BUFs as well */
    uint32_t bound;         /* number of slots, at the end of the table, that are for imports */
    bool ring_requested;    /* readers are asked to ring when they release an import, and none has rung */
    uint32_t serial;
    uint32_t refs; /* one while present, one for each lend, import and page of a reader */
};

struct pools {
    struct pool *present; /* NULL before a format and after the end of a stream */
    uint32_t made;        /* number of pools made so far */
    uint64_t sequence;    /* of the first frame after all that have ended */
    uint32_t max_slots;   /* of the present pool; before the first as configured */
    bool has_format;
    struct framebus_format format; /* of the next pool; caps are ours */
    char *caps;
    uint32_t wait_count; /* number of times that readers were asked to ring */
};

/* Makes a pool whose frames follow those of the present one. It is not for readers until it is adopted. */
int pool_create(struct framebus_writer *w, const struct framebus_format *format, struct pool **made);

/* Takes another reference. Returns the pool. */
struct pool *pool_ref(struct pool *pool);

/* Gives a reference back. The last one unmaps the pool. */
void pool_unref(struct pool *pool);

/* Makes a pool the present one, after the last one was retired. Takes the reference over. */
void pool_adopt(struct framebus_writer *w, struct pool *pool);

/* Ends the present pool: readers take what is left and then ask for the next. Returns it; the caller wakes
 * its readers, then abandons it. NULL: there is none. */
struct pool *pool_retire(struct framebus_writer *w, enum layout_state state);

/* Takes the name and the fds of a retired pool away, since no reader enters it any more, and gives the
 * reference back. */
void pool_abandon(struct pool *pool);

/* Gives memory to one more slot. -EBUSY: all of them have it. */
int pool_grow(struct pool *pool);

/* Sets one more slot aside for imports, at the end of the table. It has no memory; its metadata gets some. */
void pool_bind(struct pool *pool);

/* Gives memory to the first so many bytes of a frame's metadata. */
int pool_back_meta(struct frame *f, uint32_t bytes);

/* Lends a frame of a pool, empty. */
void pool_lend(struct frame *f);

/* S1 of `free`: asks the readers of a pool to ring when they let go of something. NULL: those that are in
 * none. */
void pool_ask_to_ring(struct framebus_writer *w, struct pool *pool);

/* Sets the format of the next pools. Takes the caps text over. */
void pools_set_format(struct framebus_writer *w, const struct framebus_format *format, char *caps);

/* The number of slots that would be left over if this were the sum of the readers' quotas. */
int64_t pools_room(const struct framebus_writer *w, uint64_t quotas);

/* Gives the present pool back without telling readers. */
void pools_drop(struct framebus_writer *w);

/* In a forked child: closes all fds. */
void pools_forget(const struct framebus_writer *w);

void pools_finish(struct framebus_writer *w);

#endif
