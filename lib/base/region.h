/* SPDX-License-Identifier: MIT */
/*
 * A pool's memory: how it is made, sealed, handed over, attached. Three kinds (memfd, posix, sysv) behind one
 * small table of functions in region.c; no other file knows them.
 */
#ifndef FRAMEBUS_REGION_H
#define FRAMEBUS_REGION_H

#include "framebus.h"

#include <sys/types.h>

struct region {
    const struct region_kind *kind;
    void *base; /* NULL: not mapped */
    uint64_t size;
    int fd;         /* its owner's; -1: none */
    int shared_fd;  /* the read-only one that readers are sent; -1: none */
    int id;         /* sysv */
    uint32_t flags; /* enum framebus_memory_flag */
    bool fragile;   /* attached, and a SIGBUS where it is touched before region_touch() */
    char name[64];  /* posix: its name in /dev/shm, while it has one */
};

/* What to do where a System V segment cannot be found, or is another one. */
#define REGION_SAME_IPC                                                                                      \
    "reader and writer must share an IPC namespace (docker run --ipc=host), or the writer use memfd"

/* What a writer asks for. */
struct region_wish {
    enum framebus_memory memory;
    uint32_t flags;       /* enum framebus_memory_flag */
    uint64_t size;        /* multiple of region_page(flags) */
    uint32_t mode;        /* of the bus's socket; posix and sysv memory get what follows from it */
    gid_t group;          /* (gid_t)-1: leave it */
    const char *identity; /* of the bus: what it could leave behind is named after this */
    uint32_t number;      /* tells the pools of one bus apart */
};

/* Alignment of slots in such a region, bytes. */
uint64_t region_page(uint32_t flags);

/* Makes a region and maps it read-write. Its pages are not reserved yet. A leftover of the same name is
 * replaced, so the caller has to hold the bus's name. Negative errno on failure. */
int region_create(struct region *region, const struct region_wish *wish);

/* Makes it safe to hand out: seals a memfd. To be called once, before the fd leaves the process. */
int region_share(struct region *region);

/* Gives memory to a part of it, so that touching that part cannot be a SIGBUS. -ENOSPC, -ENOMEM: there is no
 * memory left. */
int region_reserve(struct region *region, uint64_t offset, uint64_t size);

/* Takes the name away, so that nothing is left when the last one unmaps it. */
void region_withdraw(struct region *region);

/*
 * Maps another process's region read-only after checking what it is: seals and size of a memfd, file
 * system and size of posix memory, size of a sysv segment. Takes the fd over in any case.
 * -EBADMSG: it is not what it should be. -EIDRM: the segment has gone with its writer.
 */
int region_attach(struct region *region, enum framebus_memory memory, int fd, int id, uint64_t size);

/* Makes sure that a part of an attached region can be read without a SIGBUS. Costs nothing unless the region
 * is fragile. -EBADMSG: it cannot be read. */
int region_touch(const struct region *region, uint64_t offset, uint64_t size);

/* Unmaps and closes. Fine on a zeroed, half-made or finished region. */
void region_finish(struct region *region);

/* In a forked child: closes the fds; the mappings did not come along. */
void region_forget(struct region *region);

/* Calls found() for each thing that a dead writer of this bus left (posix names, sysv segments), and removes
 * it if asked to; then the caller has to hold the bus's name. Returns how many there are. */
int region_leftovers(const char *identity, bool remove, void (*found)(const char *what, void *user),
                     void *user);

/* The same file, opened anew for reading only. Needs /proc. The fd, or -1. */
int reopen_read_only(int fd);

/* The kind's name: "memfd", "posix", "sysv"; "?" for none of them. */
const char *region_kind_name(enum framebus_memory memory);

/* The page of a reader: a sealed memfd of READER_PAGE_SIZE bytes, mapped. *fd goes to the reader. */
int reader_page_create(void **page, int *fd);

/* Maps a reader page that a writer sent, read-write. Takes the fd over. -EBADMSG: it is not one. */
int reader_page_attach(void **page, int fd);

void reader_page_finish(void *page);

#endif
