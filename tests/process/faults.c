/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

static bool armed, lasting_fault;
static unsigned calls, first_failure;
static const char *victim;
static const char *missing; /* functions that always fail; NULL: the calls are counted */
static int missing_error;

/* All that can fail, and what it says then. */
static struct {
    const char *name;
    int error;
    bool hit;
} all[] = {
    {"malloc", ENOMEM, false},
    {"calloc", ENOMEM, false},
    {"realloc", ENOMEM, false},
    {"strdup", ENOMEM, false},
    {"mmap64", ENOMEM, false},
    {"memfd_create", EMFILE, false},
    {"ftruncate64", ENOSPC, false},
    {"fallocate64", ENOSPC, false},
    {"shm_open", EMFILE, false},
    {"shmget", ENOSPC, false},
    {"shmat", ENOMEM, false},
    {"socket", EMFILE, false},
    {"bind", ENOSPC, false},
    {"listen", ENOBUFS, false},
    {"renameat", ENOSPC, false},
    {"accept4", EMFILE, false},
    {"sendmsg", ENOBUFS, false},
    {"recvmsg", ENOMEM, false},
    {"eventfd", EMFILE, false},
    {"epoll_create1", EMFILE, false},
    {"epoll_ctl", ENOSPC, false},
    {"inotify_init1", EMFILE, false},
    {"inotify_add_watch", ENOSPC, false},
    {"timerfd_create", EMFILE, false},
    {"getrandom", ENOSYS, false},
    {"dup3", EMFILE, false},
    {"open64", EMFILE, false},
    {"openat64", EMFILE, false},
    {"fcntl64", ENOMEM, false},
};

void faults_begin(unsigned first, bool lasting)
{
    armed = true;
    lasting_fault = lasting;
    calls = 0;
    first_failure = first;
    victim = missing = NULL;
}

void faults_of(const char *names, int error)
{
    faults_begin(0, true);
    missing = names;
    missing_error = error;
}

unsigned faults_end(void)
{
    armed = false;
    return calls;
}

const char *faults_victim(void)
{
    return victim;
}

bool faults_hit(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name, name))
            return all[i].hit;
    return false;
}

static bool fails(const char *name)
{
    if (!armed)
        return false;
    if (missing && !strstr(missing, name))
        return false;
    if (missing) {
        errno = missing_error;
        return true;
    }
    unsigned call = calls++;
    if (call != first_failure && !(lasting_fault && call > first_failure))
        return false;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(all[i].name, name) != 0)
            continue;
        all[i].hit = true;
        victim = all[i].name;
        errno = all[i].error;
    }
    return true;
}

/* off_t has 64 bits here; only glibc has other symbols for what takes those. */
#ifndef __GLIBC__
#define mmap64      mmap
#define ftruncate64 ftruncate
#define fallocate64 fallocate
#define open64      open
#define openat64    openat
#define fcntl64     fcntl
#endif

/* Which symbol a name is depends on how wide file offsets and times are; those of other widths need not be
 * there. */
#define FAULT_IN_AS(symbol, type, name, parameters, arguments, failure)                                      \
    __attribute__((weak)) type __real_##symbol parameters;                                                   \
    type __wrap_##symbol parameters;                                                                         \
    type __wrap_##symbol parameters                                                                          \
    {                                                                                                        \
        return fails(name) ? (type)failure : __real_##symbol arguments;                                      \
    }

#define FAULT_IN(type, name, parameters, arguments, failure)                                                 \
    FAULT_IN_AS(name, type, #name, parameters, arguments, failure)

FAULT_IN(void *, malloc, (size_t size), (size), NULL)
FAULT_IN(void *, calloc, (size_t count, size_t size), (count, size), NULL)
FAULT_IN(void *, realloc, (void *old, size_t size), (old, size), NULL)
FAULT_IN(char *, strdup, (const char *text), (text), NULL)
FAULT_IN(void *, mmap64, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
         (at, size, protection, flags, fd, offset), MAP_FAILED)
FAULT_IN(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
FAULT_IN(int, ftruncate64, (int fd, off_t size), (fd, size), -1)
FAULT_IN(int, fallocate64, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size), -1)
FAULT_IN(int, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode), -1)
FAULT_IN(int, shmget, (key_t key, size_t size, int flags), (key, size, flags), -1)
FAULT_IN(void *, shmat, (int id, const void *at, int flags), (id, at, flags), (void *)-1)
FAULT_IN(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
FAULT_IN(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)
FAULT_IN(int, listen, (int fd, int backlog), (fd, backlog), -1)
FAULT_IN(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), -1)
FAULT_IN(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
         (fd, address, size, flags), -1)
FAULT_IN(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1)
FAULT_IN(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1)
FAULT_IN_AS(__sendmsg64, ssize_t, "sendmsg", (int fd, const struct msghdr *message, int flags),
            (fd, message, flags), -1)
FAULT_IN_AS(__recvmsg64, ssize_t, "recvmsg", (int fd, struct msghdr *message, int flags),
            (fd, message, flags), -1)
FAULT_IN(int, eventfd, (unsigned value, int flags), (value, flags), -1)
FAULT_IN(int, epoll_create1, (int flags), (flags), -1)
FAULT_IN(int, epoll_ctl, (int set, int what, int fd, struct epoll_event *event), (set, what, fd, event), -1)
FAULT_IN(int, inotify_init1, (int flags), (flags), -1)
FAULT_IN(int, inotify_add_watch, (int fd, const char *path, uint32_t events), (fd, path, events), -1)
FAULT_IN(int, timerfd_create, (int clock, int flags), (clock, flags), -1)
FAULT_IN(ssize_t, getrandom, (void *bytes, size_t size, unsigned flags), (bytes, size, flags), -1)
FAULT_IN(int, dup3, (int from, int to, int flags), (from, to, flags), -1)

/* One more argument, of whatever type: it is passed on as it came. */
#define FAULT_IN_OPEN(symbol, ...) FAULT_IN_OPEN_AS(symbol, __VA_ARGS__)
#define FAULT_IN_OPEN_AS(symbol, name, parameters, arguments, last)                                          \
    __attribute__((weak)) int __real_##symbol parameters;                                                    \
    int __wrap_##symbol parameters;                                                                          \
    int __wrap_##symbol parameters                                                                           \
    {                                                                                                        \
        va_list list;                                                                                        \
        va_start(list, last);                                                                                \
        long extra = va_arg(list, long);                                                                     \
        va_end(list);                                                                                        \
        return fails(name) ? -1 : __real_##symbol arguments;                                                 \
    }

FAULT_IN_OPEN(open64, "open64", (const char *path, int flags, ...), (path, flags, extra), flags)
FAULT_IN_OPEN(openat64, "openat64", (int directory, const char *path, int flags, ...),
              (directory, path, flags, extra), flags)
FAULT_IN_OPEN(fcntl64, "fcntl64", (int fd, int what, ...), (fd, what, extra), what)
FAULT_IN_OPEN(__fcntl_time64, "fcntl64", (int fd, int what, ...), (fd, what, extra), what)
