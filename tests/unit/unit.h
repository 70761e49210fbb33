/* SPDX-License-Identifier: MIT */
/* What every unit test includes. */
#ifndef FRAMEBUS_TEST_UNIT_H
#define FRAMEBUS_TEST_UNIT_H

#include "reason.h"
/* log.h has a function of that name. */
#undef fail
#undef fail_msg
#define fail_msg(...) fail_because(__FILE__, __LINE__, __VA_ARGS__)

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framebus.h"

/* The call failed with this errno, and left a sentence that contains this word. */
#define assert_fails(call, error, word)                                                                      \
    do {                                                                                                     \
        assert_int_equal((call), -(error));                                                                  \
        if (!strstr(framebus_last_error(), (word)))                                                          \
            fail_msg("no \"%s\" in: %s", (word), framebus_last_error());                                     \
    } while (0)

/* A repeatable stream of numbers that like to be extreme. */
static inline uint64_t odd_number(uint64_t *seed)
{
    static const uint64_t favourites[] = {
        0,          1,          2,          3,          4,          16384,     16385,          65535,
        0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, UINT64_MAX, INT64_MAX, UINT64_MAX - 1, 1ull << 32,
    };
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    uint64_t value = *seed >> 8;
    switch (*seed & 3) {
    case 0:
        return value;
    case 1:
        return value % 70000;
    default:
        return favourites[value % (sizeof favourites / sizeof *favourites)];
    }
}

/* ---- other processes ---- */

/* In a child, where cmocka's assertions do not work. */
#define check(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "# %s:%d: not so: %s (%s; %s)\n", __FILE__, __LINE__, #condition,                \
                    strerror(errno), framebus_last_error());                                                 \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static inline pid_t start_child(void (*body)(void *), void *argument)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
    body(argument);
    _exit(0);
}

static inline int end_of_child(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

/* Runs the body in a child of its own, and fails with it. */
#define run_in_child(body, argument)                                                                         \
    do {                                                                                                     \
        int status_ = end_of_child(start_child(body, argument));                                             \
        skip_if_child_did(status_);                                                                          \
        if (status_)                                                                                         \
            fail_msg("the child ended with status 0x%x", status_);                                           \
    } while (0)

static inline void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        skip_because("cannot write %s: %s", path, strerror(errno));
    close(fd);
}

/* In a child: namespaces of its own, in which it may mount. Others than root need a user namespace
 * for that, and stay who they are in it. */
static inline void leave_namespaces(int flags)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(flags)) {
        char map[64];
        if (unshare(flags | CLONE_NEWUSER))
            skip_because("no namespaces here: %s", strerror(errno));
        snprintf(map, sizeof map, "%u %u 1", (unsigned)uid, (unsigned)uid);
        write_file("/proc/self/uid_map", map);
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "%u %u 1", (unsigned)gid, (unsigned)gid);
        write_file("/proc/self/gid_map", map);
    }
    if (flags & CLONE_NEWNS && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        skip_because("no mounts here: %s", strerror(errno));
}

/* That of this process, as the group of a file. */
static inline gid_t own_group(void)
{
    int fd = memfd_create("group", MFD_CLOEXEC);
    assert_true(fd >= 0);
    int r = fchown(fd, (uid_t)-1, getegid());
    close(fd);
    if (r)
        skip_because("our group has no number in this user namespace");
    return getegid();
}

static inline unsigned count_entries(const char *directory)
{
    unsigned count = 0;
    DIR *dir = opendir(directory);
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

static inline unsigned count_fds(void)
{
    return count_entries("/proc/self/fd");
}

#endif
