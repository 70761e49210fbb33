/* SPDX-License-Identifier: MIT */
/* Who may come in, and how much a peer may say: every limit on those that a writer cannot trust. */
#ifndef FRAMEBUS_WRITER_DOOR_H
#define FRAMEBUS_WRITER_DOOR_H

#include "base/socket.h"

struct framebus_writer;
struct peer;

/* Counts what may happen a limited number of times a second. */
struct rate {
    int64_t since;
    uint32_t count;
};

/* What the processes of one user have said lately. */
struct door_user {
    uid_t uid;
    struct rate messages;
};

/* What one peer has said. */
struct door_peer {
    uint32_t rings;       /* number of BELLs, counted up from pools.wait_count */
    struct rate messages; /* of other types */
};

#define DOOR_USERS 64

struct door {
    int spare;          /* fd to give up when there are no more, so that accept() never spins */
    bool paused_accept; /* the listener is not polled until retry_at */
    int64_t retry_at;
    struct rate complaints;             /* lines in the log that strangers caused */
    struct door_user users[DOOR_USERS]; /* entry uid % DOOR_USERS */
};

/* Comes before all others. */
void door_init(struct framebus_writer *w);

/* False, with errno: there is no fd to spare. */
bool door_open(struct framebus_writer *w);

/* Closes fds, in a forked child as well. */
void door_close(struct framebus_writer *w);

/* Accepts a connection. -EAGAIN: there is none for now; -ECONNABORTED: one hung up, or was turned
 * away. */
int door_accept(struct framebus_writer *w);

/* Accepts connections again, because fds have been closed. */
void door_resume_accept(struct framebus_writer *w);

/* Accepts connections again when the pause is over. */
void door_poll(struct framebus_writer *w);

/* May this user read the bus? A second check, beside the mode of the socket. */
bool door_lets_in(const struct framebus_writer *w, int socket, const struct socket_peer *who);

/* The stranger that has been silent longest, if it has to leave before another one of this user comes in;
 * else NULL. */
struct peer *door_find_silent(const struct framebus_writer *w, uid_t uid);

/* May this user have one more connection? */
bool door_has_room(const struct framebus_writer *w, uid_t uid);

/* May this user have one more monitor? */
bool door_has_room_for_monitor(const struct framebus_writer *w, uid_t uid);

/* May this peer send one more message of this type? A flood of messages would keep the lock from the threads
 * that publish. */
bool door_may_speak(struct framebus_writer *w, struct peer *peer, int type);

/* May one more line that a stranger has caused be logged? */
bool door_may_complain(struct framebus_writer *w);

#endif
