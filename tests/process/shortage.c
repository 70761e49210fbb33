/* SPDX-License-Identifier: MIT */
#include "shortage.h"

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

static bool armed, lasting_shortage;
static unsigned calls, first_failure;
static const char *victim;

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
    {"getrandom", ENOSYS, false},
    {"dup3", EMFILE, false},
    {"open64", EMFILE, false},
    {"openat64", EMFILE, false},
    {"fcntl64", ENOMEM, false},
};

void shortage_begin(unsigned first, bool lasting)
{
    armed = true;
    lasting_shortage = lasting;
    calls = 0;
    first_failure = first;
    victim = NULL;
}

unsigned shortage_end(void)
{
    armed = false;
    return calls;
}

const char *shortage_victim(void)
{
    return victim;
}

bool shortage_hit(const char *name)
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
    unsigned call = calls++;
    if (call != first_failure && !(lasting_shortage && call > first_failure))
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

#define SHORT_OF(type, name, parameters, arguments, failure)                                                 \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        return fails(#name) ? (type)failure : __real_##name arguments;                                       \
    }

SHORT_OF(void *, malloc, (size_t size), (size), NULL)
SHORT_OF(void *, calloc, (size_t count, size_t size), (count, size), NULL)
SHORT_OF(void *, realloc, (void *old, size_t size), (old, size), NULL)
SHORT_OF(char *, strdup, (const char *text), (text), NULL)
SHORT_OF(void *, mmap64, (void *at, size_t size, int protection, int flags, int fd, off64_t offset),
         (at, size, protection, flags, fd, offset), MAP_FAILED)
SHORT_OF(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
SHORT_OF(int, ftruncate64, (int fd, off64_t size), (fd, size), -1)
SHORT_OF(int, fallocate64, (int fd, int mode, off64_t offset, off64_t size), (fd, mode, offset, size), -1)
SHORT_OF(int, shm_open, (const char *name, int flags, mode_t mode), (name, flags, mode), -1)
SHORT_OF(int, shmget, (key_t key, size_t size, int flags), (key, size, flags), -1)
SHORT_OF(void *, shmat, (int id, const void *at, int flags), (id, at, flags), (void *)-1)
SHORT_OF(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)
SHORT_OF(int, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size), -1)
SHORT_OF(int, listen, (int fd, int backlog), (fd, backlog), -1)
SHORT_OF(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), -1)
SHORT_OF(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
         (fd, address, size, flags), -1)
SHORT_OF(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1)
SHORT_OF(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1)
SHORT_OF(int, eventfd, (unsigned value, int flags), (value, flags), -1)
SHORT_OF(int, epoll_create1, (int flags), (flags), -1)
SHORT_OF(int, epoll_ctl, (int set, int what, int fd, struct epoll_event *event), (set, what, fd, event), -1)
SHORT_OF(int, inotify_init1, (int flags), (flags), -1)
SHORT_OF(int, inotify_add_watch, (int fd, const char *path, uint32_t events), (fd, path, events), -1)
SHORT_OF(ssize_t, getrandom, (void *bytes, size_t size, unsigned flags), (bytes, size, flags), -1)
SHORT_OF(int, dup3, (int from, int to, int flags), (from, to, flags), -1)

/* One more argument, of whatever type: it is passed on as it came. */
#define SHORT_OF_OPEN(name, parameters, arguments, last)                                                     \
    int __real_##name parameters;                                                                            \
    int __wrap_##name parameters;                                                                            \
    int __wrap_##name parameters                                                                             \
    {                                                                                                        \
        va_list list;                                                                                        \
        va_start(list, last);                                                                                \
        long extra = va_arg(list, long);                                                                     \
        va_end(list);                                                                                        \
        return fails(#name) ? -1 : __real_##name arguments;                                                  \
    }

SHORT_OF_OPEN(open64, (const char *path, int flags, ...), (path, flags, extra), flags)
SHORT_OF_OPEN(openat64, (int directory, const char *path, int flags, ...), (directory, path, flags, extra),
              flags)
SHORT_OF_OPEN(fcntl64, (int fd, int what, ...), (fd, what, extra), what)
