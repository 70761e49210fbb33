/* SPDX-License-Identifier: MIT */
#include "stepper.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <time.h>

#define STEPS_MAX 2000000
#define TRACE_MAX 100000
#define TICK      (3 * MS)

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

/* The signal; 0 if it has not stopped, and the call has returned. */
static int wait_for_stop(pid_t pid, void (*idle)(void))
{
    int status, ticks = 0;
    int64_t limit = now_ns() + 20 * S;
    while (waitpid(pid, &status, 0) < 0) {
        check(errno == EINTR);
        check(now_ns() < limit);
        if (phase == RETURNED)
            return 0;
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

/* ---- long calls ---- */

#ifdef __x86_64__

/* A call as it ran once: where it was before each instruction. A repeated one (rep stos) counts once. */
struct trace {
    uint64_t at[TRACE_MAX];
    bool call[TRACE_MAX]; /* a system call */
    unsigned length;
};

static struct trace trace;

static uint64_t position(pid_t pid)
{
    struct user_regs_struct registers;
    check(!ptrace(PTRACE_GETREGS, pid, NULL, &registers));
    return registers.rip;
}

static long code_at(pid_t pid, uint64_t address)
{
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, pid, (void *)address, NULL);
    check(!errno);
    return code;
}

/* To the next instruction. */
static bool advance_one(pid_t pid, const struct killing *killing)
{
    uint64_t before = position(pid);
    bool within;
    do
        within = advance(pid, 1, killing);
    while (within && position(pid) == before);
    return within;
}

static void measure(const struct killing *killing)
{
    pid_t pid = start_victim(killing);
    trace.length = 0;
    do {
        check(trace.length < TRACE_MAX);
        unsigned i = trace.length++;
        trace.at[i] = position(pid);
        trace.call[i] = (code_at(pid, trace.at[i]) & 0xffff) == 0x050f;
    } while (advance_one(pid, killing));
    kill_now(pid);
    killing->look_after();
}

/* Runs to an address. */
static bool run_to(pid_t pid, uint64_t address, const struct killing *killing)
{
    const long breakpoint = 0xcc;
    long code = code_at(pid, address);
    check(!ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)((code & ~0xffL) | breakpoint)));
    resume(pid, PTRACE_CONT);
    if (!wait_for_stop(pid, killing->idle))
        return false;
    struct user_regs_struct registers;
    check(!ptrace(PTRACE_GETREGS, pid, NULL, &registers));
    check(registers.rip == address + 1);
    registers.rip = address;
    check(!ptrace(PTRACE_SETREGS, pid, NULL, &registers));
    check(!ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)code));
    return true;
}

/* Goes to a point: from system call to system call, from there to where the call comes by for the first
 * time, the rest by steps. Should it take another way this time, it dies somewhere else. */
static void lead(pid_t pid, unsigned point, const struct killing *killing)
{
    unsigned done = 0;
    for (unsigned i = 0; i < point; i++) {
        for (int end = 0; trace.call[i] && end < 2; end++) { /* its entry, its exit */
            resume(pid, PTRACE_SYSCALL);
            if (!wait_for_stop(pid, killing->idle))
                return;
        }
        if (trace.call[i])
            done = i + 1;
    }
    unsigned near = done;
    for (unsigned i = done + 1; i <= point; i++) {
        unsigned first = done;
        while (trace.at[first] != trace.at[i])
            first++;
        if (first == i)
            near = i;
    }
    bool within = near == done || run_to(pid, trace.at[near], killing);
    for (; within && near < point; near++)
        within = advance_one(pid, killing);
}

static unsigned kill_sample(const struct killing *killing, unsigned *instructions)
{
    static bool chosen[TRACE_MAX];
    unsigned count = 0;
    measure(killing);
    memset(chosen, 0, sizeof chosen);
    *instructions = trace.length;
    for (unsigned i = 0; i < trace.length; i++) /* just before and just after: where something has changed */
        chosen[i] |= trace.call[i] || (i && trace.call[i - 1]);
    for (unsigned i = 0; i < killing->sample; i++)
        chosen[(uint64_t)trace.length * i / killing->sample] = true;
    for (unsigned point = 0; point < trace.length; point++) {
        if (!chosen[point])
            continue;
        pid_t pid = start_victim(killing);
        lead(pid, point, killing);
        kill_now(pid);
        killing->look_after();
        count++;
    }
    return count;
}

#else

static unsigned kill_sample(const struct killing *killing, unsigned *instructions)
{
    (void)killing;
    *instructions = 0;
    skip_because("long calls are killed on x86-64 only");
}

#endif

/* ---- short ones ---- */

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
