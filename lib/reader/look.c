/* SPDX-License-Identifier: MIT */
#include "reader/look.h"

#include "base/clock.h"
#include "shared/semaphore.h"

#include <errno.h>

#define LOOKS_A_CLOCK 16

/* Whoever looks reads the clock all the time. A gap is time that somebody else had the processor. */
#define PREEMPTED_NS 100000

/* The writer's death and cancel_fd are noticed by a system call, as often as this. */
#define LOOK_POLL NS_PER_MS

/* Processor time is measured at every so many looks: reading it takes a system call. */
#define LOOKS_A_MEASURE 16

enum look_end {
    LOOK_FOUND,
    LOOK_NOTHING,
    LOOK_PREEMPTED,
};

static enum look_end look(const struct framebus_reader *rd, int64_t now, int64_t until, int64_t gap)
{
    const struct layout_index *index = rd->pool->view.index;
    for (;;) {
        for (int i = 0; i < LOOKS_A_CLOCK; i++) {
            if (reader_has_frame(rd->pool) || load_relaxed(&index->state) != LAYOUT_LIVE)
                return LOOK_FOUND;
            if (cancel_is_set(&rd->cancel))
                return LOOK_NOTHING;
            relax();
        }
        int64_t before = now;
        now = clock_now();
        if (now - before > gap)
            return LOOK_PREEMPTED;
        if (now >= until)
            return LOOK_NOTHING;
    }
}

bool look_briefly(const struct framebus_reader *rd, int64_t began, int64_t timeout)
{
    int64_t limit = rd->was_brief && rd->spin < SPIN_BRIEF_NS ? SPIN_BRIEF_NS : rd->spin;
    if (timeout > 0 && timeout < limit)
        limit = timeout;
    if (!rd->pool || rd->hung_up || limit <= 0)
        return false;
    return look(rd, began, began + limit, NEVER) == LOOK_FOUND;
}

/* ---- before a frame is due ---- */

bool look_plan(struct framebus_reader *rd, struct anticipate_plan *plan)
{
    if (!rd->anticipate.percent || !rd->pool || rd->hung_up)
        return false;
    int64_t not_before = rd->pace.period ? rd->pace.due - rd->pace.period / PACE_EARLY : 0;
    bool planned = anticipate_plan(&rd->anticipate, clock_now(), not_before, plan);
    uint32_t hopes = anticipate_hopes(&rd->anticipate);
    if (load_relaxed(&rd->pool->page->looks) != hopes)
        store_relaxed(&rd->pool->page->looks, hopes);
    return planned && rd->spare && load_relaxed(&rd->pool->view.index->lookers) <= rd->spare;
}

/* Looks as long as a plan says, and asks now and then whether there is anybody to look for. */
static int look_by_plan(struct framebus_reader *rd, const struct anticipate_plan *plan, int64_t cpu)
{
    int64_t began = clock_now(), now = began, until = began + plan->allowance;
    if (until > plan->until)
        until = plan->until;
    enum look_end end = LOOK_NOTHING;
    int r = 0;
    while (!r && end == LOOK_NOTHING && now < until && !cancel_is_set(&rd->cancel)) {
        if (now != began)
            r = attach_wait(rd, now);
        if (r == -ETIMEDOUT)
            r = 0;
        if (!r && rd->pool && !rd->hung_up)
            end = look(rd, now, until < now + LOOK_POLL ? until : now + LOOK_POLL, PREEMPTED_NS);
        else
            until = now;
        now = clock_now();
    }
    static const enum anticipate_outcome outcome[] = {
        [LOOK_FOUND] = ANTICIPATE_FOUND,
        [LOOK_NOTHING] = ANTICIPATE_VAIN,
        [LOOK_PREEMPTED] = ANTICIPATE_PREEMPTED,
    };
    anticipate_looked(&rd->anticipate, outcome[end], now, now - began,
                      cpu < 0 ? -1 : clock_thread_cpu() - cpu);
    return r;
}

int look_ahead(struct framebus_reader *rd, const struct anticipate_plan *plan, int64_t deadline)
{
    int64_t cpu = rd->looks++ % LOOKS_A_MEASURE ? -1 : clock_thread_cpu();
    if (load_relaxed(&rd->pool->page->sleeps) & 1) {
        int r = attach_wait(rd, plan->wake < deadline ? plan->wake : deadline); /* S3 */
        if (r != -ETIMEDOUT || !deadline_passed(plan->wake) || !rd->pool || rd->hung_up)
            return r;
        anticipate_woke(&rd->anticipate, plan, clock_now());
        semaphore_wake(&rd->pool->page->sleeps); /* S4: a frame that comes now need not ring */
    }
    return look_by_plan(rd, plan, cpu);
}
