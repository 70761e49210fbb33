/* SPDX-License-Identifier: MIT */
#include "stepper.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <time.h>

#define SYSCALLS_MAX 4096
#define STEPS_MAX    2000000
#define TICK         (3 * MS)

enum { SETTING_UP, CALLING, RETURNED };

#define phase (shared->value[15])

static _Atomic bool ticked;

void stepper_start(char **argv)
{
    if (getenv("LD_BIND_NOW"))
        return;
    setenv("LD_BIND_NOW", "1", 1);
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1); /* it counts what is freed as in use */
    execv("/proc/self/exe", argv);
}

void victim_begin(void)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
        _exit(1);
    raise(SIGSTOP);
    phase = CALLING;
}

_Noreturn void victim_end(void)
{
    phase = RETURNED;
    for (;;)
        pause();
}

/* ---- the parent ---- */

static void on_tick(int number)
{
    (void)number;
    ticked = true;
}

/* A tick interrupts waitpid(), so that a victim that sleeps is noticed. */
static timer_t start_ticking(void)
{
    struct sigaction action = {.sa_handler = on_tick};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec time = {.it_interval.tv_nsec = TICK, .it_value.tv_nsec = TICK};
    timer_t timer;
    check(!sigaction(SIGUSR2, &action, NULL));
    check(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    check(!timer_settime(timer, 0, &time, NULL));
    return timer;
}

static int wait_for_stop(pid_t pid, void (*idle)(void))
{
    int status, ticks = 0;
    int64_t limit = now_ns() + 20 * S;
    while (waitpid(pid, &status, 0) < 0) {
        check(errno == EINTR);
        check(now_ns() < limit);
        if (idle && ++ticks > 1)
            idle();
    }
    if (!WIFSTOPPED(status))
        check_failed(__FILE__, __LINE__, "the victim ended by itself: status 0x%x", (unsigned)status);
    return WSTOPSIG(status);
}

static void resume(pid_t pid, enum __ptrace_request how)
{
    check(!ptrace(how, pid, NULL, NULL));
}

/* A new victim, stopped before the first instruction of its call. */
static pid_t start_victim(const struct killing *killing)
{
    phase = SETTING_UP;
    pid_t parent = getpid();
    pid_t pid = fork_child();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        killing->victim();
        _exit(1);
    }
    check_equal(wait_for_stop(pid, NULL), SIGSTOP);
    check(!ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
    do {
        resume(pid, PTRACE_SINGLESTEP);
        wait_for_stop(pid, NULL);
    } while (phase == SETTING_UP);
    return pid;
}

/* False if the call returned first. */
static bool advance(pid_t pid, unsigned steps, const struct killing *killing)
{
    for (unsigned i = 0; i < steps && phase != RETURNED; i++) {
        resume(pid, PTRACE_SINGLESTEP);
        wait_for_stop(pid, killing->idle);
    }
    return phase != RETURNED;
}

static bool is_at_system_call(pid_t pid)
{
#ifdef __x86_64__
    struct user_regs_struct registers;
    check(!ptrace(PTRACE_GETREGS, pid, NULL, &registers));
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, pid, (void *)registers.rip, NULL);
    return !errno && (code & 0xffff) == 0x050f;
#else
    (void)pid;
    return false; /* the way to each point is longer then */
#endif
}

/* Steps once through the whole call; call_at[i] is how many instructions come before system call i. */
static unsigned measure(const struct killing *killing, unsigned *call_at, unsigned *calls)
{
    unsigned steps = 0;
    *calls = 0;
    pid_t pid = start_victim(killing);
    do {
        if (is_at_system_call(pid) && *calls < SYSCALLS_MAX)
            call_at[(*calls)++] = steps;
        check(steps++ < STEPS_MAX);
    } while (advance(pid, 1, killing));
    kill_now(pid);
    killing->look_after();
    return steps;
}

/* Goes to a point: from system call to system call, the rest by steps. */
static bool lead(pid_t pid, unsigned point, const unsigned *call_at, unsigned calls,
                 const struct killing *killing)
{
    unsigned done = 0;
    for (unsigned i = 0; i < calls && call_at[i] < point && phase != RETURNED; i++) {
        for (int end = 0; end < 2 && phase != RETURNED; end++) { /* its entry, its exit */
            resume(pid, PTRACE_SYSCALL);
            check_equal(wait_for_stop(pid, killing->idle), SIGTRAP | 0x80);
        }
        done = call_at[i] + 1;
    }
    return advance(pid, point - done, killing);
}

static int by_number(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static unsigned kill_sample(const struct killing *killing, unsigned *instructions)
{
    static unsigned call_at[SYSCALLS_MAX], points[3 * SYSCALLS_MAX];
    unsigned calls, count = 0, killed = 0;
    *instructions = measure(killing, call_at, &calls);
    for (unsigned i = 0; i < calls; i++) { /* just before and just after: where something has changed */
        points[count++] = call_at[i];
        points[count++] = call_at[i] + 1;
    }
    unsigned even = count < killing->sample ? killing->sample - count : 0;
    check(count + even <= sizeof points / sizeof *points);
    for (unsigned i = 0; i < even; i++)
        points[count++] = (unsigned)((uint64_t)*instructions * i / even);
    qsort(points, count, sizeof *points, by_number);
    for (unsigned i = 0; i < count; i++) {
        if (i && points[i] == points[i - 1] && points[i] + 1 < *instructions)
            points[i]++; /* rather another one than the same again */
        pid_t pid = start_victim(killing);
        lead(pid, points[i], call_at, calls, killing);
        kill_now(pid);
        killing->look_after();
        killed++;
    }
    return killed;
}

static unsigned kill_everywhere(const struct killing *killing, unsigned *instructions)
{
    /* A call may be shorter one time than another; so its end must be met a few times in a row. */
    unsigned point = 0;
    *instructions = 0;
    for (int returned = 0; returned < 5; point++) {
        pid_t pid = start_victim(killing);
        bool within = advance(pid, point, killing);
        returned = within ? 0 : returned + 1;
        if (within)
            *instructions = point;
        kill_now(pid);
        killing->look_after();
    }
    return point;
}

unsigned stepper_kill(const struct killing *killing, unsigned *instructions)
{
    /* On one processor a step costs a third. */
    cpu_set_t before, one;
    check(!sched_getaffinity(0, sizeof before, &before));
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    timer_t timer = start_ticking();
    unsigned count =
        killing->sample ? kill_sample(killing, instructions) : kill_everywhere(killing, instructions);
    timer_delete(timer);
    signal(SIGUSR2, SIG_IGN);
    sched_setaffinity(0, sizeof before, &before);
    return count;
}

static void sit(void)
{
    victim_begin();
    victim_end();
}

const char *stepper_objection(void)
{
    pid_t pid = fork_child();
    if (!pid)
        sit();
    int status;
    const char *why = NULL;
    check(waitpid(pid, &status, 0) == pid);
    if (!WIFSTOPPED(status))
        return "ptrace is not permitted here";
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
        why = "ptrace cannot step here";
    else
        check(waitpid(pid, &status, 0) == pid);
    kill(pid, SIGKILL);
    check(waitpid(pid, &status, 0) == pid);
    return why;
}
