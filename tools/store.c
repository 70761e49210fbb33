/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

/* Formats are few, and kept as long as the store: a new one begins where pools are exchanged. */
struct kept_format {
    struct kept_format *next;
    struct framebus_format *format;
};

struct store {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t bound, bytes; /* memory that parcels have, those outside included */
    struct parcel *oldest, *newest;
    struct parcel *spare; /* of the last frame let go: touched memory is worth keeping */
    struct kept_format *formats;
    size_t count;
    bool closed;
};

struct store *store_create(uint64_t bound)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        errx(STATUS_FAILED, "out of memory");
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->changed, NULL);
    store->bound = bound;
    return store;
}

static const struct framebus_format *keep_format(struct store *store, const struct framebus_format *format)
{
    struct kept_format *kept;

    for (kept = store->formats; kept; kept = kept->next)
        if (framebus_format_equal(kept->format, format))
            return kept->format;
    kept = malloc(sizeof(*kept));
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

static void free_spare(struct store *store)
{
    while (store->spare) {
        struct parcel *parcel = store->spare;

        store->spare = parcel->next;
        store->bytes -= parcel->room;
        free(parcel);
    }
}

/* Under the lock. NULL: *r says why. */
static struct parcel *get_memory(struct store *store, size_t size, int *r)
{
    struct parcel *parcel = store->spare;

    if (parcel && parcel->room >= sizeof(*parcel) + size && parcel->room <= 2 * (sizeof(*parcel) + size)) {
        store->spare = parcel->next;
        return parcel;
    }
    free_spare(store);
    *r = -ENOSPC;
    if (sizeof(*parcel) + size > store->bound - (store->bytes < store->bound ? store->bytes : store->bound))
        return NULL;
    *r = -ENOMEM;
    parcel = malloc(sizeof(*parcel) + size);
    if (parcel) {
        parcel->room = sizeof(*parcel) + size;
        store->bytes += parcel->room;
    }
    return parcel;
}

int store_put(struct store *store, const struct framebus_frame *frame, uint64_t missed, bool wait)
{
    const struct framebus_format *format;
    struct parcel *parcel;
    int r = 0;

    pthread_mutex_lock(&store->lock);
    format = keep_format(store, frame->format);
    while (!(parcel = get_memory(store, frame->size, &r)) && r == -ENOSPC && wait && store->bytes)
        pthread_cond_wait(&store->changed, &store->lock);
    pthread_mutex_unlock(&store->lock);
    if (!parcel)
        return r;
    shot_of_frame(&parcel->shot, frame, parcel->meta);
    memcpy(parcel->data, frame->data, frame->size);
    parcel->shot.data = parcel->data;
    parcel->shot.format = format;
    parcel->shot.missed = missed;
    parcel->references = 1;
    parcel->next = NULL;
    if (!format) {
        store_release(store, parcel);
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

static struct parcel *remove_oldest(struct store *store)
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
        parcel = remove_oldest(store);
    pthread_mutex_unlock(&store->lock);
    store_release(store, parcel);
    return parcel;
}

bool store_span(struct store *store, int64_t *oldest_ns, int64_t *newest_ns)
{
    bool any;

    pthread_mutex_lock(&store->lock);
    any = store->oldest;
    if (any) {
        *oldest_ns = store->oldest->shot.publish_ns;
        *newest_ns = store->newest->shot.publish_ns;
    }
    pthread_mutex_unlock(&store->lock);
    return any;
}

struct parcel *store_take(struct store *store)
{
    struct parcel *parcel = NULL;

    pthread_mutex_lock(&store->lock);
    while (!store->oldest && !store->closed)
        pthread_cond_wait(&store->changed, &store->lock);
    if (store->oldest)
        parcel = remove_oldest(store);
    pthread_mutex_unlock(&store->lock);
    return parcel;
}

struct parcel **store_share(struct store *store, size_t *count)
{
    struct parcel **shared, *parcel;

    *count = 0;
    pthread_mutex_lock(&store->lock);
    shared = malloc((store->count + 1) * sizeof(*shared));
    for (parcel = store->oldest; shared && parcel; parcel = parcel->next) {
        parcel->references++;
        shared[(*count)++] = parcel;
    }
    pthread_mutex_unlock(&store->lock);
    return shared;
}

void store_release(struct store *store, struct parcel *parcel)
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
        store_release(store, remove_oldest(store));
    free_spare(store);
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
