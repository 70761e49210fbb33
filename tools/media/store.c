/* SPDX-License-Identifier: MIT */
/* A queue of parcels, their memory, and the formats that they refer to. */
#include "media/store.h"
#include "cli/report.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Formats are few, since each means a new pool, and are kept as long as the store. */
struct kept_format {
    struct kept_format *next;
    struct framebus_format *format;
};

struct store {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t bound, bytes; /* memory of parcels, also of those that are given out */
    struct parcel *oldest, *newest;
    struct parcel *spare; /* freed parcels: memory that was touched is worth keeping */
    struct kept_format *formats;
    size_t count;
    bool closed;
};

struct store *store_create(uint64_t bound)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        report_out_of_memory();
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->changed, NULL);
    store->bound = bound;
    return store;
}

static const struct framebus_format *store_keep_format(struct store *store,
                                                       const struct framebus_format *format)
{
    struct kept_format *kept;
    for (kept = store->formats; kept; kept = kept->next)
        if (framebus_format_equal(kept->format, format))
            return kept->format;
    kept = malloc(sizeof *kept);
    if (!kept)
        return NULL;
    *kept = (struct kept_format){store->formats, format_copy(format)};
    if (!kept->format) {
        free(kept);
        return NULL;
    }
    store->formats = kept;
    return kept->format;
}

static void store_free_spare(struct store *store)
{
    while (store->spare) {
        struct parcel *parcel = store->spare;
        store->spare = parcel->next;
        store->bytes -= parcel->room;
        free(parcel);
    }
}

/* Called with the lock held. NULL: *r says why. */
static struct parcel *parcel_allocate(struct store *store, size_t size, int *r)
{
    struct parcel *parcel = store->spare;
    if (parcel && parcel->room >= sizeof *parcel + size && parcel->room <= 2 * (sizeof *parcel + size)) {
        store->spare = parcel->next;
        return parcel;
    }
    store_free_spare(store);
    *r = -ENOSPC;
    if (sizeof *parcel + size > store->bound - (store->bytes < store->bound ? store->bytes : store->bound))
        return NULL;
    *r = -ENOMEM;
    parcel = malloc(sizeof *parcel + size);
    if (parcel) {
        parcel->room = sizeof *parcel + size;
        store->bytes += parcel->room;
    }
    return parcel;
}

/* The metadata, `meta` bytes at most, and the frame behind it. */
static void parcel_fill(struct parcel *parcel, const struct framebus_frame *frame, size_t meta,
                        const struct framebus_format *format)
{
    uint8_t *data = parcel->bytes + meta;
    struct saved_frame *saved = &parcel->saved;
    *saved = (struct saved_frame){.frame = *frame, .meta = parcel->bytes};
    saved->meta_size = (uint32_t)framebus_frame_copy_meta(frame, parcel->bytes, meta);
    saved->frame.data = memcpy(data, frame->data, frame->size);
    for (unsigned i = 0; i < frame->format->planes; i++)
        saved->frame.plane[i].data = data + frame->format->offset[i];
    saved->frame.format = format;
}

int store_put(struct store *store, const struct framebus_frame *frame, uint64_t missed, bool wait)
{
    const struct framebus_format *format;
    struct parcel *parcel;
    size_t meta = framebus_frame_copy_meta(frame, NULL, 0);
    int r = 0;
    pthread_mutex_lock(&store->lock);
    format = store_keep_format(store, frame->format);
    while (!(parcel = parcel_allocate(store, meta + frame->size, &r)) && r == -ENOSPC && wait && store->bytes)
        pthread_cond_wait(&store->changed, &store->lock);
    pthread_mutex_unlock(&store->lock);
    if (!parcel)
        return r;
    parcel_fill(parcel, frame, meta, format);
    parcel->saved.frame.missed = missed;
    parcel->references = 1;
    parcel->next = NULL;
    if (!format) {
        store_return(store, parcel);
        return -ENOMEM;
    }

    pthread_mutex_lock(&store->lock);
    if (store->newest)
        store->newest->next = parcel;
    else
        store->oldest = parcel;
    store->newest = parcel;
    store->count++;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    return 0;
}

static struct parcel *store_remove_oldest(struct store *store)
{
    struct parcel *parcel = store->oldest;
    store->oldest = parcel->next;
    if (!store->oldest)
        store->newest = NULL;
    store->count--;
    return parcel;
}

bool store_drop(struct store *store, bool shared)
{
    struct parcel *parcel = NULL;
    pthread_mutex_lock(&store->lock);
    if (store->oldest && (shared || store->oldest->references == 1))
        parcel = store_remove_oldest(store);
    pthread_mutex_unlock(&store->lock);
    store_return(store, parcel);
    return parcel;
}

bool store_span(struct store *store, int64_t *oldest_ns, int64_t *newest_ns)
{
    bool any;
    pthread_mutex_lock(&store->lock);
    any = store->oldest;
    if (any) {
        *oldest_ns = store->oldest->saved.frame.publish_ns;
        *newest_ns = store->newest->saved.frame.publish_ns;
    }
    pthread_mutex_unlock(&store->lock);
    return any;
}

struct parcel *store_pop(struct store *store)
{
    struct parcel *parcel = NULL;
    pthread_mutex_lock(&store->lock);
    while (!store->oldest && !store->closed)
        pthread_cond_wait(&store->changed, &store->lock);
    if (store->oldest)
        parcel = store_remove_oldest(store);
    pthread_mutex_unlock(&store->lock);
    return parcel;
}

struct parcel **store_share(struct store *store, size_t *count)
{
    struct parcel **shared, *parcel;
    *count = 0;
    pthread_mutex_lock(&store->lock);
    shared = malloc((store->count + 1) * sizeof *shared);
    for (parcel = store->oldest; shared && parcel; parcel = parcel->next) {
        parcel->references++;
        shared[(*count)++] = parcel;
    }
    pthread_mutex_unlock(&store->lock);
    return shared;
}

void store_return(struct store *store, struct parcel *parcel)
{
    if (!parcel)
        return;
    pthread_mutex_lock(&store->lock);
    if (--parcel->references == 0) {
        parcel->next = store->spare;
        store->spare = parcel;
        pthread_cond_broadcast(&store->changed);
    }
    pthread_mutex_unlock(&store->lock);
}

void store_close(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->closed = true;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

void store_destroy(struct store *store)
{
    while (store->oldest)
        store_return(store, store_remove_oldest(store));
    store_free_spare(store);
    while (store->formats) {
        struct kept_format *kept = store->formats;
        store->formats = kept->next;
        free(kept->format);
        free(kept);
    }
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    free(store);
}
