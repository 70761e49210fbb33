/* SPDX-License-Identifier: MIT */
/*
 * Copies of frames between a bus and a file, within a bound of memory: one thread puts them in, another takes
 * them out as the disk allows, or the oldest are dropped.
 */
#ifndef STORE_H
#define STORE_H

#include "media/media.h"

struct parcel {
    struct saved_frame saved; /* refers to memory of the parcel and the store only */
    struct parcel *next;
    unsigned references;
    size_t room;
    _Alignas(16) uint8_t bytes[]; /* metadata, then the frame */
};

struct store;

/* Ends the program if there is no memory for the store itself. */
struct store *store_create(uint64_t bound);
void store_destroy(struct store *store);

/* Copies a frame into the store, as the newest one. -ENOSPC: there is no room within the bound; -ENOMEM: no
 * memory at all. With `wait` it waits for room while parcels are given out. */
int store_put(struct store *store, const struct framebus_frame *frame, uint64_t missed, bool wait);

/* Drops the oldest parcel. False: there is none; or it is shared, so that this would free nothing, and
 * `shared` is false. */
bool store_drop(struct store *store, bool shared);

/* Times of publication of the oldest parcel and the newest; false: there is none. */
bool store_span(struct store *store, int64_t *oldest_ns, int64_t *newest_ns);

/* Removes the oldest parcel, to be returned; waits for one. NULL: the store is closed and empty. */
struct parcel *store_pop(struct store *store);

/* All parcels, oldest first, each to be returned; they stay in the store. The array is to be freed. NULL:
 * there is no memory. */
struct parcel **store_share(struct store *store, size_t *count);

/* Gives a parcel back; NULL is fine. */
void store_return(struct store *store, struct parcel *parcel);

/* Nothing more will be put in: store_pop() need not wait. */
void store_close(struct store *store);

#endif
