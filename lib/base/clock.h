/* SPDX-License-Identifier: MIT */
/* Time in nanoseconds, and deadlines made of it. */
#ifndef FRAMEBUS_CLOCK_H
#define FRAMEBUS_CLOCK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)
#define NEVER     INT64_MAX
#define AGES      ((INT64_C(1) << 30) * NS_PER_S) /* 34 years: a deadline in less fits any time_t */

static inline int64_t clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* CLOCK_MONOTONIC, read without a system call. */
static inline int64_t clock_now(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

static inline int64_t clock_thread_cpu(void)
{
    return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

/* The point in time `timeout` from now; NEVER if that is negative, or longer than AGES. */
static inline int64_t deadline_in(int64_t timeout)
{
    if (timeout < 0 || timeout > AGES)
        return NEVER;
    if (timeout == 0)
        return 0; /* it has passed, and the clock need not be read */
    return clock_now() + timeout;
}

static inline bool deadline_passed(int64_t deadline)
{
    return deadline != NEVER && (deadline == 0 || clock_now() >= deadline);
}

/* The time left until then, for ppoll and the like; at least zero. */
static inline struct timespec deadline_left(int64_t deadline)
{
    int64_t left = deadline > 0 ? deadline - clock_now() : 0;
    if (left < 0)
        left = 0;
    return (struct timespec){.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
}

#endif
