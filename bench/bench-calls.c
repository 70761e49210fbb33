/* SPDX-License-Identifier: MIT */
/*
 * System calls a frame, counted by stopping the process at each of them (ptrace): on the fast path,
 * and at 60 Hz with a reader that sleeps. What the benchmark itself needs to keep time is not counted.
 */
#include "bench.h"

#include <drm_fourcc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP   77 /* what this needs is missing */
#define PERIOD 16666667

/* "None", with room for the looks at the sockets every few milliseconds or few hundred frames. */
#define RARE 0.05

/* Told to the tracer by a system call that changes nothing: no process has this number. */
#define MARK 0x7f000000

struct shared {
    _Atomic uint32_t ready, requested, published;
};

static struct shared *shared;

static void mark(void)
{
    syscall(SYS_getpgid, MARK);
}

/* ---- counting ---- */

static void await_stop(pid_t pid, int *status)
{
    pid_t who = waitpid(pid, status, 0);
    if (who == pid && WIFEXITED(*status) && WEXITSTATUS(*status) == SKIP)
        _exit(SKIP);
    if (who != pid || !WIFSTOPPED(*status))
        bench_die("the traced process ended (status 0x%x)", *status);
}

static bool is_counted(const struct __ptrace_syscall_info *info)
{
    return info->op == PTRACE_SYSCALL_INFO_ENTRY && info->entry.nr != SYS_clock_nanosleep &&
           info->entry.nr != SYS_nanosleep;
}

static bool is_mark(const struct __ptrace_syscall_info *info)
{
    return info->op == PTRACE_SYSCALL_INFO_ENTRY && info->entry.nr == SYS_getpgid &&
           info->entry.args[0] == MARK;
}

/* Lets a process that asked to be traced run; counts from its first mark to its second. */
static unsigned long count_calls(pid_t pid)
{
    unsigned long count = 0;
    int marks = 0, status, signal = 0;
    await_stop(pid, &status);
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
        bench_die("ptrace");
    while (marks < 2) {
        struct __ptrace_syscall_info info;
        if (ptrace(PTRACE_SYSCALL, pid, NULL, signal))
            bench_die("ptrace");
        await_stop(pid, &status);
        signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
        if (signal || ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0)
            continue;
        if (is_mark(&info))
            marks++;
        else if (marks == 1 && is_counted(&info))
            count++;
    }
    return count;
}

/* A child that is traced, or not. */
static pid_t start(void (*run)(void), bool traced)
{
    pid_t pid = bench_fork();
    if (pid)
        return pid;
    if (traced) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
            fprintf(stderr, "bench-calls: no tracing here\n");
            _exit(SKIP);
        }
        raise(SIGSTOP);
    }
    run();
    _exit(0);
}

/* ---- the processes that are counted ---- */

static size_t frames;
static int64_t pause_ns; /* between two frames */

static struct framebus_writer *open_writer(void)
{
    struct framebus_writer *w = bench_writer("calls", DRM_FORMAT_NV12, 1920, 1080, NULL);
    while (!atomic_load(&shared->ready)) {
        bench_check(framebus_writer_dispatch(w), "dispatch");
        bench_sleep(NS_PER_MS);
    }
    return w;
}

/* Goes on after its `frames` frames, for the reader counts as many. */
static void write_frames(void)
{
    struct framebus_writer *w = open_writer();
    mark();
    for (size_t i = 0;; i++) {
        if (i == frames)
            mark();
        if (pause_ns)
            bench_sleep(pause_ns);
        bench_publish(w);
    }
}

static void write_on_request(void)
{
    struct framebus_writer *w = open_writer();
    for (uint32_t published = 0;;)
        if (atomic_load(&shared->requested) != published) {
            bench_publish(w);
            atomic_store(&shared->published, ++published);
        }
}

static struct framebus_reader *attach(void)
{
    struct framebus_reader *reader;
    const struct framebus_reader_options options = {.wait_ns = -1};
    bench_check(framebus_reader_open(&reader, "calls", &options), "reader");
    atomic_store(&shared->ready, 1);
    return reader;
}

/* Attached, and busy otherwise. */
static void stay_awake(void)
{
    attach();
    pause();
}

static void sleep_and_take(void)
{
    struct framebus_reader *reader = attach();
    mark();
    for (size_t i = 0;; i++) {
        struct framebus_frame *frame;
        if (i == frames)
            mark();
        frame = bench_next(reader, -1);
        framebus_reader_release(reader, frame);
    }
}

static void take_what_is_there(void)
{
    struct framebus_reader *reader = attach();
    mark();
    for (uint32_t i = 1; i <= frames; i++) {
        struct framebus_frame *frame;
        atomic_store(&shared->requested, i);
        while (atomic_load(&shared->published) != i)
            ;
        frame = bench_next(reader, 0);
        framebus_reader_release(reader, frame);
    }
    mark();
    pause();
}

static void measure(const char *contestant, void (*write)(void), void (*read)(void), bool of_writer,
                    size_t count, double bound)
{
    *shared = (struct shared){0};
    frames = count;
    pid_t writer = start(write, of_writer), reader = start(read, !of_writer);
    unsigned long calls = count_calls(of_writer ? writer : reader);
    bench_figure("system calls a frame", contestant, "1/frame", (double)calls / (double)count,
                 bound >= 0 ? AIM_AT_MOST : AIM_NONE, bound);
    bench_kill(reader);
    bench_kill(writer);
}

int main(int argc, char **argv)
{
    bench_open("calls", argc, argv);
    shared = bench_share(sizeof *shared);
    size_t fast = bench_count(200000, 2000), slow = bench_count(300, 10);
    measure("publish, reader awake, back to back", write_frames, stay_awake, true, fast, RARE);
    measure("next and release, frame is there", write_on_request, take_what_is_there, false, fast, RARE);
    pause_ns = PERIOD;
    measure("writer at 60 Hz, reader awake", write_frames, stay_awake, true, slow, -1);
    measure("writer at 60 Hz, reader asleep", write_frames, sleep_and_take, true, slow, -1);
    measure("reader at 60 Hz, asleep", write_frames, sleep_and_take, false, slow, -1);
    return bench_close();
}
