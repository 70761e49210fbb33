/* SPDX-License-Identifier: MIT */
/*
 * Lanes through the kernel: the bytes through a pipe, the bytes through a unix socket, and a unix
 * socket over which the descriptor of each frame's memory goes, as GStreamer's unixfd elements do.
 */
#include "lane-peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (1024 * 1024) /* in a pipe or socket; the most that a pipe gets without privileges */

/* ---- bytes ---- */

static void make_room(int a, int b)
{
    int room = ROOM;
    setsockopt(a, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(b, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

static void pipe_prepare(struct lane *lane)
{
    if (pipe(lane->fd))
        bench_die("pipe");
    fcntl(lane->fd[1], F_SETPIPE_SZ, ROOM);
}

static void socket_prepare(struct lane *lane)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, lane->fd))
        bench_die("socketpair");
    make_room(lane->fd[1], lane->fd[0]);
}

/* With all its pages: allocating them is not part of passing a frame. */
static uint8_t *frame_memory(size_t size)
{
    uint8_t *memory = malloc(size);
    if (!memory)
        bench_die("no memory for a frame");
    return memset(memory, 1, size);
}

static void bytes_read(struct lane *lane)
{
    size_t size = lane_frame_size(lane);
    uint8_t *frame = frame_memory(size);
    lane_is_ready(lane);
    for (;;) {
        for (size_t have = 0; have < size;) {
            ssize_t n = read(lane->fd[0], frame + have, size - have);
            if (n <= 0)
                bench_die("%s: read", lane->name);
            have += (size_t)n;
        }
        int64_t arrival = lane_arrival(lane);
        uint64_t number;
        memcpy(&number, frame, sizeof number);
        lane_received(lane, arrival, number);
    }
}

static void bytes_open(struct lane *lane)
{
    lane->data = frame_memory(lane_frame_size(lane));
}

static void bytes_post(struct lane *lane)
{
    size_t size = lane_frame_size(lane);
    memcpy(lane->data, &lane->number, sizeof lane->number);
    lane_sent(lane);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(lane->fd[1], (uint8_t *)lane->data + done, size - done);
        if (n <= 0)
            bench_die("%s: write", lane->name);
        done += (size_t)n;
    }
}

static void bytes_close(struct lane *lane)
{
    free(lane->data);
    close(lane->fd[0]);
    close(lane->fd[1]);
}

const struct lane_kind lane_pipe = {
    .prepare = pipe_prepare,
    .read = bytes_read,
    .open = bytes_open,
    .post = bytes_post,
    .close = bytes_close,
};
const struct lane_kind lane_socket = {
    .prepare = socket_prepare,
    .read = bytes_read,
    .open = bytes_open,
    .post = bytes_post,
    .close = bytes_close,
};

/* ---- descriptors ---- */

struct slots {
    size_t size;
    int fd[LANE_DEPTH];
    void *memory[LANE_DEPTH];
    uint64_t returned; /* frames that the reader has given back, in order */
};

static void fds_prepare(struct lane *lane)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, lane->fd))
        bench_die("socketpair");
}

union one_fd {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

static int receive_fd(struct lane *lane)
{
    char byte;
    union one_fd control;
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    int fd;
    if (recvmsg(lane->fd[0], &m, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&m))
        bench_die("%s: recvmsg", lane->name);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static void fds_read(struct lane *lane)
{
    size_t size = lane_frame_size(lane);
    lane_is_ready(lane);
    for (;;) {
        int fd = receive_fd(lane);
        void *frame = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (frame == MAP_FAILED)
            bench_die("%s: mmap", lane->name);
        int64_t arrival = lane_arrival(lane);
        lane_received(lane, arrival, *(const uint64_t *)frame);
        munmap(frame, size);
        close(fd);
        if (send(lane->fd[0], "", 1, MSG_NOSIGNAL) != 1)
            bench_die("%s: send", lane->name);
    }
}

static void fds_open(struct lane *lane)
{
    struct slots *s = calloc(1, sizeof *s);
    if (!s)
        bench_die("no memory");
    lane->data = s;
    s->size = lane_frame_size(lane);
    for (int i = 0; i < LANE_DEPTH; i++) {
        s->fd[i] = memfd_create("bench", MFD_CLOEXEC);
        if (s->fd[i] < 0 || ftruncate(s->fd[i], (off_t)s->size))
            bench_die("memfd");
        s->memory[i] = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->fd[i], 0);
        if (s->memory[i] == MAP_FAILED)
            bench_die("mmap");
    }
}

/* The number of the frame in flight counts from 1: before it, number - 1 were sent. */
static void await_slot(struct lane *lane, struct slots *s)
{
    char byte;
    while (lane->number - 1 - s->returned >= LANE_DEPTH)
        for (int flags = 0; recv(lane->fd[1], &byte, 1, flags) == 1; flags = MSG_DONTWAIT)
            s->returned++;
}

static void fds_post(struct lane *lane)
{
    struct slots *s = lane->data;
    await_slot(lane, s);
    size_t i = lane->number % LANE_DEPTH;
    *(uint64_t *)s->memory[i] = lane->number;

    union one_fd control = {0};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &s->fd[i], sizeof(int));
    lane_sent(lane);
    if (sendmsg(lane->fd[1], &m, MSG_NOSIGNAL) != 1)
        bench_die("%s: sendmsg", lane->name);
}

static void fds_close(struct lane *lane)
{
    struct slots *s = lane->data;
    for (int i = 0; i < LANE_DEPTH; i++) {
        munmap(s->memory[i], s->size);
        close(s->fd[i]);
    }
    free(s);
    close(lane->fd[0]);
    close(lane->fd[1]);
}

const struct lane_kind lane_fds = {
    .prepare = fds_prepare,
    .read = fds_read,
    .open = fds_open,
    .post = fds_post,
    .close = fds_close,
};
