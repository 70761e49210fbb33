/* SPDX-License-Identifier: MIT */
/* What a machine can be short of, for real: space for a core dump, room in a backlog, a runtime directory
 * that takes no more files, or none at all. (For calls that are made to fail see test-faults.c.) */
#include "../sanitized.h"
#include "harness.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- core dumps ---- */

static bool cores_are_files(void)
{
    char pattern[256] = "";
    FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");
    bool plain =
        f && fgets(pattern, sizeof pattern, f) && !strpbrk(pattern, "|/") && !strncmp(pattern, "core", 4);
    if (f)
        fclose(f);
    return plain;
}

/* What the pool really has, which a dump that reads all of it would fill. */
static uint64_t pool_memory_of(pid_t writer)
{
    char list[64];
    uint64_t bytes = 0;
    snprintf(list, sizeof list, "/proc/%d/fd", (int)writer);
    DIR *dir = opendir(list);
    check(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char target[256] = "";
        struct stat st;
        if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0 &&
            strstr(target, "framebus-pool") && !fstatat(dirfd(dir), entry->d_name, &st, 0) &&
            (uint64_t)st.st_blocks * 512 > bytes)
            bytes = (uint64_t)st.st_blocks * 512;
    }
    closedir(dir);
    return bytes;
}

static void read_and_dump_core(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    check(filter >= 0 && write(filter, "0x7f", 4) == 4); /* everything that there is */
    close(filter);
    if (setrlimit(RLIMIT_CORE, &all))
        skip_because("no core files for us here: %s", strerror(errno));
    check(!chdir(directory));
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    shared->other.ready = 1;
    while (!shared->go)
        sleep_ns(MS);
    abort();
}

/* Returns the size of the core file, and removes it. */
static uint64_t size_of_core(void)
{
    uint64_t bytes = 0;
    DIR *dir = opendir(directory);
    check(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        if (strncmp(entry->d_name, "core", 4) || fstatat(dirfd(dir), entry->d_name, &st, 0))
            continue;
        bytes = (uint64_t)st.st_blocks * 512;
        check(!unlinkat(dirfd(dir), entry->d_name, 0));
    }
    closedir(dir);
    return bytes;
}

static void a_reader_that_dumps_core_dumps_no_pool(void)
{
    if (SANITIZED || !cores_are_files())
        skip_because("no core files here");
    /* Address space for a gigabyte, of which 70 MiB are in use. */
    const struct writing plan = {.format = picture("GRAY8", 2048, 2048),
                                 .options = {.history = 16, .max_slots = 256},
                                 .interval_ns = 20 * MS};
    pid_t writer = start_writer(&plan);
    check_soon(shared->writer.frames > 20);
    uint64_t before = pool_memory_of(writer);
    check(before > 16 << 22);
    pid_t reader = spawn(read_and_dump_core, NULL);
    check_soon(shared->other.ready || has_ended(reader));
    int64_t begun = now_ns();
    shared->go = 1;
    int status = status_of(reader);
    int64_t took = now_ns() - begun;
    uint64_t core = size_of_core(), after = pool_memory_of(writer);
    if (!WIFSIGNALED(status) || !WCOREDUMP(status) || !core) {
        finish(writer, &shared->writer);
        skip_because("no core file was written");
    }
    note("figure: a core of %llu KiB in %.0f ms beside a pool of %llu MiB", (unsigned long long)core >> 10,
         (double)took / MS, (unsigned long long)before >> 20);
    check(core < before / 2);
    check(took < 10 * S);
    check(after <= before + (4 << 20) +
                       (uint64_t)sysconf(_SC_PAGESIZE)); /* a slot more, that the reader's frame asked for */
    finish(writer, &shared->writer);
}

/* ---- no file descriptors ---- */

/* A reader with a limit of fds: too few for the socket, for the bell, for the pool, for the page, and at last
 * enough. */
static void read_with_few_fds(const void *argument)
{
    const int *more = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct rlimit few = {(rlim_t)(lowest + *more), 1024}, enough = {1024, 1024};
    check(lowest >= 0 && !close(lowest));
    unsigned fds = count_fds();
    check(!setrlimit(RLIMIT_NOFILE, &few));
    int r = framebus_reader_open(&rd, "bus", NULL);
    if (!r)
        r = framebus_reader_next(rd, &f, 10 * S);
    if (r) {
        check_equal(r, -EMFILE);
        check(strcasestr(framebus_last_error(), "too many open files"));
    } else {
        framebus_reader_release(rd, f);
        shared->value[0]++;
    }
    framebus_reader_close(rd);
    check(!setrlimit(RLIMIT_NOFILE, &enough));
    check_equal(count_fds(), fds);
}

/* Follows its bus through a change of pool that it has no fds for, and then has some again. */
static void follow_with_few_fds(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    const struct rlimit none = {3, 1024}, enough = {1024, 1024};
    check(!setrlimit(RLIMIT_NOFILE, &none));
    shared->other.ready = 1;
    int r;
    while ((r = framebus_reader_next(rd, &f, 10 * S)) == 0)
        framebus_reader_release(rd, f);
    check_equal(r, -EMFILE);
    check_equal(framebus_reader_next(rd, &f, 0), -EMFILE);
    check(!setrlimit(RLIMIT_NOFILE, &enough));
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check(frame_number(f) >= 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
}

static void write_and_change(const void *argument)
{
    (void)argument;
    struct framebus_writer *w;
    struct framebus_format first = small(), second = picture("NV12", 64, 64);
    check_equal(framebus_writer_open(&w, "bus", &first, NULL), 0);
    shared->writer.ready = 1;
    for (uint64_t n = 0; !shared->writer.stop; n++) {
        if (shared->other.ready == 1) {
            check_equal(framebus_writer_set_format(w, &second), 0);
            shared->other.ready = 2;
        }
        check_equal(publish_one(w, n), 0);
        serve(w, 5 * MS, NULL);
    }
    framebus_writer_close(w);
}

static void a_following_reader_survives_a_lack_of_file_descriptors(void)
{
    pid_t writer = spawn(write_and_change, NULL);
    check_soon(shared->writer.ready == 1);
    join(spawn(follow_with_few_fds, NULL));
    finish(writer, &shared->writer);
}

static void a_reader_without_file_descriptors_is_told_so(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    for (int more = 0; more < 8; more++)
        join(spawn(read_with_few_fds, &more));
    check(shared->value[0] > 0 && shared->value[0] < 6);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

/* ---- little address space ---- */

#define MIB (UINT64_C(1) << 20)

/* Frames of 4 MiB: a pool of 64 slots has 256. */
#define LARGE picture("GRAY8", 2048, 2048)

/* Limits this process's address space to what it has now and this much more. */
static void limit_address_space(uint64_t more)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    check(f && fscanf(f, "%lu", &pages) == 1 && !fclose(f));
    struct rlimit limit;
    check(!getrlimit(RLIMIT_AS, &limit));
    limit.rlim_cur = (rlim_t)(pages * (uint64_t)sysconf(_SC_PAGESIZE) + more);
    check(!setrlimit(RLIMIT_AS, &limit));
    if (mmap(NULL, more + 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED)
        skip_because("setrlimit() limits no address space here");
}

static char warning[512];

static void keep_warning(enum framebus_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == FRAMEBUS_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", line);
}

static uint32_t slots_of(struct framebus_writer *w)
{
    struct framebus_bus_info *info;
    check_equal(framebus_writer_get_info(w, &info), 0);
    uint32_t slots = info->max_slots;
    framebus_info_free(info, 1);
    return slots;
}

/* What a pool gets, or the error. */
static void open_with_little_address_space(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    static const struct {
        uint64_t room;
        uint32_t slots;
    } rows[] = {{400 * MIB, 64}, {200 * MIB, 32}, {100 * MIB, 17 /* history, lends, two readers */}};
    struct framebus_format format = LARGE;
    struct framebus_writer *w;
    unsigned fds = count_fds();
    framebus_set_log_handler(keep_warning, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        limit_address_space(rows[i].room);
        *warning = '\0';
        int r = framebus_writer_open(&w, "bus", &format, options);
        if (options->max_slots && !options->fewer_slots && i) {
            check_equal(r, -ENOMEM);
            check(strstr(framebus_last_error(), "max-slots") && strstr(framebus_last_error(), "ulimit -v"));
            continue;
        }
        check_equal(r, 0);
        check_equal(slots_of(w), rows[i].slots);
        check(!i || (strstr(warning, "max-slots") && strstr(warning, "ulimit -v")));
        check_equal(*warning != '\0', i > 0);
        check_equal(publish_one(w, 7), 0);
        framebus_writer_close(w);
    }
    limit_address_space(40 * MIB);
    check_fails(framebus_writer_open(&w, "bus", &format, options), ENOMEM, "max-slots");
    check(strstr(framebus_last_error(), "ulimit -v"));
    check_equal(count_fds(), fds);
}

static void a_pool_takes_as_many_slots_as_there_is_address_space_for(void)
{
    if (SANITIZED)
        skip_because("a sanitizer needs all address space");
    for (int kind = 0; kind < 3; kind++) {
        const enum framebus_memory memory = (enum framebus_memory)kind;
        join(spawn(open_with_little_address_space, &(struct framebus_writer_options){.memory = memory}));
        join(spawn(open_with_little_address_space,
                   &(struct framebus_writer_options){.memory = memory, .max_slots = 64}));
        join(
            spawn(open_with_little_address_space,
                  &(struct framebus_writer_options){.memory = memory, .max_slots = 64, .fewer_slots = true}));
    }
}

/* As many as its readers need, and all again when there is room. */
static void change_with_little_address_space(const void *argument)
{
    (void)argument;
    struct framebus_writer *w;
    struct framebus_format little = small(), large = LARGE;
    check_equal(framebus_writer_open(&w, "bus", &little, NULL), 0);
    check_equal(slots_of(w), 64);
    shared->writer.ready = 1;
    while (shared->reader[0].ready != 1)
        serve(w, MS, NULL);
    limit_address_space(200 * MIB);
    static const uint32_t slots[] = {64, 33 /* 20 of them the reader's */};
    for (uint64_t n = 0; n < 4; n++) {
        check_equal(framebus_writer_set_format(w, n % 2 ? &large : &little), 0);
        check_equal(slots_of(w), slots[n % 2]);
        check_equal(publish_one(w, n), 0);
        serve(w, 20 * MS, NULL);
    }
    serve(w, 20 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

static void a_pool_with_fewer_slots_has_room_for_the_readers_there_are(void)
{
    if (SANITIZED)
        skip_because("a sanitizer needs all address space");
    pid_t writer = spawn(change_with_little_address_space, NULL);
    check_soon(shared->writer.ready == 1);
    pid_t reader = start_reader(&(struct reading){.options = {.quota = 20}, .frames = 4});
    join(reader);
    check_equal(shared->reader[0].missed, 0);
    check_equal(shared->reader[0].wrong, 0);
    finish(writer, &shared->writer);
}

static void read_with_little_address_space(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    unsigned fds = count_fds();
    limit_address_space(100 * MIB);
    int r = framebus_reader_open(&rd, "bus", NULL);
    check_fails(r ? r : framebus_reader_next(rd, &f, 10 * S), ENOMEM, "max-slots");
    check(strstr(framebus_last_error(), "ulimit -v"));
    framebus_reader_close(rd);
    check_equal(count_fds(), fds);
}

static void a_reader_without_address_space_is_told_so(void)
{
    if (SANITIZED)
        skip_because("a sanitizer needs all address space");
    for (int kind = 0; kind < 3; kind++) {
        memset(shared, 0, sizeof *shared);
        pid_t writer = start_writer(&(struct writing){
            .format = LARGE, .options = {.memory = (enum framebus_memory)kind}, .interval_ns = 20 * MS});
        join(spawn(read_with_little_address_space, NULL));
        finish(writer, &shared->writer);
        check_equal(shared->writer.result, 0);
    }
}

/* ---- a backlog that is full ---- */

static void a_stopped_writer_with_a_full_backlog_is_told_and_recovers(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    pid_t reader = start_reader(&(struct reading){0});
    unsigned fds = count_fds_of(writer), queued = 0;
    static int sockets[8192];
    const struct rlimit limit = {8192, 8192};
    struct rlimit before;
    check(!getrlimit(RLIMIT_NOFILE, &before) &&
          (before.rlim_max < 8192 || !setrlimit(RLIMIT_NOFILE, &limit)));
    check_soon(shared->reader[0].frames > 2);
    stop_now(writer);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of("bus"));
    while (queued < 8000) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        check(fd >= 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
            check_equal(errno, EAGAIN);
            close(fd);
            break;
        }
        sockets[queued++] = fd;
    }
    note("%u connections in the backlog", queued);

    struct framebus_reader *rd;
    struct framebus_bus_info *info;
    int64_t begun = now_ns();
    check_fails(framebus_reader_open(&rd, "bus", NULL), ETIMEDOUT, "stopped");
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_SILENT);
    framebus_info_free(info, 1);
    check(now_ns() - begun < 30 * S);

    check(!kill(writer, SIGCONT));
    for (unsigned i = 0; i < queued; i++)
        close(sockets[i]);
    uint64_t now = shared->reader[0].last;
    check_soon(shared->reader[0].last > now + 3);
    int r;
    check_soon((r = framebus_reader_open(&rd, "bus", NULL)) != -ETIMEDOUT);
    check_equal(r, 0);
    framebus_reader_close(rd);
    check_soon(count_fds_of(writer) <= fds);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    finish(writer, &shared->writer);
}

/* ---- runtime directories ---- */

/* The number of files there is room for, the directory itself among them. A bus needs a lock and a socket. */
static void open_with_few_inodes(const void *argument)
{
    const int *inodes = argument;
    char options[32];
    struct framebus_writer *w;
    struct framebus_format format = small();
    unsigned fds = count_fds();
    snprintf(options, sizeof options, "nr_inodes=%d", *inodes);
    mount_tmpfs(directory, options);
    int r = framebus_writer_open(&w, "bus", &format, NULL);
    check_equal(r, *inodes < 3 ? -ENOSPC : 0);
    check(!r || strstr(framebus_last_error(), directory));
    if (!r)
        check_fails(framebus_writer_open(&(struct framebus_writer *){NULL}, "other", &format, NULL), ENOSPC,
                    directory);
    framebus_writer_close(w);
    check(access(path_of("bus"), F_OK) && access(path_of(".bus.tmp"), F_OK));
    check_equal(count_fds(), fds);
}

static void a_runtime_directory_that_is_full_is_named(void)
{
    for (int inodes = 1; inodes <= 3; inodes++)
        join(spawn(open_with_few_inodes, &inodes));
}

static void read_five(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    for (int i = 0; i < 5; i++) {
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check(frame_number(f) >= 0);
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
}

static void become_read_only(const void *argument)
{
    (void)argument;
    struct framebus_writer *w, *other;
    struct framebus_reader *rd;
    struct framebus_format format = small();
    mount_tmpfs(directory, "mode=0700");
    unsigned fds = count_fds();
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check(!mount(directory, directory, NULL, MS_BIND, NULL) &&
          !mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));

    /* The writer that is there goes on, readers come, and another writer gets a sentence. */
    check_fails(framebus_writer_open(&other, "other", &format, NULL), EROFS, directory);
    pid_t reader = spawn(read_five, NULL);
    for (uint64_t n = 0; !has_ended(reader); n++) {
        check_equal(publish_one(w, n), 0);
        serve(w, 5 * MS, NULL);
    }
    join(reader);
    framebus_writer_close(w);
    check_equal(framebus_reader_open(&rd, "bus", NULL), -ENOENT);
    check_fails(framebus_writer_open(&w, "bus", &format, NULL), EROFS, directory);

    check(!umount(directory));
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    framebus_writer_close(w);
    check_equal(count_fds(), fds);
}

static void a_runtime_directory_that_becomes_read_only_is_named(void)
{
    join(spawn(become_read_only, NULL));
}

static void a_runtime_directory_may_be_a_link(void)
{
    struct framebus_reader *rd;
    check(!symlink(directory, path_of("link")));
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    setenv("FRAMEBUS_DIR", path_of("link"), 1); /* the user named it and answers for it */
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    struct framebus_writer *w;
    struct framebus_format format = small();
    check_fails(framebus_writer_open(&w, "bus", &format, NULL), EADDRINUSE, "bus"); /* it is the same */
    setenv("FRAMEBUS_DIR", directory, 1);
    finish(writer, &shared->writer);
    check(!unlink(path_of("link")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_reader_that_dumps_core_dumps_no_pool),
        PROCESS_TEST(a_reader_without_file_descriptors_is_told_so),
        PROCESS_TEST(a_following_reader_survives_a_lack_of_file_descriptors),
        PROCESS_TEST(a_pool_takes_as_many_slots_as_there_is_address_space_for),
        PROCESS_TEST(a_pool_with_fewer_slots_has_room_for_the_readers_there_are),
        PROCESS_TEST(a_reader_without_address_space_is_told_so),
        PROCESS_TEST(a_stopped_writer_with_a_full_backlog_is_told_and_recovers),
        PROCESS_TEST(a_runtime_directory_that_is_full_is_named),
        PROCESS_TEST(a_runtime_directory_that_becomes_read_only_is_named),
        PROCESS_TEST(a_runtime_directory_may_be_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
