/* SPDX-License-Identifier: MIT */
/*
 * The slot index and its claims, the heart of it all. No system calls, no allocation, no waiting.
 *
 *   writer takes slot i                      reader takes frame n
 *   W1  not lent, not among the last         R1  n < head <= n+history (ordered)
 *       `history` frames, no claim seen      R2  i = ring[n]
 *   W2  version[i] = none        (ordered)   R3  claim i               (ordered)
 *   W3  look at all claims on i  (ordered)   R4  version[i] still n?   (ordered)
 *   W4  one there: put the number back,          yes: frame n is whole and stays so
 *       try another                          R5  no: clear the claim, n is missed
 *   ... write the frame ...                  ... read the frame ...
 *   W5  record, version[i] = n   (release)   R6  clear the claim       (ordered)
 *   W6  ring[n] = i, head = n+1  (ordered)
 *
 * Either W3 sees the claim of R3, or R4 sees the "none" of W2: both are "write mine, then read yours".
 *
 * `filled` of a reader is head - next; `free` is what clearing a claim or raising next gives back.
 */
#ifndef FRAMEBUS_SLOTS_H
#define FRAMEBUS_SLOTS_H

#include "shared/layout.h"

#include <stdbool.h>

/* ---- the writer's side; all of it with the writer's lock held ---- */

/* What the writer knows of a reader that stands in the pool. */
struct slots_reader {
    struct slots_reader *next;
    const struct layout_reader *page; /* shared, and not to be believed */
    uint32_t quota;
    shared_u32 rung_for; /* the last sleep that it was woken from, see semaphore.h */
    bool evicted;        /* blocks or holds more than its quota, so its claims do not count any more */
    uint32_t blocked[FRAMEBUS_SLOTS_MAX / 32]; /* candidates that it blocks while a slot is being acquired */
};

struct slot_note {
    uint32_t number; /* of the frame it holds */
    uint64_t filled; /* number of frames published when it was filled; 0: it holds none */
    bool lent;
};

struct slots {
    struct layout_index *index;
    struct layout_slot *table;
    struct slot_note *note;
    struct slots_reader *readers;
    uint32_t limit;   /* slots there is address space for */
    uint32_t touched; /* slots that have memory: the first ones */
    uint32_t history;
    uint32_t ring_mask;
    uint32_t lent;
    uint64_t published; /* frames in this pool; the next one's number, not yet modulo */
};

void slots_init(struct slots *slots, struct layout_index *index, struct layout_slot *table,
                struct slot_note *note, uint32_t limit, uint32_t history, uint32_t ring_length);

void slots_join(struct slots *slots, struct slots_reader *reader, const struct layout_reader *page,
                uint32_t quota);
void slots_leave(struct slots *slots, struct slots_reader *reader);

/* Lends the slot used last among the free ones. -EAGAIN: no slot that has memory is free. May mark readers as
 * evicted; the caller closes their sockets. */
int slots_acquire(struct slots *slots);

/* Makes a slot that just got memory the next candidate. */
void slots_touch(struct slots *slots);

/* Publishes the frame in a lent slot. */
void slots_publish(struct slots *slots, uint32_t slot, const struct layout_record *record);

/* Takes back a published slot that slots_acquire() never returns. -EAGAIN: it is one of the `newest`; -EBUSY:
 * it is claimed. Readers that come too late for a frame of the history miss it. */
int slots_recall(struct slots *slots, uint32_t slot, uint32_t newest);

/* The lend ends. */
void slots_release(struct slots *slots, uint32_t slot);

/* Is this slot claimed in this page? */
bool slots_claims(const struct layout_reader *page, uint32_t slot);

/* The number of slots that a reader claims now, as its page says. */
uint32_t slots_held(const struct slots *slots, const struct slots_reader *reader);

/* ---- a reader's side ---- */

struct slots_view {
    const struct layout_index *index;
    const struct layout_slot *table;
    struct layout_reader *page;
    uint32_t limit, history, ring_mask; /* checked private copies */
};

/* Frames published and not yet taken, if `next` is the one to take next. R1, and S2 of `filled`. */
static inline uint32_t slots_filled(const struct slots_view *view, uint32_t next)
{
    return number_distance(next, load_ordered(&view->index->head));
}

/* R2-R5. Returns the slot, -EAGAIN if the frame is gone, -EBADMSG if the index is nonsense. */
int slots_claim(const struct slots_view *view, uint32_t number);

/* R6. Any thread. The caller looks at `waits` afterwards. */
void slots_unclaim(const struct slots_view *view, uint32_t slot);

#endif
