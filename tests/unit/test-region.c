/* SPDX-License-Identifier: MIT */
#include "../emulated.h"
#include "../sanitized.h"
#include "unit.h"

#include "base/region.h"
#include "shared/layout.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define SIZE (UINT64_C(1) << 20)

static const enum framebus_memory all_kinds[] = {FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX,
                                                 FRAMEBUS_MEMORY_SYSV};

/* A bus that no other test and no other run has. */
static const char *bus_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/nowhere/unit-region-%d", (int)getpid());
    return path;
}

static struct region_wish wish_for(enum framebus_memory memory)
{
    return (struct region_wish){
        .memory = memory, .size = SIZE, .mode = 0600, .group = (gid_t)-1, .identity = bus_path()};
}

static void make(struct region *region, enum framebus_memory memory)
{
    struct region_wish wish = wish_for(memory);
    if (region_create(region, &wish) || region_reserve(region, 0, SIZE) || region_share(region))
        fail_msg("%s", framebus_last_error());
}

/* Attaches as a reader does, that is with an fd of its own. */
static int attach(struct region *there, enum framebus_memory memory, const struct region *region)
{
    int fd = region->shared_fd >= 0 ? fcntl(region->shared_fd, F_DUPFD_CLOEXEC, 0) : -1;
    return region_attach(there, memory, fd, region->id, SIZE);
}

struct both {
    enum framebus_memory memory;
    struct region *region;
    int to_child, to_parent;
};

/* ---- what all three kinds promise ---- */

static void read_along(void *argument)
{
    struct both *both = argument;
    struct region there;
    char go = 0;
    check(attach(&there, both->memory, both->region) == 0);
    const uint8_t *bytes = there.base;
    check(bytes[0] == 1 && bytes[SIZE - 1] == 1);
    check(write(both->to_parent, &go, 1) == 1 && read(both->to_child, &go, 1) == 1);
    check(bytes[0] == 2 && bytes[SIZE - 1] == 2); /* in place, no copy */
    region_finish(&there);
}

static void writer_and_reader_share_the_same_bytes(void **state)
{
    enum framebus_memory memory = *(enum framebus_memory *)*state;
    struct region region;
    int down[2], up[2];
    char go = 0;
    assert_true(!pipe2(down, O_CLOEXEC) && !pipe2(up, O_CLOEXEC));
    make(&region, memory);
    memset(region.base, 1, SIZE);
    struct both both = {memory, &region, down[0], up[1]};
    pid_t child = start_child(read_along, &both);
    close(up[1]);
    ssize_t ready = read(up[0], &go, 1); /* end of file if it failed */
    memset(region.base, 2, SIZE);
    assert_int_equal(write(down[1], &go, 1), 1);
    assert_int_equal(end_of_child(child), 0);
    assert_int_equal(ready, 1);
    region_finish(&region);
    close(down[0]);
    close(down[1]);
    close(up[0]);
}

static void try_to_write(void *argument)
{
    struct both *both = argument;
    struct region there;
    check(attach(&there, both->memory, both->region) == 0);
    check(*(volatile uint8_t *)there.base == 0);
    check(mprotect(there.base, SIZE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    check(madvise(there.base, SIZE, MADV_REMOVE) == -1 || !heeds_advice());
    *(volatile uint8_t *)there.base = 1;
}

static void a_reader_that_writes_dies_of_it(void **state)
{
    enum framebus_memory memory = *(enum framebus_memory *)*state;
    struct region region;
    make(&region, memory);
    struct both both = {.memory = memory, .region = &region};
    int status = end_of_child(start_child(try_to_write, &both));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_int_equal(*(uint8_t *)region.base, 0);
    region_finish(&region);
}

static void look_for_mapping(void *base)
{
    unsigned char resident;
    check(mincore(base, 1, &resident) == -1 && errno == ENOMEM);
}

static void a_forked_child_does_not_keep_the_memory(void **state)
{
    if (!heeds_advice())
        skip_because("madvise() does nothing here");
    struct region region;
    make(&region, *(enum framebus_memory *)*state);
    run_in_child(look_for_mapping, region.base);
    region_finish(&region);
}

/* The VmFlags line of the mapping at this address. */
static void find_flags(const void *base, char *flags, size_t room)
{
    char line[512];
    bool here = false;
    *flags = '\0';
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t start, end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
            here = start == (uintptr_t)base;
        else if (here && !strncmp(line, "VmFlags:", 8))
            snprintf(flags, room, "%s", line + 8);
    }
    fclose(maps);
}

static void core_dumps_leave_it_out(void **state)
{
    if (!heeds_advice())
        skip_because("madvise() does nothing here");
    enum framebus_memory memory = *(enum framebus_memory *)*state;
    struct region region, there;
    char flags[512];
    make(&region, memory);
    assert_int_equal(attach(&there, memory, &region), 0);
    find_flags(region.base, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd"));
    find_flags(there.base, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd"));
    region_finish(&there);
    region_finish(&region);
}

static unsigned count_segments(void)
{
    unsigned lines = 0;
    FILE *list = fopen("/proc/sysvipc/shm", "re");
    for (int c; list && (c = fgetc(list)) != EOF;)
        lines += c == '\n';
    if (list)
        fclose(list);
    return lines;
}

/* System V segments of ours that are in the list; others may come and go meanwhile. */
static bool segment_exists(int id)
{
    struct shmid_ds ds;
    return !shmctl(id, IPC_STAT, &ds);
}

static void nothing_is_left_of_it(void **state)
{
    enum framebus_memory memory = *(enum framebus_memory *)*state;
    unsigned fds = count_fds();
    for (int round = 0; round < 3; round++) {
        struct region region, there;
        make(&region, memory);
        assert_int_equal(attach(&there, memory, &region), 0);
        void *base = there.base;
        region_finish(&region); /* a reader keeps its mapping when the writer goes */
        assert_int_equal(*(volatile uint8_t *)base, 0);
        region_finish(&there);
        unsigned char resident;
        assert_int_equal(mincore(base, 1, &resident), -1);
        if (memory == FRAMEBUS_MEMORY_SYSV)
            assert_false(segment_exists(region.id));
        region_finish(&there); /* twice is fine */
    }
    assert_int_equal(region_leftovers(bus_path(), false, NULL, NULL), 0);
    assert_int_equal(count_fds(), fds);
}

static void finishing_nothing_is_fine(void **state)
{
    (void)state;
    struct region region = {0};
    region_finish(&region);
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD) == -1 && errno == EBADF, 0); /* 0 is not one of our fds */
}

static void a_region_of_another_size_is_refused(void **state)
{
    enum framebus_memory memory = *(enum framebus_memory *)*state;
    struct region region, there;
    make(&region, memory);
    unsigned fds = count_fds();
    const uint64_t sizes[] = {SIZE - 4096, SIZE + 4096, 2 * SIZE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = region.shared_fd >= 0 ? dup(region.shared_fd) : -1;
        assert_fails(region_attach(&there, memory, fd, region.id, sizes[i]), EBADMSG, "in place of");
    }
    int fd = region.shared_fd >= 0 ? dup(region.shared_fd) : -1;
    assert_fails(region_attach(&there, memory, fd, region.id, UINT64_MAX), ENOMEM, "address space");
    assert_int_equal(count_fds(), fds); /* what was handed over is closed */
    region_finish(&region);
}

/* A sanitizer replaces mlock() with one that does nothing; and ulimit -l may be 0. */
static bool can_lock(void)
{
    char flags[512];
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    bool can = !mlock(page, 4096);
    find_flags(page, flags, sizeof flags);
    munmap(page, 4096);
    return can && strstr(flags, " lo");
}

static void reserved_memory_can_be_locked(void **state)
{
    struct region_wish wish = wish_for(*(enum framebus_memory *)*state);
    wish.flags = FRAMEBUS_MEMORY_LOCKED;
    struct region region;
    char flags[512];
    if (!can_lock())
        skip_because("mlock() does nothing here");
    assert_int_equal(region_create(&region, &wish), 0);
    assert_int_equal(region_reserve(&region, 0, 4096), 0);
    find_flags(region.base, flags, sizeof flags);
    assert_non_null(strstr(flags, " lo"));
    region_finish(&region);
}

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void reserved_memory_faults_no_more(void **state)
{
    if (SANITIZED)
        skip_because("the sanitizer's own memory faults");
    if (!heeds_advice())
        skip_because("madvise() does nothing here");
    struct region_wish wish = wish_for(*(enum framebus_memory *)*state);
    struct region region;
    assert_int_equal(region_create(&region, &wish), 0);
    assert_int_equal(region_reserve(&region, 0, SIZE), 0);
    if (madvise(region.base, 4096, MADV_POPULATE_WRITE)) {
        region_finish(&region);
        skip_because("this kernel maps no pages beforehand");
    }
    volatile uint8_t *bytes = region.base;
    long before = faults();
    for (size_t i = 0; i < SIZE; i += 4096)
        bytes[i] = 1;
    assert_true(faults() - before < 4); /* a page of somebody else's may be among them */
    region_finish(&region);
}

static void wishes_that_cannot_be_met_say_so(void **state)
{
    (void)state;
    unsigned fds = count_fds();
    struct region region;
    struct region_wish wish = wish_for((enum framebus_memory)3);
    assert_fails(region_create(&region, &wish), EINVAL, "memory kind 3");
    wish = wish_for(FRAMEBUS_MEMORY_POSIX);
    wish.flags = FRAMEBUS_MEMORY_HUGE_PAGES;
    assert_fails(region_create(&region, &wish), ENOTSUP, "huge pages");
    for (size_t i = 0; i < 3; i++) {
        wish = wish_for(all_kinds[i]);
        wish.size = UINT64_MAX - 4095;
        assert_fails(region_create(&region, &wish), ENOMEM, "address space");
        wish.size = UINT64_C(1) << 60;
        int r = region_create(&region, &wish);
        assert_true(r == -ENOMEM || r == -EINVAL || r == -EFBIG || r == -ENOSPC);
        assert_true(*framebus_last_error());
    }
    assert_int_equal(region_leftovers(bus_path(), false, NULL, NULL), 0);
    assert_int_equal(count_fds(), fds);
    assert_string_equal(region_kind_name(FRAMEBUS_MEMORY_SYSV), "sysv");
    assert_string_equal(region_kind_name((enum framebus_memory)77), "?");
}

/* ---- memfd ---- */

static void sealed_memory_cannot_be_changed_from_outside(void **state)
{
    (void)state;
    struct region region;
    make(&region, FRAMEBUS_MEMORY_MEMFD);
    memset(region.base, 7, SIZE);

    /* What a reader gets, and what it can make of it: the fd as it came, and opened once more. */
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", region.shared_fd);
    int reopened = open(path, O_RDWR | O_CLOEXEC);
    const int fds[] = {region.shared_fd, reopened, region.fd};
    for (size_t i = 0; i < 3; i++) {
        if (fds[i] < 0)
            continue; /* refused to begin with */
        assert_int_equal(pwrite(fds[i], "x", 1, 0), -1);
        assert_int_equal(ftruncate(fds[i], 0), -1);
        assert_int_equal(ftruncate(fds[i], SIZE / 2), -1);
        assert_int_equal(ftruncate(fds[i], 2 * SIZE), -1);
        assert_int_equal(fallocate(fds[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
        assert_int_equal(fallocate(fds[i], 0, 0, 2 * SIZE), -1);
        assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0), MAP_FAILED);
        assert_ptr_equal(mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, fds[i], 0), MAP_FAILED);
        assert_int_equal(fcntl(fds[i], F_ADD_SEALS, F_SEAL_WRITE), -1);
        void *private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[i], 0);
        if (private != MAP_FAILED) { /* a private copy harms nobody */
            memset(private, 8, SIZE);
            munmap(private, SIZE);
        }
    }
    for (uint64_t i = 0; i < SIZE; i++)
        assert_int_equal(((uint8_t *)region.base)[i], 7);

    memset(region.base, 9, SIZE); /* while the writer goes on */
    assert_int_equal(region_reserve(&region, 0, SIZE), 0);
    if (reopened >= 0)
        close(reopened);
    region_finish(&region);
}

static void memory_without_all_seals_is_refused(void **state)
{
    (void)state;
    static const unsigned seals[] = {0, F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
                                     F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL,
                                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE};
    unsigned fds = count_fds();
    for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
        int fd = memfd_create("unit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_true(fd >= 0 && !ftruncate(fd, SIZE) && !fcntl(fd, F_ADD_SEALS, seals[i]));
        struct region there;
        assert_fails(region_attach(&there, FRAMEBUS_MEMORY_MEMFD, fd, 0, SIZE), EBADMSG, "not sealed");
    }
    /* More seals than asked for do no harm. */
    int fd = memfd_create("unit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0 && !ftruncate(fd, SIZE));
    assert_int_equal(fcntl(fd, F_ADD_SEALS,
                           F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL | F_SEAL_WRITE),
                     0);
    struct region there;
    assert_int_equal(region_attach(&there, FRAMEBUS_MEMORY_MEMFD, fd, 0, SIZE), 0);
    region_finish(&there);
    assert_int_equal(count_fds(), fds);
}

static void what_is_no_memory_is_refused(void **state)
{
    (void)state;
    unsigned before = count_fds();
    for (int kind = -1; kind <= 3; kind++) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        const int fds[] = {ends[0],
                           ends[1],
                           open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
                           open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                           open("/dev/zero", O_RDONLY | O_CLOEXEC),
                           -1};
        for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
            struct region there;
            int expected = kind == FRAMEBUS_MEMORY_SYSV ? -EIDRM : -EBADMSG;
            assert_int_equal(region_attach(&there, (enum framebus_memory)kind, fds[i], -1, SIZE), expected);
            assert_null(there.base);
        }
    }
    assert_int_equal(count_fds(), before);
}

static void huge_pages_that_are_missing_are_an_error(void **state)
{
    (void)state;
    struct region_wish wish = wish_for(FRAMEBUS_MEMORY_MEMFD);
    wish.flags = FRAMEBUS_MEMORY_HUGE_PAGES;
    assert_int_equal(region_page(wish.flags), 2 << 20);
    wish.size = UINT64_C(1) << 50; /* more than there can be, mapped without reserving */
    struct region region;
    int r = region_create(&region, &wish);
    if (r) /* too much address space already */
        wish.size = UINT64_C(1) << 40;
    if (r && (r = region_create(&region, &wish))) {
        assert_true(r == -ENOTSUP || r == -ENOMEM);
        return;
    }
    assert_fails(region_reserve(&region, 0, wish.size), ENOSPC, "memfd");
    region_finish(&region);
}

/* ---- posix ---- */

static void remember(const char *what, void *user)
{
    snprintf(user, 320, "%s", what);
}

static void posix_memory_has_name_mode_and_group(void **state)
{
    (void)state;
    struct region_wish wish = wish_for(FRAMEBUS_MEMORY_POSIX);
    wish.mode = 0640;
    wish.group = own_group();
    struct region region;
    mode_t mask = umask(077); /* the mode is what was asked for all the same */
    assert_int_equal(region_create(&region, &wish), 0);
    umask(mask);
    char path[80], start[64];
    snprintf(path, sizeof path, "/dev/shm%s", region.name);
    snprintf(start, sizeof start, "/framebus-%u-", (unsigned)geteuid());
    assert_memory_equal(region.name, start, strlen(start));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_gid, getegid());
    assert_int_equal(st.st_size, SIZE);

    assert_int_equal(region_share(&region), 0);
    assert_int_equal(fcntl(region.shared_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    region_withdraw(&region);
    assert_int_equal(stat(path, &st), -1);
    struct region there;
    assert_int_equal(attach(&there, FRAMEBUS_MEMORY_POSIX, &region), 0); /* without the name, too */
    region_finish(&there);
    region_finish(&region);
}

static void posix_names_of_two_buses_differ(void **state)
{
    (void)state;
    struct region_wish wish = wish_for(FRAMEBUS_MEMORY_POSIX), other = wish;
    char elsewhere[80];
    snprintf(elsewhere, sizeof elsewhere, "/elsewhere%s", bus_path());
    other.identity = elsewhere;
    struct region a, b, c;
    assert_int_equal(region_create(&a, &wish), 0);
    assert_int_equal(region_create(&b, &other), 0);
    wish.number++;
    assert_int_equal(region_create(&c, &wish), 0);
    assert_true(strcmp(a.name, b.name) && strcmp(b.name, c.name) && strcmp(a.name, c.name));
    assert_int_equal(region_leftovers(wish.identity, false, NULL, NULL), 2);
    region_finish(&a);
    region_finish(&b);
    region_finish(&c);
}

struct plan {
    struct region_wish wish;
    int ready;
};

static void make_and_wait(void *argument)
{
    struct plan *plan = argument;
    struct region region;
    check(region_create(&region, &plan->wish) == 0 && region_reserve(&region, 0, SIZE) == 0);
    check(write(plan->ready, &region.id, sizeof region.id) == sizeof region.id);
    pause();
}

/* A writer that is killed while it has a region; returns the id of a sysv one. */
static int kill_a_writer(enum framebus_memory memory)
{
    int ends[2], id = -1;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct plan plan = {wish_for(memory), ends[1]};
    pid_t child = start_child(make_and_wait, &plan);
    close(ends[1]);
    assert_int_equal(read(ends[0], &id, sizeof id), sizeof id);
    kill(child, SIGKILL);
    int status = end_of_child(child);
    assert_true(WIFSIGNALED(status));
    close(ends[0]);
    return id;
}

static void a_killed_writer_leaves_no_memfd(void **state)
{
    (void)state;
    kill_a_writer(FRAMEBUS_MEMORY_MEMFD);
    assert_int_equal(region_leftovers(bus_path(), false, NULL, NULL), 0);
}

static void a_killed_writers_posix_memory_is_known_and_replaced(void **state)
{
    (void)state;
    char what[320] = "";
    kill_a_writer(FRAMEBUS_MEMORY_POSIX);
    assert_int_equal(region_leftovers(bus_path(), false, remember, what), 1);
    assert_non_null(strstr(what, "/dev/shm/framebus-"));
    assert_int_equal(region_leftovers(bus_path(), false, NULL, NULL), 1);

    struct region region;
    make(&region, FRAMEBUS_MEMORY_POSIX); /* the next writer */
    region_finish(&region);
    assert_int_equal(region_leftovers(bus_path(), false, NULL, NULL), 0);

    kill_a_writer(FRAMEBUS_MEMORY_POSIX);
    assert_int_equal(region_leftovers(bus_path(), true, remember, what), 1);
    assert_int_equal(region_leftovers(bus_path(), true, remember, what), 0);
}

static void fill_small_memory(void *argument)
{
    (void)argument;
    leave_namespaces(CLONE_NEWNS);
    if (mount("small", "/dev/shm", "tmpfs", 0, "size=1m"))
        skip_because("no mounts here: %s", strerror(errno));
    struct region_wish wish = wish_for(FRAMEBUS_MEMORY_POSIX);
    wish.size = 16 * SIZE; /* address space costs nothing */
    struct region region;
    check(region_create(&region, &wish) == 0);
    check(region_reserve(&region, 0, SIZE / 2) == 0);
    memset(region.base, 1, SIZE / 2);
    check(region_reserve(&region, SIZE / 2, SIZE) == -ENOSPC);
    check(strstr(framebus_last_error(), "posix") != NULL);
    check(region_reserve(&region, SIZE / 2, SIZE / 4) == 0); /* what is left can still be had */
    memset((uint8_t *)region.base + SIZE / 2, 1, SIZE / 4);
    region_finish(&region);
}

/* As where a kernel or a filter has no fallocate(). */
static void what_cannot_be_allocated_is_not_said_to_be_full(void **state)
{
    (void)state;
    struct region region;
    int ends[2];
    make(&region, FRAMEBUS_MEMORY_POSIX);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(dup3(ends[1], region.fd, O_CLOEXEC) == region.fd);
    assert_fails(region_reserve(&region, 0, SIZE), ESPIPE,
                 "cannot allocate 1048576 bytes of pool memory (posix)");
    close(ends[0]);
    close(ends[1]);
    region_finish(&region);
}

static void full_memory_is_an_error_and_no_signal(void **state)
{
    (void)state;
    run_in_child(fill_small_memory, NULL);
}

/* ---- sysv ---- */

/* To programs of s390x qemu-user does not. */
static bool segments_tell_their_mode(void)
{
    struct shmid_ds ds;
    int id = shmget(IPC_PRIVATE, 1, 0640);
    bool told = !shmctl(id, IPC_STAT, &ds) && (ds.shm_perm.mode & 0777) == 0640;
    shmctl(id, IPC_RMID, NULL);
    return told;
}

static void a_segment_is_marked_for_removal_at_once(void **state)
{
    (void)state;
    if (!segments_tell_their_mode())
        skip_because("shmctl() does not tell the mode of a segment here");
    struct region_wish wish = wish_for(FRAMEBUS_MEMORY_SYSV);
    wish.mode = 0640;
    wish.group = own_group();
    struct region region;
    assert_int_equal(region_create(&region, &wish), 0);
    struct shmid_ds ds;
    assert_int_equal(shmctl(region.id, IPC_STAT, &ds), 0);
    assert_true(ds.shm_perm.mode & SHM_DEST);
    assert_int_equal(ds.shm_perm.mode & 0777, 0640);
    assert_int_equal(ds.shm_perm.gid, getegid());
    assert_int_equal(ds.shm_segsz, SIZE);
    region_finish(&region);
    assert_false(segment_exists(region.id));
}

static void a_killed_writers_segment_is_gone(void **state)
{
    (void)state;
    int id = kill_a_writer(FRAMEBUS_MEMORY_SYSV);
    assert_false(segment_exists(id));
    assert_int_equal(region_leftovers(bus_path(), false, NULL, NULL), 0);
}

static void make_segment(void *key)
{
    check(shmget(*(key_t *)key, SIZE, IPC_CREAT | IPC_EXCL | 0600) >= 0);
}

/* A writer killed between making a segment and marking it. */
static void a_segment_that_was_never_marked_is_known_and_replaced(void **state)
{
    (void)state;
    /* The same hash is in both names. */
    struct region region;
    make(&region, FRAMEBUS_MEMORY_POSIX);
    unsigned uid;
    uint64_t hash;
    assert_int_equal(sscanf(region.name, "/framebus-%u-%16" SCNx64, &uid, &hash), 2);
    region_finish(&region);
    key_t key = (key_t)(0xFB000000u | (hash & 0xffffff));

    run_in_child(make_segment, &key);
    char what[320] = "";
    assert_int_equal(region_leftovers(bus_path(), false, remember, what), 1);
    assert_non_null(strstr(what, "0xfb"));
    int left = shmget(key, 0, 0);
    make(&region, FRAMEBUS_MEMORY_SYSV);
    region_finish(&region);
    assert_false(segment_exists(left));

    run_in_child(make_segment, &key);
    assert_int_equal(region_leftovers(bus_path(), true, remember, what), 1);
    assert_int_equal(shmget(key, 0, 0), -1);

    make_segment(&key); /* by a process that lives: not to be touched */
    assert_int_equal(region_leftovers(bus_path(), true, NULL, NULL), 0);
    make(&region, FRAMEBUS_MEMORY_SYSV); /* nor in the way */
    region_finish(&region);
    left = shmget(key, 0, 0);
    assert_true(left >= 0);
    assert_int_equal(shmctl(left, IPC_RMID, NULL), 0);
}

static void exceed_limit(void *argument)
{
    (void)argument;
    leave_namespaces(CLONE_NEWIPC);
    write_file("/proc/sys/kernel/shmmax", "65536");
    struct region_wish wish = wish_for(FRAMEBUS_MEMORY_SYSV);
    struct region region;
    check(region_create(&region, &wish) < 0);
    check(strstr(framebus_last_error(), "ipcs -lm") != NULL);
    wish.size = 65536;
    check(region_create(&region, &wish) == 0 && region_reserve(&region, 0, 65536) == 0);
    region_finish(&region);
    check(count_segments() == 1); /* the headline */
}

static void the_limit_of_segments_is_named(void **state)
{
    (void)state;
    run_in_child(exceed_limit, NULL);
}

/* ---- reader pages ---- */

static void both_sides_of_a_reader_page_see_it(void **state)
{
    (void)state;
    unsigned fds = count_fds();
    void *ours, *theirs;
    int fd;
    assert_int_equal(reader_page_create(&ours, &fd), 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 2 * READER_PAGE_SIZE), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1); /* nobody takes it from the reader */
    assert_int_equal(reader_page_attach(&theirs, fd), 0);
    ((uint8_t *)theirs)[READER_PAGE_SIZE - 1] = 5;
    assert_int_equal(((uint8_t *)ours)[READER_PAGE_SIZE - 1], 5);
    reader_page_finish(ours);
    reader_page_finish(theirs);
    reader_page_finish(NULL);
    assert_int_equal(count_fds(), fds);
}

static void pages_that_are_none_are_refused(void **state)
{
    (void)state;
    unsigned fds = count_fds();
    void *page;
    for (int seals = 0; seals <= 1; seals++)
        for (off_t size = 0; size <= 2 * READER_PAGE_SIZE; size += READER_PAGE_SIZE) {
            if (seals && size == READER_PAGE_SIZE)
                continue;
            int fd = memfd_create("unit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
            assert_true(fd >= 0 && !ftruncate(fd, size));
            if (seals)
                assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
            assert_fails(reader_page_attach(&page, fd), EBADMSG, "reader page");
            assert_null(page);
        }
    assert_int_equal(reader_page_attach(&page, open("/dev/zero", O_RDWR | O_CLOEXEC)), -EBADMSG);
    assert_int_equal(reader_page_attach(&page, -1), -EBADMSG);
    assert_int_equal(count_fds(), fds);
}

#define FOR_EACH_KIND(test)                                                                                  \
    {#test "_memfd", test, NULL, NULL, (void *)&all_kinds[0]},                                               \
        {#test "_posix", test, NULL, NULL, (void *)&all_kinds[1]},                                           \
    {                                                                                                        \
#test "_sysv", test, NULL, NULL, (void *)&all_kinds[2]                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_EACH_KIND(writer_and_reader_share_the_same_bytes),
        FOR_EACH_KIND(a_reader_that_writes_dies_of_it),
        FOR_EACH_KIND(a_forked_child_does_not_keep_the_memory),
        FOR_EACH_KIND(core_dumps_leave_it_out),
        FOR_EACH_KIND(nothing_is_left_of_it),
        FOR_EACH_KIND(a_region_of_another_size_is_refused),
        FOR_EACH_KIND(reserved_memory_can_be_locked),
        FOR_EACH_KIND(reserved_memory_faults_no_more),
        cmocka_unit_test(finishing_nothing_is_fine),
        cmocka_unit_test(wishes_that_cannot_be_met_say_so),
        cmocka_unit_test(sealed_memory_cannot_be_changed_from_outside),
        cmocka_unit_test(memory_without_all_seals_is_refused),
        cmocka_unit_test(what_is_no_memory_is_refused),
        cmocka_unit_test(huge_pages_that_are_missing_are_an_error),
        cmocka_unit_test(posix_memory_has_name_mode_and_group),
        cmocka_unit_test(posix_names_of_two_buses_differ),
        cmocka_unit_test(a_killed_writer_leaves_no_memfd),
        cmocka_unit_test(a_killed_writers_posix_memory_is_known_and_replaced),
        cmocka_unit_test(what_cannot_be_allocated_is_not_said_to_be_full),
        cmocka_unit_test(full_memory_is_an_error_and_no_signal),
        cmocka_unit_test(a_segment_is_marked_for_removal_at_once),
        cmocka_unit_test(a_killed_writers_segment_is_gone),
        cmocka_unit_test(a_segment_that_was_never_marked_is_known_and_replaced),
        cmocka_unit_test(the_limit_of_segments_is_named),
        cmocka_unit_test(both_sides_of_a_reader_page_see_it),
        cmocka_unit_test(pages_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
