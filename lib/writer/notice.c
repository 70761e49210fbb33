/* SPDX-License-Identifier: MIT */
#include "writer/notice.h"

#include "writer/writer.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

void notice_init(struct framebus_writer *w)
{
    w->notice.event = -1;
}

bool notice_open(struct framebus_writer *w)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &w->notice};
    w->notice.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->notice.event >= 0 && !epoll_ctl(w->server.epoll, EPOLL_CTL_ADD, w->notice.event, &interest);
}

void notice_close(struct framebus_writer *w)
{
    if (w->notice.event >= 0)
        close(w->notice.event);
    w->notice.event = -1;
}

void notice_raise(struct framebus_writer *w)
{
    if (!w->notice.is_up)
        eventfd_write(w->notice.event, 1);
    w->notice.is_up = true;
}

bool notice_take(struct framebus_writer *w)
{
    eventfd_t ignored;
    if (!w->notice.is_up)
        return false;
    eventfd_read(w->notice.event, &ignored);
    w->notice.is_up = false;
    return true;
}
