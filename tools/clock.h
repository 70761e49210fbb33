/* SPDX-License-Identifier: MIT */
/* Time, and being asked to end. */
#ifndef TOOLS_CLOCK_H
#define TOOLS_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* CLOCK_MONOTONIC, as everything in framebus. */
int64_t now_ns(void);

/* The time of day here as strftime writes it, and milliseconds. */
void format_time(char *text, size_t room, const char *how);

/*
 * From now on SIGINT, SIGTERM and SIGHUP do not end the process but make a file descriptor readable, which is
 * what a cancel_fd wants; `more`, if it is not 0, is one more such signal. Once for a process, before any
 * thread is started; negative errno on failure.
 */
int catch_interrupts(int more);

/* True if a file descriptor can be read, as that one once one of them came. Never blocks. */
bool is_readable(int fd);

#endif
