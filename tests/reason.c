/* SPDX-License-Identifier: MIT */
#include "reason.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED     77 /* a child's status */
#define REASON_SIZE 500

static const struct CMUnitTest *given, *running; /* as they are in the program */
static struct CMUnitTest *tests; /* as cmocka runs them; the name of one that is skipped gets its reason */
static pid_t tester;
static jmp_buf end_of_test;
static char *reason; /* shared with children */

void skip_because(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, REASON_SIZE, format, args);
    va_end(args);
    if (getpid() != tester)
        _exit(SKIPPED);
    longjmp(end_of_test, 1);
}

void skip_if_child_did(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED && *reason)
        longjmp(end_of_test, 1);
}

void skip_without_inotify(void)
{
    int fd = inotify_init1(IN_CLOEXEC);
    if (fd < 0)
        skip_because("no inotify for us here: %s", strerror(errno));
    close(fd);
}

void fail_because(const char *file, int line, const char *format, ...)
{
    char why[1000], text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s at %s", why, file);
    _fail(text, line);
    abort(); /* _fail() does not return */
}

/* In place of each test's own set-up, which may be none. */
static int begin(void **state)
{
    running = *state;
    *state = running->initial_state;
    *reason = '\0';
    return running->setup_func ? running->setup_func(state) : 0;
}

static void run(void **state)
{
    char *name;
    if (!setjmp(end_of_test))
        running->test_func(state);
    else if (asprintf(&name, "%s # SKIP %s", running->name, reason) >= 0)
        tests[running - given].name = name;
}

int run_cases(const char *name, const struct CMUnitTest *cases, size_t count, CMFixtureFunction setup,
              CMFixtureFunction teardown)
{
    given = cases;
    tester = getpid();
    reason = mmap(NULL, REASON_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tests = calloc(count, sizeof *tests);
    if (reason == MAP_FAILED || !tests)
        abort();
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){cases[i].name, run, begin, cases[i].teardown_func, (void *)&cases[i]};
    return _cmocka_run_group_tests(name, tests, count, setup, teardown);
}
