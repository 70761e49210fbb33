/* SPDX-License-Identifier: MIT */
/* A reader: taking frames and releasing them; open, close, and the rest of its public functions. */
#include "reader/reader.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/processors.h"
#include "base/socket.h"
#include "bus/info.h"
#include "reader/look.h"
#include "shared/counter.h"
#include "shared/semaphore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DEFAULT_QUOTA 2
#define QUOTA_TIME    NS_PER_S

/* A reader that never has to wait still polls its socket after so many frames, or when so much time has
 * passed between frames: it may have been thrown out. */
#define POLL_FRAMES 256
#define POLL_TIME   (50 * NS_PER_MS)

/* The most polls for an import that is under way: more than there can be messages for the slots of a pool. */
#define IMPORT_POLLS 128

/* A writer that publishes faster than we can claim must not keep us from reading the clock. */
#define DEQUEUE_TRIES 1000

/* The longest busy-wait that a caller may ask for, since the cancel fd is not polled meanwhile. */
#define SPIN_MAX (50 * NS_PER_MS)

/* ---- taking ---- */

static void reader_unref(struct framebus_reader *rd)
{
    if (!refcount_drop(&rd->refs))
        return;
    fork_leave(&rd->fork);
    readiness_close(&rd->readiness);
    pthread_mutex_destroy(&rd->lock);
    free(rd);
}

static int record_check(const struct layout_record *r, const struct reader_pool *pool, uint64_t capacity)
{
    const struct framebus_rect crop = {r->crop_x, r->crop_y, r->crop_width, r->crop_height};
    if (r->size > capacity || r->meta_size > pool->header.meta_max)
        return fail(-EBADMSG, "the writer's frame claims %llu bytes and %u of metadata",
                    (unsigned long long)r->size, r->meta_size);
    if (!crop_is_sane(&crop, &pool->format))
        return fail(-EBADMSG, "the writer's frame claims a crop of %ux%u at %u,%u", r->crop_width,
                    r->crop_height, r->crop_x, r->crop_y);
    return 0;
}

/* Makes a frame point to an import, whose message may still be in the socket: it was sent before any frame in
 * it. */
static int reader_point(struct framebus_reader *rd, struct reader_pool *pool, uint32_t slot, uint32_t serial)
{
    int r = 0;
    for (int polls = 0; serial && polls < IMPORT_POLLS && !r && !import_is_known(pool, slot, serial); polls++)
        r = attach_poll(rd);
    return r ? r : import_point(pool, slot, serial, rd->dmabuf);
}

/* Makes sure that a frame and its metadata can be read without a SIGBUS, where they have not been before. */
static int frame_touch(struct reader_pool *pool, uint32_t slot, uint32_t meta_size)
{
    const struct layout_header *h = &pool->header;
    struct frame *f = &pool->frames[slot];
    uint64_t offset = h->data_offset + slot * h->slot_stride;
    int r = f->backed || f->import ? 0 : region_touch(&pool->region, offset, h->slot_capacity);
    if (!r && meta_size > f->meta_backed)
        r = region_touch(&pool->region, offset + h->slot_capacity, meta_size);
    if (r)
        return r;
    f->backed = true;
    if (meta_size > f->meta_backed)
        f->meta_backed = meta_size;
    return 0;
}

static struct framebus_frame *frame_fill(struct framebus_reader *rd, const struct reader_pool *pool,
                                         struct frame *f, const struct layout_record *record)
{
    f->meta_size = record->meta_size;
    f->public.size = record->size;
    f->public.sequence = pool->header.first_sequence + pool->next;
    f->public.missed = f->public.sequence - rd->expected;
    f->public.capture_ns = record->capture_ns;
    f->public.publish_ns = record->publish_ns;
    f->public.duration_ns = record->duration_ns;
    f->public.flags = record->flags;
    f->public.crop =
        (struct framebus_rect){record->crop_x, record->crop_y, record->crop_width, record->crop_height};
    rd->missed += f->public.missed;
    rd->expected = f->public.sequence + 1;
    rd->delivered++;
    rd->rings_for_nothing = 0;
    rd->frames_since_poll++;
    rd->newest_ns = record->publish_ns;
    pace_took(&rd->pace, record->publish_ns);
    anticipate_learn(&rd->anticipate, record->publish_ns);
    return &f->public;
}

/* Makes the frame in a claimed slot readable, or gives the claim back. */
static int reader_load(struct framebus_reader *rd, struct reader_pool *pool, uint32_t slot,
                       struct layout_record *record)
{
    const struct layout_slot *entry = &pool->view.table[slot];
    *record = entry->record;
    uint32_t import = entry->import;
    int r = import == pool->frames[slot].import ? 0 : reader_point(rd, pool, slot, import);
    if (!r)
        r = record_check(record, pool, pool->frames[slot].public.capacity);
    if (!r && (!pool->frames[slot].backed || record->meta_size > pool->frames[slot].meta_backed))
        r = frame_touch(pool, slot, record->meta_size);
    if (r)
        slots_unclaim(&pool->view, slot);
    return r;
}

/* Makes a frame that was loaded the caller's. */
static void reader_hold(struct framebus_reader *rd, struct reader_pool *pool, struct frame *f)
{
    f->state = FRAME_READ;
    atomic_store_explicit(&f->holds, 1, memory_order_relaxed);
    if (f->import && !rd->dmabuf) /* a reader that asked for DMA-BUFs does so itself */
        framebus_frame_begin_access(&f->public, false);
    refcount_add(&rd->refs);
    refcount_add(&rd->held);
    refcount_add(&pool->refs);
}

/* Tells a writer that waits for it that something was given back. */
static void reader_pool_post_free(struct reader_pool *pool) /* P2, P3 */
{
    if (semaphore_must_ring(&pool->view.index->waits, &pool->rung_for)) {
        struct message_plain m;
        message_init(&m, MESSAGE_BELL, sizeof m);
        socket_send(pool->link->socket, &m, NULL, 0); /* full or gone: no need to wake it */
    }
}

/* May the newest frame be left out for the sake of max_rate? Not for ever: one that none follows is wanted.
 */
static bool reader_leaves_out(struct framebus_reader *rd, struct reader_pool *pool, int64_t published)
{
    if (!rd->pace.period || rd->wants_newest || wants_frame(rd->pace.wants, published))
        return false;
    pool->passed = clock_now() < pace_patience(&rd->pace);
    return pool->passed;
}

/* The fast path, without a system call. -EAGAIN: there is no frame. */
static int reader_dequeue(struct framebus_reader *rd, struct framebus_frame **frame)
{
    struct reader_pool *pool = rd->pool;
    if (!pool)
        return -EAGAIN;
    struct slots_view *view = &pool->view;
    bool only_newest = rd->wants_newest || rd->pace.period || rd->delivery == FRAMEBUS_DELIVERY_LATEST;
    uint32_t window = only_newest ? 1 : view->history;
    if (pool->passed && (rd->wants_newest || clock_now() >= pace_patience(&rd->pace)))
        pool->passed = 0;
    for (int tries = 0; tries < DEQUEUE_TRIES; tries++) {
        uint32_t filled = slots_filled(view, next_number(pool)); /* R1, and S2 when we are about to sleep */
        if (filled <= pool->passed)
            return -EAGAIN;
        if (filled > NUMBER_MASK / 2)
            return fail(-EBADMSG, "the writer's count of frames ran backwards");
        if (filled > window)
            pool->next += filled - window;
        int slot = slots_claim(view, next_number(pool));
        if (slot == -EAGAIN) { /* R5: overtaken; the sequence tells how many are missed */
            pool->next++;
            continue;
        }
        if (slot < 0)
            return fail(slot, "the writer's index points to a slot that cannot be");

        struct layout_record record;
        int r = reader_load(rd, pool, (uint32_t)slot, &record);
        if (r)
            return r;
        if (reader_leaves_out(rd, pool, record.publish_ns)) {
            slots_unclaim(view, (uint32_t)slot);
            continue;
        }
        pool->passed = 0;
        pool->last = &pool->frames[slot];
        *frame = frame_fill(rd, pool, pool->last, &record);
        reader_hold(rd, pool, pool->last);
        pool->next++;
        counter_store(&view->page->taken, rd->delivered);
        if (!rd->pace.period) /* else most of them were left out on purpose */
            counter_store(&view->page->missed, rd->missed);
        store_ordered(&view->page->next, next_number(pool)); /* P1 of `free` in a lossless writer */
        reader_pool_post_free(pool);
        return 0;
    }
    return -EAGAIN;
}

static uint32_t reader_pool_state(const struct reader_pool *pool)
{
    return load_ordered(&pool->view.index->state);
}

/* Asks for the next pool if nothing is left in one that has ended. -ENODATA: the stream is over. */
static int reader_move_on(struct framebus_reader *rd)
{
    struct reader_pool *pool = rd->pool;
    if (!pool)
        return 0;
    uint32_t state = reader_pool_state(pool);
    if (state != LAYOUT_LIVE && pool->passed) { /* no other one follows the frame that was left out */
        pool->passed = 0;
        rd->pace.wants = WANTS_ALL;
    }
    if (state == LAYOUT_LIVE || reader_has_frame(pool))
        return 0;
    if (state > LAYOUT_ENDED)
        return fail(-EBADMSG, "the writer's pool is in state %u", state);
    struct message_plain m;
    message_init(&m, MESSAGE_NEXT, sizeof m);
    if (socket_send(rd->link->socket, &m, NULL, 0) == -EAGAIN)
        return 0; /* the writer has to read first; if it is gone, the hang-up says so */
    attach_leave_pool(rd);
    return state == LAYOUT_ENDED ? fail(-ENODATA, "the stream on bus \"%s\" has ended", rd->path.name) : 0;
}

/* Leaves a writer for the reason given. 0: another one may come, and the caller need not know. */
static int reader_lose_writer(struct framebus_reader *rd, int error)
{
    enum reader_state state = rd->state;
    bool gone = error == -EPIPE || error == -ECONNABORTED;
    bool starved = error == -EMFILE; /* there may be fds at the next call */
    if (rd->follow && (gone || starved || state != READER_ATTACHED)) {
        attach_detach(rd);
        if (gone && rd->tells_gone && state == READER_ATTACHED) {
            if (readiness_in_use(&rd->readiness))
                readiness_ring(&rd->readiness); /* the next call watches for the next writer */
            return error;
        }
        return gone ? 0 : state == READER_GREETING && !starved ? -ECONNREFUSED : error;
    }
    rd->final_error = error;
    if (readiness_in_use(&rd->readiness))
        readiness_ring(&rd->readiness); /* there is this error to return from now on */
    return error;
}

/* After a rearm: rings for what the writer did before the new number. */
static void reader_settle(struct framebus_reader *rd)
{
    struct reader_pool *pool = rd->pool;
    if (!rd->rearmed)
        return;
    rd->rearmed = false;
    if (pool && (reader_has_frame(pool) || reader_pool_state(pool) != LAYOUT_LIVE))
        readiness_ring(&rd->readiness);
}

/* The quota is used up. The caller's fd falls silent until a frame is released. */
static int reader_wait_for_release(struct framebus_reader *rd)
{
    if (readiness_in_use(&rd->readiness)) {
        readiness_want(&rd->readiness);
        int r = attach_silence(rd);
        rd->rearmed = false;
        if (r)
            r = reader_lose_writer(rd, r);
        if (r)
            return r;
        if (rd->state == READER_DETACHED) /* once a frame is released, next watches for a writer again */
            attach_control_set(rd, EPOLL_CTL_DEL);
        if (atomic_load(&rd->held) < rd->quota) /* another thread was quicker */
            readiness_ring(&rd->readiness);
    }
    return fail(-EBUSY, "%u frames of bus \"%s\" are held, as many as the quota allows: release one first",
                rd->quota, rd->path.name);
}

/* Time is taken from the frames, without reading the clock. A writer whose times are false is no worse than
 * one that publishes nothing. */
static bool reader_must_poll(const struct framebus_reader *rd)
{
    return rd->pool && !rd->hung_up &&
           (rd->frames_since_poll >= POLL_FRAMES ||
            (rd->frames_since_poll && (uint64_t)rd->newest_ns - (uint64_t)rd->polled_ns >= POLL_TIME));
}

/* S3: one wait for a frame. It may end early for one that was left out and that none has followed, and look
 * for one that is due. */
static int reader_wait(struct framebus_reader *rd, const struct anticipate_plan *plan, int64_t deadline)
{
    int64_t patience = rd->pace.wants == WANTS_ALL ? NEVER : pace_patience(&rd->pace);
    if (patience < deadline && patience > clock_now())
        deadline = patience;
    return plan && plan->wake < deadline ? look_ahead(rd, plan, deadline) : attach_wait(rd, deadline);
}

static int reader_next(struct framebus_reader *rd, struct framebus_frame **frame, int64_t timeout_ns)
{
    const bool polled = readiness_in_use(&rd->readiness);
    int64_t deadline = -1; /* not known yet: the fast path does not read the clock */
    int64_t began = 0;     /* when it began to wait; 0: it has not */
    bool waited = false;   /* for this writer */
    bool asleep = false;   /* S1 is done, and this round is S2 */
    bool planned = false;  /* to wake before the frame is due */
    struct anticipate_plan plan;
    for (;;) {
        int r = reader_must_poll(rd) ? attach_poll(rd) : 0;
        if (!r)
            r = reader_dequeue(rd, frame);
        if (!r) {
            if (!polled && (load_relaxed(&rd->pool->page->sleeps) & 1))
                semaphore_wake(&rd->pool->page->sleeps); /* S4 */
            if (began)
                rd->was_brief = clock_now() - began < SPIN_BRIEF_NS;
            return 0;
        }
        if (r == -EAGAIN)
            r = reader_move_on(rd);
        if (r == -ENODATA)
            return r;
        if (!r && !began && timeout_ns) {
            began = clock_now();
            if (look_briefly(rd, began, timeout_ns))
                continue;
        }
        if (!r && rd->pool && !asleep && !rd->hung_up && !polled) {
            planned = timeout_ns && look_plan(rd, &plan);
            store_relaxed(&rd->pool->page->wants, rd->pace.wants);
            semaphore_sleep(&rd->pool->page->sleeps); /* S1; the next round is S2 */
            asleep = true;
            continue;
        }
        if (deadline < 0)
            deadline = deadline_in(timeout_ns);
        if (!r) {
            bool late = waited && !rd->hung_up && deadline_passed(deadline);
            r = late ? -ETIMEDOUT : reader_wait(rd, planned ? &plan : NULL, deadline); /* S3 */
            waited = true;
            asleep = planned = false;
            if (polled && !late && !rd->hung_up) { /* the wait may have drained the bell */
                readiness_drain(&rd->readiness);
                attach_rearm(rd);
            }
        }
        if (r == -ETIMEDOUT && !deadline_passed(deadline))
            continue;
        if (r == -ETIMEDOUT || r == -ECANCELED || r == -EINTR)
            return r;
        if (r) {
            r = reader_lose_writer(rd, r);
            if (r)
                return r;
            waited = false; /* for the next writer */
        }
    }
}

int framebus_reader_next(struct framebus_reader *rd, struct framebus_frame **frame, int64_t timeout_ns)
{
    *frame = NULL;
    if (rd->fork.forked)
        return fail(-ECHILD, "this reader belongs to the parent process");
    if (cancel_is_set(&rd->cancel))
        return attach_cancelled(rd);
    if (rd->final_error)
        return rd->final_error;
    /* Acquire: what another thread released comes before what is claimed instead, for the writer, too. */
    if (atomic_load_explicit(&rd->held, memory_order_acquire) >= rd->quota)
        return reader_wait_for_release(rd);
    int r = reader_next(rd, frame, timeout_ns);
    reader_settle(rd);
    return r;
}

/* Delivers the last frame once more. -ETIMEDOUT: there is none. -EAGAIN: it is not the newest any more. */
static int reader_repeat(struct framebus_reader *rd, struct framebus_frame **frame)
{
    struct reader_pool *pool = rd->pool;
    struct frame *f = pool ? pool->last : NULL;
    if (!f || rd->hung_up || f->public.sequence + 1 != pool->header.first_sequence + pool->next)
        return -ETIMEDOUT;
    if (slots_filled(&pool->view, next_number(pool)))
        return -EAGAIN;
    for (int tries = 0; tries < DEQUEUE_TRIES; tries++) {
        uint32_t holds = atomic_load(&f->holds);
        while (holds && !atomic_compare_exchange_weak(&f->holds, &holds, holds + 1))
            ;
        if (holds) {
            *frame = &f->public;
            return 0;
        }
        if (atomic_load_explicit(&rd->held, memory_order_acquire) >= rd->quota)
            return -ETIMEDOUT;
        int slot = slots_claim(&pool->view, (next_number(pool) - 1) & NUMBER_MASK);
        if (slot == -EBADMSG) {
            relax(); /* another thread is about to clear this claim */
            continue;
        }
        struct layout_record record;
        if (slot == -EAGAIN)
            return slot;
        if (slot != (int)f->public.slot) {
            if (slot >= 0)
                slots_unclaim(&pool->view, (uint32_t)slot);
            return fail(-EBADMSG, "the writer's index has moved a frame to another slot");
        }
        int r = reader_load(rd, pool, f->public.slot, &record);
        if (r)
            return r;
        f->public.missed = 0;
        reader_hold(rd, pool, f);
        *frame = &f->public;
        return 0;
    }
    return -ETIMEDOUT;
}

int framebus_reader_newest(struct framebus_reader *rd, struct framebus_frame **frame)
{
    int r, repeated = -EAGAIN;
    rd->wants_newest = true;
    do {
        r = framebus_reader_next(rd, frame, 0);
        if (r == -ETIMEDOUT || r == -EBUSY)
            repeated = reader_repeat(rd, frame);
    } while (r == -ETIMEDOUT && repeated == -EAGAIN);
    rd->wants_newest = false;
    if (!repeated)
        return 0;
    return repeated == -EAGAIN || repeated == -ETIMEDOUT ? r : reader_lose_writer(rd, repeated);
}

void framebus_reader_release(struct framebus_reader *rd, struct framebus_frame *frame)
{
    struct frame *f = (struct frame *)frame;
    if (!f || rd->fork.forked || f->state != FRAME_READ)
        return;
    if (atomic_fetch_sub(&f->holds, 1) > 1)
        return; /* newest delivered it more than once */
    struct reader_pool *pool = f->owner;
    if (f->import && !rd->dmabuf)
        framebus_frame_end_access(frame, false);
    f->state = FRAME_FREE; /* before the claim goes: next may use the slot at once */
    slots_unclaim(&pool->view, frame->slot);
    reader_pool_post_free(pool);
    atomic_fetch_sub(&rd->held, 1); /* ordered before the look of readiness_released() */
    readiness_released(&rd->readiness);
    reader_pool_unref(pool);
    reader_unref(rd);
}

/* ---- opening and closing ---- */

static void reader_forget(struct fork_node *node)
{
    struct framebus_reader *rd = (struct framebus_reader *)node;
    bus_watch_finish(&rd->watch);
    readiness_close(&rd->readiness);
    cancel_finish(&rd->cancel);
    if (rd->pool) {
        region_forget(&rd->pool->region);
        import_table_forget(rd->pool->imports);
    }
    import_table_forget(rd->pending);
}

static int reader_parse_options(struct framebus_reader *rd, const struct framebus_reader_options *o)
{
    int r = options_check(o->reserved, sizeof o->reserved / sizeof *o->reserved);
    if (r)
        return r;
    if ((unsigned)o->delivery > FRAMEBUS_DELIVERY_LOSSLESS)
        return fail(-EINVAL, "delivery %d is none of live, latest, lossless", (int)o->delivery);
    if (o->quota > QUOTA_MAX)
        return fail(-EINVAL, "quota %u is more than %u", o->quota, QUOTA_MAX);
    if (o->cancel_fd < 0)
        return fail(-EINVAL, "cancel fd %d: use 0 for none", o->cancel_fd);
    rd->wanted = rd->delivery = o->delivery;
    rd->wanted_quota = rd->quota = o->quota ? o->quota : DEFAULT_QUOTA;
    if (o->spin_ns < 0 || o->spin_ns > SPIN_MAX)
        return fail(-EINVAL, "spinning for %lld ns: use 0 to %lld", (long long)o->spin_ns,
                    (long long)SPIN_MAX);
    if (o->fd < 0)
        return fail(-EINVAL, "fd %d: use 0 for none", o->fd);
    if (o->fd && o->follow)
        return fail(-EINVAL, "fd %d leads to one writer: to follow others takes the name of a bus", o->fd);
    rd->spin = o->spin_ns;
    if (o->anticipate > 100)
        return fail(-EINVAL, "anticipate %u: use 0 to 100, in percent of one processor", o->anticipate);
    if (o->max_rate && o->delivery == FRAMEBUS_DELIVERY_LOSSLESS)
        return fail(-EINVAL,
                    "max_rate %u with lossless delivery, which leaves no frame out: use live or latest",
                    o->max_rate);
    pace_init(&rd->pace, o->max_rate);
    anticipate_init(&rd->anticipate, o->anticipate);
    rd->spare = o->anticipate ? processors_to_spare() : 0;
    rd->follow = o->follow;
    rd->tells_gone = o->tell_gone;
    rd->given = o->fd;
    rd->dmabuf = o->dmabuf;
    rd->cancel_fd = o->cancel_fd ? o->cancel_fd : -1;
    label_fill(rd->label, o->label);
    return 0;
}

/* Finds where the bus is: by its name, or at the other end of the caller's socket. */
static int reader_find(struct framebus_reader *rd, const char *name)
{
    if (!rd->given)
        return bus_path_find(&rd->path, name);
    if (name && *name)
        return fail(-EINVAL, "bus \"%s\" and fd %d: give one of the two", name, rd->given);
    snprintf(rd->path.name, sizeof rd->path.name, "fd %d", rd->given);
    return 0;
}

int framebus_reader_open(struct framebus_reader **reader, const char *name,
                         const struct framebus_reader_options *options)
{
    static const struct framebus_reader_options defaults;
    *reader = NULL;
    struct framebus_reader *rd = calloc(1, sizeof *rd);
    if (!rd)
        return fail(-ENOMEM, "no memory for a reader");
    rd->refs = 1;
    rd->readiness = (struct readiness)READINESS_NONE;
    rd->watch = (struct bus_watch)BUS_WATCH_NONE;
    pthread_mutex_init(&rd->lock, NULL);
    fork_enter(&rd->fork, &rd->lock, reader_forget);
    int r = cancel_init(&rd->cancel);
    if (!r)
        r = reader_parse_options(rd, options ? options : &defaults);
    if (!r)
        r = reader_find(rd, name);
    if (!r)
        r = attach_first(rd, options ? options->wait_ns : 0);
    if (r) {
        framebus_reader_close(rd);
        return r;
    }
    *reader = rd;
    return 0;
}

void framebus_reader_close(struct framebus_reader *rd)
{
    if (!rd)
        return;
    if (!rd->fork.forked) {
        attach_detach(rd);
        bus_watch_finish(&rd->watch);
        cancel_finish(&rd->cancel);
    }
    reader_unref(rd);
}

/* ---- the rest ---- */

void framebus_reader_cancel(struct framebus_reader *rd)
{
    if (!rd->fork.forked)
        cancel_set(&rd->cancel);
}

void framebus_reader_resume(struct framebus_reader *rd)
{
    if (!rd->fork.forked)
        cancel_clear(&rd->cancel);
}

int framebus_reader_fd(struct framebus_reader *rd)
{
    if (rd->fork.forked)
        return fail(-ECHILD, "this reader belongs to the parent process");
    if (readiness_in_use(&rd->readiness))
        return rd->readiness.set;
    int r = readiness_open(&rd->readiness);
    if (r)
        return r;
    struct epoll_event interest = {.events = EPOLLIN};
    epoll_ctl(rd->readiness.set, EPOLL_CTL_ADD, rd->cancel.event, &interest);
    if (rd->cancel_fd >= 0)
        epoll_ctl(rd->readiness.set, EPOLL_CTL_ADD, rd->cancel_fd, &interest);
    attach_control_set(rd, EPOLL_CTL_ADD);
    attach_rearm(rd);
    reader_settle(rd);
    return rd->readiness.set;
}

/* Waits until the QUOTA that is under way is answered. */
static int reader_wait_for_quota(struct framebus_reader *rd, int64_t deadline)
{
    int r = 0;
    while (!r && rd->quota_asked && !rd->hung_up) {
        r = deadline_passed(deadline) ? -ETIMEDOUT : attach_wait_for_fd(rd, rd->link->socket, deadline);
        if (!r || r == -EINTR) /* a short wait need not end with every signal */
            r = attach_poll(rd);
    }
    return r == -ETIMEDOUT
               ? fail(r, "the writer of bus \"%s\" does not answer (is it stopped?)", rd->path.name)
               : r;
}

static int reader_ask_for_quota(struct framebus_reader *rd, uint32_t quota)
{
    uint32_t held = atomic_load_explicit(&rd->held, memory_order_acquire); /* as in next */
    if (quota < 1 || quota > QUOTA_MAX || quota < held)
        return fail(-EINVAL, "quota %u: use 1 to %d, and no less than the %u frames held", quota, QUOTA_MAX,
                    held);
    rd->wanted_quota = quota;
    if (rd->state != READER_ATTACHED || rd->hung_up)
        return fail(-ENOTCONN, "bus \"%s\" has no writer at present", rd->path.name);
    int64_t deadline = deadline_in(QUOTA_TIME);
    int r = reader_wait_for_quota(rd, deadline); /* an earlier call may have given up */
    if (!r) {
        struct message_quota m;
        message_init(&m, MESSAGE_QUOTA, sizeof m);
        m.quota = quota;
        r = socket_send(rd->link->socket, &m, NULL, 0);
        rd->quota_asked = !r;
    }
    if (!r)
        r = reader_wait_for_quota(rd, deadline);
    if (rd->hung_up || r == -EPIPE || r == -ECONNRESET) /* -ECONNRESET if it left something unread */
        return fail(-ENOTCONN, "the writer of bus \"%s\" is gone", rd->path.name);
    if (r)
        return r;
    if (rd->quota == quota)
        return 0;
    rd->wanted_quota = rd->quota;
    return fail(-EBUSY, "bus \"%s\" has no room for a quota of %u: it stays %u", rd->path.name, quota,
                rd->quota);
}

int framebus_reader_set_quota(struct framebus_reader *rd, uint32_t quota)
{
    if (rd->fork.forked)
        return fail(-ECHILD, "this reader belongs to the parent process");
    int r = reader_ask_for_quota(rd, quota);
    readiness_released(&rd->readiness); /* as good as released, if there is more room */
    reader_settle(rd);
    return r;
}

void framebus_reader_request_key_frame(struct framebus_reader *rd)
{
    if (rd->fork.forked)
        return;
    pthread_mutex_lock(&rd->lock);
    rd->key_requests++;
    if (rd->pool)
        store_relaxed(&rd->pool->page->key_requests, rd->key_requests);
    pthread_mutex_unlock(&rd->lock);
}

const struct framebus_format *framebus_reader_format(struct framebus_reader *rd)
{
    return rd->pool ? &rd->pool->format : NULL;
}

void framebus_reader_get_stats(struct framebus_reader *rd, struct framebus_reader_stats *stats)
{
    struct socket_peer peer = {0};
    if (rd->link && !rd->fork.forked)
        socket_get_peer(rd->link->socket, &peer);
    *stats = (struct framebus_reader_stats){
        .delivered = rd->delivered,
        .missed = rd->missed,
        .writers = rd->writers,
        .held = atomic_load_explicit(&rd->held, memory_order_relaxed),
        .quota = rd->quota,
        .history = rd->pool ? rd->pool->view.history : 0,
        .delivery = rd->delivery,
        .writer_pid = peer.pid,
        .has_writer = rd->link && !rd->fork.forked && !rd->hung_up,
        .connected = rd->state == READER_ATTACHED && !rd->hung_up,
    };
}
