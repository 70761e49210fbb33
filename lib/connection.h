/* SPDX-License-Identifier: MIT */
/* Sockets: whole messages in, whole messages out, fds with them, never blocking unless told to. */
#ifndef FRAMEBUS_CONNECTION_H
#define FRAMEBUS_CONNECTION_H

#include "protocol.h"

#include <sys/types.h>

/* Who is at the other end, as the kernel knows it. */
struct connection_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/* A socket to connect with. Negative errno on failure. */
int connection_socket(void);

/* Connects it to a bus's socket, waiting until the deadline if the backlog is full. 0, or -ENOENT,
 * -ECONNREFUSED (nobody listens), -EACCES, -ETIMEDOUT, -EPROTOTYPE (another kind of socket), ...
 * without a sentence: the caller knows better what it means. */
int connection_connect(int socket, const char *path, int64_t deadline);

/* Both at once. Returns the fd. */
int connection_open(const char *path, int64_t deadline);

int connection_get_peer(int socket, struct connection_peer *peer);

/* Fills in the head of a message of this type and size. */
void message_init(void *message, enum message_type type, size_t size);

/* Sends one message. -EAGAIN: the peer does not read; -EPIPE, -ECONNRESET: it is gone. */
int connection_send(int socket, const void *message, const int *fds, unsigned fd_count);

/* Sends REFUSED with a sentence. Whether it arrives is the peer's affair. */
void connection_refuse(int socket, int error, const char *text);

/*
 * Receives one message. Returns its type; 0 at end of file;
 * -EAGAIN if there is none; -ECONNRESET; -EPROTONOSUPPORT for a message of another version (its
 * head is valid); -EPROTO, with a sentence, for nonsense: wrong magic or size, an unknown type, fds
 * that do not belong there; -EMFILE, with a sentence, if we have no fds left for those that came. fds may
 * be NULL when none are expected; on success *fd_count are the caller's, on failure all that came have
 * been closed.
 */
int connection_receive(int socket, union message *message, int *fds, unsigned *fd_count);

/* No fds will come through this socket. False if the kernel, before 6.16, cannot do that. */
bool connection_take_no_fds(int socket);

/* Closes a socket, and what is still under way to it. */
void connection_close(int socket);

/* True if a read would not block; false for -1. */
bool fd_is_readable(int fd);

/* A foreign fixed-size text field, made printable and terminated. */
void message_text(char *to, const char *from, size_t room);

#endif
