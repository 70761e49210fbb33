/* SPDX-License-Identifier: MIT */
#include "writer/pool.h"

#include "base/log.h"
#include "shared/pool_header.h"
#include "shared/semaphore.h"
#include "writer/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define QUOTAS_MIN 4 /* of two readers that say nothing */

/* Where fewer slots will do, a pool takes at most this share of what a program can address. */
#define POOL_SHARE_MAX (SIZE_MAX / 4)

struct pool *pool_ref(struct pool *pool)
{
    pool->refs++;
    return pool;
}

void pool_unref(struct pool *pool)
{
    if (!pool || --pool->refs)
        return;
    for (uint32_t i = 0; pool->exported && i < pool->slots.limit; i++)
        memory_finish(&pool->slot[i].export);
    for (uint32_t i = 0; pool->slot && i < pool->slots.limit; i++)
        user_take(&pool->slot[i].frame.user, &pool->writer->users);
    region_finish(&pool->region);
    free(pool->slot);
    free(pool->slots.note);
    free(pool->caps);
    free(pool);
}

/* ---- making one ---- */

/* In the pool's region, which we mapped. */
static void *pool_at(struct pool *pool, uint64_t offset)
{
    return (uint8_t *)pool->region.base + offset;
}

static int pool_reserve(struct pool *pool, uint64_t offset, uint64_t size)
{
    int r = region_reserve(&pool->region, offset, size);
    if (!r)
        pool->memory += size;
    return r;
}

static uint64_t pool_page_up(const struct pool *pool, uint64_t size)
{
    uint64_t page = region_page(pool->writer->config.memory_flags);
    return (size + page - 1) / page * page;
}

/* Gives memory to the frame of a slot, in whole pages: on the last one there may be room for metadata. */
static int pool_back_frame(struct pool *pool, uint32_t slot)
{
    const struct layout_header *h = pool->header;
    struct frame *f = &pool->slot[slot].frame;
    uint64_t size = pool_page_up(pool, h->slot_capacity), rest = size - h->slot_capacity;
    int r = pool_reserve(pool, h->data_offset + slot * h->slot_stride, size);
    if (!r)
        f->meta_backed = rest < h->meta_max ? (uint32_t)rest : h->meta_max;
    return r;
}

int pool_back_meta(struct frame *f, uint32_t bytes)
{
    struct pool *pool = f->owner;
    const struct layout_header *h = pool->header;
    uint64_t meta = h->data_offset + f->public.slot * h->slot_stride + h->slot_capacity;
    uint64_t backed = meta + f->meta_backed; /* the end of a page, or nothing is backed yet */
    uint64_t start = backed - backed % region_page(pool->writer->config.memory_flags);
    uint64_t end = pool_page_up(pool, meta + bytes);
    int r = pool_reserve(pool, start, end - start);
    if (!r)
        f->meta_backed = end - meta < h->meta_max ? (uint32_t)(end - meta) : h->meta_max;
    return r;
}

/* Exports all slots at once, before the memfd is sealed: only some kernels take a sealed one. */
static int pool_export(struct pool *pool, const struct layout_header *plan)
{
    int device = memory_export_open(pool->region.fd);
    if (device < 0)
        return device;
    pool->exported = true;
    uint64_t offset = plan->data_offset;
    int r = 0;
    for (uint32_t i = 0; i < plan->slots && !r; i++, offset += plan->slot_stride) {
        struct pool_slot *slot = &pool->slot[i];
        r = pool_back_frame(pool, i);
        if (!r)
            r = memory_export(&slot->export, device, pool->region.fd, offset, plan->slot_capacity);
        slot->frame.memory = &slot->export;
    }
    close(device);
    return r;
}

static int pool_fill(struct pool *pool, const struct layout_header *plan)
{
    const struct writer_config *config = &pool->writer->config;
    int r = pool_reserve(pool, 0, plan->data_offset);
    if (r)
        return r;
    pool->header = pool->region.base;
    *pool->header = *plan;
    memcpy(pool_at(pool, plan->caps_offset), pool->caps, plan->format.caps_size);
    slots_init(&pool->slots, pool_at(pool, plan->index_offset), pool_at(pool, plan->table_offset),
               pool->slots.note, plan->slots, plan->history, plan->ring_length);
    const struct frame_pool frames = {
        .owner = pool,
        .handle = &pool->writer->fork,
        .format = &pool->format,
        .serial = pool->serial,
        .meta_max = plan->meta_max,
        .capacity = plan->slot_capacity,
    };
    uint8_t *data = pool_at(pool, plan->data_offset);
    for (uint32_t i = 0; i < plan->slots; i++, data += plan->slot_stride)
        frame_init(&pool->slot[i].frame, &frames, i, data);
    r = config->dmabuf ? pool_export(pool, plan) : 0;
    if (!r)
        r = region_share(&pool->region);
    if (!r)
        log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": pool %u of %u slots of %llu bytes in %s memory",
                 config->path.name, pool->serial, plan->slots, (unsigned long long)plan->slot_capacity,
                 region_kind_name(config->memory));
    return r;
}

/* The least number of slots that the bus works with: the frames that it keeps and lends, and those of
 * readers. */
static uint32_t pools_needed_slots(const struct framebus_writer *w)
{
    uint64_t quotas = w->server.quotas > QUOTAS_MIN ? w->server.quotas : QUOTAS_MIN;
    uint64_t needed = w->config.window + w->config.max_lends + 1 + quotas;
    return needed < w->config.max_slots ? (uint32_t)needed : w->config.max_slots;
}

/* Plans a pool and maps it: with as many slots as configured, or, if fewer will do, with as many as there is
 * address space for. */
static int pool_map(struct pool *pool, struct layout_header *plan)
{
    const struct writer_config *config = &pool->writer->config;
    uint64_t page = region_page(config->memory_flags), size = pool->format.size;
    /* A DMA-BUF is made of whole pages, and must not contain metadata. */
    uint64_t capacity = config->dmabuf ? (size + page - 1) / page * page : size;
    uint32_t slots = config->max_slots;
    uint32_t least = config->fewer_slots ? pools_needed_slots(pool->writer) : slots;
    for (;; slots = slots / 2 > least ? slots / 2 : least) {
        int r = pool_header_plan(plan, &pool->format, capacity, config->meta_size, slots, config->window,
                                 page, config->path.socket);
        plan->region_size = (plan->region_size + page - 1) / page * page;
        if (!r && plan->region_size > POOL_SHARE_MAX && slots > least)
            continue;
        const struct region_wish wish = {
            .memory = config->memory,
            .flags = config->memory_flags,
            .size = plan->region_size,
            .mode = config->mode,
            .group = config->group,
            .identity = config->identity,
            .number = pool->serial,
        };
        if (!r)
            r = region_create(&pool->region, &wish);
        if (r != -ENOMEM || slots == least)
            return r;
    }
}

int pool_create(struct framebus_writer *w, const struct framebus_format *format, struct pool **made)
{
    const struct pool *present = w->pools.present;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return fail(-ENOMEM, "no memory for a pool");
    pool->writer = w;
    pool->refs = 1;
    pool->serial = ++w->pools.made;
    pool->format = *format;
    pool->caps = strdup(format->caps ? format->caps : "");
    pool->format.caps = pool->caps;
    struct layout_header plan;
    int r = pool->caps ? pool_map(pool, &plan) : fail(-ENOMEM, "no memory for a format");
    if (!r) {
        plan.first_sequence = w->pools.sequence + (present ? present->slots.published : 0);
        pool->slots.note = calloc(plan.slots, sizeof *pool->slots.note);
        pool->slot = calloc(plan.slots, sizeof *pool->slot);
        if (!pool->slots.note || !pool->slot)
            r = fail(-ENOMEM, "no memory for a pool");
        else if (getrandom(&plan.cookie, sizeof plan.cookie, 0) != sizeof plan.cookie)
            r = fail(-errno, "no random numbers: %s", strerror(errno));
    }
    if (!r)
        r = pool_fill(pool, &plan);
    if (r) {
        pool_unref(pool);
        return r;
    }
    *made = pool;
    return 0;
}

/* ---- one after the other ---- */

void pool_adopt(struct framebus_writer *w, struct pool *pool)
{
    struct pools *pools = &w->pools;
    pools->present = pool;
    if (pool->slots.limit < pools->max_slots)
        log_line(FRAMEBUS_LOG_WARNING,
                 "bus \"%s\": %u slots in place of %u: more do not fit this program's address space (see "
                 "ulimit -v); max-slots sets their number",
                 w->config.path.name, pool->slots.limit, pools->max_slots);
    pools->max_slots = pool->slots.limit;
}

struct pool *pool_retire(struct framebus_writer *w, enum layout_state state)
{
    struct pool *pool = w->pools.present;
    if (!pool)
        return NULL;
    w->pools.present = NULL;
    w->pools.sequence += pool->slots.published;
    store_ordered(&pool->slots.index->state, state);
    return pool;
}

void pool_abandon(struct pool *pool)
{
    region_withdraw(&pool->region);
    region_forget(&pool->region);
    pool_unref(pool);
}

void pools_set_format(struct framebus_writer *w, const struct framebus_format *format, char *caps)
{
    struct pools *pools = &w->pools;
    free(pools->caps);
    pools->caps = caps;
    pools->format = *format;
    pools->format.caps = caps;
    pools->has_format = true;
}

void pools_drop(struct framebus_writer *w)
{
    pool_unref(w->pools.present);
    w->pools.present = NULL;
}

void pools_forget(const struct framebus_writer *w)
{
    struct pool *pool = w->pools.present;
    if (!pool)
        return;
    region_forget(&pool->region);
    for (uint32_t i = 0; pool->exported && i < pool->slots.limit; i++)
        memory_forget(&pool->slot[i].export);
}

void pools_finish(struct framebus_writer *w)
{
    free(w->pools.caps);
}

/* ---- slots ---- */

int64_t pools_room(const struct framebus_writer *w, uint64_t quotas)
{
    const struct writer_config *config = &w->config;
    uint32_t bound = w->pools.present ? w->pools.present->bound : 0;
    return (int64_t)w->pools.max_slots - (int64_t)(config->window + config->max_lends + 1 + bound + quotas);
}

int pool_grow(struct pool *pool)
{
    if (pool->slots.touched == pool->slots.limit - pool->bound)
        return fail(-EBUSY, "all %u slots of bus \"%s\" are in use", pool->slots.limit,
                    pool->writer->config.path.name);
    int r = pool_back_frame(pool, pool->slots.touched);
    if (!r)
        slots_touch(&pool->slots);
    return r;
}

void pool_bind(struct pool *pool)
{
    pool->bound++;
}

void pool_lend(struct frame *f)
{
    struct pool *pool = f->owner;
    f->state = FRAME_LENT;
    f->meta_size = 0;
    f->public.size = pool->format.planes ? pool->format.size : 0;
    f->public.sequence = 0;
    f->public.capture_ns = f->public.publish_ns = f->public.duration_ns = 0;
    f->public.flags = 0;
    f->public.crop = (struct framebus_rect){0};
    pool_ref(pool);
}

void pool_ask_to_ring(struct framebus_writer *w, struct pool *pool)
{
    w->pools.wait_count++;
    if (pool)
        semaphore_sleep(&pool->slots.index->waits);
}
