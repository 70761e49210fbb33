/* SPDX-License-Identifier: MIT */
/* The three kinds of pool memory as seen from outside, and what readers cannot do to them. */
#include "../emulated.h"
#include "harness.h"

#include <dirent.h>
#include <sys/shm.h>
#include <sys/uio.h>

/* ---- what ls and ipcs show ---- */

/* The one entry of /dev/shm that a process maps; its stat() in *st. */
static unsigned posix_entries_of(pid_t pid, struct stat *st, char *name, size_t room)
{
    char path[64], line[512];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    check(maps);
    while (fgets(line, sizeof line, maps)) {
        char *file = strstr(line, "/dev/shm/framebus-");
        if (!file)
            continue;
        file[strcspn(file, "\n")] = '\0';
        if (strstr(file, "(deleted)"))
            continue;
        snprintf(name, room, "%s", file);
        check(!stat(file, st));
        count++;
    }
    fclose(maps);
    return count;
}

static void posix_memory_is_visible_with_its_mode_and_group_while_in_use(void)
{
    struct stat st;
    char name[512];
    bool root = can_be_several_users();
    const struct writing writing = {
        .options = {.memory = FRAMEBUS_MEMORY_POSIX, .access_mode = 0660, .group = root ? "1" : NULL},
        .interval_ns = 5 * MS};
    pid_t writer = start_writer(&writing);
    check_equal(posix_entries_of(writer, &st, name, sizeof name), 1);
    note("%s", name);
    check_equal(st.st_mode & 0777, 0640);
    check_equal(st.st_uid, geteuid());
    check_equal(st.st_gid, root ? 1 : getegid());
    char uid[32];
    snprintf(uid, sizeof uid, "framebus-%u-", (unsigned)geteuid());
    check(strstr(name, uid));
    struct stat socket;
    check(!stat(path_of("bus"), &socket) && (socket.st_mode & 0777) == 0660 && socket.st_gid == st.st_gid);

    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    finish(writer, &shared->writer);
    check(stat(name, &st) && errno == ENOENT); /* although a reader still maps it */
    check(frame_number(f) >= 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
}

struct search {
    pid_t maker;
    struct segment *found;
};

static bool is_of_maker(const struct segment *segment, void *user)
{
    const struct search *search = user;
    if (segment->maker != search->maker)
        return false;
    *search->found = *segment;
    return true;
}

/* How many this process made, and the last of them. */
static unsigned segments_of(pid_t pid, struct segment *found)
{
    return count_segments(is_of_maker, &(struct search){pid, found});
}

static void a_sysv_segment_is_marked_for_destruction_from_the_start(void)
{
    struct segment s;
    bool root = can_be_several_users();
    const struct writing writing = {
        .options = {.memory = FRAMEBUS_MEMORY_SYSV, .access_mode = 0640 | 0020, .group = root ? "1" : NULL},
        .interval_ns = 5 * MS};
    pid_t writer = start_writer(&writing);
    check_equal(segments_of(writer, &s), 1);
    check(s.mode & SHM_DEST);
    check_equal(s.mode & 0777, 0640);
    check_equal(s.attached, 1);
    check_equal(s.gid, root ? 1 : getegid());
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_equal(segments_of(writer, &s), 1);
    check_equal(s.attached, 2);
    kill_now(writer);
    check_equal(segments_of(writer, &s), 1);
    check_equal(s.attached, 1);
    check(frame_number(f) >= 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    check_equal(segments_of(writer, &s), 0);
    check_equal(framebus_remove("bus", NULL, NULL), 1); /* the socket */
}

static void count_one(const char *what, void *user)
{
    note("removed %s", what);
    ++*(unsigned *)user;
}

/* SIGKILL of a writer and two readers at about the same time. */
static void kill_everyone(enum framebus_memory memory, char *name, size_t room)
{
    struct stat st;
    pid_t writer = start_writer(&(struct writing){.options = {.memory = memory}, .interval_ns = MS});
    pid_t a = start_reader(&(struct reading){0});
    pid_t b = start_reader(&(struct reading){.options = {.quota = 4}, .tally = &shared->reader[1]});
    check_soon(shared->reader[0].frames > 10 && shared->reader[1].frames > 10);
    if (memory == FRAMEBUS_MEMORY_POSIX)
        check_equal(posix_entries_of(writer, &st, name, room), 1);
    kill(a, SIGKILL);
    kill(writer, SIGKILL);
    kill(b, SIGKILL);
    status_of(a);
    status_of(writer);
    status_of(b);
}

static void a_socket_is_all_that_is_left_when_everyone_is_killed(enum framebus_memory memory, unsigned things)
{
    char name[512] = "";
    struct stat st;
    struct framebus_bus_info *info;
    kill_everyone(memory, name, sizeof name);
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_STALE);
    check_equal(info->pid, 0);
    framebus_info_free(info, 1);
    if (*name)
        check(!stat(name, &st));
    unsigned removed = 0;
    check_equal(framebus_remove("bus", count_one, &removed), things);
    check_equal(removed, things);
    if (*name)
        check(stat(name, &st));
    check_fails(framebus_query("bus", &info), ENOENT, "bus");
    check_fails(framebus_remove("bus", NULL, NULL), ENOENT, "bus");
}

static void nothing_of_a_memfd_is_left_when_everyone_is_killed(void)
{
    a_socket_is_all_that_is_left_when_everyone_is_killed(FRAMEBUS_MEMORY_MEMFD, 1);
}

static void nothing_of_a_sysv_segment_is_left_when_everyone_is_killed(void)
{
    a_socket_is_all_that_is_left_when_everyone_is_killed(FRAMEBUS_MEMORY_SYSV, 1);
}

static void posix_memory_left_by_the_killed_is_recognised_and_removed(void)
{
    a_socket_is_all_that_is_left_when_everyone_is_killed(FRAMEBUS_MEMORY_POSIX, 2);
}

static void posix_memory_left_without_its_socket_is_recognised_too(void)
{
    char name[512];
    struct framebus_bus_info *info;
    kill_everyone(FRAMEBUS_MEMORY_POSIX, name, sizeof name);
    check(!unlink(path_of("bus")));
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_STALE);
    framebus_info_free(info, 1);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static void the_next_writer_replaces_left_posix_memory_silently(void)
{
    static const enum framebus_memory next[] = {FRAMEBUS_MEMORY_POSIX, FRAMEBUS_MEMORY_MEMFD};
    for (int i = 0; i < 2; i++) {
        char name[512], now[512] = "";
        struct stat before, after;
        kill_everyone(FRAMEBUS_MEMORY_POSIX, name, sizeof name);
        check(!stat(name, &before));
        pid_t writer = start_writer(&(struct writing){.options = {.memory = next[i]}, .frames = 1});
        if (next[i] == FRAMEBUS_MEMORY_POSIX) {
            check_equal(posix_entries_of(writer, &after, now, sizeof now), 1);
            check(before.st_ino != after.st_ino);
        } else {
            check(stat(name, &after));
        }
        finish(writer, &shared->writer);
        check(stat(name, &after));
    }
}

/* ---- read-only ---- */

/* Each way to get at a frame's memory for writing; in a child, which may die of it. */
static struct framebus_frame *take_a_frame(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    return f;
}

static void write_into_a_frame(const void *argument)
{
    (void)argument;
    *(volatile uint8_t *)take_a_frame()->data = 1;
}

static void mprotect_a_frame(const void *argument)
{
    (void)argument;
    struct framebus_frame *f = take_a_frame();
    check(mprotect(f->data, 4096, PROT_READ | PROT_WRITE) == -1);
    check_equal(errno, EACCES);
    check(mprotect(f->data, 4096, PROT_READ) == 0);
}

/* Everything that has the kernel write for us, into our own mapping. */
static void have_the_kernel_write(const void *argument)
{
    (void)argument;
    struct framebus_frame *f = take_a_frame();
    char bytes[64] = "x";
    int pipe_ends[2], mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    struct iovec own = {bytes, sizeof bytes}, foreign = {f->data, sizeof bytes};
    check(mem >= 0 && !pipe2(pipe_ends, O_CLOEXEC));
    check(pwrite(mem, bytes, sizeof bytes, (off_t)(uintptr_t)f->data) == -1);
    check(process_vm_writev(getpid(), &own, 1, &foreign, 1, 0) == -1);
    check(write(pipe_ends[1], bytes, sizeof bytes) == sizeof bytes);
    check(read(pipe_ends[0], f->data, sizeof bytes) == -1 && errno == EFAULT);
    if (!heeds_advice())
        return;
    check(madvise(f->data, 4096, MADV_REMOVE) == -1); /* would punch a hole */
    check(madvise(f->data, 4096, 23 /* MADV_POPULATE_WRITE */) == -1);
}

/* Opens every file of our memory that /proc shows, in any way, and tries to change it. */
static void try_the_files(const char *list, const char *pattern)
{
    DIR *dir = opendir(list);
    check(dir);
    unsigned tried = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[600], target[256] = "";
        snprintf(path, sizeof path, "%s/%s", list, entry->d_name);
        if (readlink(path, target, sizeof target - 1) < 0 || !strstr(target, pattern))
            continue;
        tried++;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
        check(pwrite(fd, "x", 1, 0) == -1);
        check(ftruncate(fd, 0) == -1);
        check(ftruncate(fd, 1 << 30) == -1);
        check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1);
        check(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == -1);
        close(fd);
    }
    closedir(dir);
    shared->value[0] += tried;
}

static void open_the_memory_again(const void *argument)
{
    (void)argument;
    take_a_frame();
    try_the_files("/proc/self/map_files", "framebus-pool");
    try_the_files("/proc/self/fd", "framebus-pool");
    char of_writer[64];
    snprintf(of_writer, sizeof of_writer, "/proc/%d/fd", (int)shared->writer.pid);
    try_the_files(of_writer, "framebus-pool"); /* the same user may look */
}

static void a_reader_cannot_write_to_frames_whatever_it_tries(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 3});
    int status = status_of(spawn(write_into_a_frame, NULL));
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    join(spawn(mprotect_a_frame, NULL));
    join(spawn(have_the_kernel_write, NULL));
    join(spawn(open_the_memory_again, NULL));
    check(shared->value[0] > 0);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 2, 0); /* unspoilt */
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void memory_that_cannot_be_sealed_is_still_mapped_read_only(void)
{
    static const enum framebus_memory kinds[] = {FRAMEBUS_MEMORY_POSIX, FRAMEBUS_MEMORY_SYSV};
    for (int i = 0; i < 2; i++) {
        pid_t writer = start_writer(&(struct writing){.options = {.memory = kinds[i]}, .frames = 3});
        int status = status_of(spawn(write_into_a_frame, NULL));
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
        finish(writer, &shared->writer);
    }
}

/* ---- what memory is used ---- */

static void slots_never_taken_cost_no_memory(void)
{
    struct framebus_bus_info *info;
    const struct writing writing = {
        .format = picture("GRAY8", 1024, 1024), .options = {.max_slots = 512, .history = 2}, .frames = 100};
    pid_t writer = start_writer(&writing);
    check_soon(shared->writer.frames == 100);
    check_equal(framebus_query("bus", &info), 0);
    check(info->slots_used <= 4);
    check(info->memory_bytes < 8 << 20);
    framebus_info_free(info, 1);
    finish(writer, &shared->writer);
}

/* ---- a full /dev/shm ---- */

static void fill_dev_shm(const void *argument)
{
    (void)argument;
    mount_tmpfs("/dev/shm", "size=2m");
    struct framebus_format format = picture("GRAY8", 512, 512);
    struct framebus_writer *w;
    struct framebus_frame *frames[32];
    int count = 0, r = 0;
    check_equal(framebus_writer_open(
                    &w, "bus", &format,
                    &(struct framebus_writer_options){.memory = FRAMEBUS_MEMORY_POSIX, .max_lends = 32}),
                0);
    while (count < 32 && !(r = framebus_writer_begin(w, &frames[count])))
        fill_frame(frames[count++], 0);
    check_equal(r, -ENOSPC);
    check(strstr(framebus_last_error(), "posix"));
    check(count > 5);
    for (int i = 0; i < count; i++)
        framebus_writer_release(w, frames[i]);
    shared->writer.ready = 1;
    for (uint64_t n = 0; !shared->writer.stop; n++) { /* the bus goes on with what it has */
        check_equal(publish_one(w, n), 0);
        serve(w, MS, NULL);
    }
    framebus_writer_close(w);
}

static void a_full_dev_shm_is_an_error_of_begin_and_the_bus_goes_on(void)
{
    pid_t writer = spawn(fill_dev_shm, NULL);
    check_soon(shared->writer.ready || has_ended(writer));
    if (!shared->writer.ready)
        join(writer);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    for (int i = 0; i < 50; i++) {
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check_equal(frame_number(f), f->sequence);
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(posix_memory_is_visible_with_its_mode_and_group_while_in_use),
        PROCESS_TEST(a_sysv_segment_is_marked_for_destruction_from_the_start),
        PROCESS_TEST(nothing_of_a_memfd_is_left_when_everyone_is_killed),
        PROCESS_TEST(nothing_of_a_sysv_segment_is_left_when_everyone_is_killed),
        PROCESS_TEST(posix_memory_left_by_the_killed_is_recognised_and_removed),
        PROCESS_TEST(posix_memory_left_without_its_socket_is_recognised_too),
        PROCESS_TEST(the_next_writer_replaces_left_posix_memory_silently),
        PROCESS_TEST(a_reader_cannot_write_to_frames_whatever_it_tries),
        PROCESS_TEST(memory_that_cannot_be_sealed_is_still_mapped_read_only),
        PROCESS_TEST(slots_never_taken_cost_no_memory),
        PROCESS_TEST(a_full_dev_shm_is_an_error_of_begin_and_the_bus_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
