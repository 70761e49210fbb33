/* SPDX-License-Identifier: MIT */
#include "reader/readiness.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int readiness_open(struct readiness *readiness)
{
    struct epoll_event interest = {.events = EPOLLIN};
    readiness->set = epoll_create1(EPOLL_CLOEXEC);
    readiness->ring = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (readiness->set >= 0 && readiness->ring >= 0 &&
        !epoll_ctl(readiness->set, EPOLL_CTL_ADD, readiness->ring, &interest))
        return 0;
    int error = -errno;
    readiness_close(readiness);
    return fail(error, "cannot make a file descriptor to wait for: %s", strerror(-error));
}

void readiness_close(struct readiness *readiness)
{
    if (readiness->set >= 0)
        close(readiness->set);
    if (readiness->ring >= 0)
        close(readiness->ring);
    readiness->set = readiness->ring = -1;
}

void readiness_ring(struct readiness *readiness)
{
    eventfd_write(readiness->ring, 1); /* fails only when the counter is full, and then it has been rung */
    /* After the write: a drain in between leaves the fd readable once for nothing, not without end. */
    atomic_store(&readiness->rung, true);
}

void readiness_drain(struct readiness *readiness)
{
    eventfd_t ignored;
    if (atomic_load(&readiness->rung) && atomic_exchange(&readiness->rung, false))
        eventfd_read(readiness->ring, &ignored);
}

void readiness_want(struct readiness *readiness)
{
    atomic_store(&readiness->wanted, true);
}
