/* SPDX-License-Identifier: MIT */
/*
 * A writer from the inside: what it was opened with, and its parts. Each part is written to by the file of
 * its name alone.
 *
 * One lock guards everything except the config. Every function that the headers of this directory declare is
 * called with it. None keeps it during a sleep or a callback: server_wait() and writer_unlock() let go of it.
 */
#ifndef FRAMEBUS_WRITER_H
#define FRAMEBUS_WRITER_H

#include "base/fork.h"
#include "bus/name.h"
#include "writer/door.h"
#include "writer/import.h"
#include "writer/key_frame.h"
#include "writer/lossless.h"
#include "writer/notice.h"
#include "writer/pool.h"
#include "writer/server.h"

/* What a writer was opened with. Does not change. */
struct writer_config {
    struct bus_path path;
    char identity[BUS_IDENTITY_MAX]; /* of the bus: what it could leave behind is named after this */
    enum framebus_memory memory;
    uint32_t memory_flags;
    mode_t mode;
    gid_t group;
    uint32_t history;
    uint32_t window;    /* number of frames that readers may take: history, in a lossless writer more */
    uint32_t max_slots; /* of a pool, if address space is not short */
    bool fewer_slots;   /* a pool may have fewer if it is */
    uint32_t max_lends;
    uint32_t meta_size;
    bool dmabuf, dmabuf_for_all;
    bool lossless;
    int64_t lossless_timeout;
    int64_t poll;  /* how often publish polls the sockets; negative: never */
    int cancel_fd; /* -1: none */
    char label[FRAMEBUS_LABEL_MAX + 1];
};

struct framebus_writer {
    struct fork_node fork;
    struct writer_config config;
    pthread_mutex_t lock;
    uint32_t refs; /* one while open, one for each lend and import */
    bool open;
    struct bus_name name; /* held while open */
    struct pools pools;
    struct imports imports;
    struct door door;
    struct server server;
    struct key_frames key_frames;
    struct notice notice;
    struct lossless lossless;
    struct user *users; /* list: to be destroyed when the lock is let go of */
    int64_t last_publish;
    int64_t interval; /* between frames, smoothed */
};

#endif
