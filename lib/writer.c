/* SPDX-License-Identifier: MIT */
#include "writer.h"

#include "clock.h"
#include "connection.h"
#include "header.h"
#include "list.h"
#include "log.h"
#include "semaphore.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_HISTORY   4
#define DEFAULT_MAX_SLOTS 64
#define DEFAULT_DMABUFS   24
#define DEFAULT_MAX_LENDS 8
#define DEFAULT_MODE      0600
#define DEFAULT_TIMEOUT   NS_PER_S
#define HISTORY_MAX       256

/* How long publish leaves the sockets alone. */
#define LOOK_INTERVAL (2 * NS_PER_MS)

/* A pause longer than this says nothing about the rate. */
#define RATE_GAP (10 * NS_PER_S)

#define ALL_MEMORY_FLAGS (FRAMEBUS_MEMORY_HUGE_PAGES | FRAMEBUS_MEMORY_LOCKED)

/* ---- pools ---- */

void pool_unref(struct pool *pool)
{
    if (!pool || --pool->refs)
        return;
    for (uint32_t i = 0; pool->exported && i < pool->slots.limit; i++)
        outside_finish(&pool->exported[i]);
    region_finish(&pool->region);
    free(pool->exported);
    free(pool->frames);
    free(pool->notes);
    free(pool->caps);
    free(pool);
}

/* In the pool's region, which we mapped. */
static void *at(struct pool *pool, uint64_t offset)
{
    return (uint8_t *)pool->region.base + offset;
}

/* All slots, all at once: a sealed memfd is taken by some kernels only. */
static int export_slots(struct pool *pool, const struct layout_header *plan)
{
    pool->exported = calloc(plan->slots, sizeof *pool->exported);
    if (!pool->exported)
        return fail(-ENOMEM, "no memory for a pool");
    int r = region_reserve(&pool->region, plan->data_offset, plan->slots * plan->slot_stride);
    if (!r)
        r = dmabuf_make(pool->exported, plan->slots, pool->region.fd, plan->data_offset, plan->slot_stride,
                        plan->slot_capacity);
    for (uint32_t i = 0; i < plan->slots && !r; i++)
        pool->frames[i].outside = &pool->exported[i];
    return r;
}

static int pool_fill(struct pool *pool, const struct layout_header *plan)
{
    struct framebus_writer *w = pool->writer;
    int r = region_reserve(&pool->region, 0, plan->data_offset);
    if (r)
        return r;
    pool->header = pool->region.base;
    *pool->header = *plan;
    memcpy(at(pool, plan->caps_offset), pool->caps, plan->format.caps_size);
    slots_init(&pool->slots, at(pool, plan->index_offset), at(pool, plan->table_offset), pool->notes,
               plan->slots, plan->history, plan->ring_length);
    frames_init(pool->frames, plan->slots, pool, &pool->format, pool->serial, at(pool, plan->data_offset),
                plan->slot_stride, plan->slot_capacity);
    r = w->dmabuf ? export_slots(pool, plan) : 0;
    if (!r)
        r = region_share(&pool->region);
    if (!r)
        log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": pool %u of %u slots of %llu bytes in %s memory",
                 w->place.name, pool->serial, plan->slots, (unsigned long long)plan->slot_capacity,
                 region_kind_name(w->memory));
    return r;
}

static int pool_create(struct pool **made, struct framebus_writer *w, const struct framebus_format *format,
                       uint64_t first_sequence)
{
    struct layout_header plan;
    uint64_t page = region_page(w->memory_flags);
    /* A DMA-BUF is made of whole pages; metadata is none of its business. */
    uint64_t capacity = w->dmabuf ? (format->size + page - 1) / page * page : format->size;
    int r = header_plan(&plan, format, capacity, w->max_slots, w->window, page, w->place.path);
    if (r)
        return r;
    plan.first_sequence = first_sequence;
    if (getrandom(&plan.cookie, sizeof plan.cookie, 0) != sizeof plan.cookie)
        return fail(-errno, "no random numbers: %s", strerror(errno));

    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return fail(-ENOMEM, "no memory for a pool");
    pool->writer = w;
    pool->refs = 1;
    pool->serial = ++w->pools;
    pool->format = *format;
    pool->caps = strdup(format->caps ? format->caps : "");
    pool->format.caps = pool->caps;
    pool->notes = calloc(w->max_slots, sizeof *pool->notes);
    pool->frames = calloc(w->max_slots, sizeof *pool->frames);
    const struct region_wish wish = {
        .memory = w->memory,
        .flags = w->memory_flags,
        .size = (plan.region_size + page - 1) / page * page,
        .mode = w->mode,
        .group = w->group,
        .identity = w->identity,
        .number = pool->serial,
    };
    plan.region_size = wish.size;
    r = pool->caps && pool->notes && pool->frames ? region_create(&pool->region, &wish) : -ENOMEM;
    if (!r)
        r = pool_fill(pool, &plan);
    if (r) {
        pool_unref(pool);
        return r;
    }
    *made = pool;
    return 0;
}

/* Ends the present pool: readers take what is left and then ask for the next. */
static void retire(struct framebus_writer *w, enum layout_state state)
{
    struct pool *pool = w->pool;
    if (!pool)
        return;
    w->pool = NULL;
    w->sequence += pool->slots.published;
    store_ordered(&pool->slots.index->state, state);
    serve_ring(w, pool);
    serve_wake(w);
    region_withdraw(&pool->region);
    region_forget(&pool->region);
    pool_unref(pool);
}

/* Replaces the present pool, or keeps it if there is no new one to be had. */
static int renew(struct framebus_writer *w, const struct framebus_format *format)
{
    struct pool *pool;
    int r = pool_create(&pool, w, format, w->sequence + (w->pool ? w->pool->slots.published : 0));
    if (r)
        return r;
    retire(w, LAYOUT_MOVED);
    w->pool = pool;
    serve_offer(w);
    return 0;
}

/* The format of this and later pools; the caps text becomes ours. */
static void adopt_format(struct framebus_writer *w, const struct framebus_format *format, char *caps)
{
    free(w->caps);
    w->caps = caps;
    w->format = *format;
    w->format.caps = caps;
    w->has_format = true;
}

/* ---- waiting for lossless readers ---- */

typedef bool lagging(const struct framebus_writer *w, const struct peer *peer);

/* A lossless reader that the next frame would leave too far behind. */
static bool lags_behind(const struct framebus_writer *w, const struct peer *peer)
{
    if (!w->pool)
        return false;
    const struct slots *slots = &w->pool->slots;
    if (peer->pool != w->pool)
        return slots->published >= w->history;
    uint32_t head = (uint32_t)(slots->published & NUMBER_MASK);
    uint32_t behind = number_distance(load_ordered(&peer->page->next), head);
    return behind >= w->history && behind <= slots->published; /* one that is ahead of us lies */
}

/* A lossless reader that a change of pool would make miss a whole pool. */
static bool lags_a_pool(const struct framebus_writer *w, const struct peer *peer)
{
    return w->pool && peer->pool != w->pool;
}

static struct peer *laggard(struct framebus_writer *w, lagging *lags)
{
    for (size_t i = 0; i < w->peer_count; i++) {
        struct peer *p = w->peers[i];
        if (p->state == PEER_READER && p->delivery == FRAMEBUS_DELIVERY_LOSSLESS && lags(w, p))
            return p;
    }
    return NULL;
}

/* Sleeps until a reader has done something, perhaps. One thread does it in poll(), others wait for
 * that one. The lock is held on the way in and out. */
static int wait_for_readers(struct framebus_writer *w, int64_t deadline)
{
    int r = 0;
    w->waiting++;
    if (w->polling) {
        struct timespec until = {.tv_sec = (time_t)(deadline / NS_PER_S),
                                 .tv_nsec = (long)(deadline % NS_PER_S)};
        if (deadline == NEVER)
            pthread_cond_wait(&w->changed, &w->lock);
        else
            pthread_cond_timedwait(&w->changed, &w->lock, &until);
    } else {
        struct pollfd fds[] = {
            {.fd = w->epoll, .events = POLLIN},
            {.fd = w->wake, .events = POLLIN},
            {.fd = w->cancel_fd, .events = POLLIN}, /* -1 is ignored */
        };
        w->polling = true;
        if (w->owed_at && w->owed_at < deadline)
            deadline = w->owed_at;
        pthread_mutex_unlock(&w->lock);
        struct timespec left = deadline_left(deadline);
        ppoll(fds, 3, deadline == NEVER ? NULL : &left, NULL);
        pthread_mutex_lock(&w->lock);
        w->polling = false;
        eventfd_t ignored;
        eventfd_read(w->wake, &ignored);
        r = serve_look(w);
        pthread_cond_broadcast(&w->changed);
    }
    w->waiting--;
    if (fd_is_readable(w->cancel_fd))
        r = fail(-ECANCELED, "waiting for readers of bus \"%s\" was cancelled", w->place.name);
    if (!w->open)
        r = fail(-ESTALE, "bus \"%s\" was closed while waiting for its readers", w->place.name);
    return r;
}

/* Looks for a moment whether the readers catch up, which is nothing to sleep for. */
static bool spin(struct framebus_writer *w, lagging *lags, int64_t began)
{
    while (laggard(w, lags)) {
        if (clock_now() - began >= SPIN_BRIEF_NS)
            return false;
        relax();
    }
    return true;
}

/* `free` in a lossless writer: waits until no lossless reader lags; those that let the time limit
 * pass become live. */
static int wait_for_lossless(struct framebus_writer *w, lagging *lags)
{
    int64_t deadline = 0, began = 0;
    int r = 0;
    while (!r && w->lossless && laggard(w, lags)) {
        if (!began) {
            began = clock_now();
            deadline = deadline_in(w->lossless_timeout);
            if (w->brisk && spin(w, lags, began))
                break;
        }
        shared_u32 *waits = w->pool ? &w->pool->slots.index->waits : NULL;
        struct pool *pool = w->pool;
        w->naps++;
        if (pool) {
            pool->refs++;
            semaphore_sleep(waits); /* S1 */
        }
        struct peer *slow = laggard(w, lags); /* S2 */
        if (slow && deadline != NEVER && clock_now() >= deadline)
            serve_demote(w, slow);
        else if (slow)
            r = wait_for_readers(w, deadline); /* S3 */
        if (pool) {
            if (!w->waiting && !pool->armed)
                semaphore_wake(waits); /* S4 */
            pool_unref(pool);
        }
    }
    if (began)
        w->brisk = clock_now() - began < SPIN_BRIEF_NS;
    return r;
}

/* Before the pool is replaced. > 0: the lock was let go of meanwhile, look at everything again. */
static int wait_for_stragglers(struct framebus_writer *w)
{
    if (!w->lossless || !laggard(w, lags_a_pool))
        return 0;
    int r = wait_for_lossless(w, lags_a_pool);
    return r ? r : 1;
}

/* ---- opening and closing ---- */

static int find_group(gid_t *group, const char *name)
{
    *group = (gid_t)-1;
    if (!name || !*name)
        return 0;
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (!*end && number < (gid_t)-1) {
        *group = (gid_t)number;
        return 0;
    }
    char room[16384];
    struct group entry, *found = NULL;
    if (getgrnam_r(name, &entry, room, sizeof room, &found) || !found)
        return fail(-EINVAL, "there is no group \"%s\"", name);
    *group = found->gr_gid;
    return 0;
}

static int take_options(struct framebus_writer *w, const struct framebus_writer_options *o)
{
    if ((unsigned)o->memory > FRAMEBUS_MEMORY_SYSV)
        return fail(-EINVAL, "memory kind %d is none of memfd, posix, sysv", (int)o->memory);
    if (o->memory_flags & ~(uint32_t)ALL_MEMORY_FLAGS)
        return fail(-EINVAL, "memory flags 0x%x are not known",
                    o->memory_flags & ~(uint32_t)ALL_MEMORY_FLAGS);
    if (o->access_mode & ~0666u || (o->access_mode && (o->access_mode & 0600) != 0600))
        return fail(-EINVAL, "access mode %04o: use 0600, 0660 or 0666", o->access_mode);
    if (o->cancel_fd < 0)
        return fail(-EINVAL, "cancel fd %d: use 0 for none", o->cancel_fd);
    if (o->dmabuf && o->memory != FRAMEBUS_MEMORY_MEMFD)
        return fail(-ENOTSUP, "there are no DMA-BUFs of %s memory: use memfd", region_kind_name(o->memory));
    w->memory = o->memory;
    w->memory_flags = o->memory_flags;
    w->history = o->history ? o->history : DEFAULT_HISTORY;
    w->max_slots = o->max_slots ? o->max_slots : o->dmabuf ? DEFAULT_DMABUFS : DEFAULT_MAX_SLOTS;
    w->max_lends = o->max_lends ? o->max_lends : DEFAULT_MAX_LENDS;
    w->mode = o->access_mode ? o->access_mode : DEFAULT_MODE;
    w->dmabuf = o->dmabuf;
    w->dmabuf_for_all = o->dmabuf_for_all;
    w->lossless = o->lossless;
    w->lossless_timeout = o->lossless_timeout_ns ? o->lossless_timeout_ns : DEFAULT_TIMEOUT;
    w->cancel_fd = o->cancel_fd ? o->cancel_fd : -1;
    if (w->history > HISTORY_MAX)
        return fail(-EINVAL, "history %u is more than %u", w->history, HISTORY_MAX);
    if (w->max_slots > FRAMEBUS_SLOTS_MAX)
        return fail(-EINVAL, "max-slots %u is more than %u", w->max_slots, FRAMEBUS_SLOTS_MAX);
    if (w->max_lends > FRAMEBUS_SLOTS_MAX)
        return fail(-EINVAL, "max-lends %u is more than %u", w->max_lends, FRAMEBUS_SLOTS_MAX);
    /* Frames are lent ahead of being published: a lossless reader that is `history` behind may be
     * max_lends further behind when all of them are. */
    w->window = w->history + (w->lossless ? w->max_lends : 0);
    if ((uint64_t)w->window + w->max_lends + 2 > w->max_slots)
        return fail(-EINVAL, "max-slots %u leave no room for one reader: history %u, max-lends %u%s",
                    w->max_slots, w->history, w->max_lends, w->lossless ? " (twice, being lossless)" : "");
    label_fill(w->label, o->label);
    return find_group(&w->group, o->group);
}

static void forget(struct fork_node *node)
{
    struct framebus_writer *w = (struct framebus_writer *)node;
    serve_forget(w);
    claim_forget(&w->claim);
    if (w->pool)
        region_forget(&w->pool->region);
    foreign_forget(w);
}

/* The last reference went: no pool is left, nobody can call us any more. */
static void destroy(struct framebus_writer *w)
{
    fork_leave(&w->fork);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w->caps);
    free(w);
}

int framebus_writer_open(struct framebus_writer **writer, const char *name,
                         const struct framebus_format *format, const struct framebus_writer_options *options)
{
    static const struct framebus_writer_options defaults;
    *writer = NULL;
    struct framebus_writer *w = calloc(1, sizeof *w);
    if (!w)
        return fail(-ENOMEM, "no memory for a writer");
    w->refs = 1;
    w->open = true;
    w->epoll = w->wake = w->spare = -1;
    w->claim = (struct bus_claim)BUS_CLAIM_NONE;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);

    int r = place_find(&w->place, name);
    if (!r)
        r = take_options(w, options ? options : &defaults);
    if (!r && format)
        r = framebus_format_check(format);
    if (!r) {
        fork_enter(&w->fork, &w->lock, forget);
        r = claim_listen(&w->claim, &w->place, w->mode, w->group);
    }
    if (!r) {
        place_identity(&w->place, w->identity);
        region_leftovers(w->identity, true, NULL, NULL);
        r = serve_open(w);
    }
    if (!r && format)
        r = framebus_writer_set_format(w, format);
    if (r) {
        framebus_writer_close(w);
        return r;
    }
    *writer = w;
    return 0;
}

int writer_lock(struct framebus_writer *w)
{
    if (w->fork.forked)
        return fail(-ECHILD, "this writer belongs to the parent process");
    pthread_mutex_lock(&w->lock);
    if (w->open)
        return 0;
    pthread_mutex_unlock(&w->lock);
    return fail(-ESTALE, "bus \"%s\" is closed", w->place.name);
}

/* Tells the owners of foreign buffers that came home, without the lock. */
static void call_back(struct framebus_writer *w)
{
    void (*returned)(void *user);
    void *user;
    if (w->out)
        foreign_collect(w);
    while (foreign_next_back(w, &returned, &user)) {
        pthread_mutex_unlock(&w->lock);
        returned(user);
        pthread_mutex_lock(&w->lock);
    }
}

int writer_unlock(struct framebus_writer *w, int result)
{
    if (w->buffers) {
        w->refs++; /* what is called back may release the last frame */
        writer_unref(w);
    } else {
        pthread_mutex_unlock(&w->lock);
    }
    return result;
}

void writer_unref(struct framebus_writer *w)
{
    if (w->buffers)
        call_back(w);
    bool last = --w->refs == 0;
    pthread_mutex_unlock(&w->lock);
    if (last)
        destroy(w);
}

void framebus_writer_close(struct framebus_writer *w)
{
    if (!w)
        return;
    if (w->fork.forked) {
        destroy(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->open = false;
    if (w->pool)
        region_withdraw(&w->pool->region); /* before the name is free: the next writer uses the same */
    claim_finish(&w->claim);
    serve_close(w);
    pool_unref(w->pool);
    w->pool = NULL;
    writer_unref(w);
}

/* ---- frames ---- */

int framebus_writer_set_format(struct framebus_writer *w, const struct framebus_format *format)
{
    int r = framebus_format_check(format);
    if (!r)
        r = writer_lock(w);
    if (r)
        return r;
    do {
        if (w->has_format && framebus_format_equal(&w->format, format))
            return writer_unlock(w, 0); /* after the end of a stream the next begin makes the pool */
        r = wait_for_stragglers(w);
    } while (r > 0);
    char *caps = r ? NULL : strdup(format->caps ? format->caps : "");
    if (!r)
        r = caps ? renew(w, format) : fail(-ENOMEM, "no memory for a format");
    if (r)
        free(caps);
    else
        adopt_format(w, format, caps);
    return writer_unlock(w, r);
}

int provide_pool(struct framebus_writer *w, uint64_t size)
{
    struct framebus_format format;
    int r;
    do {
        if (!w->has_format)
            return fail(-ENODATA, "bus \"%s\" has no format yet", w->place.name);
        if (w->pool && size <= w->pool->header->slot_capacity)
            return 0;
        format = w->format;
        uint64_t capacity = w->pool ? w->pool->format.size : format.size;
        if (size > capacity && format.fourcc)
            return fail(-EMSGSIZE, "%llu bytes do not fit a frame of %llu bytes", (unsigned long long)size,
                        (unsigned long long)capacity);
        if (size > capacity)
            format.size = size > 2 * capacity ? size : 2 * capacity;
        r = framebus_format_check(&format);
        if (!r)
            r = wait_for_stragglers(w);
    } while (r > 0);
    return r ? r : renew(w, &format);
}

static int take_slot(struct framebus_writer *w)
{
    struct pool *pool = w->pool;
    if (pool->slots.lent >= w->max_lends)
        return fail(-EBUSY,
                    "%u frames of bus \"%s\" are lent already: release some, or open it with more max-lends",
                    pool->slots.lent, w->place.name);
    for (;;) {
        int i = slots_take(&pool->slots);
        serve_expel(w);
        if (i >= 0)
            return i;
        if (pool->slots.touched == pool->slots.limit - pool->bound)
            return fail(-EBUSY, "all %u slots of bus \"%s\" are in use", pool->slots.limit, w->place.name);
        uint64_t offset = pool->header->data_offset + pool->slots.touched * pool->header->slot_stride;
        int r = region_reserve(&pool->region, offset, pool->header->slot_stride);
        if (r)
            return r;
        slots_touch(&pool->slots);
    }
}

void lend_frame(struct framebus_writer *w, struct frame *f)
{
    struct pool *pool = f->owner;
    f->state = FRAME_LENT;
    f->meta_size = 0;
    f->public.size = pool->format.planes ? pool->format.size : 0;
    f->public.sequence = 0;
    f->public.capture_ns = f->public.publish_ns = f->public.duration_ns = 0;
    f->public.flags = 0;
    f->public.crop = (struct framebus_rect){0};
    pool->refs++;
    w->refs++;
}

int framebus_writer_begin(struct framebus_writer *w, struct framebus_frame **frame)
{
    return framebus_writer_begin_size(w, 0, frame);
}

int framebus_writer_begin_size(struct framebus_writer *w, uint64_t size, struct framebus_frame **frame)
{
    *frame = NULL;
    int r = writer_lock(w);
    if (r)
        return r;
    r = provide_pool(w, size);
    if (!r)
        r = wait_for_lossless(w, lags_behind);
    if (!r)
        r = provide_pool(w, size); /* the stream may have ended while we waited */
    if (!r)
        r = take_slot(w);
    if (r < 0)
        return writer_unlock(w, r);

    struct frame *f = &w->pool->frames[r];
    lend_frame(w, f);
    *frame = &f->public;
    return writer_unlock(w, 0);
}

static int check_frame(const struct frame *f)
{
    const struct framebus_frame *p = &f->public;
    const struct framebus_rect *crop = &p->crop;
    if (p->size > p->capacity)
        return fail(-EINVAL, "a frame of %llu bytes in a slot of %llu", (unsigned long long)p->size,
                    (unsigned long long)p->capacity);
    if (!crop_is_sane(crop, p->format))
        return fail(-EINVAL, "crop %ux%u at %u,%u is outside the picture of %ux%u", crop->width, crop->height,
                    crop->x, crop->y, p->format->width, p->format->height);
    return 0;
}

static void note_rate(struct framebus_writer *w, int64_t now)
{
    int64_t since = now - w->last_publish;
    if (w->last_publish && since < RATE_GAP)
        w->interval = w->interval ? w->interval + (since - w->interval) / 16 : since;
    else
        w->interval = 0;
    w->last_publish = now;
}

int framebus_writer_publish(struct framebus_writer *w, struct framebus_frame *frame)
{
    struct frame *f = (struct frame *)frame;
    struct pool *pool = f->owner;
    int r = check_frame(f);
    if (!r)
        r = writer_lock(w);
    if (r)
        return r;
    if (f->state != FRAME_LENT)
        return writer_unlock(
            w, fail(-EALREADY, "frame %llu is published already", (unsigned long long)frame->sequence));
    if (pool != w->pool)
        return writer_unlock(w, fail(-ESTALE, "the pool of this frame has ended: copy it into a new one"));

    int64_t now = clock_now();
    frame->publish_ns = now;
    if (!frame->capture_ns)
        frame->capture_ns = now;
    frame->sequence = pool->header->first_sequence + pool->slots.published;
    f->state = FRAME_PUBLISHED;
    const struct layout_record record = {
        .capture_ns = frame->capture_ns,
        .publish_ns = now,
        .duration_ns = frame->duration_ns,
        .size = frame->size,
        .flags = frame->flags,
        .meta_size = f->meta_size,
        .crop_x = frame->crop.x,
        .crop_y = frame->crop.y,
        .crop_width = frame->crop.width,
        .crop_height = frame->crop.height,
    };
    slots_publish(&pool->slots, frame->slot, &record);
    serve_ring(w, pool);
    note_rate(w, now);
    if (now - w->last_look >= LOOK_INTERVAL)
        serve_look(w); /* a failure here is dispatch's to tell */
    return writer_unlock(w, 0);
}

void framebus_writer_release(struct framebus_writer *w, struct framebus_frame *frame)
{
    struct frame *f = (struct frame *)frame;
    if (!f || w->fork.forked)
        return;
    pthread_mutex_lock(&w->lock);
    struct pool *pool = f->owner;
    bool published = f->state == FRAME_PUBLISHED;
    if (f->state == FRAME_FREE) {
        writer_unlock(w, 0);
        return;
    }
    f->state = FRAME_FREE;
    if (f->buffer)
        foreign_release(w, f, published);
    else
        slots_release(&pool->slots, frame->slot);
    pool_unref(pool);
    writer_unref(w);
}

int framebus_writer_cancel(struct framebus_writer *w, struct framebus_frame *frame)
{
    bool published = ((struct frame *)frame)->state == FRAME_PUBLISHED;
    framebus_writer_release(w, frame);
    return published ? fail(-EALREADY, "the frame was published before it was cancelled") : 0;
}

int framebus_writer_end(struct framebus_writer *w)
{
    int r = writer_lock(w);
    if (r)
        return r;
    r = wait_for_lossless(w, lags_a_pool);
    if (!r)
        retire(w, LAYOUT_ENDED);
    return writer_unlock(w, r);
}

/* ---- serving ---- */

int framebus_writer_fd(struct framebus_writer *w)
{
    if (w->fork.forked)
        return fail(-ECHILD, "this writer belongs to the parent process");
    return w->epoll;
}

int framebus_writer_dispatch(struct framebus_writer *w)
{
    int r = writer_lock(w);
    return r ? r : writer_unlock(w, serve_look(w));
}

int framebus_writer_get_info(struct framebus_writer *w, struct framebus_bus_info **info)
{
    *info = NULL;
    struct framebus_bus_info *one = calloc(1, sizeof *one);
    int r = one ? writer_lock(w) : -ENOMEM;
    if (!r)
        r = writer_unlock(w, info_load(one, serve_describe(w)));
    if (r) {
        framebus_info_free(one, 1);
        return r;
    }
    strcpy(one->name, w->place.name);
    strcpy(one->path, w->place.path);
    one->pid = getpid();
    one->uid = geteuid();
    *info = one;
    return 0;
}
