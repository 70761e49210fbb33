/* SPDX-License-Identifier: MIT */
/* Amounts in words for people. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdint.h>

#define UNITS_ROOM 32

/* "999 B", "12.3 MiB", "200 MiB"; returns text. */
char *units_bytes(uint64_t bytes, char text[UNITS_ROOM]);

/* "500 ms", "1.5 s", "59 s", "3 min 20 s", "2 h 05 min", "3 days"; returns text. */
char *units_duration(int64_t ns, char text[UNITS_ROOM]);

#endif
