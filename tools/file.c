/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "fbr.h"
#include "mkv.h"
#include "text.h"
#include "y4m.h"

#define NUMBER_MAX 100000

enum file_kind file_kind(const char *path)
{
    static const char *const ends[] = {[FILE_FBR] = ".fbr", [FILE_Y4M] = ".y4m", [FILE_MKV] = ".mkv"};
    size_t length = strlen(path);

    for (int i = FILE_FBR; i <= FILE_MKV; i++)
        if (length > 4 && strcmp(path + length - 4, ends[i]) == 0)
            return (enum file_kind)i;
    return FILE_UNKNOWN;
}

static struct sink *make_sink(const struct recording *recording, bool convert)
{
    switch (file_kind(recording->path)) {
    case FILE_FBR:
        return fbr_sink(recording->fd);
    case FILE_Y4M:
        return y4m_sink(recording->fd, -1, convert);
    case FILE_MKV:
        return mkv_sink(recording->fd);
    default:
        return NULL;
    }
}

int recording_open(struct recording *recording, const char *path, bool force, bool number, bool convert)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (force && !number ? O_TRUNC : O_EXCL);

    *recording = (struct recording){.path = text_of("%s", path)};
    recording->fd = open(path, flags, 0666);
    for (int i = 2; number && recording->fd < 0 && errno == EEXIST && i < NUMBER_MAX; i++) {
        free(recording->path);
        recording->path = text_of("%.*s-%d%s", (int)strlen(path) - 4, path, i, path + strlen(path) - 4);
        recording->fd = open(recording->path, flags, 0666);
    }
    if (recording->fd < 0) {
        int error = errno;

        complain("%s: %s%s", recording->path, strerror(error),
                 error == EEXIST ? "; --force replaces it" : "");
        free(recording->path);
        return -error;
    }
    recording->sink = make_sink(recording, convert);
    if (recording->sink)
        return 0;
    recording_close(recording);
    return -ENOTSUP;
}

int recording_close(struct recording *recording)
{
    int r = 0;

    if (recording->sink)
        recording->sink->kind->close(recording->sink);
    if (lseek(recording->fd, 0, SEEK_END) == 0)
        unlink(recording->path);
    if (close(recording->fd) < 0 && r == 0) {
        r = -errno;
        complain("%s: %s", recording->path, strerror(errno));
    }
    free(recording->path);
    return r;
}

struct source *file_source(const char *path, struct input *input, bool payload)
{
    enum file_kind kind = file_kind(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        complain("%s: %s", path, strerror(errno));
        return NULL;
    }
    input->fd = fd;
    if (kind == FILE_Y4M)
        return y4m_source(input);
    if (kind == FILE_FBR)
        return fbr_source(fd);
    close(fd);
    return mkv_source(path, input->interrupts, payload);
}
