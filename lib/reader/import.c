/* SPDX-License-Identifier: MIT */
#include "reader/import.h"

#include "base/log.h"
#include "reader/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct import_table {
    uint64_t cookie; /* of the pool that it belongs to */
    struct memory *slot[FRAMEBUS_SLOTS_MAX];
};

static void import_table_clear(struct import_table *table, uint32_t slot)
{
    if (table->slot[slot])
        memory_finish(table->slot[slot]);
    free(table->slot[slot]);
    table->slot[slot] = NULL;
}

void import_table_finish(struct import_table *table)
{
    for (uint32_t i = 0; table && i < FRAMEBUS_SLOTS_MAX; i++)
        import_table_clear(table, i);
    free(table);
}

void import_table_forget(const struct import_table *table)
{
    for (uint32_t i = 0; table && i < FRAMEBUS_SLOTS_MAX; i++)
        if (table->slot[i])
            memory_forget(table->slot[i]);
}

/* Sets where a frame's bytes are. Only while nobody holds the frame. */
static void frame_point(struct frame *f, uint32_t serial, void *data, uint64_t capacity)
{
    const struct framebus_format *format = f->public.format;
    f->import = serial;
    f->backed = false;
    f->public.data = data;
    f->public.capacity = capacity;
    for (uint32_t p = 0; p < format->planes; p++)
        f->public.plane[p].data = data ? (uint8_t *)data + format->offset[p] : NULL;
}

/* Makes a frame forget the memory it was in, and point to its slot again. */
static void frame_point_to_slot(struct reader_pool *pool, uint32_t slot, struct user **gone)
{
    const struct layout_header *h = &pool->header;
    user_take(&pool->frames[slot].user, gone);
    pool->frames[slot].memory = NULL;
    frame_point(&pool->frames[slot], 0, (uint8_t *)pool->region.base + h->data_offset + slot * h->slot_stride,
                h->slot_capacity);
}

/* Enters what a message says of one slot, and takes over the fds. What users kept with the memory before is
 * gone. */
static int import_add(struct import_table *table, struct reader_pool *pool,
                      const struct message_slot_memory *b, uint32_t parts, const int *fds, struct user **gone)
{
    struct memory memory = {.serial = b->serial, .parts = parts};
    for (uint32_t i = 0; i < parts; i++)
        memory.part[i] =
            (struct framebus_part){.fd = fds[i], .offset = b->part[i].offset, .size = b->part[i].size};
    int r = memory_check(&memory, -EBADMSG);
    if (!r && (b->slot >= FRAMEBUS_SLOTS_MAX || (pool && b->slot >= pool->header.slots)))
        r = fail(-EBADMSG, "the writer sent memory for slot %u", b->slot);
    if (!r && pool && pool->frames[b->slot].state == FRAME_READ)
        r = fail(-EBADMSG, "the writer sent other memory for slot %u, whose frame is being read", b->slot);
    struct memory *added = r ? NULL : malloc(sizeof *added);
    if (!r && !added)
        r = fail(-ENOMEM, "no memory for an import");
    if (r) {
        memory_finish(&memory);
        return r;
    }
    *added = memory;
    if (pool)
        frame_point_to_slot(pool, b->slot, gone);
    import_table_clear(table, b->slot);
    table->slot[b->slot] = added;
    if (pool && !added->serial)
        pool->frames[b->slot].memory = added;
    return 0;
}

/* The table of the pool with this cookie: the present one, or else one to come. */
static struct import_table *import_table_of(struct framebus_reader *rd, uint64_t cookie)
{
    struct import_table **table = rd->pool ? &rd->pool->imports : &rd->pending;
    if (!rd->pool && *table && (*table)->cookie != cookie) { /* of a pool that was left meanwhile */
        import_table_finish(*table);
        *table = NULL;
    }
    if (!*table)
        *table = calloc(1, sizeof **table);
    if (*table)
        (*table)->cookie = cookie;
    return *table;
}

int import_receive(struct framebus_reader *rd, const struct message_memory *m, const int *fds,
                   unsigned fd_count)
{
    const struct message_slot_memory *entry = (const struct message_slot_memory *)(m + 1);
    uint64_t tail = m->head.size - sizeof *m;
    struct user *gone = NULL;
    int r = 0;
    if (rd->state != READER_ATTACHED || m->parts < 1 || m->parts > FRAMEBUS_PLANES_MAX ||
        m->count > MESSAGE_FDS_MAX || m->count * m->parts != fd_count || tail != m->count * sizeof *entry)
        r = fail(-EPROTO, "the writer sent memory of %u slots in %u parts each with %u file descriptors",
                 m->count, m->parts, fd_count);
    if (!r && rd->pool && rd->pool->header.cookie != m->cookie)
        r = fail(-EPROTO, "the writer sent memory of another pool");
    pthread_mutex_lock(&rd->lock);
    struct import_table *table = r ? NULL : import_table_of(rd, m->cookie);
    if (!r && !table)
        r = fail(-ENOMEM, "no memory for imports");
    unsigned used = 0;
    for (; !r && used < fd_count; used += m->parts, entry++)
        r = import_add(table, rd->pool, entry, m->parts, fds + used, &gone);
    pthread_mutex_unlock(&rd->lock);
    users_destroy(gone);
    for (; used < fd_count; used++)
        close(fds[used]);
    return r;
}

void import_adopt(struct framebus_reader *rd, struct reader_pool *pool)
{
    struct import_table *table = rd->pending;
    rd->pending = NULL;
    if (!table || table->cookie != pool->header.cookie) {
        import_table_finish(table);
        return;
    }
    pool->imports = table;
    for (uint32_t i = 0; i < pool->header.slots; i++)
        if (table->slot[i] && !table->slot[i]->serial)
            pool->frames[i].memory = table->slot[i];
}

static struct memory *import_find(const struct reader_pool *pool, uint32_t slot, uint32_t serial)
{
    struct memory *memory = pool->imports ? pool->imports->slot[slot] : NULL;
    return memory && serial && memory->serial == serial ? memory : NULL;
}

bool import_is_known(const struct reader_pool *pool, uint32_t slot, uint32_t serial)
{
    return import_find(pool, slot, serial);
}

int import_point(struct reader_pool *pool, uint32_t slot, uint32_t serial, bool unmapped)
{
    struct memory *memory = import_find(pool, slot, serial);
    if (!memory || memory->size < pool->format.size)
        return fail(-EBADMSG, "the writer's frame is in import %u of slot %u, which %s", serial, slot,
                    memory ? "is too small" : "it has not sent");
    int r = memory->base ? 0 : memory_map(memory);
    if (r && !unmapped)
        return r;
    pool->frames[slot].memory = memory;
    frame_point(&pool->frames[slot], serial, memory->base, memory->size);
    return 0;
}
