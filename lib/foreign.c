/* SPDX-License-Identifier: MIT */
/*
 * Frames in somebody else's memory. A buffer has a slot of its pool to itself, from the end of the table
 * down, where slots_take() does not come; it is home, or lent in a frame, or out among the readers, or
 * back and its owner not told yet.
 */
#include "connection.h"
#include "log.h"
#include "region.h"
#include "semaphore.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum buffer_state { BUFFER_HOME, BUFFER_LENT, BUFFER_OUT, BUFFER_BACK };

struct framebus_buffer {
    struct outside memory; /* first: a frame's `outside` points here */
    struct framebus_writer *writer;
    struct pool *pool;
    uint32_t slot;
    enum buffer_state state;
    bool destroyed;
    void (*returned)(void *user);
    void *user;
    struct framebus_buffer *next;      /* of the writer's */
    struct framebus_buffer *next_back; /* of those that came back */
};

/* ---- making and freeing ---- */

/* Duplicates an fd; a memfd for reading only, which is all that readers get of it. */
static int share_fd(int fd)
{
    int copy = fcntl(fd, F_GET_SEALS) < 0 ? -1 : reopen_read_only(fd);
    return copy < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : copy;
}

static int take_parts(struct outside *memory, const struct framebus_part *parts, unsigned count,
                      const struct framebus_format *format)
{
    if (!count || count > FRAMEBUS_PLANES_MAX)
        return fail(-EINVAL, "a buffer of %u parts: use 1 to %d", count, FRAMEBUS_PLANES_MAX);
    for (memory->parts = 0; memory->parts < count; memory->parts++) {
        struct framebus_part *p = &memory->part[memory->parts];
        *p = parts[memory->parts];
        p->fd = share_fd(p->fd);
        if (p->fd < 0)
            return fail(errno == EBADF ? -EINVAL : -errno, "cannot duplicate file descriptor %d: %s",
                        parts[memory->parts].fd, strerror(errno));
    }
    int r = outside_check(memory, -EINVAL);
    if (!r && memory->size < format->size)
        r = fail(-EINVAL, "a buffer of %" PRIu64 " bytes for frames of %" PRIu64, memory->size, format->size);
    return r;
}

/* A slot that no buffer of this pool has; -EBUSY: none to be had. */
static int bind_slot(struct framebus_writer *w, struct framebus_buffer *buffer)
{
    struct pool *pool = w->pool;
    const struct layout_header *h = pool->header;
    uint32_t last = pool->slots.limit - 1;
    bool used[FRAMEBUS_SLOTS_MAX] = {false};
    for (const struct framebus_buffer *b = w->buffers; b; b = b->next)
        if (b->pool == pool)
            used[b->slot] = true;
    uint32_t nth = 0;
    while (nth < pool->bound && used[last - nth])
        nth++;
    if (nth == pool->bound) {
        if (serve_room(w, w->quotas) < 1 || pool->slots.touched + pool->bound >= pool->slots.limit)
            return fail(-EBUSY,
                        "bus \"%s\" has no slot left for a %uth foreign buffer: open it with more max-slots",
                        w->place.name, nth + 1);
        /* What is behind the frame is needed; the frame's own place is not. */
        uint64_t meta = h->data_offset + (last - nth) * h->slot_stride + h->slot_capacity;
        uint64_t start = meta - meta % region_page(w->memory_flags);
        int r =
            region_reserve(&pool->region, start, h->data_offset + (last - nth + 1) * h->slot_stride - start);
        if (r)
            return r;
        pool->bound++;
    }
    buffer->slot = last - nth;
    return 0;
}

static void free_buffer(struct framebus_buffer *buffer)
{
    outside_finish(&buffer->memory);
    free(buffer);
}

/* Off the writer's list, and no more. */
static void unlink_buffer(struct framebus_writer *w, struct framebus_buffer *buffer)
{
    struct framebus_buffer **link = &w->buffers;
    while (*link != buffer)
        link = &(*link)->next;
    *link = buffer->next;
    struct frame *f = &buffer->pool->frames[buffer->slot];
    if (f->outside == &buffer->memory)
        f->outside = NULL;
    pool_unref(buffer->pool);
    free_buffer(buffer);
}

int framebus_buffer_create(struct framebus_buffer **made, struct framebus_writer *w,
                           const struct framebus_part *parts, unsigned count, void (*returned)(void *user),
                           void *user)
{
    *made = NULL;
    if (!returned)
        return fail(-EINVAL,
                    "a foreign buffer needs a function that is told when it may be written to again");
    int r = writer_lock(w);
    if (r)
        return r;
    struct framebus_buffer *buffer = calloc(1, sizeof *buffer);
    r = buffer ? provide_pool(w, 0) : fail(-ENOMEM, "no memory for a buffer");
    if (!r)
        r = take_parts(&buffer->memory, parts, count, &w->pool->format);
    if (!r && buffer->memory.dmabuf && w->mode & 0066 && !w->dmabuf_for_all)
        r = fail(-EPERM,
                 "readers of bus \"%s\" (mode %04o) could write to foreign DMA-BUFs: open it with "
                 "dmabuf_for_all if "
                 "that is meant",
                 w->place.name, (unsigned)w->mode);
    if (!r)
        r = bind_slot(w, buffer);
    if (r) {
        if (buffer)
            free_buffer(buffer);
        return writer_unlock(w, r);
    }
    buffer->writer = w;
    buffer->pool = w->pool;
    buffer->returned = returned;
    buffer->user = user;
    buffer->memory.serial = ++w->serials;
    buffer->next = w->buffers;
    w->buffers = buffer;
    w->refs++;
    w->pool->refs++;
    serve_introduce(w, buffer);
    *made = buffer;
    return writer_unlock(w, 0);
}

void framebus_buffer_destroy(struct framebus_buffer *buffer)
{
    if (!buffer)
        return;
    struct framebus_writer *w = buffer->writer;
    if (w->fork.forked) { /* its fds are closed, the rest is the parent's */
        free(buffer);
        return;
    }
    pthread_mutex_lock(&w->lock);
    if (buffer->state != BUFFER_HOME) {
        buffer->destroyed = true; /* foreign_next_back() does it */
        writer_unlock(w, 0);
        return;
    }
    unlink_buffer(w, buffer);
    writer_unref(w);
}

void foreign_forget(struct framebus_writer *w)
{
    for (const struct framebus_buffer *b = w->buffers; b; b = b->next)
        outside_forget(&b->memory);
    for (uint32_t i = 0; w->pool && w->pool->exported && i < w->pool->slots.limit; i++)
        outside_forget(&w->pool->exported[i]);
}

/* ---- frames ---- */

int framebus_writer_begin_buffer(struct framebus_writer *w, struct framebus_buffer *buffer,
                                 struct framebus_frame **frame)
{
    *frame = NULL;
    int r = writer_lock(w);
    if (r)
        return r;
    struct pool *pool = buffer->pool;
    if (pool != w->pool)
        return writer_unlock(w, fail(-ESTALE, "the pool of this buffer has ended: register it again"));
    if (buffer->state != BUFFER_HOME || buffer->destroyed)
        return writer_unlock(
            w, fail(-EBUSY, "the buffer in slot %u is %s", buffer->slot,
                    buffer->destroyed ? "destroyed" : "in use: wait until it has been returned"));
    struct frame *f = &pool->frames[buffer->slot];
    f->outside = &buffer->memory;
    f->buffer = buffer->memory.serial;
    f->public.data = NULL;
    f->public.capacity = buffer->memory.size;
    for (uint32_t i = 0; i < pool->format.planes; i++)
        f->public.plane[i].data = NULL;
    pool->slots.table[buffer->slot].buffer = f->buffer;
    buffer->state = BUFFER_LENT;
    lend_frame(w, f);
    *frame = &f->public;
    return writer_unlock(w, 0);
}

static void come_back(struct framebus_writer *w, struct framebus_buffer *buffer)
{
    buffer->state = BUFFER_BACK;
    buffer->next_back = w->back;
    w->back = buffer;
}

void foreign_release(struct framebus_writer *w, struct frame *f, bool published)
{
    struct framebus_buffer *buffer = (struct framebus_buffer *)f->outside;
    if (!published) {
        come_back(w, buffer);
        return;
    }
    buffer->state = BUFFER_OUT;
    w->out++;
}

/*
 * One look at everything that is out. Where nothing but a claim keeps a buffer, the readers in its pool are
 * asked to ring (S1 of `free`), each once. That stays so until one did: a flag that went up and down with
 * every frame would be rung for with every frame. True: the flag went up, so look again (S2).
 */
static bool look(struct framebus_writer *w)
{
    bool armed = false;
    for (struct framebus_buffer *b = w->buffers; b; b = b->next) {
        if (b->state != BUFFER_OUT)
            continue;
        struct pool *pool = b->pool;
        /* With no reader in a pool that has ended, nobody will come. */
        int r = !pool->slots.readers && pool != w->pool ? 0 : slots_recall(&pool->slots, b->slot);
        if (!r) {
            w->out--;
            come_back(w, b);
        }
        if (r == -EBUSY && !pool->armed) {
            semaphore_sleep(&pool->slots.index->waits);
            w->naps++;
            pool->armed = armed = true;
        }
    }
    return armed;
}

void foreign_collect(struct framebus_writer *w)
{
    while (look(w))
        ;
}

bool foreign_next_back(struct framebus_writer *w, void (**returned)(void *user), void **user)
{
    struct framebus_buffer *buffer = w->back;
    if (!buffer)
        return false;
    w->back = buffer->next_back;
    buffer->state = BUFFER_HOME;
    *returned = buffer->returned;
    *user = buffer->user;
    if (buffer->destroyed) {
        unlink_buffer(w, buffer);
        w->refs--; /* never the last: who calls has one */
    }
    return true;
}

/* ---- telling readers ---- */

/* A message under way: as many buffers as fit, all of the same number of parts. */
struct batch {
    int socket;
    unsigned fd_count;
    int fds[MESSAGE_FDS_MAX];
    struct message_buffers head;
    struct message_buffer buffer[MESSAGE_FDS_MAX];
};

_Static_assert(offsetof(struct batch, buffer) ==
                   offsetof(struct batch, head) + sizeof(struct message_buffers),
               "the tail follows");

static int flush(struct batch *batch)
{
    if (!batch->head.count)
        return 0;
    batch->head.head.size = (uint32_t)(sizeof batch->head + batch->head.count * sizeof *batch->buffer);
    int r = connection_send(batch->socket, &batch->head, batch->fds, batch->fd_count);
    batch->head.count = 0;
    batch->fd_count = 0;
    return r;
}

static int add(struct batch *batch, uint32_t slot, const struct outside *memory)
{
    int r = 0;
    if (batch->head.parts != memory->parts || batch->fd_count + memory->parts > MESSAGE_FDS_MAX)
        r = flush(batch);
    batch->head.parts = memory->parts;
    struct message_buffer *b = &batch->buffer[batch->head.count++];
    *b = (struct message_buffer){.slot = slot, .serial = memory->serial};
    for (uint32_t i = 0; i < memory->parts; i++) {
        b->part[i] = (struct message_part){.offset = memory->part[i].offset, .size = memory->part[i].size};
        batch->fds[batch->fd_count++] = memory->part[i].fd;
    }
    return r;
}

/* May this reader have DMA-BUFs of slots, and does it want them? */
static bool gets_dmabufs(const struct framebus_writer *w, const struct peer *peer)
{
    return peer->flags & HELLO_WANTS_DMABUFS &&
           (w->dmabuf_for_all || peer->uid == 0 || peer->uid == geteuid());
}

int foreign_tell(struct framebus_writer *w, const struct peer *peer, const struct framebus_buffer *only)
{
    const struct pool *pool = w->pool;
    bool exports = !only && pool->exported && gets_dmabufs(w, peer);
    if (!only && !pool->bound && !exports)
        return 0;
    struct batch batch = {.socket = peer->socket};
    int r = 0;
    message_init(&batch.head, MESSAGE_BUFFERS, sizeof batch.head);
    batch.head.cookie = pool->header->cookie;
    for (uint32_t i = 0; exports && i < pool->slots.limit - pool->bound && !r; i++)
        r = add(&batch, i, &pool->exported[i]);
    for (const struct framebus_buffer *b = w->buffers; b && !r; b = b->next)
        if (b->pool == pool && (b == only || !only))
            r = add(&batch, b->slot, &b->memory);
    return r ? r : flush(&batch);
}
