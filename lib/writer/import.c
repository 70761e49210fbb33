/* SPDX-License-Identifier: MIT */
/*
 * Frames in memory from outside. An import has a slot of its pool to itself, from the end of the table down,
 * where slots_acquire() does not come. It is home, or lent in a frame, or published and with the readers, or
 * returned and its owner not told yet.
 */
#include "writer/import.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/region.h"
#include "base/socket.h"
#include "writer/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum import_state { IMPORT_HOME, IMPORT_LENT, IMPORT_PUBLISHED, IMPORT_RETURNED };

struct framebus_import {
    struct memory memory; /* first: a frame's `memory` points here */
    struct framebus_writer *writer;
    struct pool *pool;
    uint32_t slot;
    enum import_state state;
    bool destroyed;
    void (*returned)(void *user);
    void *user;
    struct framebus_import *next;          /* of all */
    struct framebus_import *next_returned; /* of those that came back */
};

/* ---- making and freeing ---- */

/* Duplicates an fd; a memfd for reading only, since that is what readers get. */
static int import_share_fd(int fd)
{
    int copy = fcntl(fd, F_GET_SEALS) < 0 ? -1 : reopen_read_only(fd);
    return copy < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : copy;
}

static int import_add_parts(struct memory *memory, const struct framebus_part *parts, unsigned count,
                            const struct framebus_format *format)
{
    if (!count || count > FRAMEBUS_PLANES_MAX)
        return fail(-EINVAL, "a buffer of %u parts: use 1 to %d", count, FRAMEBUS_PLANES_MAX);
    for (memory->parts = 0; memory->parts < count; memory->parts++) {
        struct framebus_part *p = &memory->part[memory->parts];
        *p = parts[memory->parts];
        p->fd = import_share_fd(p->fd);
        if (p->fd < 0)
            return fail(errno == EBADF ? -EINVAL : -errno, "cannot duplicate file descriptor %d: %s",
                        parts[memory->parts].fd, strerror(errno));
    }
    int r = memory_check(memory, -EINVAL);
    if (!r && memory->size < format->size)
        r = fail(-EINVAL, "a buffer of %" PRIu64 " bytes for frames of %" PRIu64, memory->size, format->size);
    return r;
}

/* Finds a slot that no import of this pool has. -EBUSY: there is none. */
static int import_bind(struct framebus_writer *w, struct framebus_import *import)
{
    struct pool *pool = w->pools.present;
    uint32_t last = pool->slots.limit - 1;
    bool used[FRAMEBUS_SLOTS_MAX] = {false};
    for (const struct framebus_import *i = w->imports.all; i; i = i->next)
        if (i->pool == pool)
            used[i->slot] = true;
    uint32_t nth = 0;
    while (nth < pool->bound && used[last - nth])
        nth++;
    if (nth == pool->bound) {
        if (pools_room(w, w->server.quotas) < 1 || pool->slots.touched + pool->bound >= pool->slots.limit)
            return fail(
                -EBUSY,
                "bus \"%s\" has no slot left for imported buffer number %u: open it with more max-slots",
                w->config.path.name, nth + 1);
        pool_bind(pool);
    }
    import->slot = last - nth;
    return 0;
}

static void import_free(struct framebus_import *import)
{
    memory_finish(&import->memory);
    free(import);
}

/* Takes it off the list of all, and frees it. */
static void import_remove(struct framebus_writer *w, struct framebus_import *import)
{
    struct framebus_import **link = &w->imports.all;
    while (*link != import)
        link = &(*link)->next;
    *link = import->next;
    struct frame *f = &import->pool->slot[import->slot].frame;
    if (f->memory == &import->memory) {
        f->memory = NULL;
        user_take(&f->user, &w->users);
    }
    pool_unref(import->pool);
    import_free(import);
}

int import_create(struct framebus_writer *w, struct framebus_import **made, const struct framebus_part *parts,
                  unsigned count, void (*returned)(void *user), void *user)
{
    const struct writer_config *config = &w->config;
    struct framebus_import *import = calloc(1, sizeof *import);
    if (!import)
        return fail(-ENOMEM, "no memory for an import");
    int r = import_add_parts(&import->memory, parts, count, &w->pools.present->format);
    if (!r && import->memory.dmabuf && config->mode & 0066 && !config->dmabuf_for_all)
        r = fail(-EPERM,
                 "readers of bus \"%s\" (mode %04o) could write to imported DMA-BUFs: open it with "
                 "dmabuf_for_all if that is meant",
                 config->path.name, (unsigned)config->mode);
    if (!r)
        r = import_bind(w, import);
    if (r) {
        import_free(import);
        return r;
    }
    import->writer = w;
    import->pool = pool_ref(w->pools.present);
    import->returned = returned;
    import->user = user;
    import->memory.serial = ++w->imports.made;
    import->next = w->imports.all;
    w->imports.all = import;
    *made = import;
    return 0;
}

struct framebus_writer *import_writer(const struct framebus_import *import)
{
    return import->writer;
}

bool import_destroy(struct framebus_import *import)
{
    if (import->state != IMPORT_HOME) {
        import->destroyed = true; /* imports_next_return() does it */
        return false;
    }
    import_remove(import->writer, import);
    return true;
}

void import_forget(struct framebus_import *import)
{
    free(import);
}

void imports_forget(const struct framebus_writer *w)
{
    for (const struct framebus_import *i = w->imports.all; i; i = i->next)
        memory_forget(&i->memory);
}

/* ---- frames ---- */

int import_begin(struct framebus_import *import, struct frame **frame)
{
    struct pool *pool = import->pool;
    if (pool != import->writer->pools.present)
        return fail(-ESTALE, "the pool of this buffer has ended: register it again");
    if (import->state != IMPORT_HOME || import->destroyed)
        return fail(-EBUSY, "the buffer in slot %u is %s", import->slot,
                    import->destroyed ? "destroyed" : "in use: wait until it has been returned");
    struct frame *f = &pool->slot[import->slot].frame;
    f->memory = &import->memory;
    f->import = import->memory.serial;
    f->public.data = NULL;
    f->public.capacity = import->memory.size;
    for (uint32_t i = 0; i < pool->format.planes; i++)
        f->public.plane[i].data = NULL;
    pool->slots.table[import->slot].import = f->import;
    import->state = IMPORT_LENT;
    *frame = f;
    return 0;
}

static void import_return(struct framebus_writer *w, struct framebus_import *import)
{
    import->state = IMPORT_RETURNED;
    import->next_returned = w->imports.returned;
    w->imports.returned = import;
}

void import_release(struct framebus_writer *w, const struct frame *f, bool published)
{
    struct framebus_import *import = (struct framebus_import *)f->memory;
    if (!published) {
        import_return(w, import);
        return;
    }
    import->state = IMPORT_PUBLISHED;
    w->imports.published++;
}

/* ---- readers that left the pool ---- */

/*
 * The page of a reader that went on to the next pool while it held imports. Their owners will write to them
 * again, while nobody writes to the slots of a pool that has ended.
 */
struct kept_page {
    const void *reader;
    struct pool *pool;
    struct layout_reader *page;
    struct kept_page *next;
};

/* The number of imports with a frame in them that this page claims. */
static uint32_t imports_held(const struct framebus_writer *w, const struct pool *pool,
                             const struct layout_reader *page)
{
    uint32_t held = 0;
    for (const struct framebus_import *i = w->imports.all; i; i = i->next)
        if (i->pool == pool &&
            (i->state == IMPORT_PUBLISHED || pool->slot[i->slot].frame.state == FRAME_PUBLISHED) &&
            slots_claims(page, i->slot))
            held++;
    return held;
}

int imports_keep_page(struct framebus_writer *w, const void *reader, uint32_t quota, struct pool *pool,
                      struct layout_reader **page)
{
    uint32_t held = imports_held(w, pool, *page);
    if (!held)
        return 0;
    for (const struct kept_page *k = w->imports.kept; k; k = k->next)
        if (k->reader == reader)
            held += imports_held(w, k->pool, k->page);
    if (held > quota)
        return fail(-EDQUOT, "it holds more than the %u frames it asked for", quota);
    struct kept_page *kept = malloc(sizeof *kept);
    if (!kept)
        return fail(-ENOMEM, "no memory for what it holds");
    *kept =
        (struct kept_page){.reader = reader, .pool = pool_ref(pool), .page = *page, .next = w->imports.kept};
    w->imports.kept = kept;
    *page = NULL;
    return 0;
}

void imports_drop_pages(struct framebus_writer *w, const void *reader)
{
    for (struct kept_page **link = &w->imports.kept; *link;) {
        struct kept_page *k = *link;
        if (reader ? k->reader != reader : imports_held(w, k->pool, k->page) > 0) {
            link = &k->next;
            continue;
        }
        *link = k->next;
        reader_page_finish(k->page);
        pool_unref(k->pool);
        free(k);
    }
}

static bool import_is_kept(const struct framebus_writer *w, const struct framebus_import *import)
{
    for (const struct kept_page *k = w->imports.kept; k; k = k->next)
        if (k->pool == import->pool && slots_claims(k->page, import->slot))
            return true;
    return false;
}

/* ---- coming home ---- */

void imports_on_ring(struct framebus_writer *w)
{
    for (struct framebus_import *i = w->imports.all; i; i = i->next)
        i->pool->ring_requested = false; /* the bell does not say which import it is about */
}

/*
 * Polls every published import once. Where only claims keep one, the readers of its pool are asked to ring
 * (S1 of `free`), once each, until one has rung: a flag that went up and down with every frame would have
 * readers ring for every frame. True: the flag went up, so the caller polls again (S2).
 */
static bool imports_poll(struct framebus_writer *w)
{
    bool requested = false;
    for (struct framebus_import *i = w->imports.all; i; i = i->next) {
        if (i->state != IMPORT_PUBLISHED)
            continue;
        struct pool *pool = i->pool;
        /* A pool that has ended and has no readers gets no new ones. */
        bool over = !pool->slots.readers && pool != w->pools.present;
        int r = over ? 0 : slots_recall(&pool->slots, i->slot, pool->slots.history);
        if (!r && import_is_kept(w, i))
            r = -EBUSY;
        if (!r) {
            w->imports.published--;
            import_return(w, i);
        }
        if (r == -EBUSY && !pool->ring_requested) {
            pool_ask_to_ring(w, pool);
            pool->ring_requested = requested = true;
        }
    }
    return requested;
}

int import_recall(struct framebus_writer *w, struct framebus_import *import)
{
    struct pool *pool = import->pool;
    if (import->state != IMPORT_PUBLISHED)
        return import->state == IMPORT_LENT ? fail(-EAGAIN, "the frame in this memory is still lent") : 0;
    if (w->config.lossless || pool != w->pools.present)
        return fail(-EAGAIN, "the frame in this memory comes back when all who are to have it did");
    int r = slots_recall(&pool->slots, import->slot, 1);
    if (!r && import_is_kept(w, import))
        r = -EBUSY;
    if (r == -EAGAIN)
        return fail(r, "the frame in this memory is the newest");
    if (r)
        return fail(r, "the frame in this memory is being read");
    w->imports.published--;
    import_return(w, import);
    return 0;
}

void imports_collect(struct framebus_writer *w)
{
    while (imports_poll(w))
        ;
    imports_drop_pages(w, NULL);
}

bool imports_next_return(struct framebus_writer *w, struct import_return *next)
{
    struct framebus_import *import = w->imports.returned;
    if (!import)
        return false;
    w->imports.returned = import->next_returned;
    import->state = IMPORT_HOME;
    *next = (struct import_return){import->returned, import->user, import->destroyed};
    if (import->destroyed)
        import_remove(w, import);
    return true;
}

/* ---- telling readers ---- */

/* A message that is being filled: memory of as many slots as fit, all of the same number of parts. */
struct batch {
    int socket;
    unsigned fd_count;
    int fds[MESSAGE_FDS_MAX];
    struct message_memory head;
    struct message_slot_memory slot[MESSAGE_FDS_MAX];
};

_Static_assert(offsetof(struct batch, slot) == offsetof(struct batch, head) + sizeof(struct message_memory),
               "the tail follows");

static void batch_init(struct batch *batch, int socket, const struct pool *pool)
{
    batch->socket = socket;
    batch->fd_count = 0;
    message_init(&batch->head, MESSAGE_MEMORY, sizeof batch->head);
    batch->head.cookie = pool->header->cookie;
}

static int batch_send(struct batch *batch)
{
    if (!batch->head.count)
        return 0;
    batch->head.head.size = (uint32_t)(sizeof batch->head + batch->head.count * sizeof *batch->slot);
    int r = socket_send(batch->socket, &batch->head, batch->fds, batch->fd_count);
    batch->head.count = 0;
    batch->fd_count = 0;
    return r;
}

static int batch_add(struct batch *batch, uint32_t slot, const struct memory *memory)
{
    int r = 0;
    if (batch->head.parts != memory->parts || batch->fd_count + memory->parts > MESSAGE_FDS_MAX)
        r = batch_send(batch);
    batch->head.parts = memory->parts;
    struct message_slot_memory *b = &batch->slot[batch->head.count++];
    *b = (struct message_slot_memory){.slot = slot, .serial = memory->serial};
    for (uint32_t i = 0; i < memory->parts; i++) {
        b->part[i] = (struct message_part){.offset = memory->part[i].offset, .size = memory->part[i].size};
        batch->fds[batch->fd_count++] = memory->part[i].fd;
    }
    return r;
}

int imports_send_all(const struct framebus_writer *w, int socket, bool exports)
{
    const struct pool *pool = w->pools.present;
    exports = exports && pool->exported;
    if (!pool->bound && !exports)
        return 0;
    struct batch batch;
    int r = 0;
    batch_init(&batch, socket, pool);
    for (uint32_t i = 0; exports && i < pool->slots.limit - pool->bound && !r; i++)
        r = batch_add(&batch, i, &pool->slot[i].export);
    for (const struct framebus_import *i = w->imports.all; i && !r; i = i->next)
        if (i->pool == pool)
            r = batch_add(&batch, i->slot, &i->memory);
    return r ? r : batch_send(&batch);
}

int imports_send_one(int socket, const struct framebus_import *import)
{
    struct batch batch;
    batch_init(&batch, socket, import->pool);
    int r = batch_add(&batch, import->slot, &import->memory);
    return r ? r : batch_send(&batch);
}
