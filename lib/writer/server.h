/* SPDX-License-Identifier: MIT */
/* The protocol on the writer's side: peers, their messages, and what they are sent. */
#ifndef FRAMEBUS_WRITER_SERVER_H
#define FRAMEBUS_WRITER_SERVER_H

#include "base/cancel.h"
#include "shared/protocol.h"
#include "shared/slots.h"
#include "writer/door.h"

#include <pthread.h>

struct framebus_import;
struct pool;

enum peer_state {
    PEER_GREETING, /* connected, and silent so far */
    PEER_READER,
    PEER_MONITOR, /* it is told of readers and formats */
    PEER_GONE,    /* closed; freed when no event can name it any more */
};

/* A process that is connected. */
struct peer {
    struct slots_reader reader; /* in pool->slots while pool is set */
    enum peer_state state;
    int socket;
    int bell;         /* eventfd */
    uint32_t strikes; /* see bell_ring() */
    pid_t pid;
    uid_t uid;
    uint64_t id;   /* of a reader */
    bool asks;     /* a monitor that waits for an answer */
    uint64_t told; /* server.news when it was last sent one */
    bool wants_dmabufs;
    uint32_t quota;
    enum framebus_delivery delivery;
    bool has_moved;    /* it has been in a pool of this bus before */
    struct pool *pool; /* the one that it is in; NULL: it waits for a POOL */
    struct layout_reader *page;
    uint32_t key_requests, missed; /* in its page, when key_frames_look() last looked */
    int64_t deadline;              /* for its HELLO */
    struct door_peer said;         /* to be judged by door_may_speak() */
    char label[FRAMEBUS_LABEL_MAX + 1];
};

struct server {
    int epoll; /* listener and peers: framebus_writer_fd() */
    struct peer **peers;
    size_t peer_count, peer_room;
    bool have_gone;  /* some peer is PEER_GONE */
    uint64_t quotas; /* sum over the readers */
    uint64_t evicted;
    uint64_t readers_so_far; /* the id of the newest one */
    uint64_t news;           /* number of changes that monitors are told of */
    bool untold;             /* some monitor may have to be told */
    uint64_t heard;          /* news when the program dispatched last */
    int64_t polled_at;
    bool fds_exhausted; /* fds could not be sent lately, so some reader waits for its pool */
    int64_t retry_at;   /* time of the next attempt; 0: no reader waits */

    int wake;               /* eventfd: ends the poll() of the thread that waits for readers */
    struct cancel cancel;   /* ends it too, and all later waits */
    pthread_cond_t changed; /* wakes the other threads, which wait for that one */
    bool polling;           /* a thread is in that poll() */
    uint32_t waiting;       /* number of threads that wait for readers, that one included */

    union message message; /* the one that is being read or written */
};

/* Come before, and after, all others. */
void server_init(struct framebus_writer *w);
void server_finish(struct framebus_writer *w);

/* Begins to serve the name that is held. */
int server_open(struct framebus_writer *w);

/* Parts with all peers. */
void server_close(struct framebus_writer *w);

/* In a forked child: closes all fds. */
void server_forget(struct framebus_writer *w);

/* Polls the listener and all peers once. */
int server_poll(struct framebus_writer *w);

/* Sleeps without the lock until a reader may have done something, or the deadline passes. One thread does it
 * in poll(), others wait for that one. -ECANCELED; -EINTR: a signal ended the poll(); -ESTALE: the writer was
 * closed. */
int server_wait(struct framebus_writer *w, int64_t deadline);

/* The error of a call that was cancelled. */
int server_cancelled(const struct framebus_writer *w);

/* Wakes the threads in server_wait(). */
void server_wake(struct framebus_writer *w);

/* Sends the present pool to the readers that wait for one. */
void server_offer_pool(struct framebus_writer *w);

/* Sends an import to the readers in the present pool. */
void server_offer_import(struct framebus_writer *w, const struct framebus_import *import);

/* The format has changed: tells monitors. */
void server_announce(struct framebus_writer *w);

/* P3 of `filled`: wakes the readers in a pool that sleep; for a frame only those that want one published
 * then. 0: all. */
void server_ring(struct framebus_writer *w, struct pool *pool, int64_t published);

/* Evicts the readers that slots_acquire() marked. */
void server_evict_marked(struct framebus_writer *w);

/* Makes a lossless reader live, and tells it. */
void server_demote(struct framebus_writer *w, struct peer *peer);

/* Writes what is told about the bus, in w->server.message. */
const struct message_info_reply *server_describe(struct framebus_writer *w);

#endif
