/* SPDX-License-Identifier: MIT */
/* Sockets: whole messages in, whole messages out, fds with them, never blocking unless told to. */
#ifndef FRAMEBUS_SOCKET_H
#define FRAMEBUS_SOCKET_H

#include "shared/protocol.h"

#include <sys/types.h>

/* The process at the other end, as the kernel knows it. */
struct socket_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* Makes a socket to connect with. Negative errno on failure. */
int socket_create(void);

/* Connects it to a bus's socket, waiting until the deadline if the backlog is full. 0, or -ENOENT,
 * -ECONNREFUSED (nobody listens), -EACCES, -ETIMEDOUT, -EPROTOTYPE (another kind of socket), -EINTR (a
 * signal: it can be called again), ..., without a sentence: the caller knows better what it means. */
int socket_connect(int socket, const char *path, int64_t deadline);

/* Both at once, whatever signals come. Returns the fd. */
int socket_open(const char *path, int64_t deadline);

/* Duplicates a socket that a caller has connected. -EINVAL, with a sentence: it is not one that can lead to a
 * bus. -EBADF and -EMFILE, too. */
int socket_duplicate(int socket);

int socket_get_peer(int socket, struct socket_peer *peer);

/* Sends one message. -EAGAIN: the peer does not read; -EPIPE, -ECONNRESET: it is gone. */
int socket_send(int socket, const void *message, const int *fds, unsigned fd_count);

/* Sends REFUSED with a sentence, which arrives if the peer has room for it. */
void socket_refuse(int socket, int error, const char *text);

/*
 * Receives one message. Returns its type; 0 at end of file;
 * -EAGAIN if there is none; -ECONNRESET; -EPROTONOSUPPORT for a message of another version (its
 * head is valid); -EPROTO, with a sentence, for nonsense: wrong magic or size, an unknown type, fds
 * that do not belong there; -EMFILE, with a sentence, if we have no fds left for those that came. fds may
 * be NULL when none are expected. On success the first *fd_count of them are the caller's, on failure all
 * that came have been closed.
 */
int socket_receive(int socket, union message *message, int *fds, unsigned *fd_count);

/* Has the kernel pass no fds through this socket. False: it is older than 6.16 and cannot do that. */
bool socket_refuse_fds(int socket);

/* Closes a socket, and the fds that are still under way to it. */
void socket_close(int socket);

/* True if a read would not block; false for -1. */
bool fd_is_readable(int fd);

#endif
