/* SPDX-License-Identifier: MIT */
/* A writer from the inside: writer.c has pools and frames, serve.c has the readers. */
#ifndef FRAMEBUS_WRITER_H
#define FRAMEBUS_WRITER_H

#include "directory.h"
#include "dmabuf.h"
#include "fork.h"
#include "frame.h"
#include "protocol.h"
#include "region.h"
#include "slots.h"

#include <pthread.h>

/* A pool: the present one, or one that ended and still has frames lent or readers standing in it. */
struct pool {
    struct framebus_writer *writer;
    struct region region;
    struct layout_header *header; /* in the region; written by us only, so ours to read back */
    struct framebus_format format;
    char *caps;
    struct slots slots;
    struct slot_note *notes;
    struct frame *frames;     /* one a slot */
    struct outside *exported; /* the slots as DMA-BUFs; NULL: they are none */
    uint32_t bound;           /* slots at the end of the table that are for foreign buffers */
    bool armed;               /* readers are asked to ring when they release, and none has: foreign.c */
    uint32_t serial;
    uint32_t refs; /* one while present, one for each lend and each reader that stands in it */
};

enum peer_state {
    PEER_GREETING, /* connected, nothing heard yet */
    PEER_READER,
    PEER_GONE, /* to be freed when nobody looks at it any more */
};

/* Whoever is connected. */
struct peer {
    struct slots_reader reader; /* in pool->slots while pool is set */
    enum peer_state state;
    int socket;
    int bell;         /* eventfd */
    uint32_t strikes; /* see bell_ring() */
    pid_t pid;
    uid_t uid;
    uint32_t flags; /* of its HELLO */
    uint32_t quota;
    enum framebus_delivery delivery;
    bool moves;        /* has been in a pool of this bus before */
    struct pool *pool; /* where it stands; NULL: waits for a POOL */
    struct layout_reader *page;
    int64_t deadline;  /* of the greeting */
    uint32_t bells;    /* BELLs heard, counted up from w->naps: see may_speak() */
    uint32_t messages; /* others, since ... */
    int64_t since;
    char label[FRAMEBUS_LABEL_MAX + 1];
};

/* What a user's processes said lately. */
struct talk {
    uid_t uid;
    uint32_t messages; /* since ... */
    int64_t since;
};

#define TALK_USERS 64

struct framebus_writer {
    struct fork_node fork;
    pthread_mutex_t lock;   /* guards everything below */
    pthread_cond_t changed; /* a thread that waits for readers looks again */
    struct bus_place place;
    struct bus_claim claim;
    char identity[PLACE_IDENTITY_MAX]; /* names what we could leave behind */

    enum framebus_memory memory;
    uint32_t memory_flags;
    mode_t mode;
    gid_t group;
    uint32_t history; /* as asked for */
    uint32_t window;  /* frames that readers may take: history, in a lossless writer more */
    uint32_t max_slots, max_lends;
    bool dmabuf, dmabuf_for_all;
    bool lossless;
    int64_t lossless_timeout;
    bool brisk;    /* the last wait for a lossless reader was over almost at once */
    int cancel_fd; /* -1: none */
    char label[FRAMEBUS_LABEL_MAX + 1];

    uint32_t refs; /* one while open, one for each lend */
    bool open;
    bool has_format;
    struct framebus_format format; /* for the next pool; caps are ours */
    char *caps;
    struct pool *pool; /* the present one; NULL before a format and after the end of a stream */
    uint32_t pools;    /* made so far */
    uint64_t sequence; /* of the next pool's first frame */

    struct framebus_buffer *buffers; /* foreign ones, of any pool */
    struct framebus_buffer *back;    /* those whose owners are still to be told that they are back */
    uint32_t out;                    /* how many have a frame that is published and no longer lent */
    uint32_t serials;                /* given to foreign buffers so far */

    int epoll; /* listener and peers: framebus_writer_fd() */
    int wake;  /* eventfd: tells the thread that polls for readers to look again */
    int spare; /* an fd to give up when there are no more, so that accept() never spins */
    bool deaf; /* the listener is not listened to until ... */
    int64_t deaf_until;
    bool strapped;   /* no fds could be sent lately: a reader waits for its pool ... */
    int64_t owed_at; /* ... which it is offered again then; 0: nobody waits */
    struct peer **peers;
    size_t peer_count, peer_room;
    bool have_gone;  /* some peer is PEER_GONE */
    uint64_t quotas; /* sum over the readers */
    uint64_t evicted;
    struct talk talk[TALK_USERS]; /* at uid % TALK_USERS */
    uint32_t lines;               /* in the log about strangers, since ... */
    int64_t lines_since;
    bool polling;     /* a thread waits for readers in poll() */
    uint32_t waiting; /* threads that wait for readers */
    uint32_t naps;    /* how often one began to */

    int64_t last_look; /* at the sockets */
    int64_t last_publish;
    int64_t interval;      /* between frames, smoothed */
    union message message; /* the one that is being read or written */
};

/* ---- writer.c ---- */

/* Lets go of a pool; the last one unmaps it. */
void pool_unref(struct pool *pool);

/* Locks a writer that is open. */
int writer_lock(struct framebus_writer *w);

/* Unlocks it, gives back what foreign buffers came home meanwhile, and returns the result. */
int writer_unlock(struct framebus_writer *w, int result);

/* The same, and lets go of one reference. */
void writer_unref(struct framebus_writer *w);

/* There is a present pool with room for a frame of this size, or an error. */
int provide_pool(struct framebus_writer *w, uint64_t size);

/* Makes a frame the caller's, to be filled in. */
void lend_frame(struct framebus_writer *w, struct frame *f);

/* ---- foreign.c; all with the writer's lock held ---- */

/* The lend of a frame in a foreign buffer ends. */
void foreign_release(struct framebus_writer *w, struct frame *f, bool published);

/* Looks which foreign buffers nobody uses any more. If only readers' claims keep one, they are asked to
 * ring when they let go. */
void foreign_collect(struct framebus_writer *w);

/* The next buffer that came home, as nobody's any more; false: none. */
bool foreign_next_back(struct framebus_writer *w, void (**returned)(void *user), void **user);

/* Sends a reader what it has to know before it is sent the present pool; or, with a buffer, only that. */
int foreign_tell(struct framebus_writer *w, const struct peer *peer, const struct framebus_buffer *only);

/* In a forked child. */
void foreign_forget(struct framebus_writer *w);

/* ---- serve.c; all with the writer's lock held ---- */

int serve_open(struct framebus_writer *w);
void serve_close(struct framebus_writer *w);

/* In a forked child. */
void serve_forget(struct framebus_writer *w);

/* Looks once at the listener and at every peer that has something to say. */
int serve_look(struct framebus_writer *w);

/* Sends the present pool to the readers that wait for one. */
void serve_offer(struct framebus_writer *w);

/* P3 of `filled`: wakes the readers in a pool that sleep. */
void serve_ring(struct framebus_writer *w, struct pool *pool);

/* Slots that would be left over if the readers' quotas summed up to this. */
int64_t serve_room(const struct framebus_writer *w, uint64_t quotas);

/* Tells the readers in the present pool of a foreign buffer. */
void serve_introduce(struct framebus_writer *w, const struct framebus_buffer *buffer);

/* A thread that waits for readers looks again. */
void serve_wake(struct framebus_writer *w);

/* Throws out the readers that slots_take() marked. */
void serve_expel(struct framebus_writer *w);

/* Fills in what framebus_query() would get as INFO_REPLY, in w->message; returns it. */
const struct message_info_reply *serve_describe(struct framebus_writer *w);

/* Makes a lossless reader live, and tells it. */
void serve_demote(struct framebus_writer *w, struct peer *peer);

#endif
