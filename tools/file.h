/* SPDX-License-Identifier: MIT */
/* Files that are recorded and played; the end of their name says what they are. */
#ifndef FILE_H
#define FILE_H

#include "shot.h"
#include "stream.h"

enum file_kind {
    FILE_UNKNOWN = 0,
    FILE_FBR,
    FILE_Y4M,
    FILE_MKV,
};

enum file_kind file_kind(const char *path);

struct recording {
    struct sink *sink;
    int fd;
    char *path;
};

/* Makes a new file. One that exists is an error, or replaced with `force`, or with `number` a number is added
 * to the name: out-2.mkv. 0, or a negative errno once the reason is said. */
int recording_open(struct recording *recording, const char *path, bool force, bool number, bool convert);

/* Closes the file, and removes one in which nothing is. The sink has finished, or failed. */
int recording_close(struct recording *recording);

/* Opens a file for playing. `input` is what y4m is read with; `payload`: see mkv_source(). NULL once the
 * reason is said. */
struct source *file_source(const char *path, struct input *input, bool payload);

#endif
