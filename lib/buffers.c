/* SPDX-License-Identifier: MIT */
#include "buffers.h"

#include "log.h"
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Looks at the socket for a buffer that has been published in, so was sent: more than a pool has slots. */
#define LOOKS_MAX 128

struct buffers {
    uint64_t cookie; /* of the pool they belong to */
    struct outside *slot[FRAMEBUS_SLOTS_MAX];
};

static void drop(struct outside **entry)
{
    if (*entry)
        outside_finish(*entry);
    free(*entry);
    *entry = NULL;
}

void buffers_finish(struct buffers *buffers)
{
    for (uint32_t i = 0; buffers && i < FRAMEBUS_SLOTS_MAX; i++)
        drop(&buffers->slot[i]);
    free(buffers);
}

void buffers_forget(const struct buffers *buffers)
{
    for (uint32_t i = 0; buffers && i < FRAMEBUS_SLOTS_MAX; i++)
        if (buffers->slot[i])
            outside_forget(buffers->slot[i]);
}

/* Where a frame's bytes are. Only while nobody holds the frame. */
static void point(struct frame *f, uint32_t serial, void *data, uint64_t capacity)
{
    const struct framebus_format *format = f->public.format;
    f->buffer = serial;
    f->backed = false;
    f->public.data = data;
    f->public.capacity = capacity;
    for (uint32_t p = 0; p < format->planes; p++)
        f->public.plane[p].data = data ? (uint8_t *)data + format->offset[p] : NULL;
}

/* Makes a frame forget the memory it was in, and point to its slot again. */
static void point_to_slot(struct reader_pool *pool, uint32_t slot)
{
    const struct layout_header *h = &pool->header;
    pool->frames[slot].outside = NULL;
    point(&pool->frames[slot], 0, (uint8_t *)pool->region.base + h->data_offset + slot * h->slot_stride,
          h->slot_capacity);
}

/* Notes an entry of a message, and takes over the fds. */
static int note(struct buffers *buffers, struct reader_pool *pool, const struct message_buffer *b,
                uint32_t parts, const int *fds)
{
    struct outside *made = calloc(1, sizeof *made);
    int r = made ? 0 : fail(-ENOMEM, "no memory for a buffer");
    if (!r)
        made->serial = b->serial;
    for (uint32_t i = 0; i < parts; i++) {
        if (!made)
            close(fds[i]);
        else
            made->part[made->parts++] =
                (struct framebus_part){.fd = fds[i], .offset = b->part[i].offset, .size = b->part[i].size};
    }
    if (!r)
        r = outside_check(made, -EBADMSG);
    if (!r && (b->slot >= FRAMEBUS_SLOTS_MAX || (pool && b->slot >= pool->header.slots)))
        r = fail(-EBADMSG, "the writer sent a buffer for slot %u", b->slot);
    if (!r && pool && pool->frames[b->slot].state == FRAME_READ)
        r = fail(-EBADMSG, "the writer sent another buffer for slot %u, whose frame is being read", b->slot);
    if (r) {
        drop(&made);
        return r;
    }
    if (pool)
        point_to_slot(pool, b->slot);
    drop(&buffers->slot[b->slot]);
    buffers->slot[b->slot] = made;
    if (pool && !made->serial)
        pool->frames[b->slot].outside = made;
    return 0;
}

/* Those of the pool with this cookie: the present one, or else one to come. */
static struct buffers *table_of(struct framebus_reader *rd, uint64_t cookie)
{
    struct buffers **place = rd->pool ? &rd->pool->buffers : &rd->pending;
    if (!rd->pool && *place && (*place)->cookie != cookie) { /* of a pool that was left meanwhile */
        buffers_finish(*place);
        *place = NULL;
    }
    if (!*place)
        *place = calloc(1, sizeof **place);
    if (*place)
        (*place)->cookie = cookie;
    return *place;
}

int buffers_hear(struct framebus_reader *rd, const struct message_buffers *m, const int *fds,
                 unsigned fd_count)
{
    const struct message_buffer *entry = (const struct message_buffer *)(m + 1);
    uint64_t tail = m->head.size - sizeof *m;
    int r = 0;
    if (rd->state != READER_ATTACHED || m->parts < 1 || m->parts > FRAMEBUS_PLANES_MAX ||
        m->count > MESSAGE_FDS_MAX || m->count * m->parts != fd_count || tail != m->count * sizeof *entry)
        r = fail(-EPROTO, "the writer sent %u buffers of %u parts with %u file descriptors", m->count,
                 m->parts, fd_count);
    if (!r && rd->pool && rd->pool->header.cookie != m->cookie)
        r = fail(-EPROTO, "the writer sent buffers of another pool");
    pthread_mutex_lock(&rd->lock);
    struct buffers *table = r ? NULL : table_of(rd, m->cookie);
    if (!r && !table)
        r = fail(-ENOMEM, "no memory for buffers");
    unsigned used = 0;
    for (; !r && used < fd_count; used += m->parts, entry++)
        r = note(table, rd->pool, entry, m->parts, fds + used);
    pthread_mutex_unlock(&rd->lock);
    for (; used < fd_count; used++)
        close(fds[used]);
    return r;
}

void buffers_adopt(struct framebus_reader *rd, struct reader_pool *pool)
{
    struct buffers *table = rd->pending;
    rd->pending = NULL;
    if (!table || table->cookie != pool->header.cookie) {
        buffers_finish(table);
        return;
    }
    pool->buffers = table;
    for (uint32_t i = 0; i < pool->header.slots; i++)
        if (table->slot[i] && !table->slot[i]->serial)
            pool->frames[i].outside = table->slot[i];
}

int buffers_point(struct framebus_reader *rd, struct reader_pool *pool, uint32_t slot, uint32_t serial)
{
    int r = 0;
    struct outside *memory = NULL;
    for (int looks = 0; looks < LOOKS_MAX && !r && !memory; looks++) {
        memory = pool->buffers ? pool->buffers->slot[slot] : NULL;
        if (memory && memory->serial == serial)
            break;
        memory = NULL;
        r = serial ? attach_hear(rd) : 0;
    }
    if (r)
        return r;
    if (!serial || !memory || memory->size < pool->format.size)
        return fail(-EBADMSG, "the writer's frame is in buffer %u of slot %u, which %s", serial, slot,
                    memory ? "is too small" : "it has not sent");
    if (!memory->base && (r = outside_map(memory)) && !rd->dmabuf)
        return r;
    pool->frames[slot].outside = memory;
    point(&pool->frames[slot], serial, memory->base, memory->size);
    return 0;
}
