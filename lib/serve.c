/* SPDX-License-Identifier: MIT */
#include "writer.h"

#include "clock.h"
#include "connection.h"
#include "list.h"
#include "log.h"
#include "semaphore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING_TIME       (2 * NS_PER_S)
#define ACCEPTS_A_LOOK      16
#define MESSAGES_A_LOOK     8
#define EVENTS_A_LOOK       32
#define PEERS_MAX           2048
#define PEERS_OF_A_USER     1024
#define STRANGERS_MAX       256 /* connected and not a word yet */
#define STRANGERS_OF_A_USER 64
#define BELLS_A_NAP         16   /* a reader rings once for each time that we begin to wait */
#define TALK_A_SECOND       100  /* messages of any other kind */
#define TALK_OF_A_USER      1000 /* the same, of all its processes together ... */
#define TALK_FREE           10   /* ... but those who said no more than this are not to blame */
#define LINES_A_SECOND      50   /* about strangers, who may come back without end */
#define DEAF_TIME           (100 * NS_PER_MS)
#define STRAPPED_TIME       (50 * NS_PER_MS)

#define FOREIGN_TO_OLD "frames are in foreign memory here, of which its library knows nothing: update it"

static struct peer *peer_of(struct slots_reader *reader)
{
    return (struct peer *)((char *)reader - offsetof(struct peer, reader));
}

/* ---- coming and going ---- */

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int serve_open(struct framebus_writer *w)
{
    w->spare = open_spare();
    w->last_look = clock_now();
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN};
    if (w->spare < 0 || w->epoll < 0 || w->wake < 0 ||
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->claim.listener, &interest))
        return fail(-errno, "cannot serve bus \"%s\": %s", w->place.name, strerror(errno));
    return 0;
}

/* Without fds for those who knock the listener would be readable for ever, and who polls us would spin. */
static void set_deaf(struct framebus_writer *w, bool deaf)
{
    struct epoll_event interest = {.events = deaf ? 0 : EPOLLIN};
    if (w->deaf == deaf || epoll_ctl(w->epoll, EPOLL_CTL_MOD, w->claim.listener, &interest))
        return;
    w->deaf = deaf;
    w->deaf_until = w->last_look + DEAF_TIME;
}

void serve_wake(struct framebus_writer *w)
{
    if (w->polling)
        eventfd_write(w->wake, 1);
    else if (w->waiting)
        pthread_cond_broadcast(&w->changed);
}

/* The reader leaves the pool it stands in; its claims there count no more. */
static void leave_pool(struct peer *peer)
{
    if (!peer->pool)
        return;
    slots_leave(&peer->pool->slots, &peer->reader);
    page_finish(peer->page);
    peer->page = NULL;
    pool_unref(peer->pool);
    peer->pool = NULL;
}

static void drop(struct framebus_writer *w, struct peer *peer)
{
    if (peer->state == PEER_GONE)
        return;
    if (peer->state == PEER_READER) {
        w->quotas -= peer->quota;
        log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": reader %d (%s) left", w->place.name, (int)peer->pid,
                 peer->label);
    }
    peer->state = PEER_GONE;
    w->have_gone = true;
    leave_pool(peer);
    /* close() alone is not enough: a child between fork() and exec has a copy, and with that the epoll
     * set would go on telling of a peer that is freed. */
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, peer->socket, NULL);
    connection_close(peer->socket);
    if (peer->bell >= 0)
        close(peer->bell);
    set_deaf(w, false); /* these fds are free again */
    serve_wake(w);
}

/* May another line be written that a stranger has caused? */
static bool may_complain(struct framebus_writer *w)
{
    if (w->last_look - w->lines_since > NS_PER_S) {
        w->lines_since = w->last_look;
        w->lines = 0;
    }
    if (++w->lines == LINES_A_SECOND)
        log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": strangers misbehave so often that not all is told",
                 w->place.name);
    return w->lines < LINES_A_SECOND;
}

/* Throws a peer out, with one line in the log and one to the peer. */
static void evict(struct framebus_writer *w, struct peer *peer, int error, const char *text, ...)
    FRAMEBUS_PRINTF(4, 5);

static void evict(struct framebus_writer *w, struct peer *peer, int error, const char *text, ...)
{
    if (peer->state == PEER_GONE)
        return;
    char reason[160];
    va_list args;
    va_start(args, text);
    vsnprintf(reason, sizeof reason, text, args);
    va_end(args);
    if (peer->state == PEER_READER || may_complain(w))
        log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": process %d (%s) was thrown out: %s", w->place.name,
                 (int)peer->pid, peer->label, reason);
    w->evicted++;
    connection_refuse(peer->socket, error, reason);
    drop(w, peer);
}

/* Frees those that went. Not while a batch of events may still name them. */
static void bury(struct framebus_writer *w)
{
    if (!w->have_gone)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < w->peer_count; i++) {
        if (w->peers[i]->state == PEER_GONE)
            free(w->peers[i]);
        else
            w->peers[kept++] = w->peers[i];
    }
    w->peer_count = kept;
    w->have_gone = false;
}

void serve_close(struct framebus_writer *w)
{
    for (size_t i = 0; i < w->peer_count; i++)
        drop(w, w->peers[i]);
    bury(w);
    free(w->peers);
    w->peers = NULL;
    serve_forget(w);
}

void serve_forget(struct framebus_writer *w)
{
    for (size_t i = 0; i < w->peer_count; i++) {
        if (w->peers[i]->state == PEER_GONE)
            continue;
        close(w->peers[i]->socket);
        if (w->peers[i]->bell >= 0)
            close(w->peers[i]->bell);
    }
    if (w->epoll >= 0)
        close(w->epoll);
    if (w->wake >= 0)
        close(w->wake);
    if (w->spare >= 0)
        close(w->spare);
    w->epoll = w->wake = w->spare = -1;
}

void serve_expel(struct framebus_writer *w)
{
    if (!w->pool)
        return;
    struct slots_reader *next;
    for (struct slots_reader *r = w->pool->slots.readers; r; r = next) {
        next = r->next;
        if (r->expelled)
            evict(w, peer_of(r), -EDQUOT, "it holds more than the %u frames it asked for", r->quota);
    }
}

void serve_ring(struct framebus_writer *w, struct pool *pool)
{
    struct slots_reader *next;
    for (struct slots_reader *r = pool->slots.readers; r; r = next) {
        next = r->next;
        struct peer *peer = peer_of(r);
        if (!semaphore_must_ring(&r->page->sleeps, &r->rung))
            continue;
        if (!bell_ring(peer->bell, &peer->strikes))
            evict(w, peer, -EBUSY, "waking it takes too long: too many wait on its bell");
    }
}

/* ---- strangers ---- */

/* May this user read the bus? The socket's mode said so already; this is the second lock. */
static bool may_read(const struct framebus_writer *w, int socket, const struct connection_peer *who)
{
    if (who->uid == 0 || who->uid == geteuid() || (w->mode & 0006) == 0006)
        return true;
    if ((w->mode & 0060) != 0060)
        return false;
    gid_t group = w->group != (gid_t)-1 ? w->group : getegid();
    gid_t groups[1024];
    socklen_t size = sizeof groups;
    if (who->gid == group)
        return true;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
        return false;
    for (size_t i = 0; i < size / sizeof *groups; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/*
 * Makes room for another stranger. One that means well has said HELLO before it is accepted, or will
 * at once; so it is the one that has been silent longest who goes, and is told to try again. A user
 * with many of them loses its own.
 */
static void limit_strangers(struct framebus_writer *w, uid_t uid)
{
    struct peer *oldest = NULL, *oldest_of_user = NULL;
    size_t strangers = 0, of_user = 0;
    for (size_t i = 0; i < w->peer_count; i++) {
        struct peer *p = w->peers[i];
        if (p->state != PEER_GREETING)
            continue;
        if (w->last_look > p->deadline) {
            drop(w, p);
            continue;
        }
        strangers++;
        if (!oldest || p->deadline < oldest->deadline)
            oldest = p;
        if (p->uid != uid)
            continue;
        of_user++;
        if (!oldest_of_user || p->deadline < oldest_of_user->deadline)
            oldest_of_user = p;
    }
    struct peer *loser = of_user >= STRANGERS_OF_A_USER ? oldest_of_user
                         : strangers >= STRANGERS_MAX   ? oldest
                                                        : NULL;
    if (!loser)
        return;
    connection_refuse(loser->socket, -EAGAIN, "too many connections that say nothing");
    drop(w, loser);
}

/* What keeps this one from being let in; 0: nothing. */
static int objection(struct framebus_writer *w, int socket, const struct connection_peer *who,
                     const char **why)
{
    *why = "you may not read this bus";
    if (!may_read(w, socket, who))
        return -EACCES;
    limit_strangers(w, who->uid);
    size_t all = 0, of_user = 0;
    for (size_t i = 0; i < w->peer_count; i++) {
        all += w->peers[i]->state != PEER_GONE;
        of_user += w->peers[i]->state != PEER_GONE && w->peers[i]->uid == who->uid;
    }
    *why = "too many connections";
    return all >= PEERS_MAX || of_user >= PEERS_OF_A_USER ? -EAGAIN : 0;
}

static int add_peer(struct framebus_writer *w, struct peer **added, int socket,
                    const struct connection_peer *who)
{
    if (w->peer_count == w->peer_room) {
        size_t room = w->peer_room ? 2 * w->peer_room : 16;
        struct peer **more = realloc(w->peers, room * sizeof *more);
        if (!more)
            return -ENOMEM;
        w->peers = more;
        w->peer_room = room;
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
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, socket, &interest)) {
        int error = -errno;
        free(peer);
        return error;
    }
    w->peers[w->peer_count++] = *added = peer;
    return 0;
}

/* Without an fd to accept it with, a connection would stay in the backlog and wake us for ever. */
static void turn_away_without_fds(struct framebus_writer *w)
{
    if (may_complain(w))
        log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": no file descriptors left for another reader",
                 w->place.name);
    close(w->spare);
    w->spare = -1;
    int fd = accept4(w->claim.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* another thread was quicker, and has the spare one now */
    connection_refuse(fd, -EMFILE, "the writer has no file descriptors left");
    /* In one step, lest that happens here. */
    w->spare = dup3(w->wake, fd, O_CLOEXEC);
    if (w->spare < 0)
        connection_close(fd);
}

static void listen_to(struct framebus_writer *w, struct peer *peer);

static void accept_some(struct framebus_writer *w)
{
    if (w->spare < 0)
        w->spare = open_spare();
    for (int i = 0; i < ACCEPTS_A_LOOK; i++) {
        int fd = accept4(w->claim.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            if (w->spare >= 0)
                turn_away_without_fds(w);
            if (w->spare >= 0)
                continue;
            set_deaf(w, true);
            return;
        }
        if (fd < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS))
            return;
        if (fd < 0)
            continue;
        connection_take_no_fds(fd);
        struct connection_peer who;
        struct peer *peer = NULL;
        const char *why = "who are you?";
        int r = connection_get_peer(fd, &who);
        if (!r)
            r = objection(w, fd, &who, &why);
        if (!r && (r = add_peer(w, &peer, fd, &who)))
            why = "the writer is out of memory";
        if (r) {
            connection_refuse(fd, r, why);
            connection_close(fd);
        } else {
            listen_to(w, peer); /* its HELLO is here already, as a rule */
        }
    }
}

/* ---- readers ---- */

/*
 * The kernel lets only so many file descriptors be under way for a user, and another process of ours can
 * have used them up (ETOOMANYREFS). That is no reason to lose a reader: it gets its pool later.
 */
static void owe_pool(struct framebus_writer *w, struct peer *peer)
{
    if (!w->strapped)
        log_line(
            FRAMEBUS_LOG_WARNING,
            "bus \"%s\": the kernel lets no more file descriptors be under way for our user (which of its "
            "processes does not receive them?); readers get their pool when it does",
            w->place.name);
    w->strapped = true;
    w->owed_at = w->last_look + STRAPPED_TIME;
    leave_pool(peer);
}

/* Sends a reader the present pool, and enters it there before the message leaves. */
static void offer(struct framebus_writer *w, struct peer *peer)
{
    struct pool *pool = w->pool;
    int page_fd;
    void *page;
    if (pool->bound && !(peer->flags & HELLO_KNOWS_BUFFERS)) {
        evict(w, peer, -EPROTONOSUPPORT, FOREIGN_TO_OLD);
        return;
    }
    if (page_create(&page, &page_fd)) {
        evict(w, peer, -ENOMEM, "%s", framebus_last_error());
        return;
    }
    /* Who comes from an earlier pool goes on where it was; a newcomer begins with the newest frame. */
    uint64_t window = peer->moves ? w->window : 1;
    uint64_t start = pool->slots.published > window ? pool->slots.published - window : 0;
    peer->page = page;
    store_relaxed(&peer->page->next, (uint32_t)(start & NUMBER_MASK));
    slots_join(&pool->slots, &peer->reader, peer->page, peer->quota);
    peer->pool = pool;
    pool->refs++;

    struct message_pool m;
    message_init(&m, MESSAGE_POOL, sizeof m);
    m.memory = w->memory;
    m.id = pool->region.id;
    m.region_size = pool->region.size;
    m.cookie = pool->header->cookie;
    m.start = start;
    int fds[] = {pool->region.shared_fd, page_fd};
    bool nameless = pool->region.shared_fd < 0;
    int r = foreign_tell(w, peer, NULL);
    if (!r)
        r = connection_send(peer->socket, &m, fds + nameless, nameless ? 1 : 2);
    close(page_fd);
    if (r == -ETOOMANYREFS) {
        owe_pool(w, peer);
        return;
    }
    peer->moves = true;
    if (r == -EAGAIN)
        evict(w, peer, -EPROTO, "it does not read its messages");
    else if (r)
        drop(w, peer);
}

void serve_offer(struct framebus_writer *w)
{
    if (!w->pool)
        return;
    for (size_t i = 0; i < w->peer_count; i++)
        if (w->peers[i]->state == PEER_READER && !w->peers[i]->pool)
            offer(w, w->peers[i]);
}

int64_t serve_room(const struct framebus_writer *w, uint64_t quotas)
{
    uint32_t bound = w->pool ? w->pool->bound : 0;
    return (int64_t)w->max_slots - (int64_t)(w->window + w->max_lends + 1 + bound + quotas);
}

void serve_introduce(struct framebus_writer *w, const struct framebus_buffer *buffer)
{
    for (size_t i = 0; i < w->peer_count; i++) {
        struct peer *peer = w->peers[i];
        if (peer->state != PEER_READER || peer->pool != w->pool)
            continue;
        if (!(peer->flags & HELLO_KNOWS_BUFFERS))
            evict(w, peer, -EPROTONOSUPPORT, FOREIGN_TO_OLD);
        else if (foreign_tell(w, peer, buffer))
            evict(w, peer, -EPROTO, "it does not read its messages");
    }
}

/* Says no at the door. */
static void refuse(struct framebus_writer *w, struct peer *peer, int error, const char *text, ...)
    FRAMEBUS_PRINTF(4, 5);

static void refuse(struct framebus_writer *w, struct peer *peer, int error, const char *text, ...)
{
    char reason[160];
    va_list args;
    va_start(args, text);
    vsnprintf(reason, sizeof reason, text, args);
    va_end(args);
    log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": process %d was refused: %s", w->place.name, (int)peer->pid,
             reason);
    connection_refuse(peer->socket, error, reason);
    drop(w, peer);
}

static void on_hello(struct framebus_writer *w, struct peer *peer, const struct message_hello *hello)
{
    message_text(peer->label, hello->label, sizeof peer->label);
    if (hello->quota < 1 || hello->quota > QUOTA_MAX || hello->delivery > FRAMEBUS_DELIVERY_LOSSLESS) {
        refuse(w, peer, -EINVAL, "quota %u or delivery %u is out of range", hello->quota, hello->delivery);
        return;
    }
    if (hello->delivery == FRAMEBUS_DELIVERY_LOSSLESS && !w->lossless) {
        refuse(w, peer, -EOPNOTSUPP, "its writer is not lossless");
        return;
    }
    if (serve_room(w, w->quotas + hello->quota) < 0) {
        refuse(w, peer, -EBUSY,
               "it is full: no slots for another reader of %u frames; its writer has max-slots %u",
               hello->quota, w->max_slots);
        return;
    }

    struct message_welcome m;
    int bell_end;
    message_init(&m, MESSAGE_WELCOME, sizeof m);
    memcpy(m.label, w->label, sizeof m.label);
    if (bell_create(&peer->bell, &bell_end)) {
        refuse(w, peer, -EMFILE, "%s", framebus_last_error());
        return;
    }
    peer->state = PEER_READER;
    peer->flags = hello->head.flags;
    peer->quota = hello->quota;
    peer->delivery = (enum framebus_delivery)hello->delivery;
    w->quotas += peer->quota;
    int r = connection_send(peer->socket, &m, &bell_end, 1);
    close(bell_end);
    if (r == -ETOOMANYREFS)
        refuse(w, peer, -EAGAIN, "too many file descriptors are under way for the writer's user");
    else if (r)
        drop(w, peer);
    if (r)
        return;
    log_line(FRAMEBUS_LOG_INFO, "bus \"%s\": reader %d (%s) came", w->place.name, (int)peer->pid,
             peer->label);
    if (w->pool)
        offer(w, peer);
}

static void on_next(struct framebus_writer *w, struct peer *peer)
{
    if (!peer->pool || peer->pool == w->pool) {
        evict(w, peer, -EPROTO, "it asks for the next pool while this one goes on");
        return;
    }
    leave_pool(peer);
    serve_wake(w);
    if (w->pool)
        offer(w, peer);
}

static void on_quota(struct framebus_writer *w, struct peer *peer, const struct message_quota *wish)
{
    if (wish->quota < 1 || wish->quota > QUOTA_MAX) {
        evict(w, peer, -EINVAL, "it asks for a quota of %u", wish->quota);
        return;
    }
    uint64_t quotas = w->quotas - peer->quota + wish->quota;
    if (wish->quota <= peer->quota || serve_room(w, quotas) >= 0) {
        w->quotas = quotas;
        peer->quota = peer->reader.quota = wish->quota;
    }
    struct message_quota m;
    message_init(&m, MESSAGE_QUOTA, sizeof m);
    m.quota = peer->quota;
    if (connection_send(peer->socket, &m, NULL, 0))
        drop(w, peer);
}

void serve_demote(struct framebus_writer *w, struct peer *peer)
{
    log_line(FRAMEBUS_LOG_WARNING,
             "bus \"%s\": reader %d (%s) is too slow for lossless delivery and is live now", w->place.name,
             (int)peer->pid, peer->label);
    peer->delivery = FRAMEBUS_DELIVERY_LIVE;
    serve_wake(w);
    struct message_delivery m;
    message_init(&m, MESSAGE_DELIVERY, sizeof m);
    m.delivery = peer->delivery;
    connection_send(peer->socket, &m, NULL, 0); /* one that does not read finds out by what it misses */
}

/* ---- messages ---- */

const struct message_info_reply *serve_describe(struct framebus_writer *w)
{
    struct message_info_reply *m = &w->message.info;
    message_init(m, MESSAGE_INFO_REPLY, sizeof *m);
    m->lossless = w->lossless;
    memcpy(m->label, w->label, sizeof m->label);
    m->memory = w->memory;
    m->history = w->history;
    m->max_slots = w->max_slots;
    m->max_lends = w->max_lends;
    m->published = w->sequence;
    m->evicted = w->evicted;
    m->last_publish_ns = w->last_publish;
    if (w->interval > 0 && clock_now() - w->last_publish < 4 * w->interval + NS_PER_S / 4)
        m->rate_mhz = (uint32_t)(1000 * NS_PER_S / w->interval);

    char *tail = (char *)(m + 1);
    if (w->pool) {
        struct pool *pool = w->pool;
        m->has_format = 1;
        m->format = pool->header->format;
        m->lent = pool->slots.lent;
        m->slots_used = pool->exported ? pool->slots.limit : pool->slots.touched;
        m->memory_bytes = pool->header->data_offset + m->slots_used * pool->header->slot_stride;
        m->published += pool->slots.published;
        memcpy(tail, pool->caps, m->format.caps_size);
        tail += m->format.caps_size;
    }
    for (size_t i = 0; i < w->peer_count; i++) {
        const struct peer *p = w->peers[i];
        if (p->state != PEER_READER)
            continue;
        m->readers++;
        if (m->readers_told == INFO_PEERS_MAX)
            continue;
        m->readers_told++;
        struct message_peer told = {
            .pid = p->pid,
            .uid = p->uid,
            .delivery = p->delivery,
            .quota = p->quota,
            .held = p->pool ? slots_held(&p->pool->slots, &p->reader) : 0,
            .taken = p->page ? load_relaxed(&p->page->taken) : 0,
            .missed = p->page ? load_relaxed(&p->page->missed) : 0,
        };
        memcpy(told.label, p->label, sizeof told.label);
        memcpy(tail, &told, sizeof told); /* after caps text of any length */
        tail += sizeof told;
    }
    m->head.size = (uint32_t)(tail - (char *)m);
    return m;
}

static void on_message(struct framebus_writer *w, struct peer *peer, int type)
{
    switch (type) {
    case MESSAGE_HELLO:
        if (peer->state != PEER_GREETING)
            break;
        on_hello(w, peer, &w->message.hello);
        return;
    case MESSAGE_INFO:
        if (peer->state != PEER_GREETING)
            break;
        if (connection_send(peer->socket, serve_describe(w), NULL, 0))
            drop(w, peer);
        return;
    case MESSAGE_NEXT:
        if (peer->state != PEER_READER)
            break;
        on_next(w, peer);
        return;
    case MESSAGE_QUOTA:
        if (peer->state != PEER_READER)
            break;
        on_quota(w, peer, &w->message.quota);
        return;
    case MESSAGE_BELL:
        if (peer->state != PEER_READER)
            break;
        if (peer->pool)
            peer->pool->armed = false;
        serve_wake(w);
        return;
    default:
        break;
    }
    evict(w, peer, -EPROTO, "it sends a message of type %d that does not belong here", type);
}

/* What this user's processes have said in this second, with this message. Users that share an entry
 * take turns in it. */
static uint32_t count_talk(struct framebus_writer *w, uid_t uid)
{
    struct talk *talk = &w->talk[uid % TALK_USERS];
    if (talk->uid != uid || w->last_look - talk->since > NS_PER_S)
        *talk = (struct talk){.uid = uid, .since = w->last_look};
    return ++talk->messages;
}

/* A flood of messages would take the lock from those who publish. */
static bool may_speak(struct framebus_writer *w, struct peer *peer, int type)
{
    if (type == MESSAGE_BELL) {
        if ((int32_t)(peer->bells - w->naps) < 0)
            peer->bells = w->naps;
        return ++peer->bells - w->naps <= BELLS_A_NAP;
    }
    if (type == MESSAGE_NEXT)
        return true; /* one for each pool that we make, or it is thrown out anyway */
    if (w->last_look - peer->since > NS_PER_S) {
        peer->since = w->last_look;
        peer->messages = 0;
    }
    peer->messages++;
    uint32_t of_user = count_talk(w, peer->uid);
    uint32_t innocent = peer->state == PEER_READER ? TALK_FREE : 1; /* strangers come back as others */
    return peer->messages <= TALK_A_SECOND && (of_user <= TALK_OF_A_USER || peer->messages <= innocent);
}

static void listen_to(struct framebus_writer *w, struct peer *peer)
{
    for (int i = 0; i < MESSAGES_A_LOOK && peer->state != PEER_GONE; i++) {
        int type = connection_receive(peer->socket, &w->message, NULL, NULL);
        if (type == -EAGAIN)
            return;
        if (type > 0 && !may_speak(w, peer, type))
            evict(w, peer, -EPROTO, "it floods the bus with messages");
        else if (type > 0)
            on_message(w, peer, type);
        else if (type == -EPROTO)
            evict(w, peer, -EPROTO, "it sends %s", framebus_last_error());
        else if (type == -EPROTONOSUPPORT)
            refuse(w, peer, -EPROTONOSUPPORT,
                   "this writer speaks version %d of the protocol, you speak version %u", LAYOUT_ABI,
                   w->message.head.abi);
        else
            drop(w, peer);
    }
}

int serve_look(struct framebus_writer *w)
{
    struct epoll_event events[EVENTS_A_LOOK];
    w->last_look = clock_now();
    if (w->deaf && w->last_look >= w->deaf_until)
        set_deaf(w, false);
    if (w->owed_at && w->last_look >= w->owed_at) {
        w->owed_at = 0;
        serve_offer(w);
        w->strapped = w->owed_at != 0;
    }
    int n = epoll_wait(w->epoll, events, EVENTS_A_LOOK, 0);
    if (n < 0)
        return errno == EINTR ? 0
                              : fail(-errno, "cannot serve bus \"%s\": %s", w->place.name, strerror(errno));
    for (int i = 0; i < n; i++) {
        struct peer *peer = events[i].data.ptr;
        if (!peer)
            accept_some(w);
        else if (peer->state != PEER_GONE)
            listen_to(w, peer);
    }
    bury(w);
    return 0;
}
