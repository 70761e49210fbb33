/* SPDX-License-Identifier: MIT */
#include "directory.h"

#include "clock.h"
#include "connection.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel releases a dead process's lock after its memory, which takes a while if that is much. */
#define LOCK_PATIENCE  (200 * NS_PER_MS)
#define DYING_PATIENCE (5 * NS_PER_S)
#define LOCK_PAUSE     (5 * NS_PER_MS)
#define BACKLOG        64

/* ---- where things are ---- */

/* *in_tmp: it is the last resort, where somebody else may have been before us. */
static int find_directory(char *text, size_t room, bool *in_tmp)
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
    return find_directory(text, room, &in_tmp);
}

bool place_name_is_valid(const char *name)
{
    static const char allowed[] = "._-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(name);
    return length > 0 && length <= FRAMEBUS_NAME_MAX && strspn(name, allowed) == length &&
           strspn(name, "._-") == 0;
}

static int too_long(const char *name)
{
    return fail(-ENAMETOOLONG,
                "the socket's path for bus \"%.120s\" is longer than %d bytes: set FRAMEBUS_DIR to a shorter "
                "directory",
                name, FRAMEBUS_PATH_MAX - 5);
}

int place_find(struct bus_place *place, const char *name)
{
    *place = (struct bus_place){0};
    if (!name || !*name)
        return fail(-EINVAL, "a bus needs a name");
    place->is_path = strchr(name, '/');
    if (!place->is_path && !place_name_is_valid(name))
        return fail(-EINVAL,
                    "\"%.80s\" is no name for a bus: use 1 to %d letters, digits, '.', '_' or '-', beginning "
                    "with a letter or digit, or a path",
                    name, FRAMEBUS_NAME_MAX);

    /* The socket is bound as .NAME.tmp, which has to fit as well. */
    size_t room = sizeof place->path - strlen(".") - strlen(".tmp");
    if (place->is_path) {
        const char *slash = strrchr(name, '/');
        if (!slash[1] || !strcmp(slash + 1, ".") || !strcmp(slash + 1, ".."))
            return fail(-EINVAL, "\"%.120s\" is a directory: give the path of a socket in it", name);
        if (strlen(name) >= room)
            return too_long(name);
        snprintf(place->directory, sizeof place->directory, "%.*s", slash == name ? 1 : (int)(slash - name),
                 name);
        strcpy(place->base, slash + 1);
        strcpy(place->path, name);
    } else {
        int r = find_directory(place->directory, sizeof place->directory, &place->in_tmp);
        if (r < 0)
            return r;
        if ((size_t)r + 1 + strlen(name) >= room)
            return too_long(name);
        strcpy(place->base, name);
        memcpy(place->path, place->directory, (size_t)r);
        snprintf(place->path + r, sizeof place->path - (size_t)r, "/%s", name);
    }
    strcpy(place->name, name);
    return 0;
}

void place_identity(const struct bus_place *place, char *text)
{
    char real[PATH_MAX];
    bool known = realpath(place->directory, real);
    snprintf(text, PLACE_IDENTITY_MAX, "%s/%s", known ? real : place->directory, place->base);
}

/* In /tmp somebody else may have been first. Once it is ours it stays ours: /tmp is sticky. */
static int check_directory(const struct bus_place *place)
{
    struct stat st = {0};
    if (!place->in_tmp || (lstat(place->directory, &st) && errno == ENOENT))
        return 0;
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 07777) == 0700)
        return 0;
    return fail(-EPERM,
                "%s is not ours alone (it must be a directory of uid %u with mode 0700): remove it or set "
                "FRAMEBUS_DIR",
                place->directory, (unsigned)geteuid());
}

int place_connect(const struct bus_place *place, int socket, int64_t deadline)
{
    int r = connection_connect(socket, place->path, deadline);
    int checked = check_directory(place); /* not before: the directory may have come in between */
    return checked ? checked : r;
}

/* Makes the runtime directory if need be, and opens it. */
static int open_directory(const struct bus_place *place)
{
    if (!place->is_path && !mkdir(place->directory, 0700)) {
        if (!strcmp(place->directory, "/run/framebus"))
            chmod(place->directory, 0755); /* whatever the umask is */
    } else if (!place->is_path && errno != EEXIST) {
        return fail(-errno, "cannot make the runtime directory %s: %s", place->directory, strerror(errno));
    }
    int r = check_directory(place);
    if (r)
        return r;
    int fd = open(place->directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    return fd < 0 ? fail(-errno, "cannot open the directory %s: %s", place->directory, strerror(errno)) : fd;
}

/* ---- holding a name ---- */

/* 1: somebody listens at the place; the kernel remembers who called listen(). 0: nobody does. -EEXIST: it
 * is no framebus's socket. *pid stays what it was if it cannot be told. */
static int find_listener(const struct bus_place *place, pid_t *pid)
{
    struct connection_peer peer;
    int fd = connection_open(place->path, deadline_in(10 * NS_PER_MS));
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        return 0;
    if (fd == -EPROTOTYPE)
        return fail(-EEXIST, "%s is another program's socket", place->path);
    if (fd >= 0 && !connection_get_peer(fd, &peer))
        *pid = peer.pid;
    if (fd >= 0)
        close(fd);
    return 1;
}

/* True for a process that was killed and has not gone yet: proc(5), /proc/PID/stat, field 9. */
static bool is_dying(pid_t pid)
{
    const unsigned exiting = 0x4; /* PF_EXITING */
    char path[32], line[512] = "";
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return pid > 0 && errno == ENOENT;
    if (fgets(line, sizeof line, f)) {
        const char *rest = strrchr(line, ')'); /* the name before it may have anything in it */
        if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
            flags = 0;
    }
    fclose(f);
    return flags & exiting;
}

int claim_lock(struct bus_claim *claim, const struct bus_place *place)
{
    *claim = (struct bus_claim)BUS_CLAIM_NONE;
    strcpy(claim->base, place->base);
    int r = open_directory(place);
    if (r < 0)
        return r;
    claim->directory = r;

    char file[sizeof place->base + 8];
    snprintf(file, sizeof file, ".%s.lock", place->base);
    claim->lock = openat(claim->directory, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (claim->lock < 0) {
        r = fail(-errno, "cannot open the lock %s/%s: %s", place->directory, file, strerror(errno));
        goto fail;
    }
    int64_t start = clock_now();
    int64_t pause = LOCK_PAUSE;
    pid_t pid = 0;
    bool locked = false;
    for (;;) {
        locked = locked || !flock(claim->lock, LOCK_EX | LOCK_NB);
        if (!locked && errno != EWOULDBLOCK && errno != EINTR) {
            r = fail(-errno, "cannot lock %s/%s: %s", place->directory, file, strerror(errno));
            goto fail;
        }
        /* Whoever listens without the lock is no dead writer, and not to be replaced. */
        r = find_listener(place, &pid);
        if (locked && r <= 0)
            break;
        int64_t waited = clock_now() - start;
        if (waited > DYING_PATIENCE || (waited > LOCK_PATIENCE && !is_dying(pid))) {
            if (pid)
                r = fail(-EADDRINUSE, "bus \"%s\" has a writer already: process %d", place->name, (int)pid);
            else
                r = fail(-EADDRINUSE, "bus \"%s\" has a writer already, or is just being taken", place->name);
            goto fail;
        }
        nanosleep(&(struct timespec){.tv_nsec = (long)pause}, NULL);
        pause = pause < 10 * LOCK_PAUSE ? 2 * pause : pause;
    }
    if (!r)
        return 0;

fail:
    claim_forget(claim);
    return r;
}

int claim_listen(struct bus_claim *claim, const struct bus_place *place, mode_t mode, gid_t group)
{
    int r = claim_lock(claim, place);
    if (r)
        return r;

    struct stat st;
    if (!fstatat(claim->directory, place->base, &st, AT_SYMLINK_NOFOLLOW) && !S_ISSOCK(st.st_mode)) {
        r = fail(-EEXIST, "%s exists and is no socket", place->path);
        goto fail;
    }
    /* Bound under another name and renamed once it listens: no reader meets one that does not. */
    char temporary[sizeof place->base + 8];
    snprintf(temporary, sizeof temporary, ".%s.tmp", place->base);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(place->directory);
    memcpy(address.sun_path, place->directory, length);
    snprintf(address.sun_path + length, sizeof address.sun_path - length, "/%s", temporary);
    unlinkat(claim->directory, temporary, 0);

    claim->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (claim->listener < 0 || bind(claim->listener, (struct sockaddr *)&address, sizeof address)) {
        r = fail(-errno, "cannot make the socket %s: %s", address.sun_path, strerror(errno));
        goto fail;
    }
    /* A file descriptor that a stranger attaches to a message could make closing it slow; kernels
     * before 6.16 cannot refuse them. */
    connection_take_no_fds(claim->listener);
    if ((group != (gid_t)-1 &&
         fchownat(claim->directory, temporary, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW)) ||
        fchmodat(claim->directory, temporary, mode, 0) ||
        fstatat(claim->directory, temporary, &st, AT_SYMLINK_NOFOLLOW)) {
        r = fail(-errno, "cannot give %s mode %04o and group %d: %s", place->path, (unsigned)mode, (int)group,
                 strerror(errno));
        goto fail_temporary;
    }
    claim->device = st.st_dev;
    claim->inode = st.st_ino;
    if (listen(claim->listener, BACKLOG) ||
        renameat(claim->directory, temporary, claim->directory, place->base)) {
        r = fail(-errno, "cannot put the socket in place as %s: %s", place->path, strerror(errno));
        goto fail_temporary;
    }
    return 0;

fail_temporary:
    unlinkat(claim->directory, temporary, 0);
fail:
    claim_forget(claim);
    return r;
}

void claim_finish(struct bus_claim *claim)
{
    struct stat st;
    if (claim->listener >= 0 && !fstatat(claim->directory, claim->base, &st, AT_SYMLINK_NOFOLLOW) &&
        st.st_dev == claim->device && st.st_ino == claim->inode)
        unlinkat(claim->directory, claim->base, 0);
    claim_forget(claim);
}

void claim_forget(struct bus_claim *claim)
{
    if (claim->listener >= 0)
        close(claim->listener);
    if (claim->lock >= 0)
        close(claim->lock); /* last: the next writer starts when this is free */
    if (claim->directory >= 0)
        close(claim->directory);
    claim->listener = claim->lock = claim->directory = -1;
}

/* ---- waiting for a name ---- */

static void drain(int fd)
{
    char events[4096] __attribute__((aligned(8)));
    while (read(fd, events, sizeof events) > 0)
        ;
}

int watch_arm(struct bus_watch *watch, const struct bus_place *place)
{
    if (watch->fd < 0)
        watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0)
        return fail(-errno, "cannot watch for bus \"%s\": %s%s", place->name, strerror(errno),
                    errno == EMFILE ? " (see ulimit -n and /proc/sys/fs/inotify/max_user_instances)" : "");

    /* Always anew, from the socket's directory upwards: it, or one above it, may have come, gone or
     * moved. The watch is set before anybody looks, so nothing is overlooked in between. */
    char where[sizeof place->directory], missing[sizeof place->directory] = "";
    strcpy(where, place->directory);
    int descriptor;
    for (;;) {
        uint32_t events =
            IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | (*missing ? IN_CREATE : 0);
        descriptor = inotify_add_watch(watch->fd, where, events);
        if (descriptor >= 0 || (errno != ENOENT && errno != ENOTDIR))
            break;
        strcpy(missing, where);
        char *slash = strrchr(where, '/');
        if (!slash)
            strcpy(where, ".");
        else if (slash == where)
            slash[1] = '\0';
        else
            *slash = '\0';
    }
    if (descriptor < 0)
        return fail(-errno, "cannot watch %s for bus \"%s\": %s", where, place->name, strerror(errno));
    if (watch->descriptor >= 0 && watch->descriptor != descriptor)
        inotify_rm_watch(watch->fd, watch->descriptor);
    watch->descriptor = descriptor;
    drain(watch->fd);

    /* The next directory down may have appeared while the watch on its parent was being set. */
    struct stat st;
    return *missing && !stat(missing, &st) && S_ISDIR(st.st_mode) ? watch_arm(watch, place) : 0;
}

void watch_finish(struct bus_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = watch->descriptor = -1;
}
