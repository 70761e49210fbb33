/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include <sys/ioctl.h>

struct framebus_reader *open_reader(const struct framebus_reader_options *options)
{
    struct framebus_reader_options o = *options;
    struct framebus_reader *rd;
    o.wait_ns = 20 * S;
    check_equal(framebus_reader_open(&rd, "bus", &o), 0);
    return rd;
}

struct framebus_frame *take(struct framebus_reader *rd)
{
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
    return f;
}

int control(int fd, unsigned long request, void *argument)
{
    int r;
    do
        r = ioctl(fd, request, argument);
    while (r && errno == EINTR);
    return r;
}

_Noreturn void run_program(const char *program, const char *output, const char *const argv[])
{
    const char *build = getenv("FRAMEBUS_BUILD");
    char path[512];
    check(build);
    snprintf(path, sizeof path, "%s/%s", build, program);
    int fd = open(path_of(output), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    check(fd >= 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2);
    execv(path, (char *const *)argv);
    check_failed(__FILE__, __LINE__, "cannot execute %s", path);
}

static const char *text_of(const char *output)
{
    static char text[4096];
    int fd = open(path_of(output), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = 0;
    return text;
}

bool has_said(const char *output, const char *words)
{
    return strstr(text_of(output), words);
}

void check_said(const char *output, const char *words)
{
    if (!has_said(output, words))
        check_failed(__FILE__, __LINE__, "no \"%s\" in \"%s\"", words, text_of(output));
}

void forget_said(const char *output)
{
    check(!unlink(path_of(output)));
}
