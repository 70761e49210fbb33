/* SPDX-License-Identifier: MIT */
/* Values of options, as people write them. All are false, and leave the result alone, for what is none. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "framebus.h"

/* A whole number from min to max. */
bool parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *number);

/* Zero or more, with decimals. */
bool parse_real(const char *text, double *value);

/* 50ms, 1.5s, 2m; ns, us, ms, s, m, h; without a unit it is seconds. */
bool parse_time(const char *text, int64_t *ns);

/* 60, 59.94 (which is 60000/1001), 30000/1001. */
bool parse_rate(const char *text, uint32_t *num, uint32_t *den);

/* 1920x1080 */
bool parse_size(const char *text, uint32_t *width, uint32_t *height);

/* memfd, posix, sysv */
bool parse_memory(const char *text, enum framebus_memory *memory);

#endif
