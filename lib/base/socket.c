/* SPDX-License-Identifier: MIT */
#include "base/socket.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* The most fds that the kernel passes at once (SCM_MAX_FD). With room for all of them, we close those that
 * are too many, not the kernel, which could take long over it. */
#define PASSED_MAX 253

/* More messages than fit any socket's buffer. */
#define DRAIN_MAX 1024

int socket_create(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int socket_connect(int fd, const char *path, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    /* A stopped writer's backlog fills, and connecting would block: SO_SNDTIMEO limits that. */
    struct timespec left = deadline_left(deadline);
    struct timeval limit = {.tv_sec = left.tv_sec, .tv_usec = left.tv_nsec / 1000};
    if (deadline != NEVER && !limit.tv_sec && !limit.tv_usec)
        limit.tv_usec = 1; /* zero would mean no limit */
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    int r = connect(fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
    return r == -EAGAIN ? -ETIMEDOUT : r;
}

int socket_open(const char *path, int64_t deadline)
{
    int fd = socket_create();
    int r = fd;
    if (fd >= 0)
        do
            r = socket_connect(fd, path, deadline);
        while (r == -EINTR);
    if (!r)
        return fd;
    if (fd >= 0)
        close(fd);
    return r;
}

/* Returns the value of an option, or -1. */
static int socket_option(int socket, int option)
{
    int value;
    socklen_t size = sizeof value;
    return getsockopt(socket, SOL_SOCKET, option, &value, &size) ? -1 : value;
}

int socket_duplicate(int socket)
{
    struct sockaddr_un peer;
    socklen_t size = sizeof peer;
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 3);
    int r = fd < 0 ? -errno : 0;
    if (r)
        return fail(r, "fd %d cannot be duplicated: %s", socket, strerror(-r));
    if (socket_option(fd, SO_DOMAIN) != AF_UNIX || socket_option(fd, SO_TYPE) != SOCK_SEQPACKET)
        r = fail(-EINVAL, "fd %d is not a Unix socket of the kind SOCK_SEQPACKET", socket);
    else if (getpeername(fd, (struct sockaddr *)&peer, &size))
        r = fail(-EINVAL, "fd %d is a socket that is not connected: %s", socket, strerror(errno));
    if (!r)
        return fd;
    close(fd);
    return r;
}

int socket_get_peer(int socket, struct socket_peer *peer)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size))
        return -errno;
    *peer = (struct socket_peer){.pid = who.pid, .uid = who.uid, .gid = who.gid};
    return 0;
}

int socket_send(int socket, const void *message, const int *fds, unsigned fd_count)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)message,
                         .iov_len = ((const struct message_head *)message)->size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

void socket_refuse(int socket, int error, const char *text)
{
    struct message_refused m;
    message_init(&m, MESSAGE_REFUSED, sizeof m);
    m.error = error < 0 ? -error : error;
    snprintf(m.text, sizeof m.text, "%s", text);
    socket_send(socket, &m, NULL, 0);
}

/*
 * Takes the fds out of a control message; those that do not fit are closed. Returns how many came.
 * Closing a TCP socket could make us wait for as long as its SO_LINGER says, so that is switched off.
 */
static unsigned socket_accept_fds(struct msghdr *header, int *fds, unsigned room)
{
    unsigned count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){0}, sizeof(struct linger));
            if (count < room)
                fds[count] = fd;
            else
                close(fd);
            count++;
        }
    }
    return count;
}

int socket_receive(int socket, union message *message, int *fds, unsigned *fd_count)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(PASSED_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.space,
                            .msg_controllen = sizeof control.space};
    ssize_t size;
    do
        size = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return -errno;
    unsigned room = fds ? MESSAGE_FDS_MAX : 0;
    unsigned count = socket_accept_fds(&header, fds, room);
    if (size == 0 && !count && !(header.msg_flags & MSG_CTRUNC))
        return 0; /* an empty message, which nobody sends, would look the same */

    int r;
    if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        r = fail(-EPROTO, "a message is too long, or brings file descriptors that nobody asked for");
    else
        r = message_check(&message->head, (size_t)size);
    if (room && header.msg_flags & MSG_CTRUNC) /* there was room for all that the kernel passes */
        r = fail(-EMFILE, "file descriptors cannot be received: too many open files (see ulimit -n)");
    else if (r > 0 && count > (r == MESSAGE_MEMORY || !room ? room : 2))
        r = fail(-EPROTO, "a message with %u file descriptors that nobody asked for", count);
    if (r < 0) {
        for (unsigned i = 0; i < count && i < room; i++)
            close(fds[i]);
        count = 0;
    }
    if (fd_count)
        *fd_count = count;
    return r;
}

bool socket_refuse_fds(int socket)
{
    return !setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int));
}

/* Closes the fds in the messages that are left, each as socket_accept_fds() does and the kernel would not. */
static void socket_drain(int socket)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(PASSED_MAX * sizeof(int))];
    } control;
    for (int i = 0; i < DRAIN_MAX; i++) {
        char byte;
        struct iovec part = {.iov_base = &byte, .iov_len = 1};
        struct msghdr header = {.msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = control.space,
                                .msg_controllen = sizeof control.space};
        ssize_t size = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0 && errno != EINTR && errno != ECONNRESET)
            return;
        if (size >= 0 && !socket_accept_fds(&header, NULL, 0) && !size)
            return; /* the end */
    }
}

void socket_close(int socket)
{
    socket_refuse_fds(socket);
    socket_drain(socket);
    close(socket);
}

bool fd_is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&p, 1, 0) > 0;
}
