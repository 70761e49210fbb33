/* SPDX-License-Identifier: MIT */
/* The connection of a reader: finding a writer, greeting it, what it sends, waiting, and leaving it. */
#include "reader/reader.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "shared/counter.h"
#include "shared/pool_header.h"
#include "shared/semaphore.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_TIME       (5 * NS_PER_S)
#define CONNECT_TIME      (100 * NS_PER_MS) /* in connect(), which a cancel fd does not interrupt */
#define HANG_UP_MS        1000
#define MESSAGES_A_POLL   16
#define RETRY_PAUSE       (10 * NS_PER_MS)
#define RINGS_FOR_NOTHING 1000

/* The first frame of the next writer should not wait until the watch is closed, see bus_watch_pause(). */
#define WATCH_LINGER (50 * NS_PER_MS)

/* More frames than any bus publishes. The sum of two such numbers does not overflow. */
#define COUNT_MAX (UINT64_C(1) << 62)

/* ---- references ---- */

static void link_forget(struct fork_node *node)
{
    struct link *link = (struct link *)node;
    if (link->bell >= 0)
        close(link->bell);
    close(link->socket);
}

static void link_unref(struct link *link)
{
    if (!link || !refcount_drop(&link->refs))
        return;
    fork_leave(&link->fork);
    if (link->bell >= 0)
        close(link->bell);
    if (link->is_given)
        shutdown(link->socket, SHUT_RDWR); /* else a copy of it would keep the reader alive */
    socket_close(link->socket);            /* with what the writer still sent */
    free(link);
}

void reader_pool_unref(struct reader_pool *pool)
{
    struct user *users = NULL;
    if (!pool || !refcount_drop(&pool->refs))
        return;
    for (uint32_t i = 0; i < pool->header.slots; i++)
        user_take(&pool->frames[i].user, &users);
    users_destroy(users);
    import_table_finish(pool->imports);
    region_finish(&pool->region);
    reader_page_finish(pool->page);
    link_unref(pool->link);
    free(pool->caps);
    free(pool);
}

/* ---- the fd for callers ---- */

/* The fd that a caller has to wait for at present. */
static int attach_present_fd(const struct framebus_reader *rd)
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

void attach_control_set(struct framebus_reader *rd, int operation)
{
    struct epoll_event interest = {.events = EPOLLIN};
    int fd = attach_present_fd(rd);
    if (readiness_in_use(&rd->readiness) && fd >= 0)
        epoll_ctl(rd->readiness.set, operation, fd, &interest);
}

void attach_rearm(struct framebus_reader *rd)
{
    if (rd->pool && !rd->hung_up)
        semaphore_sleep(&rd->pool->page->sleeps);
    rd->rearmed = true;
}

/* Changes the state. Nothing else does, so that the caller's fd follows. */
static void attach_enter(struct framebus_reader *rd, enum reader_state state, struct link *link)
{
    attach_control_set(rd, EPOLL_CTL_DEL);
    pthread_mutex_lock(&rd->lock);
    struct link *before = rd->link;
    if (before != link)
        rd->key_requests = 0;
    rd->state = state;
    rd->link = link;
    pthread_mutex_unlock(&rd->lock);
    attach_control_set(rd, EPOLL_CTL_ADD);
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
    struct import_table *pending = rd->pending;
    rd->pending = NULL;
    pthread_mutex_unlock(&rd->lock);
    import_table_finish(pending);
    attach_enter(rd, READER_DETACHED, NULL);
    rd->hung_up = false;
    rd->has_expected = false; /* another writer counts from the beginning */
    rd->rings_for_nothing = 0;
}

/* ---- arriving ---- */

static int attach_greet(struct framebus_reader *rd, int64_t deadline)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return fail(-ENOMEM, "no memory for a connection");
    *link = (struct link){.refs = 1, .bell = -1, .is_given = rd->given};
    link->socket = rd->given ? socket_duplicate(rd->given) : socket_create();
    if (link->socket < 0) {
        int error = link->socket;
        free(link);
        return error;
    }
    fork_enter(&link->fork, NULL, link_forget); /* before connecting, which may take a while */
    int r = rd->given ? 0 : bus_path_connect(&rd->path, link->socket, deadline);
    if (r) {
        link_unref(link);
        return r;
    }
    struct message_hello m;
    message_init(&m, MESSAGE_HELLO, sizeof m);
    m.head.flags = rd->dmabuf ? HELLO_WANTS_DMABUFS : 0;
    m.quota = rd->wanted_quota;
    m.delivery = rd->wanted;
    memcpy(m.label, rd->label, sizeof m.label);
    r = socket_send(link->socket, &m, NULL, 0);
    if (r && r != -EPIPE && r != -ECONNRESET) { /* then the writer may have left an answer */
        link_unref(link);
        return r;
    }
    rd->answer_deadline = deadline_in(ANSWER_TIME);
    attach_enter(rd, READER_GREETING, link);
    return 0;
}

static void fds_close(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
}

static int attach_on_welcome(struct framebus_reader *rd, const int *fds, unsigned fd_count)
{
    if (rd->state != READER_GREETING || fd_count != 1) {
        fds_close(fds, fd_count);
        return fail(-EPROTO, "the writer sent a welcome that does not belong here");
    }
    struct link *link = rd->link;
    struct epoll_event interest = {.events = EPOLLIN};
    link->bell = fds[0]; /* what is not an epoll fd fails here */
    if (epoll_ctl(link->bell, EPOLL_CTL_ADD, link->socket, &interest) ||
        epoll_ctl(link->bell, EPOLL_CTL_ADD, rd->cancel.event, &interest) ||
        (rd->cancel_fd >= 0 && epoll_ctl(link->bell, EPOLL_CTL_ADD, rd->cancel_fd, &interest)))
        return fail(-EBADMSG, "the writer sent a bell that cannot be used: %s", strerror(errno));
    attach_enter(rd, READER_ATTACHED, link);
    bus_watch_pause(&rd->watch);
    rd->watch_until = deadline_in(WATCH_LINGER);
    rd->quota = rd->wanted_quota;
    rd->quota_asked = false;
    rd->delivery = rd->wanted;
    rd->writers++;
    return 0;
}

/* Checks everything that a writer says about its pool, on private copies. */
static int reader_pool_load(struct reader_pool *pool, const struct layout_header *header, uint64_t cookie)
{
    const uint8_t *base = pool->region.base;
    int r = pool_header_check(header, pool->region.size, cookie);
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
    const struct frame_pool frames = {
        .owner = pool,
        .handle = &rd->fork,
        .format = &pool->format,
        .serial = pool->serial,
        .meta_max = header->meta_max,
        .capacity = header->slot_capacity,
    };
    uint8_t *data = (uint8_t *)pool->region.base + header->data_offset;
    for (uint32_t i = 0; i < header->slots; i++, data += header->slot_stride)
        frame_init(&pool->frames[i], &frames, i, data);
    return 0;
}

/* The kernel drops a dead writer's segments a moment before it closes its sockets. */
static bool link_is_hanging_up(const struct framebus_reader *rd)
{
    struct pollfd wait = {.fd = rd->link->socket, .events = POLLRDHUP};
    int n;
    do
        n = poll(&wait, 1, HANG_UP_MS);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Makes a pool of what the writer sent. Takes region and page over. */
static int reader_pool_create(struct framebus_reader *rd, const struct message_pool *m, struct region *region,
                              void *page, struct reader_pool **made)
{
    struct layout_header header;
    struct reader_pool *pool = NULL;
    int r = region->size < sizeof header
                ? fail(-EBADMSG, "the writer's region has only %llu bytes", (unsigned long long)region->size)
                : region_touch(region, 0, sizeof header);
    if (!r) {
        memcpy(&header, region->base, sizeof header);
        uint32_t slots = header.slots <= FRAMEBUS_SLOTS_MAX ? header.slots : 0; /* else refused below */
        pool = calloc(1, sizeof *pool + slots * sizeof *pool->frames);
        r = pool ? 0 : fail(-ENOMEM, "no memory for a pool of %u slots", slots);
    }
    if (r) {
        reader_page_finish(page);
        region_finish(region);
        return r;
    }
    pool->refs = 1;
    pool->reader = rd;
    pool->link = rd->link;
    refcount_add(&rd->link->refs);
    pool->region = *region;
    pool->page = page;
    pool->serial = ++rd->pools;
    pool->next = m->start;
    r = reader_pool_load(pool, &header, m->cookie);
    if (r)
        reader_pool_unref(pool);
    else
        *made = pool;
    return r;
}

static int attach_on_pool(struct framebus_reader *rd, const struct message_pool *m, const int *fds,
                          unsigned fd_count)
{
    bool nameless = m->memory == FRAMEBUS_MEMORY_SYSV;
    if (rd->state != READER_ATTACHED || rd->pool || fd_count != (nameless ? 1 : 2)) {
        fds_close(fds, fd_count);
        return fail(-EPROTO, "the writer sent a pool that does not belong here");
    }
    struct region region;
    void *page;
    int r = region_attach(&region, (enum framebus_memory)m->memory, nameless ? -1 : fds[0], m->id,
                          m->region_size);
    int page_result = reader_page_attach(&page, fds[fd_count - 1]);
    if (r == -EIDRM) {
        reader_page_finish(page);
        return link_is_hanging_up(rd)
                   ? 0
                   : fail(-EBADMSG, "there is no such System V segment here: " REGION_SAME_IPC);
    }
    if (r || page_result) {
        reader_page_finish(page);
        region_finish(&region);
        return r ? r : page_result;
    }
    struct reader_pool *pool;
    r = reader_pool_create(rd, m, &region, page, &pool);
    if (r)
        return r;
    if (!rd->has_expected) /* frames that come and go between here and the first one taken count as missed */
        rd->expected = pool->header.first_sequence + pool->next;
    rd->has_expected = true;
    counter_store(&pool->page->taken, rd->delivered);
    counter_store(&pool->page->missed, rd->missed);
    pthread_mutex_lock(&rd->lock);
    import_adopt(rd, pool);
    store_relaxed(&pool->page->key_requests, rd->key_requests);
    rd->pool = pool;
    pthread_mutex_unlock(&rd->lock);
    if (readiness_in_use(&rd->readiness))
        attach_rearm(rd);
    log_line(FRAMEBUS_LOG_DEBUG, "bus \"%s\": in pool %u from frame %llu on", rd->path.name, pool->serial,
             (unsigned long long)(pool->header.first_sequence + pool->next));
    return 0;
}

static int attach_on_quota(struct framebus_reader *rd, uint32_t quota)
{
    if (!rd->quota_asked || quota < 1 || quota > QUOTA_MAX)
        return fail(-EPROTO, "the writer grants a quota of %u that was not asked for", quota);
    rd->quota = quota;
    rd->quota_asked = false;
    return 0;
}

static int attach_on_refused(struct framebus_reader *rd, const struct message_refused *m)
{
    char text[sizeof m->text];
    message_text(text, m->text, sizeof text);
    int error = m->error > 0 && m->error < 4096 ? -m->error : -EPROTO;
    if (rd->state == READER_ATTACHED)
        error = -ECONNABORTED;
    return fail(error, "bus \"%s\": %s", rd->path.name, text);
}

/* An attached reader does not need its watch, and others may need an inotify instance. */
static void attach_close_watch(struct framebus_reader *rd)
{
    if (rd->watch.fd < 0 || rd->state != READER_ATTACHED || !deadline_passed(rd->watch_until))
        return;
    pthread_mutex_lock(&rd->lock);
    bus_watch_finish(&rd->watch);
    pthread_mutex_unlock(&rd->lock);
}

/* What every poll of the socket entails. */
static void attach_note_poll(struct framebus_reader *rd)
{
    rd->polled_ns = rd->newest_ns;
    rd->frames_since_poll = 0;
    attach_close_watch(rd);
}

int attach_poll(struct framebus_reader *rd)
{
    attach_note_poll(rd);
    /* Not without end: the caller has a deadline, and a hostile writer may go on sending. */
    for (int count = 0; count < MESSAGES_A_POLL; count++) {
        int fds[MESSAGE_FDS_MAX];
        unsigned fd_count = 0;
        int type = socket_receive(rd->link->socket, &rd->message, fds, &fd_count);
        int r = 0;
        if (type != MESSAGE_WELCOME && type != MESSAGE_POOL && type != MESSAGE_MEMORY)
            fds_close(fds, fd_count);
        switch (type) {
        case -EAGAIN:
            return 0;
        case -ECONNRESET: /* the writer left without reading everything; what it sent may follow */
            continue;
        case 0:
            rd->hung_up = true;
            return 0;
        case MESSAGE_WELCOME:
            r = attach_on_welcome(rd, fds, fd_count);
            break;
        case MESSAGE_POOL:
            r = attach_on_pool(rd, &rd->message.pool, fds, fd_count);
            break;
        case MESSAGE_MEMORY:
            r = import_receive(rd, &rd->message.buffers, fds, fd_count);
            break;
        case MESSAGE_QUOTA:
            r = attach_on_quota(rd, rd->message.quota.quota);
            break;
        case MESSAGE_DELIVERY:
            if (rd->state != READER_ATTACHED || rd->delivery != FRAMEBUS_DELIVERY_LOSSLESS)
                return fail(-EPROTO, "the writer changes a delivery that is live already");
            rd->delivery = FRAMEBUS_DELIVERY_LIVE; /* a writer never changes it to another */
            log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": too slow for lossless delivery, live from now on",
                     rd->path.name);
            break;
        case MESSAGE_REFUSED:
            return attach_on_refused(rd, &rd->message.refused);
        case -EPROTO:
        case -EMFILE:
            return type;
        case -EPROTONOSUPPORT:
            if (rd->message.head.type == MESSAGE_REFUSED &&
                rd->message.head.size == sizeof(struct message_refused))
                return attach_on_refused(rd, &rd->message.refused);
            return fail(type, "bus \"%s\" speaks version %u of the protocol, this library version %d",
                        rd->path.name, rd->message.head.abi, LAYOUT_ABI);
        default:
            if (type < 0)
                return fail(type, "cannot receive from the writer of bus \"%s\": %s", rd->path.name,
                            strerror(-type));
            return fail(-EPROTO, "the writer of bus \"%s\" sent a message of type %d", rd->path.name, type);
        }
        if (r)
            return r;
        rd->rings_for_nothing = 0;
    }
    return 0;
}

/* ---- waiting ---- */

bool attach_is_cancelled(const struct framebus_reader *rd)
{
    return cancel_is_set(&rd->cancel) || fd_is_readable(rd->cancel_fd);
}

int attach_cancelled(const struct framebus_reader *rd)
{
    return fail(-ECANCELED, "waiting for bus \"%s\" was cancelled", rd->path.name);
}

/* The error of a wait that a signal has ended. A call that does not wait (deadline 0) is not interrupted. */
static int attach_interrupted(const struct framebus_reader *rd, int64_t deadline)
{
    if (attach_is_cancelled(rd))
        return attach_cancelled(rd);
    if (!deadline)
        return -ETIMEDOUT;
    return fail(-EINTR, "a signal came while waiting for bus \"%s\": call again", rd->path.name);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int attach_wait_for_fd(struct framebus_reader *rd, int fd, int64_t deadline)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = rd->cancel.event, .events = POLLIN},
                           {.fd = rd->cancel_fd, .events = POLLIN}};
    struct timespec left = deadline_left(deadline);
    int n = ppoll(fds, 3, deadline == NEVER ? NULL : &left, NULL);
    if (n < 0 && errno == EINTR)
        return attach_interrupted(rd, deadline);
    if (n > 0 && fds[1].revents)
        cancel_drain(&rd->cancel);
    if (n > 0 && (cancel_is_set(&rd->cancel) || fds[2].revents))
        return attach_cancelled(rd);
    return n == 0 ? -ETIMEDOUT : 0;
}

/* S3: one wait for a frame, a message, the writer's death, or cancelling. */
static int attach_wait_for_bell(struct framebus_reader *rd, int64_t deadline)
{
    int timeout = -1;
    attach_close_watch(rd);
    if (rd->watch.fd >= 0)
        deadline = earlier(deadline, rd->watch_until);
    if (deadline != NEVER) {
        struct timespec left = deadline_left(deadline);
        int64_t ms = left.tv_sec * INT64_C(1000) + (left.tv_nsec + NS_PER_MS - 1) / NS_PER_MS;
        timeout = ms > INT_MAX ? INT_MAX : (int)ms;
    }
    struct epoll_event events[4];
    int n = 1;
    if (timeout > 0 && (rd->anticipate.percent || rd->pace.period)) { /* a millisecond is coarse for these */
        struct pollfd bell = {.fd = rd->link->bell, .events = POLLIN};
        struct timespec left = deadline_left(deadline);
        n = ppoll(&bell, 1, &left, NULL);
        timeout = 0;
    }
    if (n > 0)
        n = epoll_wait(rd->link->bell, events, 4, timeout);
    bool interrupted = n < 0 && errno == EINTR; /* whatever SA_RESTART says, and also by SIGCONT */
    if (n == 0)
        return -ETIMEDOUT;
    /* A frame comes first; whatever else happened can still be seen afterwards. */
    if (rd->pool && reader_has_frame(rd->pool))
        return 0;
    /* The writer chose the data of its own event, so events are not believed: everything is examined. */
    if (interrupted)
        return attach_interrupted(rd, deadline);
    if (attach_is_cancelled(rd))
        return attach_cancelled(rd);
    cancel_drain(&rd->cancel);
    /* A bell that never falls silent would keep us, and every caller that polls it, running without end. */
    if (n > 0 && ++rd->rings_for_nothing > RINGS_FOR_NOTHING)
        return fail(-EBADMSG, "the bell of bus \"%s\" rings without end, for nothing", rd->path.name);
    return attach_poll(rd);
}

int attach_silence(struct framebus_reader *rd)
{
    struct epoll_event events[4];
    int r = 0;
    readiness_drain(&rd->readiness);
    cancel_drain(&rd->cancel);
    if (rd->state != READER_ATTACHED)
        return 0;
    if (!rd->hung_up) {
        epoll_wait(rd->link->bell, events, 4, 0);
        attach_rearm(rd);
        r = attach_poll(rd);
    }
    if (rd->hung_up) /* else it would be readable from now on */
        epoll_ctl(rd->link->bell, EPOLL_CTL_DEL, rd->link->socket, NULL);
    return r;
}

static int attach_no_answer(const struct framebus_reader *rd)
{
    return fail(-ETIMEDOUT, "the writer of bus \"%s\" does not answer (is it stopped?)", rd->path.name);
}

static int attach_crowded(const struct framebus_reader *rd)
{
    return fail(-EAGAIN, "bus \"%s\" is crowded: its writer has no time for another reader now",
                rd->path.name);
}

/* True if nobody listens at the bus's socket. */
static bool attach_is_absent(int error)
{
    return error == -ENOENT || error == -ENOTDIR || error == -ECONNREFUSED;
}

static int attach_try(struct framebus_reader *rd, int64_t patience)
{
    return attach_greet(rd, earlier(patience, deadline_in(CONNECT_TIME)));
}

/* Adds the watch to the caller's epoll set, too, where it may be already. */
static int attach_renew_watch(struct framebus_reader *rd)
{
    pthread_mutex_lock(&rd->lock);
    int r = bus_watch_renew(&rd->watch, &rd->path);
    pthread_mutex_unlock(&rd->lock);
    attach_control_set(rd, EPOLL_CTL_ADD);
    return r;
}

/*
 * Connects to the bus's socket, or waits until there is one. 0: something may have changed. -ENOENT: no
 * writer came before the deadline. -ETIMEDOUT: there is one, and its backlog was full until `patience`.
 */
static int attach_wait_for_writer(struct framebus_reader *rd, int64_t deadline, int64_t patience)
{
    if (attach_is_cancelled(rd))
        return attach_cancelled(rd);
    /* If there is a writer, no watch is needed. Else the watch comes first and then another attempt, so that
     * a writer that appears in between is not missed. */
    int r = rd->watch.fd < 0 ? attach_try(rd, patience) : -ENOENT;
    if (attach_is_absent(r) || r == -ETIMEDOUT) {
        r = attach_renew_watch(rd);
        if (r)
            return r;
        r = attach_try(rd, patience);
    }
    if (attach_is_absent(r)) {
        r = attach_wait_for_fd(rd, rd->watch.fd, deadline);
        return r == -ETIMEDOUT ? fail(-ENOENT, "bus \"%s\" has no writer (nobody listens at %s)",
                                      rd->path.name, rd->path.socket)
                               : r;
    }
    switch (r) {
    case 0:
        return 0;
    case -EINTR:
        return attach_interrupted(rd, patience);
    case -ETIMEDOUT:
        return deadline_passed(patience) ? attach_no_answer(rd) : 0;
    case -EPERM:
        return r; /* its sentence is there already */
    case -EPROTOTYPE:
        return fail(-EPROTO, "%s is a socket of another kind, not a framebus bus", rd->path.socket);
    case -EACCES:
        return fail(r, "bus \"%s\" is there, but you may not read it (see ls -l %s)", rd->path.name,
                    rd->path.socket);
    default:
        return fail(r, "cannot connect to bus \"%s\" at %s: %s", rd->path.name, rd->path.socket,
                    strerror(-r));
    }
}

/* 0: something came. -EPIPE: the writer went instead of answering. */
static int attach_wait_for_answer(struct framebus_reader *rd, int64_t deadline)
{
    int r = attach_wait_for_fd(rd, rd->link->socket, deadline);
    if (!r)
        r = attach_poll(rd);
    bool crowded = r == -EAGAIN;
    if (crowded || (!r && rd->hung_up && rd->state == READER_GREETING)) { /* else its last frames are here */
        /* There are too many connections, or the writer dies at this moment, or somebody hangs up on purpose:
         * do not spin. */
        rd->crowded = crowded;
        r = attach_wait_for_fd(rd, -1, earlier(deadline, deadline_in(RETRY_PAUSE)));
        if (r == -EINTR)
            attach_detach(rd); /* it will be looked for anew */
        else
            r = -EPIPE;
    }
    return r;
}

int attach_wait(struct framebus_reader *rd, int64_t deadline)
{
    int r;
    switch (rd->state) {
    case READER_DETACHED:
        r = attach_wait_for_writer(rd, deadline, deadline);
        return r == -ENOENT ? -ETIMEDOUT : r;
    case READER_GREETING:
        return attach_wait_for_answer(rd, deadline);
    default:
        return rd->hung_up ? fail(-EPIPE, "the writer of bus \"%s\" is gone", rd->path.name)
                           : attach_wait_for_bell(rd, deadline);
    }
}

/* Greets the writer at the other end of the socket that the caller gave. */
static int attach_given(struct framebus_reader *rd)
{
    int r = attach_greet(rd, NEVER);
    while (!r && rd->state == READER_GREETING) {
        r = attach_wait_for_answer(rd, rd->answer_deadline);
        if (r == -EINTR && rd->state == READER_GREETING)
            r = 0;
    }
    if (r == -ETIMEDOUT)
        return attach_no_answer(rd);
    if (r == -EPIPE && rd->crowded)
        return attach_crowded(rd);
    return r == -EPIPE || r == -EINTR ? fail(-EPIPE,
                                             "the writer at the other end of %s is gone, or did not wait any "
                                             "longer for a word: connect another one",
                                             rd->path.name)
                                      : r;
}

int attach_first(struct framebus_reader *rd, int64_t wait)
{
    if (rd->given)
        return attach_given(rd);
    int64_t deadline = deadline_in(wait);
    int64_t patience = deadline_in(ANSWER_TIME);
    while (rd->state != READER_ATTACHED) {
        int r;
        if (rd->state == READER_GREETING)
            r = attach_wait_for_answer(rd, rd->answer_deadline);
        else
            r = attach_wait_for_writer(rd, deadline, patience);
        if (r == -EINTR && !wait)
            continue; /* it answers soon, or never */
        if (r == -EPIPE)
            attach_detach(rd); /* as if it had not been there */
        if ((r == -ENOENT || r == -EPIPE) && rd->follow && !wait)
            return 0;
        if (r == -ETIMEDOUT)
            return attach_no_answer(rd);
        if (r && r != -EPIPE)
            return r;
        if (r && rd->crowded && deadline_passed(patience))
            return attach_crowded(rd);
        if (r && deadline_passed(patience) && deadline_passed(deadline))
            return fail(-ENOENT, "bus \"%s\" has no writer (the process that listens at %s hangs up)",
                        rd->path.name, rd->path.socket);
    }
    return 0;
}
