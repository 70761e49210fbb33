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

/* As parse_duration(): above zero. */
bool parse_time(const char *text, int64_t *ns);

/* As parse_fraction(), or 0. */
bool parse_rate(const char *text, uint32_t *num, uint32_t *den);

/* As parse_sides(), up to FRAMEBUS_SIDE_MAX. */
bool parse_size(const char *text, uint32_t *width, uint32_t *height);

/* memfd, posix, sysv */
bool parse_memory(const char *text, enum framebus_memory *memory);

#endif
