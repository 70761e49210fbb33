/* SPDX-License-Identifier: MIT */
#include "reader.h"

#include "clock.h"
#include "connection.h"
#include "header.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ANSWER_TIME       (5 * NS_PER_S)
#define KNOCK_TIME        (100 * NS_PER_MS) /* in connect(), which no cancel fd interrupts */
#define HANG_UP_MS        1000
#define MESSAGES_A_LOOK   16
#define SNUB_PAUSE        (10 * NS_PER_MS)
#define RINGS_FOR_NOTHING 1000

/* No bus publishes as many frames; sums of two of these do not overflow. */
#define COUNT_MAX (UINT64_C(1) << 62)

/* ---- references ---- */

void ref(refcount *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

bool unref(refcount *count)
{
    return atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel) == 1;
}

static void link_forget(struct fork_node *node)
{
    struct link *link = (struct link *)node;
    if (link->bell >= 0)
        close(link->bell);
    close(link->socket);
}

static void link_unref(struct link *link)
{
    if (!link || !unref(&link->refs))
        return;
    fork_leave(&link->fork);
    if (link->bell >= 0)
        close(link->bell);
    connection_close(link->socket); /* with whatever its writer still sent */
    free(link);
}

void reader_pool_unref(struct reader_pool *pool)
{
    if (!pool || !unref(&pool->refs))
        return;
    buffers_finish(pool->buffers);
    region_finish(&pool->region);
    page_finish(pool->page);
    link_unref(pool->link);
    free(pool->caps);
    free(pool);
}

/* ---- the fd for callers ---- */

/* What a caller's poll has to wait for at present. */
static int present_fd(const struct framebus_reader *rd)
{
    switch (rd->state) {
    case READER_DETACHED:
        return rd->watch.fd;
    case READER_GREETING:
        return rd->link->socket;
    default:
        return rd->link->bell;
    }
}

void attach_outer_control(struct framebus_reader *rd, int operation)
{
    struct epoll_event interest = {.events = EPOLLIN};
    int fd = present_fd(rd);
    if (rd->outer >= 0 && fd >= 0)
        epoll_ctl(rd->outer, operation, fd, &interest);
}

/* Every change of state goes through here, so that the caller's fd follows. */
static void enter(struct framebus_reader *rd, enum reader_state state, struct link *link)
{
    attach_outer_control(rd, EPOLL_CTL_DEL);
    pthread_mutex_lock(&rd->lock);
    struct link *before = rd->link;
    rd->state = state;
    rd->link = link;
    pthread_mutex_unlock(&rd->lock);
    attach_outer_control(rd, EPOLL_CTL_ADD);
    if (before != link)
        link_unref(before);
}

/* ---- leaving ---- */

void attach_leave_pool(struct framebus_reader *rd)
{
    pthread_mutex_lock(&rd->lock);
    struct reader_pool *pool = rd->pool;
    rd->pool = NULL;
    pthread_mutex_unlock(&rd->lock);
    reader_pool_unref(pool);
}

void attach_detach(struct framebus_reader *rd)
{
    attach_leave_pool(rd);
    pthread_mutex_lock(&rd->lock);
    struct buffers *pending = rd->pending;
    rd->pending = NULL;
    pthread_mutex_unlock(&rd->lock);
    buffers_finish(pending);
    enter(rd, READER_DETACHED, NULL);
    rd->hung_up = false;
    rd->has_expected = false; /* another writer counts from the beginning */
    rd->rings_for_nothing = 0;
}

/* ---- arriving ---- */

static int say_hello(struct framebus_reader *rd, int64_t deadline)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return fail(-ENOMEM, "no memory for a connection");
    *link = (struct link){.refs = 1, .bell = -1};
    link->socket = connection_socket();
    if (link->socket < 0) {
        int error = link->socket;
        free(link);
        return error;
    }
    fork_enter(&link->fork, NULL, link_forget); /* before connecting, which may take a while */
    int r = place_connect(&rd->place, link->socket, deadline);
    if (r) {
        link_unref(link);
        return r;
    }
    struct message_hello m;
    message_init(&m, MESSAGE_HELLO, sizeof m);
    m.head.flags = HELLO_KNOWS_BUFFERS | (rd->dmabuf ? HELLO_WANTS_DMABUFS : 0);
    m.quota = rd->wanted_quota;
    m.delivery = rd->wanted;
    memcpy(m.label, rd->label, sizeof m.label);
    r = connection_send(link->socket, &m, NULL, 0);
    if (r && r != -EPIPE && r != -ECONNRESET) { /* these have left an answer, perhaps */
        link_unref(link);
        return r;
    }
    rd->answer_deadline = deadline_in(ANSWER_TIME);
    enter(rd, READER_GREETING, link);
    return 0;
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

static int on_welcome(struct framebus_reader *rd, const int *fds, unsigned fd_count)
{
    if (rd->state != READER_GREETING || fd_count != 1) {
        close_all(fds, fd_count);
        return fail(-EPROTO, "the writer sent a welcome that does not belong here");
    }
    struct link *link = rd->link;
    struct epoll_event interest = {.events = EPOLLIN};
    link->bell = fds[0]; /* one that is no epoll fd fails here */
    if (epoll_ctl(link->bell, EPOLL_CTL_ADD, link->socket, &interest) ||
        (rd->cancel_fd >= 0 && epoll_ctl(link->bell, EPOLL_CTL_ADD, rd->cancel_fd, &interest)))
        return fail(-EBADMSG, "the writer sent a bell that cannot be used: %s", strerror(errno));
    enter(rd, READER_ATTACHED, link);
    rd->quota = rd->wanted_quota;
    rd->quota_asked = false;
    rd->delivery = rd->wanted;
    rd->writers++;
    return 0;
}

/* Everything that a foreign writer says about its pool is checked here, on private copies. */
static int read_header(struct reader_pool *pool, const struct layout_header *header, uint64_t cookie)
{
    const uint8_t *base = pool->region.base;
    int r = header_check(header, pool->region.size, cookie);
    if (r)
        return r;
    const struct framebus_reader *rd = pool->reader;
    if (pool->next > COUNT_MAX || header->first_sequence > COUNT_MAX ||
        (rd->has_expected && header->first_sequence + pool->next < rd->expected))
        return fail(-EBADMSG, "the writer's pool begins with frame %llu, before what was published already",
                    (unsigned long long)(header->first_sequence + pool->next));
    r = region_touch(&pool->region, 0, header->data_offset);
    if (r)
        return r;
    pool->header = *header;
    pool->caps = calloc(1, (size_t)header->format.caps_size + 1);
    if (!pool->caps)
        return fail(-ENOMEM, "no memory for a format");
    memcpy(pool->caps, base + header->caps_offset, header->format.caps_size);
    r = format_load(&pool->format, &header->format, pool->caps);
    if (r)
        return r;
    pool->view = (struct slots_view){
        .index = (const struct layout_index *)(base + header->index_offset),
        .table = (const struct layout_slot *)(base + header->table_offset),
        .page = pool->page,
        .limit = header->slots,
        .history = header->history,
        .ring_mask = header->ring_length - 1,
    };
    frames_init(pool->frames, header->slots, pool, &pool->format, pool->serial,
                (uint8_t *)pool->region.base + header->data_offset, header->slot_stride,
                header->slot_capacity);
    return 0;
}

/* The kernel drops a dead writer's segments a moment before its sockets. */
static bool is_hanging_up(const struct framebus_reader *rd)
{
    struct pollfd wait = {.fd = rd->link->socket, .events = POLLRDHUP};
    return poll(&wait, 1, HANG_UP_MS) > 0;
}

static int on_pool(struct framebus_reader *rd, const struct message_pool *m, const int *fds,
                   unsigned fd_count)
{
    bool nameless = m->memory == FRAMEBUS_MEMORY_SYSV;
    if (rd->state != READER_ATTACHED || rd->pool || fd_count != (nameless ? 1 : 2)) {
        close_all(fds, fd_count);
        return fail(-EPROTO, "the writer sent a pool that does not belong here");
    }
    struct region region;
    void *page = NULL;
    int r = region_attach(&region, (enum framebus_memory)m->memory, nameless ? -1 : fds[0], m->id,
                          m->region_size);
    int page_result = page_attach(&page, fds[fd_count - 1]);
    if (r == -EIDRM) {
        page_finish(page);
        return is_hanging_up(rd) ? 0 : fail(-EBADMSG, "the writer's System V segment does not exist");
    }
    if (!r)
        r = page_result;
    struct layout_header header;
    if (!r && region.size < sizeof header)
        r = fail(-EBADMSG, "the writer's region has only %llu bytes", (unsigned long long)region.size);
    struct reader_pool *pool = NULL;
    if (!r)
        r = region_touch(&region, 0, sizeof header);
    if (!r) {
        memcpy(&header, region.base, sizeof header);
        uint32_t slots = header.slots <= FRAMEBUS_SLOTS_MAX ? header.slots : 0; /* else refused below */
        pool = calloc(1, sizeof *pool + slots * sizeof *pool->frames);
        r = pool ? 0 : fail(-ENOMEM, "no memory for a pool of %u slots", slots);
    }
    if (r) {
        page_finish(page);
        region_finish(&region);
        return r;
    }
    pool->refs = 1;
    pool->reader = rd;
    pool->link = rd->link;
    ref(&rd->link->refs);
    pool->region = region;
    pool->page = page;
    pool->serial = ++rd->pools;
    pool->next = m->start;
    r = read_header(pool, &header, m->cookie);
    if (r) {
        reader_pool_unref(pool);
        return r;
    }
    if (!rd->has_expected) /* what comes and goes between here and the first take is missed as well */
        rd->expected = pool->header.first_sequence + pool->next;
    rd->has_expected = true;
    store_relaxed(&pool->page->taken, (uint32_t)rd->delivered);
    store_relaxed(&pool->page->missed, (uint32_t)rd->missed);
    pthread_mutex_lock(&rd->lock);
    buffers_adopt(rd, pool);
    rd->pool = pool;
    pthread_mutex_unlock(&rd->lock);
    log_line(FRAMEBUS_LOG_DEBUG, "bus \"%s\": in pool %u from frame %llu on", rd->place.name, pool->serial,
             (unsigned long long)(pool->header.first_sequence + pool->next));
    return 0;
}

static int on_quota(struct framebus_reader *rd, uint32_t quota)
{
    if (!rd->quota_asked || quota < 1 || quota > QUOTA_MAX)
        return fail(-EPROTO, "the writer grants a quota of %u that was not asked for", quota);
    rd->quota = quota;
    rd->quota_asked = false;
    return 0;
}

static int on_refused(struct framebus_reader *rd, const struct message_refused *m)
{
    char text[sizeof m->text];
    message_text(text, m->text, sizeof text);
    int error = m->error > 0 && m->error < 4096 ? -m->error : -EPROTO;
    if (rd->state == READER_ATTACHED)
        error = -ECONNABORTED;
    return fail(error, "bus \"%s\": %s", rd->place.name, text);
}

int attach_hear(struct framebus_reader *rd)
{
    /* Not without end: the caller has a deadline, and somebody may just go on talking. */
    rd->heard_ns = rd->seen_ns;
    rd->unheard = 0;
    for (int heard = 0; heard < MESSAGES_A_LOOK; heard++) {
        int fds[MESSAGE_FDS_MAX];
        unsigned fd_count = 0;
        int type = connection_receive(rd->link->socket, &rd->message, fds, &fd_count);
        int r = 0;
        if (type != MESSAGE_WELCOME && type != MESSAGE_POOL && type != MESSAGE_BUFFERS)
            close_all(fds, fd_count);
        switch (type) {
        case -EAGAIN:
            return 0;
        case -ECONNRESET: /* the writer left without reading all we said; its last words may follow */
            continue;
        case 0:
            rd->hung_up = true;
            return 0;
        case MESSAGE_WELCOME:
            r = on_welcome(rd, fds, fd_count);
            break;
        case MESSAGE_POOL:
            r = on_pool(rd, &rd->message.pool, fds, fd_count);
            break;
        case MESSAGE_BUFFERS:
            r = buffers_hear(rd, &rd->message.buffers, fds, fd_count);
            break;
        case MESSAGE_QUOTA:
            r = on_quota(rd, rd->message.quota.quota);
            break;
        case MESSAGE_DELIVERY:
            if (rd->state != READER_ATTACHED || rd->delivery != FRAMEBUS_DELIVERY_LOSSLESS)
                return fail(-EPROTO, "the writer changes a delivery that is live already");
            rd->delivery = FRAMEBUS_DELIVERY_LIVE; /* the only one a reader is ever given unasked */
            log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": too slow for lossless delivery, live from now on",
                     rd->place.name);
            break;
        case MESSAGE_REFUSED:
            return on_refused(rd, &rd->message.refused);
        case -EPROTO:
        case -EMFILE:
            return type;
        case -EPROTONOSUPPORT:
            if (rd->message.head.type == MESSAGE_REFUSED &&
                rd->message.head.size == sizeof(struct message_refused))
                return on_refused(rd, &rd->message.refused);
            return fail(type, "bus \"%s\" speaks version %u of the protocol, this library version %d",
                        rd->place.name, rd->message.head.abi, LAYOUT_ABI);
        default:
            if (type < 0)
                return fail(type, "cannot hear the writer of bus \"%s\": %s", rd->place.name,
                            strerror(-type));
            return fail(-EPROTO, "the writer of bus \"%s\" sent a message of type %d", rd->place.name, type);
        }
        if (r)
            return r;
        rd->rings_for_nothing = 0;
    }
    return 0;
}

/* ---- waiting ---- */

static int cancelled(const struct framebus_reader *rd)
{
    return fail(-ECANCELED, "waiting for bus \"%s\" was cancelled", rd->place.name);
}

/* For the states that have no bell. 0: something happened. */
int attach_wait_for_fd(struct framebus_reader *rd, int fd, int64_t deadline)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = rd->cancel_fd, .events = POLLIN}};
    struct timespec left = deadline_left(deadline);
    int n = ppoll(fds, 2, deadline == NEVER ? NULL : &left, NULL);
    if (n > 0 && fds[1].revents)
        return cancelled(rd);
    return n == 0 ? -ETIMEDOUT : 0;
}

/* S3: for a frame, a message, the writer's death, or cancelling: one wait for all. */
static int wait_for_bell(struct framebus_reader *rd, int64_t deadline)
{
    int timeout = -1;
    if (deadline != NEVER) {
        struct timespec left = deadline_left(deadline);
        int64_t ms = left.tv_sec * 1000 + (left.tv_nsec + NS_PER_MS - 1) / NS_PER_MS;
        timeout = ms > INT_MAX ? INT_MAX : (int)ms;
    }
    struct epoll_event events[4];
    int n = epoll_wait(rd->link->bell, events, 4, timeout);
    if (n == 0)
        return -ETIMEDOUT;
    /* A frame goes before everything else; whatever it is will still be there. */
    if (n > 0 && rd->pool && slots_filled(&rd->pool->view, next_number(rd->pool)))
        return 0;
    /* The writer chose what its own event says; so nothing is believed, everything looked at. */
    if (rd->cancel_fd >= 0 && fd_is_readable(rd->cancel_fd))
        return cancelled(rd);
    /* A bell that never falls silent would keep us, and whoever polls it, running for ever. */
    if (n > 0 && ++rd->rings_for_nothing > RINGS_FOR_NOTHING)
        return fail(-EBADMSG, "the bell of bus \"%s\" rings without end, for nothing", rd->place.name);
    return attach_hear(rd);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int no_answer(const struct framebus_reader *rd)
{
    return fail(-ETIMEDOUT, "the writer of bus \"%s\" does not answer (is it stopped?)", rd->place.name);
}

/*
 * Knocks at the bus's socket, or waits until there is one. 0: look again. -ENOENT: no writer came
 * before the deadline. -ETIMEDOUT: one is there, and its backlog was full all of `patience`.
 */
static int wait_detached(struct framebus_reader *rd, int64_t deadline, int64_t patience)
{
    if (fd_is_readable(rd->cancel_fd))
        return cancelled(rd);
    /* First the watch, then the look: who appears in between is not overlooked. */
    bool watched = rd->watch.fd >= 0;
    pthread_mutex_lock(&rd->lock);
    int r = watch_arm(&rd->watch, &rd->place);
    pthread_mutex_unlock(&rd->lock);
    if (r)
        return r;
    if (!watched)
        attach_outer_control(rd, EPOLL_CTL_ADD);
    r = say_hello(rd, earlier(patience, deadline_in(KNOCK_TIME)));
    switch (r) {
    case 0:
        return 0;
    case -ENOENT:
    case -ENOTDIR:
    case -ECONNREFUSED:
        r = attach_wait_for_fd(rd, rd->watch.fd, deadline);
        return r == -ETIMEDOUT ? fail(-ENOENT, "bus \"%s\" has no writer (nobody listens at %s)",
                                      rd->place.name, rd->place.path)
                               : r;
    case -ETIMEDOUT:
        return deadline_passed(patience) ? no_answer(rd) : 0;
    case -EPERM:
        return r; /* its sentence says it all */
    case -EPROTOTYPE:
        return fail(-EPROTO, "%s is a socket of another kind, no framebus bus", rd->place.path);
    case -EACCES:
        return fail(r, "bus \"%s\" is there, but you may not read it (see ls -l %s)", rd->place.name,
                    rd->place.path);
    default:
        return fail(r, "cannot connect to bus \"%s\" at %s: %s", rd->place.name, rd->place.path,
                    strerror(-r));
    }
}

/* 0: look again. -EPIPE: the writer went instead of answering. */
static int wait_for_answer(struct framebus_reader *rd, int64_t deadline)
{
    int r = attach_wait_for_fd(rd, rd->link->socket, deadline);
    if (!r)
        r = attach_hear(rd);
    bool crowded = r == -EAGAIN;
    if (crowded || (!r && rd->hung_up && rd->state == READER_GREETING)) { /* else its last frames are here */
        /* Too many at the door, a writer that dies in this moment, or somebody who plays tricks: do
         * not spin. */
        rd->crowded = crowded;
        attach_wait_for_fd(rd, -1, earlier(deadline, deadline_in(SNUB_PAUSE)));
        r = -EPIPE;
    }
    return r;
}

int attach_wait(struct framebus_reader *rd, int64_t deadline)
{
    int r;
    switch (rd->state) {
    case READER_DETACHED:
        r = wait_detached(rd, deadline, deadline);
        return r == -ENOENT ? -ETIMEDOUT : r;
    case READER_GREETING:
        return wait_for_answer(rd, deadline);
    default:
        return rd->hung_up ? fail(-EPIPE, "the writer of bus \"%s\" is gone", rd->place.name)
                           : wait_for_bell(rd, deadline);
    }
}

int attach_first(struct framebus_reader *rd, int64_t wait)
{
    int64_t deadline = deadline_in(wait);
    int64_t patience = deadline_in(ANSWER_TIME);
    while (rd->state != READER_ATTACHED) {
        int r;
        if (rd->state == READER_GREETING)
            r = wait_for_answer(rd, rd->answer_deadline);
        else
            r = wait_detached(rd, deadline, patience);
        if (r == -EPIPE)
            attach_detach(rd); /* as if it had not been there */
        if ((r == -ENOENT || r == -EPIPE) && rd->follow && !wait)
            return 0;
        if (r == -ETIMEDOUT)
            return no_answer(rd);
        if (r && r != -EPIPE)
            return r;
        if (r && rd->crowded && deadline_passed(patience))
            return fail(-EAGAIN, "bus \"%s\" is crowded: its writer has no time for another reader now",
                        rd->place.name);
        if (r && deadline_passed(patience) && deadline_passed(deadline))
            return fail(-ENOENT, "bus \"%s\" has no writer (who listens at %s hangs up)", rd->place.name,
                        rd->place.path);
    }
    return 0;
}
