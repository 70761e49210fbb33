/* SPDX-License-Identifier: MIT */
/* A reader from the inside: reader.c takes frames, attach.c has the connection to the writer. */
#ifndef FRAMEBUS_READER_H
#define FRAMEBUS_READER_H

#include "buffers.h"
#include "directory.h"
#include "fork.h"
#include "frame.h"
#include "protocol.h"
#include "region.h"
#include "slots.h"

#include <pthread.h>

typedef _Atomic uint32_t refcount;

/* One connection to one writer. Frames keep it open: what they claim is claimed as long as it is. */
struct link {
    struct fork_node fork; /* of its own: frames may keep it open when the reader has left it */
    refcount refs;
    int socket;
    int bell; /* epoll fd from the writer, with the socket and the cancel fd added */
};

/* A pool that the reader stands in, or still holds frames of. */
struct reader_pool {
    refcount refs; /* one while it stands here, one for each frame held */
    struct framebus_reader *reader;
    struct link *link;
    struct region region;
    struct layout_reader *page;
    struct slots_view view;
    struct layout_header header; /* a checked copy */
    struct framebus_format format;
    char *caps;
    struct buffers *buffers; /* NULL: none yet */
    uint32_t serial;
    uint64_t next;         /* frame to take next, not modulo */
    shared_u32 rung;       /* the writer's sleep that we rang for last */
    struct frame frames[]; /* one a slot */
};

enum reader_state {
    READER_DETACHED, /* no writer: watches for one */
    READER_GREETING, /* HELLO is said, no answer yet */
    READER_ATTACHED, /* in a pool, or promised one */
};

struct framebus_reader {
    struct fork_node fork;
    pthread_mutex_t lock; /* held while pool or watch change, for the sake of fork() */
    refcount refs;        /* one while open, one for each frame held */
    refcount held;
    struct bus_place place;
    enum framebus_delivery wanted, delivery;
    uint32_t wanted_quota, quota; /* the second is what the writer granted */
    bool follow;
    bool dmabuf;   /* asks for DMA-BUFs */
    bool brisk;    /* the last frame that was waited for came almost at once */
    int64_t spin;  /* looks at least so long before it sleeps */
    int cancel_fd; /* -1: none */
    char label[FRAMEBUS_LABEL_MAX + 1];

    enum reader_state state;
    struct bus_watch watch;
    struct link *link;
    struct reader_pool *pool;
    struct buffers *pending; /* for the next pool */
    int outer;        /* epoll fd for callers of a following reader, whose bells change; -1: none yet */
    bool hung_up;     /* the writer is gone; its last frames may still be here */
    bool quota_asked; /* and not answered yet: one QUOTA at a time is under way */
    int final_error;  /* every further next returns this */
    bool crowded;     /* the writer's last word: too many connections */
    uint32_t pools;
    uint32_t rings_for_nothing; /* one after the other */
    uint32_t unheard;           /* frames taken since the socket was looked at ... */
    int64_t seen_ns, heard_ns;  /* ... the last one's publication, and what it was at that look */
    uint64_t expected;          /* sequence of the next frame, if none is missed */
    bool has_expected;
    int64_t answer_deadline;

    uint64_t delivered, missed, writers;
    union message message; /* the one that is being read */
};

/* ---- attach.c ---- */

void ref(refcount *count);

/* True for the last one, who then sees all that the others did. */
bool unref(refcount *count);

void reader_pool_unref(struct reader_pool *pool);

/* Number of the frame to take next. */
static inline uint32_t next_number(const struct reader_pool *pool)
{
    return (uint32_t)(pool->next & NUMBER_MASK);
}

/* Until a writer has answered, or there is none for as long as the caller wants to wait. */
int attach_first(struct framebus_reader *rd, int64_t wait);

/*
 * One wait, for whatever comes next in the state we are in: a writer, its answer, a frame. 0: look
 * again. -ETIMEDOUT, -ECANCELED: as it says. -EPIPE: the writer is gone. Else this connection is over.
 */
int attach_wait(struct framebus_reader *rd, int64_t deadline);

/* Waits for one fd and the cancel fd. */
int attach_wait_for_fd(struct framebus_reader *rd, int fd, int64_t deadline);

/* Reads all messages there are. 0: look again; else why this connection is over. */
int attach_hear(struct framebus_reader *rd);

/* Leaves the pool, or the writer altogether. */
void attach_leave_pool(struct framebus_reader *rd);
void attach_detach(struct framebus_reader *rd);

/* Adds what a caller's poll has to wait for at present to the reader's outer epoll fd, or removes it. */
void attach_outer_control(struct framebus_reader *rd, int operation);

#endif
