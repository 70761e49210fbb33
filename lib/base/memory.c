/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define UDMABUF "/dev/udmabuf"

/* ---- exporting ---- */

int memory_export_open(int memfd)
{
    int fd = open(UDMABUF, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return fail(-EACCES, "DMA-BUFs of slots need " UDMABUF ", which you may not open (see ls -l)");
    if (fd < 0)
        return fail(-ENOTSUP, "DMA-BUFs of slots need " UDMABUF ": %s (a kernel with CONFIG_UDMABUF has it)",
                    strerror(errno));
    if (fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK)) {
        int r = fail(-errno, "cannot seal the pool: %s", strerror(errno));
        close(fd);
        return r;
    }
    return fd;
}

int memory_export(struct memory *made, int device, int memfd, uint64_t offset, uint64_t size)
{
    struct udmabuf_create wish = {
        .memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = offset, .size = size};
    int fd = ioctl(device, UDMABUF_CREATE, &wish);
    if (fd < 0)
        return fail(errno == EINVAL ? -ENOTSUP : -errno,
                    "cannot make a DMA-BUF of a slot of %" PRIu64
                    " bytes: %s (see /sys/module/udmabuf/parameters/size_limit_mb)",
                    size, strerror(errno));
    *made = (struct memory){
        .parts = 1, .part[0] = {.fd = fd, .offset = 0, .size = size}, .dmabuf = true, .size = size};
    return 0;
}

/* ---- what an fd is ---- */

/*
 * The size of a DMA-BUF, as the kernel tells it in /proc; 0: it is not one. Other questions (fstat, fstatfs,
 * an ioctl) would be passed on to whatever file system a stranger's fd belongs to.
 */
static uint64_t dmabuf_size(int fd)
{
    char path[40], line[256];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *info = fopen(path, "re");
    uint64_t size = 0;
    bool exported = false;
    while (info && fgets(line, sizeof line, info)) {
        if (!strncmp(line, "size:", 5))
            size = strtoull(line + 5, NULL, 10);
        exported |= !strncmp(line, "exp_name:", 9);
    }
    if (info)
        fclose(info);
    return exported ? size : 0;
}

/* The size of a memfd that cannot shrink under a mapping; 0: it is not one, or it is made of huge pages,
 * where reading a hole is a SIGBUS. */
static uint64_t memfd_size(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs fs;
    struct stat st;
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstatfs(fd, &fs) || (uint32_t)fs.f_type == HUGETLBFS_MAGIC ||
        fstat(fd, &st))
        return 0;
    return (uint64_t)st.st_size;
}

int memory_check(struct memory *o, int error)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    o->size = 0;
    for (uint32_t i = 0; i < o->parts; i++) {
        const struct framebus_part *p = &o->part[i];
        uint64_t memfd = memfd_size(p->fd);
        uint64_t whole = memfd ? memfd : dmabuf_size(p->fd);
        if (!whole)
            return fail(error,
                        "part %u of a buffer is neither a DMA-BUF nor a memfd sealed with F_SEAL_SHRINK", i);
        if (i && o->dmabuf != !memfd)
            return fail(error, "a buffer of DMA-BUFs and memfds at once");
        o->dmabuf = !memfd;
        if (!p->size || p->offset > whole || p->size > whole - p->offset)
            return fail(error, "part %u of a buffer is %" PRIu64 " bytes at %" PRIu64 " of %" PRIu64, i,
                        p->size, p->offset, whole);
        if (p->offset % page || (p->size % page && i + 1 < o->parts))
            return fail(error,
                        "part %u of a buffer, %" PRIu64 " bytes at %" PRIu64 ", is not made of whole pages",
                        i, p->size, p->offset);
        if (p->size > SIZE_MAX / 2 / FRAMEBUS_PLANES_MAX)
            return fail(error, "part %u of a buffer, %" PRIu64 " bytes, does not fit the address space", i,
                        p->size);
        o->size += p->size;
    }
    return 0;
}

/* ---- mapping ---- */

int memory_map(struct memory *o)
{
    /* Room for all of them first, so that they end up side by side. */
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    /* cppcheck-suppress invalidFunctionArg */
    uint8_t *base = mmap(NULL, (size_t)o->size, PROT_NONE, flags, -1, 0);
    if (base == MAP_FAILED)
        return fail(-errno, "no address space for a buffer of %" PRIu64 " bytes (see ulimit -v)", o->size);
    uint8_t *at = base;
    for (uint32_t i = 0; i < o->parts; i++) {
        const struct framebus_part *p = &o->part[i];
        void *there = mmap(at, (size_t)p->size, PROT_READ, MAP_SHARED | MAP_FIXED, p->fd, (off_t)p->offset);
        if (there == MAP_FAILED) {
            int r = fail(-ENOTSUP, "the writer's frames are in memory that cannot be mapped: %s",
                         strerror(errno));
            munmap(base, (size_t)o->size);
            return r;
        }
        at += p->size;
    }
    madvise(base, (size_t)o->size, MADV_DONTFORK);
    madvise(base, (size_t)o->size, MADV_DONTDUMP);
    o->base = base;
    return 0;
}

void memory_forget(const struct memory *o)
{
    for (uint32_t i = 0; i < o->parts; i++)
        if (o->part[i].fd >= 0)
            close(o->part[i].fd);
}

void memory_finish(struct memory *o)
{
    if (o->base)
        munmap(o->base, (size_t)o->size);
    memory_forget(o);
    *o = (struct memory){0};
}

/* ---- use ---- */

const struct framebus_part *memory_part_at(const struct memory *o, uint64_t *offset)
{
    const struct framebus_part *p = o->part;
    while (p + 1 < o->part + o->parts && *offset >= p->size)
        *offset -= p++->size;
    *offset += p->offset;
    return p;
}

static int memory_sync(const struct memory *o, uint64_t flags)
{
    if (!o || !o->dmabuf)
        return 0;
    struct dma_buf_sync sync = {.flags = flags};
    for (uint32_t i = 0; i < o->parts; i++) {
        int r;
        do
            r = ioctl(o->part[i].fd, DMA_BUF_IOCTL_SYNC, &sync);
        while (r && (errno == EINTR || errno == EAGAIN));
        if (r)
            return fail(-errno, "cannot synchronise a DMA-BUF: %s", strerror(errno));
    }
    return 0;
}

int memory_begin_access(const struct memory *o, bool write)
{
    return memory_sync(o, DMA_BUF_SYNC_START | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ));
}

int memory_end_access(const struct memory *o, bool write)
{
    return memory_sync(o, DMA_BUF_SYNC_END | (write ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ));
}
