/* SPDX-License-Identifier: MIT */
/* Numbers in words, for the screen and for file names. No SDL. */
#ifndef VIEWER_PHRASE_H
#define VIEWER_PHRASE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** "4 s", "3 min 20 s", "2 h 05 min", "3 days"; returns text. */
char *phrase_time(int64_t ns, char *text, size_t room);

/** "640 KiB", "12.3 MiB", "1.2 GiB"; returns text. */
char *phrase_bytes(uint64_t bytes, char *text, size_t room);

/** The name that libdrm knows, and the number; "linear" is 0; returns text. */
char *phrase_modifier(uint64_t modifier, char *text, size_t room);

/** "cam0-20261121-134502-000123.png": name, local time, number of the frame; returns text. A name
 *  that is a path is reduced to its last part. */
char *phrase_file(const char *name, const struct tm *when, uint64_t sequence, char *text, size_t room);

#endif
