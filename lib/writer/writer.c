/* SPDX-License-Identifier: MIT */
/* A writer: the public functions, each of which locks, and in what order its parts are called. */
#include "writer/writer.h"

#include "base/clock.h"
#include "base/log.h"
#include "bus/info.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MAX_SLOTS 64
#define DEFAULT_DMABUFS   24
#define DEFAULT_MAX_LENDS 8
#define DEFAULT_MODE      0600
#define DEFAULT_TIMEOUT   NS_PER_S
#define HISTORY_MAX       256

/* The interval at which publish polls the sockets, unless the options say another one. */
#define POLL_INTERVAL (2 * NS_PER_MS)

/* A longer pause says nothing about the rate. */
#define RATE_GAP (10 * NS_PER_S)

#define ALL_MEMORY_FLAGS (FRAMEBUS_MEMORY_HUGE_PAGES | FRAMEBUS_MEMORY_LOCKED)

/* ---- opening and closing ---- */

static int group_find(gid_t *group, const char *name)
{
    *group = (gid_t)-1;
    if (!name || !*name)
        return 0;
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (*name >= '0' && *name <= '9' && !*end && number < (gid_t)-1) {
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

static int config_parse(struct writer_config *c, const struct framebus_writer_options *o)
{
    int r = options_check(o->reserved, sizeof o->reserved / sizeof *o->reserved);
    if (r)
        return r;
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
    c->memory = o->memory;
    c->memory_flags = o->memory_flags;
    c->history = o->history ? o->history : FRAMEBUS_HISTORY_DEFAULT;
    c->max_slots = o->max_slots ? o->max_slots : o->dmabuf ? DEFAULT_DMABUFS : DEFAULT_MAX_SLOTS;
    c->fewer_slots = o->fewer_slots || !o->max_slots;
    c->max_lends = o->max_lends ? o->max_lends : DEFAULT_MAX_LENDS;
    c->meta_size = o->meta_size ? o->meta_size : FRAMEBUS_META_DEFAULT;
    c->mode = o->access_mode ? o->access_mode : DEFAULT_MODE;
    c->dmabuf = o->dmabuf;
    c->dmabuf_for_all = o->dmabuf_for_all;
    c->lossless = o->lossless;
    c->lossless_timeout = o->lossless_timeout_ns ? o->lossless_timeout_ns : DEFAULT_TIMEOUT;
    c->poll = o->poll_ns ? o->poll_ns : POLL_INTERVAL;
    c->cancel_fd = o->cancel_fd ? o->cancel_fd : -1;
    if (c->history > HISTORY_MAX)
        return fail(-EINVAL, "history %u is more than %u", c->history, HISTORY_MAX);
    if (c->max_slots > FRAMEBUS_SLOTS_MAX)
        return fail(-EINVAL, "max-slots %u is more than %u", c->max_slots, FRAMEBUS_SLOTS_MAX);
    if (c->max_lends > FRAMEBUS_SLOTS_MAX)
        return fail(-EINVAL, "max-lends %u is more than %u", c->max_lends, FRAMEBUS_SLOTS_MAX);
    if (c->meta_size > FRAMEBUS_META_MAX)
        return fail(-EINVAL, "meta_size %u is more than %u", c->meta_size, FRAMEBUS_META_MAX);
    /* Frames are lent before they are published: a lossless reader that is `history` behind may be max_lends
     * further behind when all of them have been. */
    c->window = c->history + (c->lossless ? c->max_lends : 0);
    if ((uint64_t)c->window + c->max_lends + 2 > c->max_slots)
        return fail(-EINVAL, "max-slots %u leave no room for one reader: history %u, max-lends %u%s",
                    c->max_slots, c->history, c->max_lends, c->lossless ? " (twice, being lossless)" : "");
    label_fill(c->label, o->label);
    return group_find(&c->group, o->group);
}

static void writer_forget(struct fork_node *node)
{
    struct framebus_writer *w = (struct framebus_writer *)node;
    server_forget(w);
    bus_name_forget(&w->name);
    pools_forget(w);
    imports_forget(w);
}

/* After the last reference: no pool is left, and nobody can call us any more. */
static void writer_destroy(struct framebus_writer *w)
{
    fork_leave(&w->fork);
    server_finish(w);
    pthread_mutex_destroy(&w->lock);
    pools_finish(w);
    free(w);
}

/* Makes sure that readers can be let in: without that no bus is opened. */
static int reader_page_try(void)
{
    void *page;
    int fd;
    int r = reader_page_create(&page, &fd);
    reader_page_finish(page);
    if (!r)
        close(fd);
    return r;
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
    w->name = (struct bus_name)BUS_NAME_NONE;
    pthread_mutex_init(&w->lock, NULL);
    server_init(w);
    int r = bus_path_find(&w->config.path, name);
    if (!r)
        r = config_parse(&w->config, options ? options : &defaults);
    if (!r && format)
        r = framebus_format_check(format);
    if (!r)
        r = reader_page_try();
    if (!r) {
        fork_enter(&w->fork, &w->lock, writer_forget);
        r = bus_name_hold(&w->name, &w->config.path, w->config.mode, w->config.group);
    }
    if (!r) {
        bus_path_identity(&w->config.path, w->config.identity);
        region_leftovers(w->config.identity, true, NULL, NULL);
        w->pools.max_slots = w->config.max_slots;
        r = server_open(w);
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

/* Locks a writer that is open. */
static int writer_lock(struct framebus_writer *w)
{
    if (w->fork.forked)
        return fail(-ECHILD, "this writer belongs to the parent process");
    pthread_mutex_lock(&w->lock);
    if (w->open)
        return 0;
    pthread_mutex_unlock(&w->lock);
    return fail(-ESTALE, "bus \"%s\" is closed", w->config.path.name);
}

/* Tells the owners of imports that are back, without the lock. */
static void writer_return_imports(struct framebus_writer *w)
{
    struct import_return next;
    if (w->imports.published)
        imports_collect(w);
    while (imports_next_return(w, &next)) {
        w->refs -= next.destroyed; /* never the last: the caller has one */
        pthread_mutex_unlock(&w->lock);
        next.call(next.user);
        pthread_mutex_lock(&w->lock);
    }
}

/* Lets go of the lock, and then destroys what users kept with memory that has gone. */
static void writer_let_go(struct framebus_writer *w)
{
    struct user *gone = w->users;
    w->users = NULL;
    pthread_mutex_unlock(&w->lock);
    users_destroy(gone);
}

/* Returns imports that are not in use any more, gives a reference back, and unlocks. */
static void writer_unref(struct framebus_writer *w)
{
    if (w->imports.all)
        writer_return_imports(w);
    bool last = --w->refs == 0;
    writer_let_go(w);
    if (last)
        writer_destroy(w);
}

/* The same, but keeps the reference. Returns the result. */
static int writer_unlock(struct framebus_writer *w, int result)
{
    if (w->imports.all) {
        w->refs++; /* what is called back may release the last frame */
        writer_unref(w);
    } else {
        writer_let_go(w);
    }
    return result;
}

void framebus_writer_close(struct framebus_writer *w)
{
    if (!w)
        return;
    if (w->fork.forked) {
        writer_destroy(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->open = false;
    if (w->pools.present)
        region_withdraw(
            &w->pools.present->region); /* before the name is free: the next writer uses the same */
    bus_name_release(&w->name);
    server_close(w);
    pools_drop(w);
    writer_unref(w);
}

/* ---- pools ---- */

static void writer_retire_pool(struct framebus_writer *w, enum layout_state state)
{
    struct pool *pool = pool_retire(w, state);
    if (!pool)
        return;
    server_ring(w, pool, 0);
    server_wake(w);
    pool_abandon(pool);
}

/* Replaces the present pool, or keeps it if there is no new one to be had. */
static int writer_renew_pool(struct framebus_writer *w, const struct framebus_format *format)
{
    struct pool *pool;
    int r = pool_create(w, format, &pool);
    if (r)
        return r;
    writer_retire_pool(w, LAYOUT_MOVED);
    pool_adopt(w, pool);
    server_offer_pool(w);
    server_announce(w);
    return 0;
}

int framebus_writer_set_format(struct framebus_writer *w, const struct framebus_format *format)
{
    int r = framebus_format_check(format);
    if (!r)
        r = writer_lock(w);
    if (r)
        return r;
    do {
        if (w->pools.has_format && framebus_format_equal(&w->pools.format, format))
            return writer_unlock(w, 0); /* after the end of a stream the next begin makes the pool */
        r = lossless_wait_for_pool(w);
    } while (r > 0);
    char *caps = r ? NULL : strdup(format->caps ? format->caps : "");
    if (!r)
        r = caps ? writer_renew_pool(w, format) : fail(-ENOMEM, "no memory for a format");
    if (r)
        free(caps);
    else
        pools_set_format(w, format, caps);
    return writer_unlock(w, r);
}

/* Makes sure that there is a pool with room for a frame of this size. */
static int writer_provide_pool(struct framebus_writer *w, uint64_t size)
{
    struct framebus_format format;
    int r;
    do {
        if (!w->pools.has_format)
            return fail(-ENODATA, "bus \"%s\" has no format yet", w->config.path.name);
        if (w->pools.present && size <= w->pools.present->header->slot_capacity)
            return 0;
        format = w->pools.format;
        uint64_t capacity = w->pools.present ? w->pools.present->format.size : format.size;
        if (size > capacity && format.fourcc)
            return fail(-EMSGSIZE, "%llu bytes do not fit a frame of %llu bytes", (unsigned long long)size,
                        (unsigned long long)capacity);
        if (size > capacity)
            format.size = size > 2 * capacity ? size : 2 * capacity;
        r = framebus_format_check(&format);
        if (!r)
            r = lossless_wait_for_pool(w);
    } while (r > 0);
    return r ? r : writer_renew_pool(w, &format);
}

/* ---- frames ---- */

static int writer_acquire_slot(struct framebus_writer *w)
{
    struct pool *pool = w->pools.present;
    if (pool->slots.lent >= w->config.max_lends)
        return fail(-EBUSY,
                    "%u frames of bus \"%s\" are lent already: release some, or open it with more max-lends",
                    pool->slots.lent, w->config.path.name);
    for (;;) {
        int i = slots_acquire(&pool->slots);
        server_evict_marked(w);
        if (i >= 0)
            return i;
        int r = pool_grow(pool);
        if (r)
            return r;
    }
}

/* For the metadata of a lent frame, without the lock. */
static int writer_back_meta(struct frame *f, uint32_t bytes)
{
    struct pool *pool = f->owner;
    struct framebus_writer *w = pool->writer;
    int r = writer_lock(w);
    if (r)
        return r;
    if (pool != w->pools.present) /* its fds are closed */
        r = fail(-ESTALE, "the pool of this frame has ended: copy it into a new one");
    return writer_unlock(w, r ? r : pool_back_meta(f, bytes));
}

/* Lends a frame, empty. */
static void writer_lend(struct framebus_writer *w, struct frame *f)
{
    f->back_meta = writer_back_meta;
    pool_lend(f);
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
    r = cancel_is_set(&w->server.cancel) ? server_cancelled(w) : writer_provide_pool(w, size);
    if (!r)
        r = lossless_wait_for_frames(w);
    if (r >= 0)
        r = writer_provide_pool(w, size); /* the stream may have ended while we waited */
    if (!r)
        r = writer_acquire_slot(w);
    if (r < 0)
        return writer_unlock(w, r);

    struct frame *f = &w->pools.present->slot[r].frame;
    writer_lend(w, f);
    *frame = &f->public;
    return writer_unlock(w, 0);
}

static int frame_check(const struct frame *f)
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

static void writer_measure_rate(struct framebus_writer *w, int64_t now)
{
    int64_t since = now - w->last_publish;
    if (w->last_publish && since < RATE_GAP)
        w->interval = w->interval ? w->interval + (since - w->interval) / 16 : since;
    else
        w->interval = 0;
    w->last_publish = now;
}

/* What publish does for the readers, besides waking them. A program that dispatches on its own hears of what
 * was found out here; its wakes do not come for what has to be tried again after a while. */
static void writer_serve(struct framebus_writer *w, uint32_t flags, int64_t now)
{
    const bool retries = w->server.retry_at || w->door.paused_accept;
    key_frames_note(w, flags, now);
    if (w->config.poll < 0 && w->server.heard != w->server.news)
        notice_raise(w);
    if (w->config.poll < 0 ? retries && now - w->server.polled_at >= POLL_INTERVAL
                           : now - w->server.polled_at >= w->config.poll)
        server_poll(w); /* dispatch reports it if this fails */
}

int framebus_writer_publish(struct framebus_writer *w, struct framebus_frame *frame)
{
    struct frame *f = (struct frame *)frame;
    struct pool *pool = f->owner;
    int r = frame_check(f);
    if (!r)
        r = writer_lock(w);
    if (r)
        return r;
    if (f->state != FRAME_LENT)
        return writer_unlock(
            w, fail(-EALREADY, "frame %llu is published already", (unsigned long long)frame->sequence));
    if (pool != w->pools.present)
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
    server_ring(w, pool, now - w->last_publish < RATE_GAP ? now : 0);
    writer_measure_rate(w, now);
    writer_serve(w, frame->flags, now);
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
    if (f->import)
        import_release(w, f, published);
    else
        slots_release(&pool->slots, frame->slot);
    pool_unref(pool);
    writer_unref(w);
}

int framebus_writer_end(struct framebus_writer *w)
{
    int r = writer_lock(w);
    if (r)
        return r;
    r = lossless_wait_for_pool(w);
    if (r < 0)
        return writer_unlock(w, r);
    writer_retire_pool(w, LAYOUT_ENDED);
    server_announce(w);
    return writer_unlock(w, 0);
}

void framebus_writer_cancel(struct framebus_writer *w)
{
    if (!w->fork.forked)
        cancel_set(&w->server.cancel);
}

void framebus_writer_resume(struct framebus_writer *w)
{
    if (!w->fork.forked)
        cancel_clear(&w->server.cancel);
}

/* ---- imports ---- */

int framebus_import_create(struct framebus_import **made, struct framebus_writer *w,
                           const struct framebus_part *parts, unsigned count, void (*returned)(void *user),
                           void *user)
{
    *made = NULL;
    if (!returned)
        return fail(-EINVAL, "an imported buffer needs a function to call when it may be written to again");
    int r = writer_lock(w);
    if (r)
        return r;
    r = writer_provide_pool(w, 0);
    if (!r)
        r = import_create(w, made, parts, count, returned, user);
    if (!r) {
        w->refs++;
        server_offer_import(w, *made);
    }
    return writer_unlock(w, r);
}

void framebus_import_destroy(struct framebus_import *buffer)
{
    if (!buffer)
        return;
    struct framebus_writer *w = import_writer(buffer);
    if (w->fork.forked) { /* its fds are closed */
        import_forget(buffer);
        return;
    }
    pthread_mutex_lock(&w->lock);
    if (import_destroy(buffer))
        writer_unref(w);
    else
        writer_unlock(w, 0);
}

int framebus_import_recall(struct framebus_import *import)
{
    struct framebus_writer *w = import_writer(import);
    int r = writer_lock(w);
    return r ? r : writer_unlock(w, import_recall(w, import));
}

int framebus_writer_begin_import(struct framebus_writer *w, struct framebus_import *buffer,
                                 struct framebus_frame **frame)
{
    *frame = NULL;
    int r = writer_lock(w);
    if (r)
        return r;
    struct frame *f;
    r = import_begin(buffer, &f);
    if (r)
        return writer_unlock(w, r);
    writer_lend(w, f);
    *frame = &f->public;
    return writer_unlock(w, 0);
}

/* ---- serving ---- */

int framebus_writer_fd(struct framebus_writer *w)
{
    if (w->fork.forked)
        return fail(-ECHILD, "this writer belongs to the parent process");
    return w->server.epoll;
}

int framebus_writer_dispatch(struct framebus_writer *w)
{
    int r = writer_lock(w);
    if (r)
        return r;
    notice_take(w);
    r = server_poll(w);
    w->server.heard = w->server.news;
    return writer_unlock(w, r);
}

uint64_t framebus_writer_count_changes(struct framebus_writer *w)
{
    if (writer_lock(w))
        return 0;
    uint64_t changes = w->server.news;
    writer_unlock(w, 0);
    return changes;
}

bool framebus_writer_wants_key_frame(struct framebus_writer *w)
{
    if (writer_lock(w))
        return false;
    bool wants = key_frames_take(w, clock_now());
    writer_unlock(w, 0);
    return wants;
}

int framebus_writer_get_info(struct framebus_writer *w, struct framebus_bus_info **info)
{
    *info = NULL;
    struct framebus_bus_info *one = calloc(1, sizeof *one);
    int r = one ? writer_lock(w) : fail(-ENOMEM, "no memory for what is known of a bus");
    if (!r)
        r = writer_unlock(w, info_load(one, server_describe(w)));
    if (r) {
        framebus_info_free(one, 1);
        return r;
    }
    strcpy(one->name, w->config.path.name);
    strcpy(one->path, w->config.path.socket);
    one->has_writer = true;
    one->pid = getpid();
    one->uid = geteuid();
    *info = one;
    return 0;
}
