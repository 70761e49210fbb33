/* SPDX-License-Identifier: MIT */
/*
 * A test that cannot run here, or that fails, ends with its reason, which then stands in what cmocka prints
 * of it, of whatever version: "ok 3 - name # SKIP reason". cmocka's own skip() takes no reason, and that of
 * cmocka 1.1.5 prints "not ok", which meson counts as a failure; its fail_msg() prints on standard error.
 */
#ifndef FRAMEBUS_TEST_REASON_H
#define FRAMEBUS_TEST_REASON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#undef skip
#ifndef assert_uint_in_range /* before cmocka 2 */
#define assert_uint_in_range assert_in_range
#endif

/* Ends the test that runs. Called in a child it ends that, which skip_if_child_did() tells. */
_Noreturn void skip_because(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what waits for a writer, or watches. */
void skip_without_inotify(void);

/* Ends the test too if a child with this status has called skip_because(). */
void skip_if_child_did(int status);

/* Ends the test, in its own process. */
_Noreturn void fail_because(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* In place of cmocka's own. The set-up of the group leaves no state. */
int run_cases(const char *name, const struct CMUnitTest *cases, size_t count, CMFixtureFunction setup,
              CMFixtureFunction teardown);

#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                            \
    run_cases(name, tests, sizeof(tests) / sizeof *(tests), setup, teardown)
#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, setup, teardown)                                                       \
    cmocka_run_group_tests_name(#tests, tests, setup, teardown)

#endif
