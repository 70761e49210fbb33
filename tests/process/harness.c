/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "shared/layout.h"

#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#define TEST_LIMIT 100       /* seconds, then everything is killed */
#define PIDS_MAX   (1 << 22) /* the kernel's own limit */

char directory[64];
struct shared *shared;

static bool is_child;
static unsigned test_limit;
static _Atomic uint32_t *ours; /* a bit for each pid: processes of this test, whoever started them */
static unsigned fds_before, mappings_before;
static time_t begun_s;

/* ---- time and words ---- */

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * S + t.tv_nsec;
}

void sleep_ns(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / S, .tv_nsec = ns % S};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

void note(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "# %s\n", text);
}

void check_failed(const char *file, int line, const char *format, ...)
{
    char text[512], why[512];
    snprintf(why, sizeof why, "errno %d, \"%s\"", errno, framebus_last_error());
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (is_child) {
        fprintf(stderr, "# child %d: %s:%d: %s (%s)\n", (int)getpid(), file, line, text, why);
        _exit(1);
    }
    fail_because(file, line, "%s (%s)", text, why);
}

/* ---- processes ---- */

void allow_seconds(unsigned seconds)
{
    test_limit = seconds;
    alarm(seconds);
}

static void die_of_old_age(int number)
{
    (void)number;
    static const char text[] = "Bail out! a test went on for too long\n";
    ssize_t ignored = write(STDOUT_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1); /* which kills the children too */
}

/* What the test runner has caught would run the remaining tests in the child. */
static void become_child(void)
{
    static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGALRM};
    pid_t pid = getpid();
    is_child = true;
    ours[pid / 32] |= 1u << pid % 32;
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        signal(caught[i], SIG_DFL);
    alarm(test_limit + 20);
}

pid_t spawn(void (*role)(const void *argument), const void *argument)
{
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    check(pid >= 0);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    become_child();
    role(argument);
    exit(0); /* with the leak check of sanitizers */
}

pid_t fork_child(void)
{
    pid_t pid = fork();
    check(pid >= 0);
    if (!pid)
        become_child();
    return pid;
}

pid_t fork_idler(void)
{
    pid_t pid = fork_child();
    while (!pid)
        pause();
    return pid;
}

/* waitpid() with a limit. */
static int wait_for(pid_t pid, int flags)
{
    int status = 0;
    int64_t limit = now_ns() + 60 * S;
    for (int64_t pause = MS / 10;; pause = pause < 5 * MS ? 2 * pause : pause) {
        pid_t r = waitpid(pid, &status, flags | WNOHANG);
        check(r >= 0 || errno == EINTR);
        if (r > 0)
            return status;
        if (now_ns() > limit)
            check_failed(__FILE__, __LINE__, "process %d does not end", (int)pid);
        sleep_ns(pause);
    }
}

int status_of(pid_t pid)
{
    return wait_for(pid, 0);
}

void join_at(const char *file, int line, pid_t pid)
{
    int status = status_of(pid);
    skip_if_child_did(status);
    if (status)
        check_failed(file, line, "child %d ended with status 0x%x", (int)pid, (unsigned)status);
}

void kill_now(pid_t pid)
{
    check(pid > 0 && !kill(pid, SIGKILL));
    int status = status_of(pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void stop_now(pid_t pid)
{
    check(pid > 0 && !kill(pid, SIGSTOP));
    check(WIFSTOPPED(wait_for(pid, WUNTRACED)));
}

static bool have_become_nobody(void)
{
    return !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY);
}

void become_nobody(void)
{
    check(have_become_nobody());
    check(!prctl(PR_SET_PDEATHSIG, SIGKILL)); /* a change of user clears it */
}

bool can_be_several_users(void)
{
    pid_t pid = fork_child();
    if (!pid)
        _exit(have_become_nobody() ? 0 : 1);
    return !status_of(pid);
}

void mount_tmpfs(const char *where, const char *options)
{
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", where, "tmpfs", 0, options))
        skip_because("no mounts for us here: %s", strerror(errno));
}

uint64_t sleeps_of(pid_t pid)
{
    char path[64], line[256];
    unsigned long long count = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    check(status);
    while (fgets(line, sizeof line, status) && sscanf(line, "voluntary_ctxt_switches: %llu", &count) != 1)
        ;
    fclose(status);
    return count;
}

/* ---- what could be left behind ---- */

unsigned count_fds(void)
{
    return count_fds_of(getpid());
}

unsigned count_fds_of(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    while (fds && readdir(fds))
        count++;
    if (fds)
        closedir(fds);
    return count;
}

unsigned count_mappings(void)
{
    char line[512];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof line, maps))
        count +=
            strstr(line, "memfd:framebus") || strstr(line, "/dev/shm/framebus-") || strstr(line, "/SYSV");
    if (maps)
        fclose(maps);
    return count;
}

unsigned count_posix(void)
{
    unsigned count = 0;
    DIR *shm = opendir("/dev/shm");
    for (struct dirent *entry; shm && (entry = readdir(shm));) {
        char path[FRAMEBUS_PATH_MAX + 1] = "";
        if (strncmp(entry->d_name, "framebus-", 9))
            continue;
        int fd = openat(dirfd(shm), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && pread(fd, path, sizeof path - 1, offsetof(struct layout_header, path)) > 0)
            count += !strncmp(path, directory, strlen(directory));
        if (fd >= 0)
            close(fd);
    }
    if (shm)
        closedir(shm);
    return count;
}

unsigned count_segments(bool (*counts)(const struct segment *segment, void *user), void *user)
{
    char line[512];
    unsigned count = 0;
    FILE *table = fopen("/proc/sysvipc/shm", "re");
    while (table && fgets(line, sizeof line, table)) {
        struct segment s;
        int key;
        if (sscanf(line, "%d %d %o %*u %d %*d %u %*u %u %*u %*u %*u %*u %lld", &key, &s.id, &s.mode, &s.maker,
                   &s.attached, &s.gid, &s.changed_s) != 7)
            continue;
        s.key = (unsigned)key;
        count += counts(&s, user);
    }
    if (table)
        fclose(table);
    return count;
}

/* A segment older than the test belongs to an earlier process with the same pid. */
bool is_ours(const struct segment *segment, void *unused)
{
    (void)unused;
    pid_t maker = segment->maker;
    bool known = maker == getpid() || (maker > 0 && maker < PIDS_MAX && ours[maker / 32] >> maker % 32 & 1);
    return known && segment->changed_s >= begun_s;
}

/* Files of the runtime directory that should not be there when everybody has left. */
static unsigned count_files(char *names, size_t room)
{
    unsigned count = 0;
    DIR *dir = opendir(directory);
    check(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *end = strrchr(entry->d_name, '.');
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            (entry->d_name[0] == '.' && end && !strcmp(end, ".lock")))
            continue;
        count++;
        size_t used = strlen(names), length = strlen(entry->d_name);
        if (used + length + 2 > room)
            continue;
        names[used] = ' ';
        memcpy(names + used + 1, entry->d_name, length + 1);
    }
    closedir(dir);
    return count;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char inner[512];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner))
            remove_tree(inner);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* Also orphans of the test's children. */
static void kill_children(void)
{
    char path[64];
    int pid;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    while (list && fscanf(list, "%d", &pid) == 1)
        kill(pid, SIGKILL);
    if (list)
        fclose(list);
}

bool has_ended(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* ---- a test ---- */

int harness_prepare(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setlinebuf(stderr);
    strcpy(directory, "/tmp/fbtest-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    setenv("FRAMEBUS_DIR", directory, 1);
    unsetenv("FRAMEBUS_LOG");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ours = mmap(NULL, PIDS_MAX / 8, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || ours == MAP_FAILED)
        return -1;
    begun_s = time(NULL);
    signal(SIGALRM, die_of_old_age);
    allow_seconds(TEST_LIMIT);
    fds_before = count_fds();
    mappings_before = count_mappings();
    return 0;
}

void harness_run(void **state)
{
    void (*test)(void) = (void (*)(void))(uintptr_t)*state;
    skip_without_inotify();
    test();

    char names[256] = "";
    if (waitpid(-1, NULL, WNOHANG) >= 0)
        check_failed(__FILE__, __LINE__, "a child was left behind");
    if (count_files(names, sizeof names))
        check_failed(__FILE__, __LINE__, "files were left behind:%s", names);
    check_equal(count_posix(), 0);
    check_equal(count_segments(is_ours, NULL), 0);
    check_equal(count_fds(), fds_before);
    check_equal(count_mappings(), mappings_before);
}

int harness_clean(void **state)
{
    (void)state;
    do
        kill_children();
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
    alarm(0);
    remove_tree(directory);
    munmap(shared, sizeof *shared);
    munmap(ours, PIDS_MAX / 8);
    return 0;
}

const char *path_of(const char *name)
{
    static char paths[4][160];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}
