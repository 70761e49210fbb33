/* SPDX-License-Identifier: MIT */
#include "reader.h"

#include "clock.h"
#include "connection.h"
#include "list.h"
#include "log.h"
#include "semaphore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DEFAULT_QUOTA 2
#define QUOTA_TIME    NS_PER_S

/* Who always finds a frame looks at the socket this often all the same: it may have been thrown out. */
#define UNHEARD_FRAMES 256
#define UNHEARD_TIME   (50 * NS_PER_MS)

/* A writer that publishes faster than we can claim must not keep us from looking at the clock. */
#define TRIES_A_TAKE 1000

/* No cancel fd is looked at for the longest that a caller may ask for. */
#define SPIN_MAX      (50 * NS_PER_MS)
#define LOOKS_A_CLOCK 16

/* ---- taking ---- */

static void reader_unref(struct framebus_reader *rd)
{
    if (!unref(&rd->refs))
        return;
    fork_leave(&rd->fork);
    pthread_mutex_destroy(&rd->lock);
    free(rd);
}

static int check_record(const struct layout_record *r, const struct reader_pool *pool, uint64_t capacity)
{
    const struct framebus_rect crop = {r->crop_x, r->crop_y, r->crop_width, r->crop_height};
    if (r->size > capacity || r->meta_size > FRAMEBUS_META_MAX)
        return fail(-EBADMSG, "the writer's frame claims %llu bytes and %u of metadata",
                    (unsigned long long)r->size, r->meta_size);
    if (!crop_is_sane(&crop, &pool->format))
        return fail(-EBADMSG, "the writer's frame claims a crop of %ux%u at %u,%u", r->crop_width,
                    r->crop_height, r->crop_x, r->crop_y);
    return 0;
}

/* Before a slot is touched for the first time. */
static int back_slot(struct reader_pool *pool, uint32_t slot)
{
    const struct layout_header *h = &pool->header;
    uint64_t elsewhere = pool->frames[slot].buffer ? h->slot_capacity : 0;
    int r = region_touch(&pool->region, h->data_offset + slot * h->slot_stride + elsewhere,
                         h->slot_stride - elsewhere);
    pool->frames[slot].backed = !r;
    return r;
}

static struct framebus_frame *fill_frame(struct framebus_reader *rd, struct reader_pool *pool, uint32_t slot,
                                         const struct layout_record *record)
{
    struct frame *f = &pool->frames[slot];
    f->state = FRAME_READ;
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
    rd->unheard++;
    rd->seen_ns = record->publish_ns;
    return &f->public;
}

/* Gives back to the writer what it may be waiting for. */
static void post_free(struct reader_pool *pool) /* P2, P3 */
{
    if (semaphore_must_ring(&pool->view.index->waits, &pool->rung)) {
        struct message_plain m;
        message_init(&m, MESSAGE_BELL, sizeof m);
        connection_send(pool->link->socket, &m, NULL, 0); /* full or gone: no need to wake it */
    }
}

/* The fast path: no system call. -EAGAIN: nothing there. */
static int take(struct framebus_reader *rd, struct framebus_frame **frame)
{
    struct reader_pool *pool = rd->pool;
    if (!pool)
        return -EAGAIN;
    struct slots_view *view = &pool->view;
    uint32_t window = rd->delivery == FRAMEBUS_DELIVERY_LATEST ? 1 : view->history;
    for (int tries = 0; tries < TRIES_A_TAKE; tries++) {
        uint32_t filled = slots_filled(view, next_number(pool)); /* R1 */
        if (!filled)
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

        struct layout_record record = view->table[slot].record;
        uint32_t buffer = view->table[slot].buffer;
        int r = 0;
        if (buffer != pool->frames[slot].buffer)
            r = buffers_point(rd, pool, (uint32_t)slot, buffer);
        if (!r)
            r = check_record(&record, pool, pool->frames[slot].public.capacity);
        if (!r && !pool->frames[slot].backed)
            r = back_slot(pool, (uint32_t)slot);
        if (r) {
            slots_unclaim(view, (uint32_t)slot);
            return r;
        }
        *frame = fill_frame(rd, pool, (uint32_t)slot, &record);
        if (buffer && !rd->dmabuf) /* who asked for DMA-BUFs knows when it looks with the CPU */
            framebus_frame_begin_access(*frame, false);
        pool->next++;
        ref(&rd->refs);
        ref(&rd->held);
        ref(&pool->refs);
        store_relaxed(&view->page->taken, (uint32_t)rd->delivered);
        store_relaxed(&view->page->missed, (uint32_t)rd->missed);
        store_ordered(&view->page->next, next_number(pool)); /* P1 of `free` in a lossless writer */
        post_free(pool);
        return 0;
    }
    return -EAGAIN;
}

/* Nothing left in a pool that has ended: asks for the next one. -ENODATA tells the end of a stream. */
static int move_on(struct framebus_reader *rd)
{
    struct reader_pool *pool = rd->pool;
    if (!pool)
        return 0;
    uint32_t state = load_ordered(&pool->view.index->state);
    if (state == LAYOUT_LIVE || slots_filled(&pool->view, next_number(pool)))
        return 0;
    if (state > LAYOUT_ENDED)
        return fail(-EBADMSG, "the writer's pool is in state %u", state);
    struct message_plain m;
    message_init(&m, MESSAGE_NEXT, sizeof m);
    if (connection_send(rd->link->socket, &m, NULL, 0) == -EAGAIN)
        return 0; /* the writer has to read first; if it is gone, the hang-up tells */
    attach_leave_pool(rd);
    return state == LAYOUT_ENDED ? fail(-ENODATA, "the stream on bus \"%s\" has ended", rd->place.name) : 0;
}

/* This connection is over, for this reason. 0: there may be another one. */
static int lose(struct framebus_reader *rd, int error)
{
    enum reader_state state = rd->state;
    bool gone = error == -EPIPE || error == -ECONNABORTED;
    bool starved = error == -EMFILE; /* the next call may have more luck */
    if (rd->follow && (gone || starved || state != READER_ATTACHED)) {
        attach_detach(rd);
        return gone ? 0 : state == READER_GREETING && !starved ? -ECONNREFUSED : error;
    }
    rd->final_error = error;
    return error;
}

/* Time is told by the frames; one that lies about it is no worse than one that sends none. */
static bool is_out_of_touch(const struct framebus_reader *rd)
{
    return rd->pool && !rd->hung_up &&
           (rd->unheard >= UNHEARD_FRAMES ||
            (rd->unheard && (uint64_t)rd->seen_ns - (uint64_t)rd->heard_ns >= UNHEARD_TIME));
}

/* Looks for a frame without sleeping while they come briskly, or for as long as the caller wishes. True:
 * there is something to take. */
static bool spin(const struct framebus_reader *rd, int64_t began, int64_t timeout)
{
    int64_t limit = rd->brisk && rd->spin < SPIN_BRIEF_NS ? SPIN_BRIEF_NS : rd->spin;
    if (timeout > 0 && timeout < limit)
        limit = timeout;
    if (!rd->pool || rd->hung_up || limit <= 0)
        return false;
    const struct slots_view *view = &rd->pool->view;
    do {
        for (int i = 0; i < LOOKS_A_CLOCK; i++) {
            if (slots_filled(view, next_number(rd->pool)) || load_relaxed(&view->index->state) != LAYOUT_LIVE)
                return true;
            relax();
        }
    } while (clock_now() - began < limit);
    return false;
}

int framebus_reader_next(struct framebus_reader *rd, struct framebus_frame **frame, int64_t timeout_ns)
{
    *frame = NULL;
    if (rd->fork.forked)
        return fail(-ECHILD, "this reader belongs to the parent process");
    if (rd->final_error)
        return rd->final_error;
    if (atomic_load_explicit(&rd->held, memory_order_relaxed) >= rd->quota)
        return fail(-EBUSY,
                    "%u frames of bus \"%s\" are held, as many as the quota allows: release one first",
                    rd->quota, rd->place.name);

    int64_t deadline = -1; /* not looked up yet: the fast path needs no clock */
    int64_t began = 0;     /* to wait */
    bool asleep = false;   /* S1 and S2 are done */
    bool waited = false;
    for (;;) {
        int r = is_out_of_touch(rd) ? attach_hear(rd) : 0;
        if (!r)
            r = take(rd, frame);
        if (!r) {
            if (load_relaxed(&rd->pool->page->sleeps) & 1)
                semaphore_wake(&rd->pool->page->sleeps); /* S4 */
            if (began)
                rd->brisk = clock_now() - began < SPIN_BRIEF_NS;
            return 0;
        }
        if (r == -EAGAIN)
            r = move_on(rd);
        if (r == -ENODATA)
            return r;
        if (!r && !began && timeout_ns) {
            began = clock_now();
            if (spin(rd, began, timeout_ns))
                continue;
        }
        if (!r && rd->pool && !asleep && !rd->hung_up) {
            semaphore_sleep(&rd->pool->page->sleeps); /* S1; once more around is S2 */
            asleep = true;
            continue;
        }
        if (deadline < 0)
            deadline = deadline_in(timeout_ns);
        if (!r) {
            bool late = waited && !rd->hung_up && deadline_passed(deadline);
            r = late ? -ETIMEDOUT : attach_wait(rd, deadline); /* S3 */
            waited = true;
            asleep = false;
        }
        if (r == -ETIMEDOUT && !deadline_passed(deadline))
            continue;
        if (r == -ETIMEDOUT || r == -ECANCELED)
            return r; /* the flag stays up, so that framebus_reader_fd() wakes the caller */
        if (r && (r = lose(rd, r)))
            return r;
    }
}

void framebus_reader_release(struct framebus_reader *rd, struct framebus_frame *frame)
{
    struct frame *f = (struct frame *)frame;
    if (!f || rd->fork.forked || f->state != FRAME_READ)
        return;
    struct reader_pool *pool = f->owner;
    if (f->buffer && !rd->dmabuf)
        framebus_frame_end_access(frame, false);
    f->state = FRAME_FREE; /* before the claim goes: next may use the slot at once */
    slots_unclaim(&pool->view, frame->slot);
    post_free(pool);
    unref(&rd->held);
    reader_pool_unref(pool);
    reader_unref(rd);
}

/* ---- opening and closing ---- */

static void forget(struct fork_node *node)
{
    struct framebus_reader *rd = (struct framebus_reader *)node;
    watch_finish(&rd->watch);
    if (rd->outer >= 0)
        close(rd->outer);
    if (rd->pool) {
        region_forget(&rd->pool->region);
        buffers_forget(rd->pool->buffers);
    }
    buffers_forget(rd->pending);
}

static int take_options(struct framebus_reader *rd, const struct framebus_reader_options *o)
{
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
    rd->spin = o->spin_ns;
    rd->follow = o->follow;
    rd->dmabuf = o->dmabuf;
    rd->cancel_fd = o->cancel_fd ? o->cancel_fd : -1;
    label_fill(rd->label, o->label);
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
    rd->outer = -1;
    rd->watch = (struct bus_watch)BUS_WATCH_NONE;
    pthread_mutex_init(&rd->lock, NULL);
    fork_enter(&rd->fork, &rd->lock, forget);
    int r = take_options(rd, options ? options : &defaults);
    if (!r)
        r = place_find(&rd->place, name);
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
        watch_finish(&rd->watch);
        if (rd->outer >= 0)
            close(rd->outer);
        rd->outer = -1;
    }
    reader_unref(rd);
}

/* ---- the rest ---- */

int framebus_reader_fd(struct framebus_reader *rd)
{
    if (rd->fork.forked)
        return fail(-ECHILD, "this reader belongs to the parent process");
    if (!rd->follow && rd->link)
        return rd->link->bell;
    if (rd->outer >= 0)
        return rd->outer;
    rd->outer = epoll_create1(EPOLL_CLOEXEC);
    if (rd->outer < 0)
        return fail(-errno, "cannot make a file descriptor to wait for: %s", strerror(errno));
    struct epoll_event interest = {.events = EPOLLIN};
    if (rd->cancel_fd >= 0)
        epoll_ctl(rd->outer, EPOLL_CTL_ADD, rd->cancel_fd, &interest);
    attach_outer_control(rd, EPOLL_CTL_ADD);
    return rd->outer;
}

/* Until nothing is asked that is not answered. */
static int wait_for_quota(struct framebus_reader *rd, int64_t deadline)
{
    int r = 0;
    while (!r && rd->quota_asked && !rd->hung_up) {
        r = deadline_passed(deadline) ? -ETIMEDOUT : attach_wait_for_fd(rd, rd->link->socket, deadline);
        if (!r)
            r = attach_hear(rd);
    }
    return r == -ETIMEDOUT
               ? fail(r, "the writer of bus \"%s\" does not answer (is it stopped?)", rd->place.name)
               : r;
}

int framebus_reader_set_quota(struct framebus_reader *rd, uint32_t quota)
{
    if (rd->fork.forked)
        return fail(-ECHILD, "this reader belongs to the parent process");
    uint32_t held = atomic_load_explicit(&rd->held, memory_order_relaxed);
    if (quota < 1 || quota > QUOTA_MAX || quota < held)
        return fail(-EINVAL, "quota %u: use 1 to %d, and no less than the %u frames held", quota, QUOTA_MAX,
                    held);
    rd->wanted_quota = quota;
    if (rd->state != READER_ATTACHED || rd->hung_up)
        return fail(-ENOTCONN, "bus \"%s\" has no writer at present", rd->place.name);
    int64_t deadline = deadline_in(QUOTA_TIME);
    int r = wait_for_quota(rd, deadline); /* an earlier call may have given up */
    if (!r) {
        struct message_quota m;
        message_init(&m, MESSAGE_QUOTA, sizeof m);
        m.quota = quota;
        r = connection_send(rd->link->socket, &m, NULL, 0);
        rd->quota_asked = !r;
    }
    if (!r)
        r = wait_for_quota(rd, deadline);
    if (rd->hung_up || r == -EPIPE || r == -ECONNRESET) /* the latter if it left something unread */
        return fail(-ENOTCONN, "the writer of bus \"%s\" is gone", rd->place.name);
    if (r)
        return r;
    if (rd->quota == quota)
        return 0;
    rd->wanted_quota = rd->quota;
    return fail(-EBUSY, "bus \"%s\" has no room for a quota of %u: it stays %u", rd->place.name, quota,
                rd->quota);
}

const struct framebus_format *framebus_reader_format(struct framebus_reader *rd)
{
    return rd->pool ? &rd->pool->format : NULL;
}

void framebus_reader_get_stats(struct framebus_reader *rd, struct framebus_reader_stats *stats)
{
    struct connection_peer peer = {0};
    if (rd->link && !rd->fork.forked)
        connection_get_peer(rd->link->socket, &peer);
    *stats = (struct framebus_reader_stats){
        .delivered = rd->delivered,
        .missed = rd->missed,
        .writers = rd->writers,
        .held = atomic_load_explicit(&rd->held, memory_order_relaxed),
        .quota = rd->quota,
        .delivery = rd->delivery,
        .writer_pid = peer.pid,
        .connected = rd->state == READER_ATTACHED && !rd->hung_up,
    };
}
