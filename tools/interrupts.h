/* SPDX-License-Identifier: MIT */
/* The signals that ask a command to end, as a file descriptor, which is what a cancel_fd wants. */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#include <stdbool.h>

/*
 * From now on SIGINT, SIGTERM and SIGHUP do not end the process but make the returned file descriptor
 * readable; `more`, if it is not 0, is one more such signal. Once for a process, before it starts a thread.
 * Ends the program with this status if it fails.
 */
int interrupts_open(int more, int status);

/* Reads the next signal that came and returns its number; 0: none. */
int interrupts_next(int interrupts);

/* True if a file descriptor can be read, as this one once a signal came. Never blocks. */
bool is_readable(int fd);

#endif
