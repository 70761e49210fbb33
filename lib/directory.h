/* SPDX-License-Identifier: MIT */
/* Names: where a bus's socket is, who holds the name, and being told when somebody takes it. */
#ifndef FRAMEBUS_DIRECTORY_H
#define FRAMEBUS_DIRECTORY_H

#include "framebus.h"

#include <limits.h>
#include <sys/types.h>

/* Where a bus is. */
struct bus_place {
    char name[FRAMEBUS_PATH_MAX + 1]; /* as given */
    char directory[FRAMEBUS_PATH_MAX + 1];
    char base[FRAMEBUS_PATH_MAX + 1]; /* file name in it */
    char path[FRAMEBUS_PATH_MAX + 1]; /* both together */
    bool is_path;                     /* given as a path: the directory is not ours to make */
    bool in_tmp;                      /* the directory could be somebody else's: see place_connect() */
};

/* Finds the place for a name or path. -EINVAL: not a name; -ENAMETOOLONG. */
int place_find(struct bus_place *place, const char *name);

/* What tells a bus from all others on the machine: the socket's path without links and dots. Names what
 * it could leave behind. `text` has PLACE_IDENTITY_MAX bytes. */
void place_identity(const struct bus_place *place, char *text);

#define PLACE_IDENTITY_MAX (PATH_MAX + FRAMEBUS_PATH_MAX + 2)

/* Connects to the bus's socket as connection_connect() does, and makes sure that the directory it is in
 * can be trusted. -EPERM: it is not ours, or open to others. */
int place_connect(const struct bus_place *place, int socket, int64_t deadline);

/* True for [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool place_name_is_valid(const char *name);

/* A name that is held. */
struct bus_claim {
    int directory; /* fd; the directory may be renamed under us */
    int lock;
    int listener;
    char base[FRAMEBUS_PATH_MAX + 1];
    dev_t device; /* of the socket's file, so that only our own is unlinked */
    ino_t inode;
};

#define BUS_CLAIM_NONE                                                                                       \
    {                                                                                                        \
        .directory = -1, .lock = -1, .listener = -1                                                          \
    }

/* Takes only the lock: nobody serves the name, and nobody can start to. -EADDRINUSE: somebody does;
 * the sentence has the pid. -ENOENT: no such directory. */
int claim_lock(struct bus_claim *claim, const struct bus_place *place);

/* Lock and listening socket, with this mode and group ((gid_t)-1: leave it). Replaces a dead
 * writer's socket. Blocks up to 200 ms for a lock that is being given up, 5 s if its
 * holder is dying. */
int claim_listen(struct bus_claim *claim, const struct bus_place *place, mode_t mode, gid_t group);

/* Unlinks the socket if it is still ours, then lets the lock go. Fine on one half-made. */
void claim_finish(struct bus_claim *claim);

/* In a forked child: closes the fds and leaves the files to the parent. */
void claim_forget(struct bus_claim *claim);

/* Waiting for a writer by inotify, on the socket's directory or its nearest ancestor that exists. */
struct bus_watch {
    int fd; /* readable when it is worth looking again; -1: not open */
    int descriptor;
};

#define BUS_WATCH_NONE                                                                                       \
    {                                                                                                        \
        .fd = -1, .descriptor = -1                                                                           \
    }

/* Opens or renews the watch and empties it. Look for the socket after this, then wait for the fd. */
int watch_arm(struct bus_watch *watch, const struct bus_place *place);

void watch_finish(struct bus_watch *watch);

#endif
