/* SPDX-License-Identifier: MIT */
/* Calls that fail when a test says so: the linker puts the functions of shortage.c between the library
 * and the system (--wrap, see meson.build). */
#ifndef FRAMEBUS_TEST_SHORTAGE_H
#define FRAMEBUS_TEST_SHORTAGE_H

#include <stdbool.h>

/* From now on the call number `first` fails, and with `lasting` each one after it. Counts from 0. */
void shortage_begin(unsigned first, bool lasting);

/* Nothing fails any more. Returns how many calls there were that could have failed. */
unsigned shortage_end(void);

/* The function that failed last; NULL: none since shortage_begin(). */
const char *shortage_victim(void);

/* Whether this function has failed at least once in this process. */
bool shortage_hit(const char *name);

#endif
