/* SPDX-License-Identifier: MIT */
/* A reader from the inside: reader.c takes frames, attach.c has the connection to the writer, import.c memory
 * from outside the pool. One thread calls at a time; only
 * framebus_reader_release() and framebus_reader_request_key_frame() may come from any. */
#ifndef FRAMEBUS_READER_H
#define FRAMEBUS_READER_H

#include "base/cancel.h"
#include "base/fork.h"
#include "base/region.h"
#include "bus/name.h"
#include "frame.h"
#include "reader/anticipate.h"
#include "reader/import.h"
#include "reader/pace.h"
#include "reader/readiness.h"
#include "shared/protocol.h"
#include "shared/slots.h"

#include <pthread.h>

typedef _Atomic uint32_t refcount;

static inline void refcount_add(refcount *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

/* True for the last one, which then sees all that the others did. */
static inline bool refcount_drop(refcount *count)
{
    return atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel) == 1;
}

/* One connection to one writer. Frames keep it open, because their claims count only while it is open. */
struct link {
    struct fork_node fork; /* of its own: frames may keep the link open when the reader has left it */
    refcount refs;
    int socket;
    bool is_given; /* by the caller, who may have more copies of it */
    int bell;      /* epoll fd from the writer, with the socket and the cancel fd added */
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
    struct import_table *imports; /* NULL: none yet */
    uint32_t serial;
    uint64_t next;         /* frame to take next, not modulo */
    uint32_t passed;       /* 1: that one is the newest, and is not wanted yet */
    struct frame *last;    /* the one that was taken last; NULL: none yet */
    shared_u32 rung_for;   /* the last sleep of the writer that we rang for */
    struct frame frames[]; /* one a slot */
};

enum reader_state {
    READER_DETACHED, /* no writer: watches for one */
    READER_GREETING, /* HELLO is sent, no answer yet */
    READER_ATTACHED, /* in a pool, or promised one */
};

struct framebus_reader {
    struct fork_node fork;
    pthread_mutex_t lock; /* held while pool or watch change, for the sake of fork() and key_requests */
    refcount refs;        /* one while open, one for each frame held */
    refcount held;

    /* as asked for at open, or later */
    struct bus_path path;
    enum framebus_delivery wanted;
    uint32_t wanted_quota;
    bool follow;
    bool tells_gone; /* next returns that a writer is gone, although it follows */
    bool dmabuf;     /* it asks for DMA-BUFs */
    struct pace pace;
    struct anticipate anticipate;
    uint32_t spare; /* processors that may be busy with looking */
    uint32_t looks; /* ahead, so far */
    int64_t spin;   /* shortest busy-wait before it sleeps, ns */
    int cancel_fd;  /* -1: none */
    int given;      /* a connected socket of the caller's in place of `path`; 0: none */
    char label[FRAMEBUS_LABEL_MAX + 1];

    enum reader_state state;
    enum framebus_delivery delivery; /* as the writer has it */
    uint32_t quota;                  /* as the writer granted it */
    bool quota_asked;                /* a QUOTA is under way, one at a time */
    struct link *link;
    struct reader_pool *pool;
    struct import_table *pending; /* for the next pool */
    struct bus_watch watch;
    int64_t watch_until; /* when it may be closed, once attached */
    int64_t answer_deadline;
    struct cancel cancel;
    struct readiness readiness; /* the fd for callers */
    bool wants_newest;          /* in this call: older frames are left out */
    bool rearmed;               /* S1 was done since frames were last looked for on behalf of that fd */
    bool hung_up;               /* the writer is gone; its last frames may still be here */
    bool crowded;               /* the writer's last word was: too many connections */
    bool was_brief;             /* the last wait for a frame was over before a sleep would have been */
    int final_error;            /* result of every further next; 0: none */
    uint32_t pools;             /* so far */
    uint32_t rings_for_nothing; /* one after the other */

    uint32_t frames_since_poll; /* taken since the socket was last polled */
    int64_t newest_ns;          /* publication of the newest frame taken */
    int64_t polled_ns;          /* what newest_ns was at that poll */
    uint64_t expected;          /* sequence of the next frame, if none is missed */
    bool has_expected;
    uint64_t delivered, missed, writers;
    uint32_t key_requests; /* of this connection; under the lock, from any thread */

    union message message; /* the one that is being read */
};

/* ---- attach.c ---- */

void reader_pool_unref(struct reader_pool *pool);

/* Number of the frame to take next. */
static inline uint32_t next_number(const struct reader_pool *pool)
{
    return (uint32_t)(pool->next & NUMBER_MASK);
}

/* Is there a frame that may be wanted? R1, and S2. */
static inline bool reader_has_frame(const struct reader_pool *pool)
{
    return slots_filled(&pool->view, next_number(pool)) > pool->passed;
}

/* Waits until a writer has answered, or until there was none for as long as the caller wants to wait. */
int attach_first(struct framebus_reader *rd, int64_t wait);

/*
 * Waits once for what comes next in the present state: a writer, its answer, a frame. 0: something may have
 * come. -ETIMEDOUT, -ECANCELED. -EPIPE: the writer is gone. Any other error: why this connection is over.
 */
int attach_wait(struct framebus_reader *rd, int64_t deadline);

/* Checks both ways to cancel. */
bool attach_is_cancelled(const struct framebus_reader *rd);

/* The error of a call that was cancelled. */
int attach_cancelled(const struct framebus_reader *rd);

/* Waits for one fd, and for being cancelled. */
int attach_wait_for_fd(struct framebus_reader *rd, int fd, int64_t deadline);

/* Reads the messages there are. An error is why this connection is over. */
int attach_poll(struct framebus_reader *rd);

/* Leaves the pool; the writer altogether. */
void attach_leave_pool(struct framebus_reader *rd);
void attach_detach(struct framebus_reader *rd);

/* Adds the fd that a caller has to wait for at present to the set of the caller's fd, or removes it. */
void attach_control_set(struct framebus_reader *rd, int operation);

/* S1 for a caller that polls, in the pool where the reader stands. framebus_reader_next() has to look after
 * it. */
void attach_rearm(struct framebus_reader *rd);

/* Makes the caller's fd fall silent: messages are read, rings are drained. As attach_poll(). */
int attach_silence(struct framebus_reader *rd);

#endif
