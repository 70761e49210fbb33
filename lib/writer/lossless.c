/* SPDX-License-Identifier: MIT */
#include "writer/lossless.h"

#include "base/clock.h"
#include "shared/semaphore.h"
#include "writer/writer.h"

#include <errno.h>

typedef bool is_behind(const struct framebus_writer *w, const struct peer *peer);

/* True for a reader that would miss a frame when the next one is published. */
static bool is_frames_behind(const struct framebus_writer *w, const struct peer *peer)
{
    const struct pool *pool = w->pools.present;
    if (!pool)
        return false;
    const struct slots *slots = &pool->slots;
    if (peer->pool != pool)
        return slots->published >= w->config.history;
    uint32_t head = (uint32_t)(slots->published & NUMBER_MASK);
    uint32_t behind = number_distance(load_ordered(&peer->page->next), head);
    return behind >= w->config.history &&
           behind <= slots->published; /* a page that is ahead of us is false */
}

/* True for a reader that would miss a whole pool when the present one ends. */
static bool is_pool_behind(const struct framebus_writer *w, const struct peer *peer)
{
    return w->pools.present && peer->pool != w->pools.present;
}

static struct peer *lossless_find(const struct framebus_writer *w, is_behind *behind)
{
    for (size_t i = 0; i < w->server.peer_count; i++) {
        struct peer *p = w->server.peers[i];
        if (p->state == PEER_READER && p->delivery == FRAMEBUS_DELIVERY_LOSSLESS && behind(w, p))
            return p;
    }
    return NULL;
}

/* Busy-waits for a moment. True: the readers have caught up, and there is no need to sleep. */
static bool lossless_spin(const struct framebus_writer *w, is_behind *behind, int64_t began)
{
    while (lossless_find(w, behind)) {
        if (clock_now() - began >= SPIN_BRIEF_NS)
            return false;
        relax();
    }
    return true;
}

/* `free` in a lossless writer: waits until no lossless reader is behind. Those that are when the time limit
 * passes become live. */
static int lossless_wait(struct framebus_writer *w, is_behind *behind)
{
    int64_t deadline = 0, began = 0;
    int r = 0;
    while (!r && w->config.lossless && lossless_find(w, behind)) {
        if (!began) {
            began = clock_now();
            deadline = w->lossless.deadline ? w->lossless.deadline : deadline_in(w->config.lossless_timeout);
            if (w->lossless.was_brief && lossless_spin(w, behind, began))
                break;
        }
        struct pool *pool = w->pools.present ? pool_ref(w->pools.present) : NULL;
        pool_ask_to_ring(w, pool);                    /* S1 */
        struct peer *slow = lossless_find(w, behind); /* S2 */
        if (slow && deadline != NEVER && clock_now() >= deadline)
            server_demote(w, slow);
        else if (slow)
            r = server_wait(w, deadline); /* S3 */
        if (pool && !w->server.waiting && !pool->ring_requested)
            semaphore_wake(&pool->slots.index->waits); /* S4 */
        pool_unref(pool);
    }
    w->lossless.deadline = r == -EINTR ? deadline : 0;
    if (began)
        w->lossless.was_brief = clock_now() - began < SPIN_BRIEF_NS;
    return r ? r : began != 0;
}

int lossless_wait_for_frames(struct framebus_writer *w)
{
    return lossless_wait(w, is_frames_behind);
}

int lossless_wait_for_pool(struct framebus_writer *w)
{
    return lossless_wait(w, is_pool_behind);
}
