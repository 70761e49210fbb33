/* SPDX-License-Identifier: MIT */
#include "writer/server.h"

#include "base/bell.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/region.h"
#include "bus/info.h"
#include "shared/counter.h"
#include "shared/semaphore.h"
#include "shared/wants.h"
#include "writer/writer.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GREETING_TIME      (2 * NS_PER_S)
#define ACCEPTS_A_POLL     16
#define MESSAGES_OF_A_PEER 8
#define EVENTS_A_POLL      32
#define FDS_PAUSE          (50 * NS_PER_MS)

static struct peer *peer_of(struct slots_reader *reader)
{
    return (struct peer *)((char *)reader - offsetof(struct peer, reader));
}

/* ---- coming and going ---- */

void server_init(struct framebus_writer *w)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->server.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->server.epoll = w->server.wake = w->server.cancel.event = -1;
    w->server.news = 1; /* a monitor that was told nothing has 0 */
    door_init(w);
    notice_init(w);
}

int server_open(struct framebus_writer *w)
{
    w->server.polled_at = clock_now();
    w->server.epoll = epoll_create1(EPOLL_CLOEXEC);
    w->server.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN};
    if (w->server.epoll < 0 || w->server.wake < 0 || !door_open(w) || !notice_open(w) ||
        epoll_ctl(w->server.epoll, EPOLL_CTL_ADD, w->name.listener, &interest))
        return fail(-errno, "cannot serve bus \"%s\": %s", w->config.path.name, strerror(errno));
    return cancel_init(&w->server.cancel);
}

void server_wake(struct framebus_writer *w)
{
    if (w->server.polling)
        eventfd_write(w->server.wake, 1);
    else if (w->server.waiting)
        pthread_cond_broadcast(&w->server.changed);
}

int server_cancelled(const struct framebus_writer *w)
{
    return fail(-ECANCELED, "waiting for readers of bus \"%s\" was cancelled", w->config.path.name);
}

int server_wait(struct framebus_writer *w, int64_t deadline)
{
    struct server *server = &w->server;
    int r = 0;
    server->waiting++;
    if (server->polling) {
        struct timespec until = {.tv_sec = (time_t)(deadline / NS_PER_S),
                                 .tv_nsec = (long)(deadline % NS_PER_S)};
        if (deadline == NEVER)
            pthread_cond_wait(&server->changed, &w->lock);
        else
            pthread_cond_timedwait(&server->changed, &w->lock, &until);
    } else {
        struct pollfd fds[] = {
            {.fd = server->epoll, .events = POLLIN},
            {.fd = server->wake, .events = POLLIN},
            {.fd = server->cancel.event, .events = POLLIN},
            {.fd = w->config.cancel_fd, .events = POLLIN}, /* -1 is ignored */
        };
        server->polling = true;
        if (server->retry_at && server->retry_at < deadline)
            deadline = server->retry_at;
        pthread_mutex_unlock(&w->lock);
        struct timespec left = deadline_left(deadline);
        bool interrupted = ppoll(fds, 4, deadline == NEVER ? NULL : &left, NULL) < 0 && errno == EINTR;
        if (fds[2].revents)
            cancel_drain(&server->cancel);
        pthread_mutex_lock(&w->lock);
        server->polling = false;
        eventfd_t ignored;
        eventfd_read(server->wake, &ignored);
        if (notice_take(w)) /* it would end each poll() */
            key_frames_unheard(w);
        r = server_poll(w);
        if (!r && interrupted)
            r = fail(-EINTR, "a signal came while waiting for readers of bus \"%s\": call again",
                     w->config.path.name);
        pthread_cond_broadcast(&server->changed);
    }
    server->waiting--;
    if (cancel_is_set(&server->cancel) || fd_is_readable(w->config.cancel_fd))
        r = server_cancelled(w);
    if (!w->open)
        r = fail(-ESTALE, "bus \"%s\" was closed while waiting for its readers", w->config.path.name);
    return r;
}

/* Notes a change that monitors are to be told of, by server_tell(). */
static void server_note(struct framebus_writer *w)
{
    w->server.news++;
    w->server.untold = true;
}

/* The reader leaves the pool it stands in. Its claims there do not count any more, except those in a page
 * that imports_keep_page() kept. */
static void peer_leave_pool(struct peer *peer)
{
    if (!peer->pool)
        return;
    slots_leave(&peer->pool->slots, &peer->reader);
    reader_page_finish(peer->page);
    peer->page = NULL;
    pool_unref(peer->pool);
    peer->pool = NULL;
}

static void peer_drop(struct framebus_writer *w, struct peer *peer)
{
    if (peer->state == PEER_GONE)
        return;
    if (peer->state == PEER_READER) {
        w->server.quotas -= peer->quota;
        server_note(w);
        log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": reader %d (%s) left", w->config.path.name, (int)peer->pid,
                 peer->label);
    }
    peer->state = PEER_GONE;
    w->server.have_gone = true;
    peer_leave_pool(peer);
    imports_drop_pages(w, peer);
    /* close() alone is not enough: a child between fork() and exec has a copy of the fd, and with that the
     * epoll set would go on reporting a peer that is freed. */
    epoll_ctl(w->server.epoll, EPOLL_CTL_DEL, peer->socket, NULL);
    socket_close(peer->socket);
    if (peer->bell >= 0)
        close(peer->bell);
    door_resume_accept(w); /* these fds are free again */
    server_wake(w);
}

enum peer_exit {
    REFUSE, /* it is not let in */
    EVICT,  /* it is thrown out */
};

/* Parts with a peer: one line in the log, and one to the peer. */
static void peer_dismiss(struct framebus_writer *w, struct peer *peer, enum peer_exit how, int error,
                         const char *text, ...) FRAMEBUS_PRINTF(5, 6);

static void peer_dismiss(struct framebus_writer *w, struct peer *peer, enum peer_exit how, int error,
                         const char *text, ...)
{
    if (peer->state == PEER_GONE)
        return;
    char reason[160];
    va_list args;
    va_start(args, text);
    vsnprintf(reason, sizeof reason, text, args);
    va_end(args);
    if (how == REFUSE)
        log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": process %d was refused: %s", w->config.path.name,
                 (int)peer->pid, reason);
    else if (peer->state == PEER_READER || door_may_complain(w))
        log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": process %d (%s) was thrown out: %s", w->config.path.name,
                 (int)peer->pid, peer->label, reason);
    w->server.evicted += how == EVICT;
    socket_refuse(peer->socket, error, reason);
    peer_drop(w, peer);
}

/* Frees the peers that are gone. Not while a batch of events may still name them. */
static void server_free_gone(struct framebus_writer *w)
{
    if (!w->server.have_gone)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < w->server.peer_count; i++) {
        if (w->server.peers[i]->state == PEER_GONE)
            free(w->server.peers[i]);
        else
            w->server.peers[kept++] = w->server.peers[i];
    }
    w->server.peer_count = kept;
    w->server.have_gone = false;
}

void server_close(struct framebus_writer *w)
{
    for (size_t i = 0; i < w->server.peer_count; i++)
        peer_drop(w, w->server.peers[i]);
    server_free_gone(w);
    free(w->server.peers);
    w->server.peers = NULL;
    server_forget(w);
}

void server_forget(struct framebus_writer *w)
{
    for (size_t i = 0; i < w->server.peer_count; i++) {
        if (w->server.peers[i]->state == PEER_GONE)
            continue;
        close(w->server.peers[i]->socket);
        if (w->server.peers[i]->bell >= 0)
            close(w->server.peers[i]->bell);
    }
    if (w->server.epoll >= 0)
        close(w->server.epoll);
    if (w->server.wake >= 0)
        close(w->server.wake);
    w->server.epoll = w->server.wake = -1;
    cancel_finish(&w->server.cancel);
    notice_close(w);
    door_close(w);
}

void server_finish(struct framebus_writer *w)
{
    pthread_cond_destroy(&w->server.changed);
}

/* Answers the monitors that wait for news, at most one message each. Not while server.message is in use. */
static void server_tell(struct framebus_writer *w)
{
    const struct message_info_reply *news = NULL;
    if (!w->server.untold)
        return;
    w->server.untold = false;
    for (size_t i = 0; i < w->server.peer_count; i++) {
        struct peer *peer = w->server.peers[i];
        if (peer->state != PEER_MONITOR || !peer->asks || peer->told == w->server.news)
            continue;
        peer->asks = false;
        peer->told = w->server.news;
        news = news ? news : server_describe(w);
        if (socket_send(peer->socket, news, NULL, 0)) /* it asks without reading what it is told */
            peer_drop(w, peer);
    }
}

void server_announce(struct framebus_writer *w)
{
    server_note(w);
    server_tell(w);
}

void server_evict_marked(struct framebus_writer *w)
{
    if (!w->pools.present)
        return;
    struct slots_reader *next;
    for (struct slots_reader *r = w->pools.present->slots.readers; r; r = next) {
        next = r->next;
        if (r->evicted)
            peer_dismiss(w, peer_of(r), EVICT, -EDQUOT, "it holds more than the %u frames it asked for",
                         r->quota);
    }
    server_tell(w);
}

void server_ring(struct framebus_writer *w, struct pool *pool, int64_t published)
{
    struct slots_reader *next;
    uint32_t lookers = 0;
    for (struct slots_reader *r = pool->slots.readers; r; r = next) {
        next = r->next;
        struct peer *peer = peer_of(r);
        if (!pool->format.fourcc)
            key_frames_look(w, peer);
        lookers += load_relaxed(&r->page->looks) != 0;
        bool content = published && !wants_frame(load_relaxed(&r->page->wants), published);
        if (content || !semaphore_must_ring(&r->page->sleeps, &r->rung_for))
            continue;
        if (!bell_ring(peer->bell, &peer->strikes))
            peer_dismiss(w, peer, EVICT, -EBUSY, "waking it takes too long: too many wait on its bell");
    }
    if (lookers != load_relaxed(&pool->slots.index->lookers))
        store_relaxed(&pool->slots.index->lookers, lookers);
    server_tell(w);
}

static int server_add_peer(struct framebus_writer *w, struct peer **added, int socket,
                           const struct socket_peer *who)
{
    if (w->server.peer_count == w->server.peer_room) {
        size_t room = w->server.peer_room ? 2 * w->server.peer_room : 16;
        struct peer **more = realloc(w->server.peers, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        w->server.peers = more;
        w->server.peer_room = room;
    }
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return -ENOMEM;
    *peer = (struct peer){
        .socket = socket,
        .bell = -1,
        .pid = who->pid,
        .uid = who->uid,
        .deadline = deadline_in(GREETING_TIME),
        .label = "unknown",
    };
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = peer};
    if (epoll_ctl(w->server.epoll, EPOLL_CTL_ADD, socket, &interest)) {
        int error = -errno;
        free(peer);
        return error;
    }
    w->server.peers[w->server.peer_count++] = *added = peer;
    return 0;
}

static void peer_poll(struct framebus_writer *w, struct peer *peer);

/*
 * Makes room for another stranger of this user. An honest one has sent HELLO before it is accepted, or does
 * so at once. So the one that has been silent longest goes, and is told to try again; if this user has many
 * of them, the longest of its own.
 */
static void server_limit_silent(struct framebus_writer *w, uid_t uid)
{
    for (size_t i = 0; i < w->server.peer_count; i++) {
        struct peer *p = w->server.peers[i];
        if (p->state == PEER_GREETING && w->server.polled_at > p->deadline)
            peer_drop(w, p);
    }
    struct peer *silent = door_find_silent(w, uid);
    if (!silent)
        return;
    socket_refuse(silent->socket, -EAGAIN, "too many connections that say nothing");
    peer_drop(w, silent);
}

/* Makes a peer of a connection. On an error *why says why it is not let in. */
static int server_let_in(struct framebus_writer *w, struct peer **peer, int socket, const char **why)
{
    struct socket_peer who;
    int r = socket_get_peer(socket, &who);
    *why = "the writer cannot find out who you are";
    if (r)
        return r;
    *why = "you may not read this bus";
    if (!door_lets_in(w, socket, &who))
        return -EACCES;
    server_limit_silent(w, who.uid);
    *why = "too many connections";
    if (!door_has_room(w, who.uid))
        return -EAGAIN;
    *why = "the writer is out of memory";
    return server_add_peer(w, peer, socket, &who);
}

static void server_accept(struct framebus_writer *w)
{
    for (int i = 0; i < ACCEPTS_A_POLL; i++) {
        struct peer *peer = NULL;
        const char *why;
        int fd = door_accept(w);
        if (fd == -EAGAIN)
            return;
        if (fd < 0)
            continue;
        int r = server_let_in(w, &peer, fd, &why);
        if (r) {
            socket_refuse(fd, r, why);
            socket_close(fd);
        } else {
            peer_poll(w, peer); /* its HELLO is usually here already */
        }
    }
}

/* ---- readers ---- */

/*
 * The kernel limits the number of file descriptors that are under way for a user, and another process of our
 * user can have used them up (ETOOMANYREFS). The reader then gets its pool later.
 */
static void peer_wait_for_fds(struct framebus_writer *w, struct peer *peer)
{
    if (!w->server.fds_exhausted)
        log_line(
            FRAMEBUS_LOG_WARNING,
            "bus \"%s\": the kernel lets no more file descriptors be under way for our user (which of its "
            "processes does not receive them?); readers get their pool when it does",
            w->config.path.name);
    w->server.fds_exhausted = true;
    w->server.retry_at = w->server.polled_at + FDS_PAUSE;
    peer_leave_pool(peer);
}

/* May this reader have DMA-BUFs of slots, and does it want them? */
static bool peer_gets_exports(const struct framebus_writer *w, const struct peer *peer)
{
    return peer->wants_dmabufs && (w->config.dmabuf_for_all || peer->uid == 0 || peer->uid == geteuid());
}

/* Sends a reader the present pool. It is in the pool before the message leaves. */
static void peer_offer_pool(struct framebus_writer *w, struct peer *peer)
{
    struct pool *pool = w->pools.present;
    int page_fd;
    void *page;
    if (reader_page_create(&page, &page_fd)) {
        peer_dismiss(w, peer, EVICT, -ENOMEM, "%s", framebus_last_error());
        return;
    }
    /* A reader from an earlier pool goes on where it was; a new one begins with the newest frame. */
    uint64_t window = peer->has_moved ? w->config.window : 1;
    uint64_t start = pool->slots.published > window ? pool->slots.published - window : 0;
    peer->page = page;
    store_relaxed(&peer->page->next, (uint32_t)(start & NUMBER_MASK));
    store_relaxed(&peer->page->key_requests, peer->key_requests);
    slots_join(&pool->slots, &peer->reader, peer->page, peer->quota);
    peer->pool = pool_ref(pool);

    struct message_pool m;
    message_init(&m, MESSAGE_POOL, sizeof m);
    m.memory = w->config.memory;
    m.id = pool->region.id;
    m.region_size = pool->region.size;
    m.cookie = pool->header->cookie;
    m.start = start;
    int fds[] = {pool->region.shared_fd, page_fd};
    bool nameless = pool->region.shared_fd < 0;
    int r = imports_send_all(w, peer->socket, peer_gets_exports(w, peer));
    if (!r)
        r = socket_send(peer->socket, &m, fds + nameless, nameless ? 1 : 2);
    close(page_fd);
    if (r == -ETOOMANYREFS) {
        peer_wait_for_fds(w, peer);
        return;
    }
    peer->has_moved = true;
    if (r == -EAGAIN)
        peer_dismiss(w, peer, EVICT, -EPROTO, "it does not read its messages");
    else if (r)
        peer_drop(w, peer);
}

void server_offer_pool(struct framebus_writer *w)
{
    if (!w->pools.present)
        return;
    for (size_t i = 0; i < w->server.peer_count; i++)
        if (w->server.peers[i]->state == PEER_READER && !w->server.peers[i]->pool)
            peer_offer_pool(w, w->server.peers[i]);
}

void server_offer_import(struct framebus_writer *w, const struct framebus_import *import)
{
    for (size_t i = 0; i < w->server.peer_count; i++) {
        struct peer *peer = w->server.peers[i];
        if (peer->state == PEER_READER && peer->pool == w->pools.present &&
            imports_send_one(peer->socket, import))
            peer_dismiss(w, peer, EVICT, -EPROTO, "it does not read its messages");
    }
}

static void peer_on_hello(struct framebus_writer *w, struct peer *peer, const struct message_hello *hello)
{
    message_text(peer->label, hello->label, sizeof peer->label);
    if (hello->quota < 1 || hello->quota > QUOTA_MAX || hello->delivery > FRAMEBUS_DELIVERY_LOSSLESS) {
        peer_dismiss(w, peer, REFUSE, -EINVAL, "quota %u or delivery %u is out of range", hello->quota,
                     hello->delivery);
        return;
    }
    if (hello->delivery == FRAMEBUS_DELIVERY_LOSSLESS && !w->config.lossless) {
        peer_dismiss(w, peer, REFUSE, -EOPNOTSUPP, "its writer is not lossless");
        return;
    }
    if (pools_room(w, w->server.quotas + hello->quota) < 0) {
        peer_dismiss(w, peer, REFUSE, -EBUSY,
                     "it is full: no slots for another reader of %u frames; its writer has max-slots %u",
                     hello->quota, w->pools.max_slots);
        return;
    }

    struct message_welcome m;
    int bell_end;
    message_init(&m, MESSAGE_WELCOME, sizeof m);
    memcpy(m.label, w->config.label, sizeof m.label);
    if (bell_create(&peer->bell, &bell_end)) {
        peer_dismiss(w, peer, REFUSE, -EMFILE, "%s", framebus_last_error());
        return;
    }
    peer->state = PEER_READER;
    peer->id = ++w->server.readers_so_far;
    peer->wants_dmabufs = hello->head.flags & HELLO_WANTS_DMABUFS;
    peer->quota = hello->quota;
    peer->delivery = (enum framebus_delivery)hello->delivery;
    w->server.quotas += peer->quota;
    server_note(w);
    key_frames_want(w);
    int r = socket_send(peer->socket, &m, &bell_end, 1);
    close(bell_end);
    if (r == -ETOOMANYREFS)
        peer_dismiss(w, peer, REFUSE, -EAGAIN,
                     "too many file descriptors are under way for the writer's user");
    else if (r)
        peer_drop(w, peer);
    if (r)
        return;
    log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": reader %d (%s) came", w->config.path.name, (int)peer->pid,
             peer->label);
    if (w->pools.present)
        peer_offer_pool(w, peer);
}

static void peer_on_next(struct framebus_writer *w, struct peer *peer)
{
    if (!peer->pool || peer->pool == w->pools.present) {
        peer_dismiss(w, peer, EVICT, -EPROTO, "it asks for the next pool while this one goes on");
        return;
    }
    int r = imports_keep_page(w, peer, peer->quota, peer->pool, &peer->page);
    if (r) {
        peer_dismiss(w, peer, EVICT, r, "%s", framebus_last_error());
        return;
    }
    peer_leave_pool(peer);
    server_wake(w);
    if (w->pools.present)
        peer_offer_pool(w, peer);
}

static void peer_on_quota(struct framebus_writer *w, struct peer *peer, const struct message_quota *wish)
{
    if (wish->quota < 1 || wish->quota > QUOTA_MAX) {
        peer_dismiss(w, peer, EVICT, -EINVAL, "it asks for a quota of %u", wish->quota);
        return;
    }
    uint64_t quotas = w->server.quotas - peer->quota + wish->quota;
    if (wish->quota <= peer->quota || pools_room(w, quotas) >= 0) {
        w->server.quotas = quotas;
        peer->quota = peer->reader.quota = wish->quota;
        server_note(w);
    }
    struct message_quota m;
    message_init(&m, MESSAGE_QUOTA, sizeof m);
    m.quota = peer->quota;
    if (socket_send(peer->socket, &m, NULL, 0))
        peer_drop(w, peer);
}

void server_demote(struct framebus_writer *w, struct peer *peer)
{
    log_line(FRAMEBUS_LOG_WARNING,
             "bus \"%s\": reader %d (%s) is too slow for lossless delivery and is live now",
             w->config.path.name, (int)peer->pid, peer->label);
    peer->delivery = FRAMEBUS_DELIVERY_LIVE;
    server_note(w);
    server_wake(w);
    struct message_delivery m;
    message_init(&m, MESSAGE_DELIVERY, sizeof m);
    m.delivery = peer->delivery;
    socket_send(peer->socket, &m, NULL,
                0); /* a reader that does not receive it finds out by what it misses */
}

/* ---- messages ---- */

const struct message_info_reply *server_describe(struct framebus_writer *w)
{
    const struct writer_config *config = &w->config;
    const struct pool *pool = w->pools.present;
    struct message_info_reply *m = &w->server.message.info;
    struct framebus_bus_info info = {
        .lossless = config->lossless,
        .memory = config->memory,
        .history = config->history,
        .max_slots = w->pools.max_slots,
        .max_lends = config->max_lends,
        .published = w->pools.sequence,
        .evicted = w->server.evicted,
        .last_publish_ns = w->last_publish,
    };
    memcpy(info.label, config->label, sizeof info.label);
    if (w->interval > 0 && clock_now() - w->last_publish < 4 * w->interval + NS_PER_S / 4)
        info.rate_millihertz = (uint32_t)(1000 * NS_PER_S / w->interval);
    if (pool) {
        info.has_format = true;
        info.format = pool->format;
        info.lent = pool->slots.lent;
        info.slots_used = pool->exported ? pool->slots.limit : pool->slots.touched;
        info.memory_bytes = pool->memory;
        info.published += pool->slots.published;
    }
    info_store(m, &info);
    for (size_t i = 0; i < w->server.peer_count; i++) {
        const struct peer *p = w->server.peers[i];
        if (p->state != PEER_READER)
            continue;
        struct framebus_peer_info reader = {
            .id = p->id,
            .pid = p->pid,
            .uid = p->uid,
            .delivery = p->delivery,
            .quota = p->quota,
            .held = p->pool ? slots_held(&p->pool->slots, &p->reader) : 0,
            .taken = p->page ? counter_load(&p->page->taken) : 0,
            .missed = p->page ? counter_load(&p->page->missed) : 0,
        };
        memcpy(reader.label, p->label, sizeof reader.label);
        info_store_reader(m, &reader);
    }
    return m;
}

/* The answer comes from server_tell(). */
static void peer_on_watch(struct framebus_writer *w, struct peer *peer, uint32_t flags)
{
    if (peer->state == PEER_GREETING && !door_has_room_for_monitor(w, peer->uid)) {
        peer_dismiss(w, peer, REFUSE, -EAGAIN, "too many monitors");
        return;
    }
    peer->state = PEER_MONITOR;
    peer->asks = true;
    if (flags & WATCH_AT_ONCE)
        peer->told = 0;
    w->server.untold = true;
}

static void peer_on_message(struct framebus_writer *w, struct peer *peer, int type)
{
    switch (type) {
    case MESSAGE_HELLO:
        if (peer->state != PEER_GREETING)
            break;
        peer_on_hello(w, peer, &w->server.message.hello);
        return;
    case MESSAGE_INFO:
        if (peer->state != PEER_GREETING)
            break;
        if (socket_send(peer->socket, server_describe(w), NULL, 0))
            peer_drop(w, peer);
        return;
    case MESSAGE_WATCH:
        if (peer->state != PEER_GREETING && peer->state != PEER_MONITOR)
            break;
        peer_on_watch(w, peer, w->server.message.head.flags);
        return;
    case MESSAGE_NEXT:
        if (peer->state != PEER_READER)
            break;
        peer_on_next(w, peer);
        return;
    case MESSAGE_QUOTA:
        if (peer->state != PEER_READER)
            break;
        peer_on_quota(w, peer, &w->server.message.quota);
        return;
    case MESSAGE_BELL:
        if (peer->state != PEER_READER)
            break;
        imports_on_ring(w);
        server_wake(w);
        return;
    default:
        break;
    }
    peer_dismiss(w, peer, EVICT, -EPROTO, "it sends a message of type %d that does not belong here", type);
}

static void peer_poll(struct framebus_writer *w, struct peer *peer)
{
    for (int i = 0; i < MESSAGES_OF_A_PEER && peer->state != PEER_GONE; i++) {
        int type = socket_receive(peer->socket, &w->server.message, NULL, NULL);
        if (type == -EAGAIN)
            return;
        if (type > 0 && !door_may_speak(w, peer, type))
            peer_dismiss(w, peer, EVICT, -EPROTO, "it floods the bus with messages");
        else if (type > 0)
            peer_on_message(w, peer, type);
        else if (type == -EPROTO)
            peer_dismiss(w, peer, EVICT, -EPROTO, "it sends %s", framebus_last_error());
        else if (type == -EPROTONOSUPPORT)
            peer_dismiss(w, peer, REFUSE, -EPROTONOSUPPORT,
                         "this writer speaks version %d of the protocol, you speak version %u", LAYOUT_ABI,
                         w->server.message.head.abi);
        else
            peer_drop(w, peer);
    }
}

int server_poll(struct framebus_writer *w)
{
    struct epoll_event events[EVENTS_A_POLL];
    w->server.polled_at = clock_now();
    door_poll(w);
    if (w->server.retry_at && w->server.polled_at >= w->server.retry_at) {
        w->server.retry_at = 0;
        server_offer_pool(w);
        w->server.fds_exhausted = w->server.retry_at != 0;
    }
    int n = epoll_wait(w->server.epoll, events, EVENTS_A_POLL, 0);
    if (n < 0)
        return errno == EINTR
                   ? 0
                   : fail(-errno, "cannot serve bus \"%s\": %s", w->config.path.name, strerror(errno));
    for (int i = 0; i < n; i++) {
        struct peer *peer = events[i].data.ptr;
        if (!peer)
            server_accept(w);
        else if (events[i].data.ptr != &w->notice && peer->state != PEER_GONE)
            peer_poll(w, peer);
    }
    server_tell(w);
    server_free_gone(w);
    return 0;
}
