/* SPDX-License-Identifier: MIT */
#include "writer/door.h"

#include "base/clock.h"
#include "base/log.h"
#include "writer/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX           2048
#define PEERS_OF_A_USER     1024
#define MONITORS_MAX        256
#define MONITORS_OF_A_USER  64
#define STRANGERS_MAX       256 /* connected, and silent so far */
#define STRANGERS_OF_A_USER 64
#define BELLS_A_WAIT        16   /* a reader that keeps the protocol rings once for each */
#define MESSAGES_A_SECOND   100  /* of any other kind */
#define MESSAGES_OF_A_USER  1000 /* a second, of all its processes together */
#define MESSAGES_FREE       10   /* a peer that sent at most this many is not to blame for a busy user */
#define COMPLAINTS_A_SECOND 50   /* strangers may come back without end */
#define ACCEPT_PAUSE        (100 * NS_PER_MS)

/* Counts one more; returns how many that makes in this second. */
static uint32_t rate_count(struct rate *rate, int64_t now)
{
    if (now - rate->since > NS_PER_S)
        *rate = (struct rate){.since = now};
    return ++rate->count;
}

bool door_may_complain(struct framebus_writer *w)
{
    uint32_t count = rate_count(&w->door.complaints, w->server.polled_at);
    if (count == COMPLAINTS_A_SECOND)
        log_line(FRAMEBUS_LOG_WARNING,
                 "bus \"%s\": strangers misbehave so often that not all of it is logged",
                 w->config.path.name);
    return count < COMPLAINTS_A_SECOND;
}

/* ---- accepting ---- */

static int door_open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void door_init(struct framebus_writer *w)
{
    w->door.spare = -1;
}

bool door_open(struct framebus_writer *w)
{
    w->door.spare = door_open_spare();
    return w->door.spare >= 0;
}

void door_close(struct framebus_writer *w)
{
    if (w->door.spare >= 0)
        close(w->door.spare);
    w->door.spare = -1;
}

/* Stops polling the listener while there are no fds: it would stay readable, and poll() return at once. */
static void door_pause_accept(struct framebus_writer *w, bool pause)
{
    struct epoll_event interest = {.events = pause ? 0 : EPOLLIN};
    if (w->door.paused_accept == pause ||
        epoll_ctl(w->server.epoll, EPOLL_CTL_MOD, w->name.listener, &interest))
        return;
    w->door.paused_accept = pause;
    w->door.retry_at = w->server.polled_at + ACCEPT_PAUSE;
}

void door_resume_accept(struct framebus_writer *w)
{
    door_pause_accept(w, false);
}

void door_poll(struct framebus_writer *w)
{
    if (w->door.paused_accept && w->server.polled_at >= w->door.retry_at)
        door_pause_accept(w, false);
}

/* Accepts a connection on the spare fd and refuses it: in the backlog it would wake us without end. */
static void door_turn_away(struct framebus_writer *w)
{
    if (door_may_complain(w))
        log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": no file descriptors left for another reader",
                 w->config.path.name);
    close(w->door.spare);
    w->door.spare = -1;
    int fd = accept4(w->name.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* another thread was quicker, and has that fd now */
    socket_refuse(fd, -EMFILE, "the writer has no file descriptors left");
    /* In one step, so that no thread is quicker here. */
    w->door.spare = dup3(w->server.wake, fd, O_CLOEXEC);
    if (w->door.spare < 0)
        socket_close(fd);
}

int door_accept(struct framebus_writer *w)
{
    if (w->door.spare < 0)
        w->door.spare = door_open_spare();
    int fd = accept4(w->name.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        socket_refuse_fds(fd);
        return fd;
    }
    if (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)
        return -EAGAIN;
    if (errno != EMFILE && errno != ENFILE)
        return -ECONNABORTED;
    if (w->door.spare >= 0)
        door_turn_away(w);
    if (w->door.spare >= 0)
        return -ECONNABORTED;
    door_pause_accept(w, true);
    return -EAGAIN;
}

/* ---- who ---- */

bool door_lets_in(const struct framebus_writer *w, int socket, const struct socket_peer *who)
{
    const struct writer_config *config = &w->config;
    if (who->uid == 0 || who->uid == geteuid() || (config->mode & 0006) == 0006)
        return true;
    if ((config->mode & 0060) != 0060)
        return false;
    gid_t group = config->group != (gid_t)-1 ? config->group : getegid();
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

struct peer *door_find_silent(const struct framebus_writer *w, uid_t uid)
{
    struct peer *oldest = NULL, *oldest_of_user = NULL;
    size_t strangers = 0, of_user = 0;
    for (size_t i = 0; i < w->server.peer_count; i++) {
        struct peer *p = w->server.peers[i];
        if (p->state != PEER_GREETING)
            continue;
        strangers++;
        if (!oldest || p->deadline < oldest->deadline)
            oldest = p;
        if (p->uid != uid)
            continue;
        of_user++;
        if (!oldest_of_user || p->deadline < oldest_of_user->deadline)
            oldest_of_user = p;
    }
    return of_user >= STRANGERS_OF_A_USER ? oldest_of_user : strangers >= STRANGERS_MAX ? oldest : NULL;
}

/* Are there fewer of these peers than both limits, in all and of this user? */
static bool door_has_fewer(const struct framebus_writer *w, uid_t uid, bool only_monitors, size_t limit,
                           size_t limit_of_user)
{
    size_t all = 0, of_user = 0;
    for (size_t i = 0; i < w->server.peer_count; i++) {
        const struct peer *p = w->server.peers[i];
        if (p->state == PEER_GONE || (only_monitors && p->state != PEER_MONITOR))
            continue;
        all++;
        of_user += p->uid == uid;
    }
    return all < limit && of_user < limit_of_user;
}

bool door_has_room(const struct framebus_writer *w, uid_t uid)
{
    return door_has_fewer(w, uid, false, PEERS_MAX, PEERS_OF_A_USER);
}

bool door_has_room_for_monitor(const struct framebus_writer *w, uid_t uid)
{
    return door_has_fewer(w, uid, true, MONITORS_MAX, MONITORS_OF_A_USER);
}

/* ---- how much ---- */

/* The number of messages that this user's processes have sent in this second, this one included. Users that
 * share an entry take turns in it. */
static uint32_t door_count_user(struct framebus_writer *w, uid_t uid)
{
    struct door_user *user = &w->door.users[uid % DOOR_USERS];
    if (user->uid != uid)
        *user = (struct door_user){.uid = uid, .messages.since = w->server.polled_at};
    return rate_count(&user->messages, w->server.polled_at);
}

bool door_may_speak(struct framebus_writer *w, struct peer *peer, int type)
{
    if (type == MESSAGE_BELL) {
        if ((int32_t)(peer->said.rings - w->pools.wait_count) < 0)
            peer->said.rings = w->pools.wait_count;
        return ++peer->said.rings - w->pools.wait_count <= BELLS_A_WAIT;
    }
    if (type == MESSAGE_NEXT)
        return true; /* one for each pool; a reader that sends more is evicted anyway */
    uint32_t of_peer = rate_count(&peer->said.messages, w->server.polled_at);
    uint32_t of_user = door_count_user(w, peer->uid);
    uint32_t innocent =
        peer->state == PEER_READER ? MESSAGES_FREE : 1; /* a stranger can come back as another */
    return of_peer <= MESSAGES_A_SECOND && (of_user <= MESSAGES_OF_A_USER || of_peer <= innocent);
}
