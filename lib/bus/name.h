/* SPDX-License-Identifier: MIT */
/* Names: where a bus's socket is, how a writer holds the name, and how a reader waits for one that does. */
#ifndef FRAMEBUS_NAME_H
#define FRAMEBUS_NAME_H

#include "framebus.h"

#include <limits.h>
#include <sys/types.h>

/* Where a bus is. */
struct bus_path {
    char name[FRAMEBUS_PATH_MAX + 1]; /* as given */
    char directory[FRAMEBUS_PATH_MAX + 1];
    char base[FRAMEBUS_PATH_MAX + 1];   /* file name in it */
    char socket[FRAMEBUS_PATH_MAX + 1]; /* both together */
    bool is_path;                       /* given as a path: the directory is not ours to make */
    bool in_tmp;                        /* the directory could be somebody else's: see bus_path_connect() */
};

/* Finds the path of a bus that is given by name or path. -EINVAL: not a name; -ENAMETOOLONG. */
int bus_path_find(struct bus_path *path, const char *name);

/* What tells a bus from all others on the machine: the socket's path without links and dots. What the bus
 * could leave behind is named after it. `text` has BUS_IDENTITY_MAX bytes. */
void bus_path_identity(const struct bus_path *path, char *text);

#define BUS_IDENTITY_MAX (PATH_MAX + FRAMEBUS_PATH_MAX + 2)

/* Connects to the bus's socket as socket_connect() does, and makes sure that its directory can be trusted.
 * -EPERM: that is not ours, or others may write to it. */
int bus_path_connect(const struct bus_path *path, int socket, int64_t deadline);

/* True for [A-Za-z0-9][A-Za-z0-9._-]{0,63}. */
bool bus_name_is_valid(const char *name);

/* A name that is held. */
struct bus_name {
    int directory; /* fd; the directory may be renamed under us */
    int lock;
    int listener;
    char base[FRAMEBUS_PATH_MAX + 1];
    dev_t device; /* of the socket's file, so that only our own is unlinked */
    ino_t inode;  /* the same */
};

#define BUS_NAME_NONE                                                                                        \
    {                                                                                                        \
        .directory = -1, .lock = -1, .listener = -1                                                          \
    }

/* Takes only the lock, so that nobody serves the name and nobody can begin to. -EADDRINUSE: somebody does,
 * and the sentence has the pid. -ENOENT: there is no such directory. */
int bus_name_lock(struct bus_name *held, const struct bus_path *path);

/* Takes the lock and makes the listening socket, with this mode and group ((gid_t)-1: leave it). Replaces a
 * dead writer's socket. Blocks for at most 200 ms while the lock is held, 5 s if its holder is dying. */
int bus_name_hold(struct bus_name *held, const struct bus_path *path, mode_t mode, gid_t group);

/* Unlinks the socket if it is still ours, then unlocks. Fine on one that is half-made. */
void bus_name_release(struct bus_name *held);

/* In a forked child: closes the fds and leaves the files to the parent. */
void bus_name_forget(struct bus_name *held);

/* Waits for a writer by inotify, on the socket's directory or its nearest ancestor that exists, or by a timer
 * where there is no inotify instance to be had. */
struct bus_watch {
    int fd; /* readable when it is worth trying again; -1: not open */
    int descriptor;
    uint32_t more; /* inotify's events in the directory that are worth it, too, besides a socket's coming */
    bool is_timer;
};

#define BUS_WATCH_NONE                                                                                       \
    {                                                                                                        \
        .fd = -1, .descriptor = -1                                                                           \
    }

/* Opens or renews the watch and empties it. The caller tries the socket after this, then waits for the fd. */
int bus_watch_renew(struct bus_watch *watch, const struct bus_path *path);

/* Stops watching, for a reader that has found its writer. Closing the watch at once takes the kernel 10 ms
 * and more; a while later it takes less, or next to nothing. */
void bus_watch_pause(struct bus_watch *watch);

void bus_watch_finish(struct bus_watch *watch);

#endif
