/* SPDX-License-Identifier: MIT */
/* Files that are recorded and played. The end of their name says what they are. */
#ifndef FILE_H
#define FILE_H

#include "media/media.h"
#include "media/stream.h"

enum file_kind {
    FILE_UNKNOWN = 0,
    FILE_FBR,
    FILE_Y4M,
    FILE_MKV,
};

#define FILE_ENDING 4 /* characters of the end of every known name */

enum file_kind file_kind(const char *path);

/* Writes a file of that name to `fd`, which stays the caller's. NULL once the reason is reported. */
struct sink *file_sink_open(const char *path, int fd, bool convert);

/* Opens a file for playing. `input` is for .y4m; for `payload` see mkv_source_open(). NULL once the reason is
 * reported. */
struct source *file_source_open(const char *path, struct input *input, bool payload);

#endif
