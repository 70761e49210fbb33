/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* The kernel passes no more at once (SCM_MAX_FD). With room for all, none is closed by the kernel on
 * our behalf, at its leisure. */
#define PASSED_MAX 253

/* As many messages as fit any socket's buffer. */
#define DRAIN_MAX 1024

/* What each message is made of: bytes, and whether more may follow (a tail). */
static const struct {
    uint16_t size;
    bool tail;
} shapes[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = {sizeof(struct message_hello), false},
    [MESSAGE_WELCOME] = {sizeof(struct message_welcome), false},
    [MESSAGE_POOL] = {sizeof(struct message_pool), false},
    [MESSAGE_NEXT] = {sizeof(struct message_plain), false},
    [MESSAGE_QUOTA] = {sizeof(struct message_quota), false},
    [MESSAGE_BELL] = {sizeof(struct message_plain), false},
    [MESSAGE_DELIVERY] = {sizeof(struct message_delivery), false},
    [MESSAGE_REFUSED] = {sizeof(struct message_refused), false},
    [MESSAGE_INFO] = {sizeof(struct message_plain), false},
    [MESSAGE_INFO_REPLY] = {sizeof(struct message_info_reply), true},
    [MESSAGE_BUFFERS] = {sizeof(struct message_buffers), true},
};

int connection_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int connection_connect(int fd, const char *path, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int r;
    do {
        /* A stopped writer's backlog fills, and connecting would block: SO_SNDTIMEO limits that. */
        struct timespec left = deadline_left(deadline);
        struct timeval limit = {.tv_sec = left.tv_sec, .tv_usec = left.tv_nsec / 1000};
        if (deadline != NEVER && !limit.tv_sec && !limit.tv_usec)
            limit.tv_usec = 1; /* zero would mean for ever */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        r = connect(fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
    } while (r == -EINTR);
    return r == -EAGAIN ? -ETIMEDOUT : r;
}

int connection_open(const char *path, int64_t deadline)
{
    int fd = connection_socket();
    int r = fd < 0 ? fd : connection_connect(fd, path, deadline);
    if (!r)
        return fd;
    if (fd >= 0)
        close(fd);
    return r;
}

int connection_get_peer(int socket, struct connection_peer *peer)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size))
        return -errno;
    *peer = (struct connection_peer){.pid = who.pid, .uid = who.uid, .gid = who.gid};
    return 0;
}

void message_init(void *message, enum message_type type, size_t size)
{
    memset(message, 0, size);
    *(struct message_head *)message = (struct message_head){
        .magic = PROTOCOL_MAGIC,
        .abi = LAYOUT_ABI,
        .type = (uint16_t)type,
        .size = (uint32_t)size,
    };
}

int connection_send(int socket, const void *message, const int *fds, unsigned fd_count)
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

void connection_refuse(int socket, int error, const char *text)
{
    struct message_refused m;
    message_init(&m, MESSAGE_REFUSED, sizeof m);
    m.error = error < 0 ? -error : error;
    snprintf(m.text, sizeof m.text, "%s", text);
    connection_send(socket, &m, NULL, 0);
}

/*
 * Takes the fds out of a control message; those that do not fit are closed. Returns how many came.
 * None of them keeps us waiting when it is closed: a TCP socket would, for as long as SO_LINGER says.
 */
static unsigned take_fds(struct msghdr *header, int *fds, unsigned room)
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

static int check_message(const struct msghdr *header, const struct message_head *head, size_t size)
{
    if (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return fail(-EPROTO, "a message is too long, or brings file descriptors that nobody asked for");
    if (size < sizeof *head || head->magic != PROTOCOL_MAGIC)
        return fail(-EPROTO, "%zu bytes that are no framebus message", size);
    if (head->abi != LAYOUT_ABI)
        return -EPROTONOSUPPORT;
    if (head->type >= MESSAGE_TYPES || !shapes[head->type].size)
        return fail(-EPROTO, "a message of unknown type %u", head->type);
    if (head->size != size || size < shapes[head->type].size ||
        (size > shapes[head->type].size && !shapes[head->type].tail))
        return fail(-EPROTO, "a message of type %u with %zu bytes in place of %u", head->type, size,
                    shapes[head->type].size);
    return head->type;
}

int connection_receive(int socket, union message *message, int *fds, unsigned *fd_count)
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
    unsigned count = take_fds(&header, fds, room);
    if (size == 0 && !count && !(header.msg_flags & MSG_CTRUNC))
        return 0; /* an empty message looks like the end, and nobody sends one */

    int r = check_message(&header, &message->head, (size_t)size);
    if (room && header.msg_flags & MSG_CTRUNC) /* there was room for all that the kernel passes */
        r = fail(-EMFILE, "file descriptors cannot be received: too many open files (see ulimit -n)");
    else if (r > 0 && count > (r == MESSAGE_BUFFERS || !room ? room : 2))
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

bool connection_take_no_fds(int socket)
{
    return !setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int));
}

/* In place of the kernel, which would close the fds in the messages one by one. */
static void drain(int socket)
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
        if (size >= 0 && !take_fds(&header, NULL, 0) && !size)
            return; /* the end */
    }
}

void connection_close(int socket)
{
    connection_take_no_fds(socket);
    drain(socket);
    close(socket);
}

bool fd_is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&p, 1, 0) > 0;
}

void message_text(char *to, const char *from, size_t room)
{
    size_t i;
    for (i = 0; i < room - 1 && from[i]; i++)
        to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
    to[i] = '\0';
}
