/* SPDX-License-Identifier: MIT */
#include "bus/name.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/region.h"
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel releases a dead process's lock after its memory, which takes a while if there is much of it. */
#define LOCK_PATIENCE  (200 * NS_PER_MS)
#define DYING_PATIENCE (5 * NS_PER_S)
#define LOCK_PAUSE     (5 * NS_PER_MS)
#define BACKLOG        64

/* Rounds in which a watch is set anew because directories came or went meanwhile. */
#define SETTLING_ROUNDS 8

/* The interval at which a bus is tried where there is no inotify. */
#define TICK (100 * NS_PER_MS)

/* ---- where things are ---- */

/* *in_tmp: it is in /tmp, where somebody else may have made it before us. */
static int directory_find(char *text, size_t room, bool *in_tmp)
{
    const char *own = getenv("FRAMEBUS_DIR");
    const char *session = getenv("XDG_RUNTIME_DIR");
    int length;
    *in_tmp = false;
    if (own && *own) {
        length = snprintf(text, room, "%s", own);
    } else if (session && *session) {
        length = snprintf(text, room, "%s/framebus", session);
    } else if (geteuid() == 0) {
        length = snprintf(text, room, "/run/framebus");
    } else {
        length = snprintf(text, room, "/tmp/framebus-%u", (unsigned)geteuid());
        *in_tmp = true;
    }
    if (length >= (int)room)
        return fail(-ENAMETOOLONG, "the runtime directory's path is longer than %zu bytes",
                    room ? room - 1 : 0);
    return length;
}

int framebus_directory(char *text, size_t room)
{
    bool in_tmp;
    return directory_find(text, room, &in_tmp);
}

bool bus_name_is_valid(const char *name)
{
    static const char allowed[] = "._-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(name);
    return length > 0 && length <= FRAMEBUS_NAME_MAX && strspn(name, allowed) == length &&
           strspn(name, "._-") == 0;
}

static int bus_path_too_long(const char *name)
{
    return fail(-ENAMETOOLONG,
                "the socket's path for bus \"%.120s\" is longer than %d bytes: set FRAMEBUS_DIR to a shorter "
                "directory",
                name, FRAMEBUS_PATH_MAX - 5);
}

int bus_path_find(struct bus_path *path, const char *name)
{
    *path = (struct bus_path){0};
    if (!name || !*name)
        return fail(-EINVAL, "a bus needs a name");
    path->is_path = strchr(name, '/');
    if (!path->is_path && !bus_name_is_valid(name))
        return fail(
            -EINVAL,
            "\"%.80s\" is not a name for a bus: use 1 to %d letters, digits, '.', '_' or '-', beginning "
            "with a letter or digit, or a path",
            name, FRAMEBUS_NAME_MAX);

    /* The socket is bound as .NAME.tmp, which has to fit as well. */
    size_t room = sizeof path->socket - strlen(".") - strlen(".tmp");
    if (path->is_path) {
        const char *slash = strrchr(name, '/');
        if (!slash[1] || !strcmp(slash + 1, ".") || !strcmp(slash + 1, ".."))
            return fail(-EINVAL, "\"%.120s\" is a directory: give the path of a socket in it", name);
        if (strlen(name) >= room)
            return bus_path_too_long(name);
        snprintf(path->directory, sizeof path->directory, "%.*s", slash == name ? 1 : (int)(slash - name),
                 name);
        strcpy(path->base, slash + 1);
        strcpy(path->socket, name);
    } else {
        int r = directory_find(path->directory, sizeof path->directory, &path->in_tmp);
        if (r < 0)
            return r;
        if ((size_t)r + 1 + strlen(name) >= room)
            return bus_path_too_long(name);
        strcpy(path->base, name);
        memcpy(path->socket, path->directory, (size_t)r);
        snprintf(path->socket + r, sizeof path->socket - (size_t)r, "/%s", name);
    }
    strcpy(path->name, name);
    return 0;
}

void bus_path_identity(const struct bus_path *path, char *text)
{
    char real[PATH_MAX];
    bool known = realpath(path->directory, real);
    snprintf(text, BUS_IDENTITY_MAX, "%s/%s", known ? real : path->directory, path->base);
}

/* In /tmp somebody else may have made it first. Once it is ours it stays ours, because /tmp is sticky. */
static int bus_path_check_directory(const struct bus_path *path)
{
    struct stat st = {0};
    if (!path->in_tmp || (lstat(path->directory, &st) && errno == ENOENT))
        return 0;
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 07777) == 0700)
        return 0;
    return fail(-EPERM,
                "%s is not ours alone (it must be a directory of uid %u with mode 0700): remove it or set "
                "FRAMEBUS_DIR",
                path->directory, (unsigned)geteuid());
}

int bus_path_connect(const struct bus_path *path, int socket, int64_t deadline)
{
    int r = socket_connect(socket, path->socket, deadline);
    int checked = bus_path_check_directory(path); /* not before: the directory may have appeared in between */
    return checked ? checked : r;
}

/* Makes the runtime directory if need be, and opens it. */
static int bus_path_open_directory(const struct bus_path *path)
{
    if (!path->is_path && !mkdir(path->directory, 0700)) {
        if (!strcmp(path->directory, "/run/framebus"))
            chmod(path->directory, 0755); /* whatever the umask is */
    } else if (!path->is_path && errno != EEXIST) {
        return fail(-errno, "cannot make the runtime directory %s: %s", path->directory, strerror(errno));
    }
    int r = bus_path_check_directory(path);
    if (r)
        return r;
    int fd = open(path->directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    return fd < 0 ? fail(-errno, "cannot open the directory %s: %s", path->directory, strerror(errno)) : fd;
}

/* ---- holding a name ---- */

/* 1: a process listens there, and *pid is the one that called listen(), or unchanged if the kernel does not
 * tell. 0: none does. -EEXIST: it is another program's socket. */
static int bus_path_find_listener(const struct bus_path *path, pid_t *pid)
{
    struct socket_peer peer;
    int fd = socket_open(path->socket, deadline_in(10 * NS_PER_MS));
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        return 0;
    if (fd == -EPROTOTYPE)
        return fail(-EEXIST, "%s is another program's socket", path->socket);
    if (fd >= 0 && !socket_get_peer(fd, &peer))
        *pid = peer.pid;
    if (fd >= 0)
        close(fd);
    return 1;
}

/* True for a process that was killed and is not gone yet: proc(5), /proc/PID/stat, field 9. */
static bool process_is_dying(pid_t pid)
{
    const unsigned exiting = 0x4; /* PF_EXITING */
    char path[32], line[512] = "";
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return pid > 0 && errno == ENOENT;
    if (fgets(line, sizeof line, f)) {
        const char *rest = strrchr(line, ')'); /* the name before it may contain anything */
        if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
            flags = 0;
    }
    fclose(f);
    return flags & exiting;
}

int bus_name_lock(struct bus_name *held, const struct bus_path *path)
{
    *held = (struct bus_name)BUS_NAME_NONE;
    strcpy(held->base, path->base);
    int r = bus_path_open_directory(path);
    if (r < 0)
        return r;
    held->directory = r;

    char file[sizeof path->base + 8];
    snprintf(file, sizeof file, ".%s.lock", path->base);
    held->lock = openat(held->directory, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (held->lock < 0) {
        r = fail(-errno, "cannot open the lock %s/%s: %s", path->directory, file, strerror(errno));
        goto fail;
    }
    int64_t start = clock_now();
    int64_t pause = LOCK_PAUSE;
    pid_t pid = 0;
    bool locked = false;
    for (;;) {
        locked = locked || !flock(held->lock, LOCK_EX | LOCK_NB);
        if (!locked && errno != EWOULDBLOCK && errno != EINTR) {
            r = fail(-errno, "cannot lock %s/%s: %s", path->directory, file, strerror(errno));
            goto fail;
        }
        /* A process that listens without the lock is not a dead writer, and is not replaced. */
        r = bus_path_find_listener(path, &pid);
        if (locked && r <= 0)
            break;
        int64_t waited = clock_now() - start;
        if (waited > DYING_PATIENCE || (waited > LOCK_PATIENCE && !process_is_dying(pid))) {
            if (pid)
                r = fail(-EADDRINUSE, "bus \"%s\" has a writer already: process %d", path->name, (int)pid);
            else
                r = fail(-EADDRINUSE, "bus \"%s\" has a writer already, or is just being taken", path->name);
            goto fail;
        }
        nanosleep(&(struct timespec){.tv_nsec = (long)pause}, NULL);
        pause = pause < 10 * LOCK_PAUSE ? 2 * pause : pause;
    }
    if (!r)
        return 0;

fail:
    bus_name_forget(held);
    return r;
}

int bus_name_hold(struct bus_name *held, const struct bus_path *path, mode_t mode, gid_t group)
{
    int r = bus_name_lock(held, path);
    if (r)
        return r;

    struct stat st;
    if (!fstatat(held->directory, path->base, &st, AT_SYMLINK_NOFOLLOW) && !S_ISSOCK(st.st_mode)) {
        r = fail(-EEXIST, "%s exists and is not a socket", path->socket);
        goto fail;
    }
    /* It is bound under another name and renamed once it listens, so no reader meets one that does not. */
    char temporary[sizeof path->base + 8];
    snprintf(temporary, sizeof temporary, ".%s.tmp", path->base);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* bus_path_find() has made sure that it fits. */
    strcpy(stpcpy(stpcpy(address.sun_path, path->directory), "/"), temporary);
    unlinkat(held->directory, temporary, 0);

    held->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (held->listener < 0 || bind(held->listener, (struct sockaddr *)&address, sizeof address)) {
        r = fail(-errno, "cannot make the socket %s: %s", address.sun_path, strerror(errno));
        goto fail;
    }
    /* Closing a file descriptor that a stranger attaches to a message could take long. Kernels before 6.16
     * cannot refuse them. */
    socket_refuse_fds(held->listener);
    if ((group != (gid_t)-1 && fchownat(held->directory, temporary, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW)) ||
        fchmodat(held->directory, temporary, mode, 0) ||
        fstatat(held->directory, temporary, &st, AT_SYMLINK_NOFOLLOW)) {
        r = fail(-errno, "cannot give %s mode %04o and group %d: %s", path->socket, (unsigned)mode,
                 (int)group, strerror(errno));
        goto fail_temporary;
    }
    held->device = st.st_dev;
    held->inode = st.st_ino;
    if (listen(held->listener, BACKLOG) ||
        renameat(held->directory, temporary, held->directory, path->base)) {
        r = fail(-errno, "cannot put the socket in place as %s: %s", path->socket, strerror(errno));
        goto fail_temporary;
    }
    return 0;

fail_temporary:
    unlinkat(held->directory, temporary, 0);
fail:
    bus_name_forget(held);
    return r;
}

void bus_name_release(struct bus_name *held)
{
    struct stat st;
    if (held->listener >= 0 && !fstatat(held->directory, held->base, &st, AT_SYMLINK_NOFOLLOW) &&
        st.st_dev == held->device && st.st_ino == held->inode)
        unlinkat(held->directory, held->base, 0);
    bus_name_forget(held);
}

void bus_name_forget(struct bus_name *held)
{
    if (held->listener >= 0)
        close(held->listener);
    if (held->lock >= 0)
        close(held->lock); /* after the listener: the next writer starts when this is free */
    if (held->directory >= 0)
        close(held->directory);
    held->listener = held->lock = held->directory = -1;
}

int framebus_remove(const char *name, void (*removed)(const char *what, void *user), void *user)
{
    struct bus_path path;
    int r = bus_path_find(&path, name);
    if (r)
        return r;
    struct stat st;
    char identity[BUS_IDENTITY_MAX];
    bus_path_identity(&path, identity);
    bool socket = !lstat(path.socket, &st) && S_ISSOCK(st.st_mode);
    if (!socket && !region_leftovers(identity, false, NULL, NULL))
        return fail(-ENOENT, "nothing of bus \"%s\" is left (no socket %s, no shared memory)", name,
                    path.socket);

    struct bus_name held;
    r = bus_name_lock(&held, &path);
    if (r)
        return r == -EADDRINUSE ? -EBUSY : r;
    int count = region_leftovers(identity, true, removed, user);
    if (socket && unlinkat(held.directory, path.base, 0)) {
        r = fail(-errno, "cannot remove %s: %s", path.socket, strerror(errno));
    } else if (socket) {
        char what[FRAMEBUS_PATH_MAX + 16];
        snprintf(what, sizeof what, "socket %s", path.socket);
        if (removed)
            removed(what, user);
        count++;
    }
    bus_name_forget(&held);
    return r ? r : count;
}

/* ---- waiting for a name ---- */

static void bus_watch_drain(int fd)
{
    char events[4096] __attribute__((aligned(8)));
    while (read(fd, events, sizeof events) > 0)
        ;
}

/* Where inotify fails: a user has few instances, which many programs want, and a sandbox may have none. */
static int bus_watch_start_timer(struct bus_watch *watch, const struct bus_path *path)
{
    const struct itimerspec ticks = {{.tv_nsec = TICK}, {.tv_nsec = TICK}};
    const char *remedy = errno == EMFILE   ? " (sysctl fs.inotify.max_user_instances=1024 allows more)"
                         : errno == ENOSPC ? " (sysctl fs.inotify.max_user_watches=524288 allows more)"
                                           : "";
    const char *why = strerror(errno);
    bus_watch_finish(watch);
    watch->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watch->fd < 0 || timerfd_settime(watch->fd, 0, &ticks, NULL)) {
        int r = fail(-errno, "cannot wait for bus \"%s\": %s%s", path->name, strerror(errno),
                     errno == EMFILE ? " (see ulimit -n)" : "");
        bus_watch_finish(watch);
        return r;
    }
    watch->is_timer = true;
    log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\" is looked for ten times a second, without inotify: %s%s",
             path->name, why, remedy);
    return 0;
}

void bus_watch_pause(struct bus_watch *watch)
{
    if (watch->descriptor >= 0)
        inotify_rm_watch(watch->fd, watch->descriptor);
    watch->descriptor = -1;
}

/* Watches a path's directory, or its nearest ancestor that exists: there its next part may appear. */
static int bus_watch_nearest(const struct bus_watch *watch, const char *directory)
{
    char where[FRAMEBUS_PATH_MAX + 1];
    uint32_t events = watch->more;
    strcpy(where, directory);
    for (;;) {
        int descriptor = inotify_add_watch(watch->fd, where,
                                           IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | events);
        if (descriptor >= 0 || (errno != ENOENT && errno != ENOTDIR))
            return descriptor;
        events = IN_CREATE;
        char *slash = strrchr(where, '/');
        if (!slash)
            strcpy(where, ".");
        else if (slash == where)
            slash[1] = '\0';
        else
            *slash = '\0';
    }
}

int bus_watch_renew(struct bus_watch *watch, const struct bus_path *path)
{
    if (watch->is_timer) {
        bus_watch_drain(watch->fd);
        return 0;
    }
    if (watch->fd < 0)
        watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0)
        return bus_watch_start_timer(watch, path);

    /* Directories come, go and move meanwhile, and draining discards what told of it. So only a watch that
     * was set before draining, and is still the nearest one after it, has missed nothing. Where that never
     * comes to rest, the event of a watch removed last makes the fd readable, and the caller comes again. */
    for (int i = 0; i < SETTLING_ROUNDS; i++) {
        bus_watch_drain(watch->fd);
        int descriptor = bus_watch_nearest(watch, path->directory);
        if (descriptor < 0)
            return bus_watch_start_timer(watch, path);
        if (descriptor == watch->descriptor)
            return 0;
        bus_watch_pause(watch);
        watch->descriptor = descriptor;
    }
    return 0;
}

void bus_watch_finish(struct bus_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    *watch = (struct bus_watch)BUS_WATCH_NONE;
}
