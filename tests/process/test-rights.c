/* SPDX-License-Identifier: MIT */
/* What a reader that is another user, in another namespace or in a sandbox can do, and what not. */
#include "../sanitized.h"
#include "fake-reader.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif

/* ---- another user ---- */

#define check_denied(call, error)                                                                            \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        if ((call) != -1 || (errno != (error) && errno != ENOSYS))                                           \
            check_failed(__FILE__, __LINE__, "not refused with errno %d: %s", (error), #call);               \
    } while (0)

/* The fds of the first POOL. */
static unsigned take_pool(int socket, struct message_pool *pool, int *fds)
{
    static union message m;
    struct message_hello hello = fake_reader_hello(1, 0);
    unsigned count = 0;
    check_equal(socket_send(socket, &hello, NULL, 0), 0);
    check_equal(fake_reader_hear(socket, &m, fds, &count), MESSAGE_WELCOME);
    close(fds[0]);
    check_equal(fake_reader_hear(socket, &m, fds, &count), MESSAGE_POOL);
    *pool = m.pool;
    return count;
}

static void try_the_process(pid_t writer)
{
    char path[64], byte = 1;
    struct iovec own = {&byte, 1}, foreign = {&byte, 1};
    check_denied(kill(writer, 0), EPERM);
    check_denied(kill(writer, SIGSTOP), EPERM);
    check_denied(ptrace(PTRACE_SEIZE, writer, NULL, NULL), EPERM);
    check_denied(process_vm_writev(writer, &own, 1, &foreign, 1, 0), EPERM);
    check_denied(process_vm_readv(writer, &own, 1, &foreign, 1, 0), EPERM);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)writer);
    check_denied(open(path, O_RDWR), EACCES);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)writer);
    check_denied(open(path, O_RDONLY | O_DIRECTORY), EACCES);
    int pidfd = (int)syscall(SYS_pidfd_open, writer, 0);
    if (pidfd >= 0) {
        check_denied(syscall(SYS_pidfd_getfd, pidfd, 0, 0), EPERM);
        close(pidfd);
    }
}

static void try_the_files(void)
{
    struct framebus_writer *w;
    struct framebus_format format = small();
    check_denied(unlink(path_of("bus")), EACCES);
    check_denied(rename(path_of("bus"), path_of("away")), EACCES);
    check_denied(chmod(path_of("bus"), 0600), EPERM);
    check_denied(open(path_of(".bus.lock"), O_RDWR), EACCES);
    check_denied(open(path_of("other"), O_RDWR | O_CREAT, 0600), EACCES);
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), -EACCES);
    check_equal(framebus_writer_open(&w, "other", &format, NULL), -EACCES);
    check_equal(framebus_remove("bus", NULL, NULL), -EACCES);
}

static void try_the_pool(const struct message_pool *pool, const int *fds, unsigned count)
{
    char path[64], byte = 1;
    if (count == 2) {
        size_t size = pool->region_size;
        check_denied(ftruncate(fds[0], 0), EINVAL); /* a read-only fd */
        check_denied(pwrite(fds[0], &byte, 1, 0), EBADF);
        check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0) == MAP_FAILED);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
        int again = open(path, O_RDWR | O_CLOEXEC);
        if (pool->memory == FRAMEBUS_MEMORY_POSIX)
            check(again < 0 && errno == EACCES);
        if (again >= 0) { /* a memfd: here the seals say no */
            check_denied(ftruncate(again, 0), EPERM);
            check_denied(pwrite(again, &byte, 1, 0), EPERM);
            check_denied(fallocate(again, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
            check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
            check_denied(fcntl(again, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
            close(again);
        }
        void *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fds[0], 0);
        check(mapped != MAP_FAILED);
        check_denied(mprotect(mapped, size, PROT_READ | PROT_WRITE), EACCES);
        munmap(mapped, size);
    } else {
        struct shmid_ds ds = {0};
        check(shmat(pool->id, NULL, 0) == (void *)-1 && errno == EACCES);
        check_denied(shmctl(pool->id, IPC_RMID, NULL), EPERM);
        check_denied(shmctl(pool->id, IPC_SET, &ds), EPERM);
    }
}

static void try_everything(const void *argument)
{
    const pid_t *writer = argument;
    struct message_pool pool;
    int fds[MESSAGE_FDS_MAX];
    become_nobody();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* which a change of user forgets */
    int socket = fake_reader_connect();
    unsigned count = take_pool(socket, &pool, fds);
    try_the_process(*writer);
    try_the_files();
    try_the_pool(&pool, fds, count);
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    close(socket);
}

static void another_user_who_may_read_can_do_nothing_else(void)
{
    if (!can_be_several_users())
        skip_because("needs root, to be several users");
    check(!chmod(directory, 0755));
    for (int kind = 0; kind < 3; kind++) {
        memset(shared, 0, sizeof *shared);
        struct writing plan = calm;
        plan.options.access_mode = 0666;
        plan.options.memory = (enum framebus_memory)kind;
        pid_t writer = start_writer(&plan);
        join(spawn(try_everything, &writer));
        uint64_t now = shared->writer.frames;
        check_soon(shared->writer.frames > now + 3);
        finish(writer, &shared->writer);
        check_equal(shared->writer.result, 0);
    }
}

static void be_refused(const void *argument)
{
    const char *text = argument;
    struct framebus_reader *rd;
    become_nobody();
    check_fails(framebus_reader_open(&rd, "bus", NULL), EACCES, text);
}

/* The socket's mode is one check, the credentials that the writer accepts are another. */
static void a_socket_that_was_opened_up_lets_nobody_in_who_may_not_read(void)
{
    if (!can_be_several_users())
        skip_because("needs root, to be several users");
    check(!chmod(directory, 0755));
    for (int i = 0; i < 2; i++) {
        struct writing plan = calm;
        plan.options.access_mode = i ? 0660 : 0600;
        pid_t writer = start_writer(&plan);
        join(spawn(be_refused, "may not read"));
        check(!chmod(path_of("bus"), 0666));
        join(spawn(be_refused, "you may not read this bus"));
        finish(writer, &shared->writer);
    }
}

/* ---- other namespaces ---- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

/* Sees the bus's socket and nothing else of its directory. */
static void read_in_a_container(const void *argument)
{
    (void)argument;
    char bus[128], inside[128], map[64];
    unsigned uid = geteuid(), gid = getegid();
    snprintf(bus, sizeof bus, "%s", path_of("bus"));
    snprintf(inside, sizeof inside, "/tmp/fbtest-socket-%d", (int)getpid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
        shared->value[0] = errno;
        return;
    }
    snprintf(map, sizeof map, "0 %u 1", uid);
    check(write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", map));
    snprintf(map, sizeof map, "0 %u 1", gid);
    check(write_file("/proc/self/gid_map", map));
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
        shared->value[0] = errno;
        return;
    }
    int held = open(bus, O_PATH | O_CLOEXEC);
    char held_path[64];
    snprintf(held_path, sizeof held_path, "/proc/self/fd/%d", held);
    check(held >= 0 && !mount("none", "/tmp", "tmpfs", 0, NULL)); /* all the rest is gone */
    int target = open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check(target >= 0 && !mount(held_path, inside, NULL, MS_BIND, NULL));
    close(target);
    close(held);
    check(access(bus, F_OK) && errno == ENOENT);

    struct framebus_reader *rd;
    struct framebus_bus_info *info;
    check_equal(framebus_reader_open(&rd, inside, NULL), 0);
    for (int i = 0; i < 5; i++) {
        struct framebus_frame *f;
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check_equal(frame_number(f), f->sequence);
        framebus_reader_release(rd, f);
        shared->value[1]++;
    }
    check_equal(framebus_query(inside, &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_LIVE);
    framebus_info_free(info, 1);
    framebus_reader_close(rd);
}

static void a_reader_in_another_user_and_mount_namespace_reads_over_a_bound_socket(void)
{
    for (int kind = 0; kind < 3; kind++) {
        memset(shared, 0, sizeof *shared);
        struct writing plan = calm;
        plan.options.memory = (enum framebus_memory)kind;
        pid_t writer = start_writer(&plan);
        join(spawn(read_in_a_container, NULL));
        finish(writer, &shared->writer);
        if (shared->value[0])
            skip_because("no namespaces for us here: %s", strerror((int)shared->value[0]));
        check_equal(shared->value[1], 5);
    }
}

/* ---- a sandbox ---- */

#ifdef HAVE_SECCOMP

/* Allows the system calls that docs/inside/security.md names between these two lines, and no others. */
static void enter_sandbox(const char *section)
{
    char line[512], begin[64];
    bool inside = false;
    unsigned count = 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    FILE *f = fopen(SECURITY_MD, "re");
    check(filter && f);
    snprintf(begin, sizeof begin, "<!-- %s -->", section);
    while (fgets(line, sizeof line, f)) {
        if (!strncmp(line, "<!--", 4))
            inside = !strncmp(line, begin, strlen(begin));
        for (char *word = strtok(line, " \n"); inside && word; word = strtok(NULL, " \n")) {
            char name[64];
            if (sscanf(word, "`%63[a-z0-9_]`", name) != 1)
                continue;
            int number = seccomp_syscall_resolve_name(name);
            check(number != __NR_SCMP_ERROR);
            check_equal(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), 0);
            count++;
        }
    }
    fclose(f);
    check(count > 5);
    note("%u system calls for a reader", count);
    check_equal(seccomp_load(filter), 0);
    seccomp_release(filter);
}

static void read_in_a_sandbox(const void *argument)
{
    const bool *follow = argument;
    const struct framebus_reader_options options = {.follow = *follow, .wait_ns = 10 * S};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    enter_sandbox("a reader's system calls");
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    for (int i = 0; i < 50; i++) {
        struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
        int r = -ETIMEDOUT;
        while (i % 2 && (r = framebus_reader_next(rd, &f, 0)) == -ETIMEDOUT)
            check_equal(poll(&wait, 1, 10000), 1);
        check_equal(r ? framebus_reader_next(rd, &f, 10 * S) : 0, 0);
        check(frame_number(f) >= 0);
        framebus_reader_release(rd, f);
        if (i == 20)
            check_equal(framebus_reader_set_quota(rd, 3), 0);
    }
    framebus_reader_close(rd);
    check_equal(framebus_reader_open(&rd, "none", NULL), -ENOENT);
    _exit(0);
}

static void read_in_a_sandbox_made_by_hand(const void *argument)
{
    (void)argument;
    enter_sandbox("a reader's system calls");
    (void)!getppid(); /* not in the list */
    _exit(0);
}

static void a_reader_needs_no_other_system_calls_than_the_documented(void)
{
    if (seccomp_arch_native() != SCMP_ARCH_X86_64)
        skip_because("docs/inside/security.md names the system calls of x86-64");
    if (SANITIZED)
        skip_because("a sanitizer needs system calls of its own");
    for (int kind = 0; kind < 3; kind++)
        for (int i = 0; i < 2; i++) {
            const bool follow = i;
            struct writing plan = {.interval_ns = 5 * MS, .options.lossless = true};
            plan.options.memory = (enum framebus_memory)kind;
            memset(shared, 0, sizeof *shared);
            pid_t writer = start_writer(&plan);
            join(spawn(read_in_a_sandbox, &follow));
            finish(writer, &shared->writer);
        }
    int status = status_of(spawn(read_in_a_sandbox_made_by_hand, NULL));
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS); /* the sandbox is one */
}

#else

static void a_reader_needs_no_other_system_calls_than_the_documented(void)
{
    skip_because("built without libseccomp");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(another_user_who_may_read_can_do_nothing_else),
        PROCESS_TEST(a_socket_that_was_opened_up_lets_nobody_in_who_may_not_read),
        PROCESS_TEST(a_reader_in_another_user_and_mount_namespace_reads_over_a_bound_socket),
        PROCESS_TEST(a_reader_needs_no_other_system_calls_than_the_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
