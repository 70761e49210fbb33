/* SPDX-License-Identifier: MIT */
/* Calls that fail when a test says so: the linker puts the functions of faults.c between the library
 * and the system (--wrap, see meson.build). */
#ifndef FRAMEBUS_TEST_FAULTS_H
#define FRAMEBUS_TEST_FAULTS_H

#include <stdbool.h>

/* Lets call number `first` fail from now on, counted from 0, and with `lasting` each one after it. */
void faults_begin(unsigned first, bool lasting);

/* From now on every call of these functions (names with blanks between) fails with this errno, and no other.
 */
void faults_of(const char *names, int error);

/* Ends the failing. Returns the number of calls that could have failed. */
unsigned faults_end(void);

/* The function that failed last; NULL: none since faults_begin(). */
const char *faults_victim(void);

/* Whether this function has failed at least once in this process. */
bool faults_hit(const char *name);

#endif
