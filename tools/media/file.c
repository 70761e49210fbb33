/* SPDX-License-Identifier: MIT */
#include "media/file.h"
#include "cli/report.h"
#include "media/fbr.h"
#include "media/mkv.h"
#include "media/y4m.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum file_kind file_kind(const char *path)
{
    static const char *const endings[] = {[FILE_FBR] = ".fbr", [FILE_Y4M] = ".y4m", [FILE_MKV] = ".mkv"};
    size_t length = strlen(path);
    for (int i = FILE_FBR; i <= FILE_MKV; i++)
        if (length > FILE_ENDING && strcmp(path + length - FILE_ENDING, endings[i]) == 0)
            return (enum file_kind)i;
    return FILE_UNKNOWN;
}

struct sink *file_sink_open(const char *path, int fd, bool convert)
{
    switch (file_kind(path)) {
    case FILE_FBR:
        return fbr_sink_open(fd);
    case FILE_Y4M:
        return y4m_sink_open(fd, -1, convert);
    case FILE_MKV:
        return mkv_sink_open(fd);
    case FILE_UNKNOWN:
        break;
    }
    return NULL;
}

struct source *file_source_open(const char *path, struct input *input, bool payload)
{
    enum file_kind kind = file_kind(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        report_error("%s: %s", path, strerror(errno));
        return NULL;
    }
    input->fd = fd;
    if (kind == FILE_Y4M)
        return y4m_source_open(input);
    if (kind == FILE_FBR)
        return fbr_source_open(fd);
    close(fd);
    return mkv_source_open(path, input->interrupts, payload);
}
