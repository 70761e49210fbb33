/* SPDX-License-Identifier: MIT */
/*
 * Frames between the bus and a file, copied, within a bound of memory: one thread puts them in, another one
 * takes them out when the disk lets it, or nobody does and the oldest go.
 */
#ifndef STORE_H
#define STORE_H

#include "shot.h"

struct parcel {
    struct shot shot; /* all of it in memory of its own */
    struct parcel *next;
    unsigned references;
    size_t room;
    uint8_t meta[FRAMEBUS_META_MAX];
    uint8_t data[];
};

struct store;

/* Ends the program if there is no memory for that little. */
struct store *store_create(uint64_t bound);
void store_destroy(struct store *store);

/* Copies a frame into the store, as the newest one. -ENOSPC: no room within the bound; -ENOMEM: none at all.
 * With `wait`, waits for room as long as somebody takes frames out. */
int store_put(struct store *store, const struct framebus_frame *frame, uint64_t missed, bool wait);

/* Lets go of the oldest. False: there is none; or, unless `shared`, somebody else uses it still, so that it
 * would free nothing. */
bool store_drop(struct store *store, bool shared);

/* When the oldest was published, and the newest; false: there is none. */
bool store_span(struct store *store, int64_t *oldest_ns, int64_t *newest_ns);

/* Takes the oldest out; waits for one. NULL: the store is closed and empty. To be released. */
struct parcel *store_take(struct store *store);

/* All that is there, oldest first, to be released one by one; the array is to be freed. It stays in the
 * store. */
struct parcel **store_share(struct store *store, size_t *count);

void store_release(struct store *store, struct parcel *parcel);

/* Nothing more will be put in. */
void store_close(struct store *store);

#endif
