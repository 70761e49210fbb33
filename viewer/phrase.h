/* SPDX-License-Identifier: MIT */
/* Texts for the screen and for file names. No SDL. */
#ifndef VIEWER_PHRASE_H
#define VIEWER_PHRASE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The name that libdrm has for a modifier, and its number; 0 is "linear". Returns text. */
char *phrase_modifier(uint64_t modifier, char *text, size_t room);

/* "cam0-20261121-134502-000123.png": name, local time, number of the frame. A name that is a
 * path is reduced to its last part. Returns text. */
char *phrase_file(const char *name, const struct tm *when, uint64_t sequence, char *text, size_t room);

#endif
