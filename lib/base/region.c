/* SPDX-License-Identifier: MIT */
#include "base/region.h"

#include "base/log.h"
#include "shared/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#ifndef SHM_HUGE_2MB
#define SHM_HUGE_2MB (21 << 26)
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define HUGETLBFS_MAGIC 0x958458f6

#define HUGE_PAGE (UINT64_C(2) << 20)

/* Newer kernels add seals of their own (F_SEAL_EXEC): always compare by mask. */
#define POOL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)
#define PAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Permission to write to the bus's socket is permission to connect, and so to read frames; only the writer
 * writes them. So of the socket's mode memory gets the bits for reading, and the owner's for writing. */
#define READABLE 0644

/* System V keys are 0xFBhhhhhh, h from the bus's path; the next few are tried when one is taken. */
#define SYSV_KEY      0xFB000000u
#define SYSV_KEY_MASK 0xFF000000u
#define SYSV_TRIES    8

struct region_kind {
    const char *name;
    int (*create)(struct region *region, const struct region_wish *wish);
    int (*share)(struct region *region); /* may be NULL */
    int (*reserve)(struct region *region, uint64_t offset, uint64_t size);
    void (*withdraw)(struct region *region); /* may be NULL: it has no name */
    int (*attach)(struct region *region);
    void (*unmap)(struct region *region);
};

/* FNV-1a. Buses of the same name in two runtime directories must not collide in /dev/shm. */
static uint64_t path_hash(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 0x100000001b3u;
    return hash;
}

uint64_t region_page(uint32_t flags)
{
    return flags & FRAMEBUS_MEMORY_HUGE_PAGES ? HUGE_PAGE : (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A forked child must not keep pools alive, and a core dump must not fill them. */
static void mapping_keep_private(void *base, size_t size)
{
    madvise(base, size, MADV_DONTFORK);
    madvise(base, size, MADV_DONTDUMP);
}

static int region_map_fd(struct region *region, int protection)
{
    int flags = MAP_SHARED | MAP_NORESERVE; /* huge pages are reserved slot by slot */
    void *base = mmap(NULL, (size_t)region->size, protection, flags, region->fd, 0);
    if (base == MAP_FAILED)
        return fail(-errno, "cannot map %llu bytes of pool memory: %s", (unsigned long long)region->size,
                    strerror(errno));
    region->base = base;
    mapping_keep_private(base, (size_t)region->size);
    return 0;
}

static void region_unmap_fd(struct region *region)
{
    munmap(region->base, (size_t)region->size);
}

static int region_reserve_fd(struct region *region, uint64_t offset, uint64_t size)
{
    /* In pieces: a signal may undo a call that it interrupts, a periodic timer each of them. */
    const uint64_t piece = UINT64_C(4) << 20;
    while (size) {
        uint64_t part = size < piece ? size : piece;
        int r = fallocate(region->fd, 0, (off_t)offset, (off_t)part);
        if (r && errno != EINTR)
            return -errno;
        offset += r ? 0 : part;
        size -= r ? 0 : part;
    }
    return 0;
}

static int region_check_size(const struct region *region, mode_t type)
{
    struct stat st;
    if (fstat(region->fd, &st))
        return fail(-EBADMSG, "cannot examine the region that the writer sent: %s", strerror(errno));
    if ((st.st_mode & S_IFMT) != type || (uint64_t)st.st_size != region->size)
        return fail(-EBADMSG, "the writer's region has %lld bytes in place of %llu", (long long)st.st_size,
                    (unsigned long long)region->size);
    return 0;
}

/* ---- memfd: sealed, nameless, bounded by nothing but memory ---- */

static int memfd_open(const char *name, unsigned flags)
{
    flags |= MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create(name, flags);
    return fd;
}

static int memfd_make(struct region *region, const struct region_wish *wish)
{
    bool huge = wish->flags & FRAMEBUS_MEMORY_HUGE_PAGES;
    region->fd = memfd_open("framebus-pool", huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
    if (region->fd < 0 && huge)
        return fail(-ENOTSUP, "no huge pages of 2 MiB for a memfd here: %s", strerror(errno));
    if (region->fd < 0)
        return fail(-errno, "cannot make a memfd: %s", strerror(errno));
    if (ftruncate(region->fd, (off_t)region->size))
        return fail(-errno, "cannot make a memfd of %llu bytes: %s", (unsigned long long)region->size,
                    strerror(errno));
    return region_map_fd(region, PROT_READ | PROT_WRITE);
}

int reopen_read_only(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int memfd_share(struct region *region)
{
    if (fcntl(region->fd, F_ADD_SEALS, POOL_SEALS))
        return fail(-errno, "cannot seal the pool: %s (before Linux 5.1 use posix or sysv memory)",
                    strerror(errno));
    /* The seals keep a reader from writing; a read-only fd keeps it from allocating as well. Without
     * /proc it gets the fd as it is. */
    region->shared_fd = reopen_read_only(region->fd);
    if (region->shared_fd < 0)
        region->shared_fd = fcntl(region->fd, F_DUPFD_CLOEXEC, 0);
    return region->shared_fd < 0 ? fail(-errno, "cannot duplicate the pool's fd: %s", strerror(errno)) : 0;
}

/* Touching a huge page that the writer never touched is a SIGBUS, unlike an ordinary one. */
static bool memfd_is_huge(int fd)
{
    struct statfs fs;
    return !fstatfs(fd, &fs) && (unsigned long)fs.f_type == HUGETLBFS_MAGIC;
}

static int memfd_attach(struct region *region)
{
    int seals = fcntl(region->fd, F_GET_SEALS);
    if (seals < 0 || (seals & POOL_SEALS) != POOL_SEALS)
        return fail(-EBADMSG, "the writer's pool is not sealed (seals 0x%x, need 0x%x)",
                    seals < 0 ? 0 : seals, POOL_SEALS);
    region->fragile = memfd_is_huge(region->fd);
    int r = region_check_size(region, S_IFREG);
    return r ? r : region_map_fd(region, PROT_READ);
}

/* ---- posix: named in /dev/shm ---- */

static void posix_prefix(char *prefix, size_t room, const char *identity)
{
    snprintf(prefix, room, "framebus-%u-%016llx-", (unsigned)geteuid(),
             (unsigned long long)path_hash(identity));
}

static int posix_make(struct region *region, const struct region_wish *wish)
{
    char prefix[48];
    posix_prefix(prefix, sizeof prefix, wish->identity);
    snprintf(region->name, sizeof region->name, "/%s%u", prefix, wish->number);

    shm_unlink(region->name); /* we hold the bus's name, so its maker is dead */
    region->fd = shm_open(region->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, wish->mode & READABLE);
    if (region->fd < 0) {
        int error = -errno;
        fail(error, "cannot make /dev/shm%s: %s", region->name, strerror(errno));
        region->name[0] = '\0';
        return error;
    }
    if ((wish->group != (gid_t)-1 && fchown(region->fd, (uid_t)-1, wish->group)) ||
        fchmod(region->fd, wish->mode & READABLE) || ftruncate(region->fd, (off_t)region->size))
        return fail(-errno, "cannot set up /dev/shm%s: %s", region->name, strerror(errno));
    return region_map_fd(region, PROT_READ | PROT_WRITE);
}

static int posix_share(struct region *region)
{
    region->shared_fd = reopen_read_only(region->fd);
    if (region->shared_fd < 0) /* no /proc */
        region->shared_fd = shm_open(region->name, O_RDONLY | O_CLOEXEC, 0);
    return region->shared_fd < 0 ? fail(-errno, "cannot open /dev/shm%s: %s", region->name, strerror(errno))
                                 : 0;
}

static void posix_withdraw(struct region *region)
{
    if (region->name[0])
        shm_unlink(region->name);
    region->name[0] = '\0';
}

static int posix_attach(struct region *region)
{
    /* Only shared memory has seals. A file of another file system could make us wait without end at a page
     * fault, or as soon as it is asked what it is. */
    if (fcntl(region->fd, F_GET_SEALS) < 0)
        return fail(-EBADMSG, "the writer's posix region is not shared memory");
    int r = region_check_size(region, S_IFREG);
    return r ? r : region_map_fd(region, PROT_READ);
}

/* ---- sysv: a segment that is marked for removal from the moment it is mapped ---- */

static uint32_t sysv_key(const char *identity, uint32_t attempt)
{
    return SYSV_KEY | ((uint32_t)(path_hash(identity) + attempt) & ~SYSV_KEY_MASK);
}

/* A segment of ours that nobody is attached to and whose maker is dead: it was killed in the few microseconds
 * between shmget and IPC_RMID. */
static bool sysv_is_leftover(int id)
{
    struct shmid_ds ds;
    return !shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 0 && ds.shm_perm.cuid == geteuid() &&
           kill(ds.shm_cpid, 0) && errno == ESRCH;
}

static int sysv_make(struct region *region, const struct region_wish *wish)
{
    bool huge = wish->flags & FRAMEBUS_MEMORY_HUGE_PAGES;
    int flags = IPC_CREAT | IPC_EXCL | SHM_NORESERVE | (huge ? SHM_HUGETLB | SHM_HUGE_2MB : 0) |
                (int)(wish->mode & READABLE);
    int id = -1;
    for (uint32_t attempt = 0; id < 0 && attempt < SYSV_TRIES; attempt++) {
        key_t key = (key_t)sysv_key(wish->identity, attempt);
        id = shmget(key, (size_t)region->size, flags);
        int left = id < 0 && errno == EEXIST ? shmget(key, 0, 0) : -1;
        if (left >= 0 && sysv_is_leftover(left) && !shmctl(left, IPC_RMID, NULL))
            id = shmget(key, (size_t)region->size, flags);
        else if (id < 0 && errno != EEXIST)
            break;
    }
    if (id < 0)
        return fail(huge ? -ENOTSUP : -errno,
                    "cannot make a System V segment of %llu bytes%s: %s (see ipcs -lm)",
                    (unsigned long long)region->size, huge ? " of huge pages" : "", strerror(errno));

    int error = 0;
    void *base = shmat(id, NULL, 0);
    if (base == (void *)-1)
        error = -errno;
    struct shmid_ds ds;
    if (!error && wish->group != (gid_t)-1) {
        if (shmctl(id, IPC_STAT, &ds))
            error = -errno;
        ds.shm_perm.gid = wish->group;
        if (!error && shmctl(id, IPC_SET, &ds))
            error = -errno;
    }
    shmctl(id, IPC_RMID, NULL); /* Linux lets others attach while somebody is attached */
    if (base != (void *)-1)
        region->base = base;
    if (error)
        return fail(error, "cannot set up a System V segment: %s", strerror(-error));
    region->id = id;
    mapping_keep_private(base, (size_t)region->size);
    return 0;
}

static int sysv_reserve(struct region *region, uint64_t offset, uint64_t size)
{
    /* Kernels before 5.14 cannot do this: there the first touch allocates. */
    int r = madvise((uint8_t *)region->base + offset, (size_t)size, MADV_POPULATE_WRITE);
    if (!r || errno == EINVAL)
        return 0;
    return errno == EFAULT ? -ENOMEM : -errno; /* no huge page to be had */
}

static int sysv_attach(struct region *region)
{
    /* It is attached first and examined then: only now its id cannot become another segment's. */
    void *base = shmat(region->id, NULL, SHM_RDONLY);
    if (base == (void *)-1)
        return fail(errno == EINVAL ? -EIDRM : -errno, "cannot attach System V segment %d: %s", region->id,
                    strerror(errno));
    region->base = base;
    struct shmid_ds ds;
    if (shmctl(region->id, IPC_STAT, &ds))
        return fail(-EBADMSG, "cannot examine System V segment %d: %s", region->id, strerror(errno));
    if (ds.shm_segsz != region->size)
        return fail(-EBADMSG, "System V segment %d has %zu bytes in place of %llu; " REGION_SAME_IPC,
                    region->id, (size_t)ds.shm_segsz, (unsigned long long)region->size);
    mapping_keep_private(base, (size_t)region->size);
    return 0;
}

static void sysv_unmap(struct region *region)
{
    shmdt(region->base);
}

static const struct region_kind kinds[] = {
    [FRAMEBUS_MEMORY_MEMFD] = {"memfd", memfd_make, memfd_share, region_reserve_fd, NULL, memfd_attach,
                               region_unmap_fd},
    [FRAMEBUS_MEMORY_POSIX] = {"posix", posix_make, posix_share, region_reserve_fd, posix_withdraw,
                               posix_attach, region_unmap_fd},
    [FRAMEBUS_MEMORY_SYSV] = {"sysv", sysv_make, NULL, sysv_reserve, NULL, sysv_attach, sysv_unmap},
};

#define KINDS (sizeof kinds / sizeof *kinds)

const char *region_kind_name(enum framebus_memory memory)
{
    return (unsigned)memory < KINDS ? kinds[memory].name : "?";
}

static void region_init(struct region *region, const struct region_kind *kind, uint64_t size)
{
    *region = (struct region){.kind = kind, .size = size, .fd = -1, .shared_fd = -1, .id = -1};
}

int region_create(struct region *region, const struct region_wish *wish)
{
    if ((unsigned)wish->memory >= KINDS)
        return fail(-EINVAL, "memory kind %d is none of memfd, posix, sysv", (int)wish->memory);
    region_init(region, &kinds[wish->memory], wish->size);
    region->flags = wish->flags;
    if (wish->memory == FRAMEBUS_MEMORY_POSIX && wish->flags & FRAMEBUS_MEMORY_HUGE_PAGES)
        return fail(-ENOTSUP, "posix memory has no huge pages: use memfd or sysv");
    int r = wish->size > SIZE_MAX / 2 ? -ENOMEM : region->kind->create(region, wish);
    if (r == -ENOMEM)
        fail(r,
             "a pool of %llu bytes does not fit this program's address space: use fewer max-slots (or see "
             "ulimit -v)",
             (unsigned long long)wish->size);
    if (r)
        region_finish(region);
    return r;
}

int region_share(struct region *region)
{
    return region->kind->share ? region->kind->share(region) : 0;
}

int region_reserve(struct region *region, uint64_t offset, uint64_t size)
{
    int r = region->kind->reserve(region, offset, size);
    void *start = (uint8_t *)region->base + offset;
    if (!r && region->flags & FRAMEBUS_MEMORY_LOCKED && mlock(start, (size_t)size))
        return fail(-errno, "cannot lock %llu bytes in memory: %s (see ulimit -l)", (unsigned long long)size,
                    strerror(errno));
    /* This only saves time: mapping all pages at once takes a fifth less than letting the first frame fault
     * them in one by one (12 MB: 7.2 ms, allocation included, against 9.0). */
    if (!r)
        madvise(start, (size_t)size, MADV_POPULATE_WRITE);
    return r ? fail(r, "cannot allocate %llu bytes of pool memory (%s%s): %s", (unsigned long long)size,
                    region->kind->name,
                    region->flags & FRAMEBUS_MEMORY_HUGE_PAGES ? ", in huge pages: see vm.nr_hugepages" : "",
                    strerror(-r))
             : 0;
}

int region_touch(const struct region *region, uint64_t offset, uint64_t size)
{
    if (!region->fragile)
        return 0;
    uint64_t start = offset / HUGE_PAGE * HUGE_PAGE;
    if (madvise((uint8_t *)region->base + start, (size_t)(offset + size - start), MADV_POPULATE_READ))
        return fail(-EBADMSG, "the writer's pool has no memory at byte %llu: %s", (unsigned long long)offset,
                    strerror(errno));
    return 0;
}

void region_withdraw(struct region *region)
{
    if (region->kind && region->kind->withdraw)
        region->kind->withdraw(region);
}

int region_attach(struct region *region, enum framebus_memory memory, int fd, int id, uint64_t size)
{
    region_init(region, (unsigned)memory < KINDS ? &kinds[memory] : NULL, size);
    region->fd = fd;
    region->id = id;
    int r;
    if (!region->kind) {
        region_forget(region);
        return fail(-EBADMSG, "the writer's pool is of unknown kind %d", (int)memory);
    }
    if (!size)
        r = fail(-EBADMSG, "the writer's region is empty");
    else
        r = size > SIZE_MAX / 2 ? -ENOMEM : region->kind->attach(region);
    if (r == -ENOMEM)
        fail(
            r,
            "the writer's pool of %llu bytes does not fit this program's address space: open the writer with "
            "fewer max-slots (or see ulimit -v)",
            (unsigned long long)size);
    if (r)
        region_finish(region);
    else
        region_forget(region); /* the mapping is all that a reader needs */
    return r;
}

void region_finish(struct region *region)
{
    if (!region->kind)
        return; /* zeroed */
    region_withdraw(region);
    if (region->base)
        region->kind->unmap(region);
    region->base = NULL;
    region_forget(region);
}

void region_forget(struct region *region)
{
    if (region->fd >= 0)
        close(region->fd);
    if (region->shared_fd >= 0)
        close(region->shared_fd);
    region->fd = region->shared_fd = -1;
}

int region_leftovers(const char *identity, bool remove, void (*found)(const char *what, void *user),
                     void *user)
{
    int count = 0;
    char what[320];
    char prefix[48];
    posix_prefix(prefix, sizeof prefix, identity);
    DIR *shm = opendir("/dev/shm");
    for (struct dirent *entry; shm && (entry = readdir(shm));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)))
            continue;
        snprintf(what, sizeof what, "posix memory /dev/shm/%s", entry->d_name);
        if (remove && unlinkat(dirfd(shm), entry->d_name, 0))
            continue;
        count++;
        if (found)
            found(what, user);
    }
    if (shm)
        closedir(shm);

    for (uint32_t attempt = 0; attempt < SYSV_TRIES; attempt++) {
        uint32_t key = sysv_key(identity, attempt);
        int id = shmget((key_t)key, 0, 0);
        if (id < 0 || !sysv_is_leftover(id) || (remove && shmctl(id, IPC_RMID, NULL)))
            continue;
        count++;
        snprintf(what, sizeof what, "System V segment %d (key 0x%08x)", id, key);
        if (found)
            found(what, user);
    }
    return count;
}

/* ---- reader pages ---- */

static int reader_page_map(void **page, int fd)
{
    void *base = mmap(NULL, READER_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return fail(-errno, "cannot map a reader page: %s", strerror(errno));
    mapping_keep_private(base, READER_PAGE_SIZE);
    *page = base;
    return 0;
}

int reader_page_create(void **page, int *fd)
{
    *page = NULL;
    *fd = memfd_open("framebus-reader", 0);
    int r = 0;
    if (*fd < 0)
        return fail(-errno, "cannot make a memfd, which each reader needs, whatever the pool is made of: %s",
                    strerror(errno));
    if (ftruncate(*fd, READER_PAGE_SIZE) || fcntl(*fd, F_ADD_SEALS, PAGE_SEALS))
        r = fail(-errno, "cannot make a reader page: %s", strerror(errno));
    if (!r && (r = region_reserve_fd(&(struct region){.fd = *fd}, 0, READER_PAGE_SIZE)))
        fail(r, "cannot allocate a reader page: %s", strerror(-r));
    if (!r)
        r = reader_page_map(page, *fd);
    if (r) {
        close(*fd);
        *fd = -1;
    }
    return r;
}

int reader_page_attach(void **page, int fd)
{
    *page = NULL;
    struct stat st;
    int r;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & PAGE_SEALS) != PAGE_SEALS || fstat(fd, &st) || st.st_size != READER_PAGE_SIZE)
        r = fail(-EBADMSG, "the writer's reader page is not a sealed memfd of %d bytes", READER_PAGE_SIZE);
    else
        r = reader_page_map(page, fd);
    close(fd);
    return r;
}

void reader_page_finish(void *page)
{
    if (page)
        munmap(page, READER_PAGE_SIZE);
}
