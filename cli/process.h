/* SPDX-License-Identifier: MIT */
/* Processes in words for people. One in a PID namespace that cannot be seen from here has the pid 0. */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <stdint.h>

#define PROCESS_ROOM 40

/* "process 12", "a process that cannot be seen from here"; returns text. */
char *process_name(int32_t pid, char text[PROCESS_ROOM]);

/* "12", "?"; returns text. */
char *process_number(int32_t pid, char text[PROCESS_ROOM]);

#endif
