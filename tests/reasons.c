/* SPDX-License-Identifier: MIT */
/* One test for each way to end; test_summary.py looks at what becomes of it. */
#include "reason.h"

#include <sys/wait.h>
#include <unistd.h>

static void passes(void **state)
{
    (void)state;
}

static void skips(void **state)
{
    (void)state;
    skip_because("there is no %s", "luck");
}

static void skips_in_a_child(void **state)
{
    (void)state;
    int status;
    pid_t pid = fork();
    if (!pid)
        skip_because("the child has no luck");
    waitpid(pid, &status, 0);
    skip_if_child_did(status);
    fail();
}

static void fails(void **state)
{
    (void)state;
    fail_because("here.c", 5, "there is %s", "bad luck");
}

static void differs(void **state)
{
    (void)state;
    assert_int_equal(1, 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes), cmocka_unit_test(skips),   cmocka_unit_test(skips_in_a_child),
        cmocka_unit_test(fails),  cmocka_unit_test(differs),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
