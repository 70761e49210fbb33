/* SPDX-License-Identifier: MIT */
/* Other programs, which doctor asks what they know. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stddef.h>

/*
 * Runs a program that is looked up in $PATH, and waits for it. `output` gets the beginning of what it prints,
 * a string; its errors are not seen. Returns the exit status, or -errno: it could not be started.
 */
int program_run(const char *const argv[], char *output, size_t room);

#endif
