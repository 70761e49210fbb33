/* SPDX-License-Identifier: MIT */
#include "base/bell.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int bell_create(int *event, int *wait)
{
    *event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *wait = *event < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN | EPOLLET};
    if (*event >= 0 && *wait >= 0 && !epoll_ctl(*wait, EPOLL_CTL_ADD, *event, &interest))
        return 0;

    int error = -errno;
    if (*event >= 0)
        close(*event);
    if (*wait >= 0)
        close(*wait);
    *event = *wait = -1;
    return fail(error, "cannot make a bell for a reader: %s", strerror(-error));
}

bool bell_ring(int event, uint32_t *strikes)
{
    /* Wall-clock time is read without a system call, but it also passes while the woken process runs in our
     * place. So it only decides whether the next ring is measured in processor time, which takes 3 us to
     * read when the processor has just slept: as much as all else before the write. */
    bool weigh = *strikes;
    int64_t wall = clock_now();
    int64_t cpu = weigh ? clock_thread_cpu() : 0;
    uint64_t one = 1;
    ssize_t written = write(event, &one, sizeof one);
    (void)written; /* it fails only when the counter is full, that is, when the bell has been rung */

    if (!weigh) {
        *strikes = clock_now() - wall > BELL_LIMIT_NS;
        return true;
    }
    int64_t cost = (clock_thread_cpu() - cpu) / BELL_LIMIT_NS;
    /* Time that the host of a virtual machine takes away meanwhile counts as ours, so one ring evicts nobody
     * unless it takes so long that there is no doubt. */
    if (cost >= BELL_CERTAIN)
        *strikes = BELL_STRIKES + 1;
    else if (cost)
        *strikes += cost < BELL_STRIKES / 2 ? (uint32_t)cost : BELL_STRIKES / 2;
    else if (*strikes)
        --*strikes;
    return *strikes <= BELL_STRIKES;
}
