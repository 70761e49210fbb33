/* SPDX-License-Identifier: MIT */
/* What the tests in the guest have in common, which is slow: every wait is a long one. */
#ifndef FRAMEBUS_TEST_GUEST_H
#define FRAMEBUS_TEST_GUEST_H

#include "../process/harness.h"

/* A reader of the test's bus, and its next frame. */
struct framebus_reader *open_reader(const struct framebus_reader_options *options);
struct framebus_frame *take(struct framebus_reader *rd);

/* ioctl, through signals. */
int control(int fd, unsigned long request, void *argument);

/* A program of the build, its output into a file of the test's directory. Does not return. */
_Noreturn void run_program(const char *program, const char *output, const char *const argv[]);

/* Whether that output has these words in it by now. */
bool has_said(const char *output, const char *words);

/* What it says in all is this, among others; the file goes. */
void check_said(const char *output, const char *words);
void forget_said(const char *output);

#endif
