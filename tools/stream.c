/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "clock.h"

int interrupts_open(int more)
{
    int fd = catch_interrupts(more);

    signal(SIGPIPE, SIG_IGN);
    if (fd < 0)
        errx(STATUS_FAILED, "signalfd: %s", strerror(-fd));
    return fd;
}

int interrupts_take(int interrupts)
{
    struct signalfd_siginfo info;

    return read(interrupts, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

int serve_until(struct framebus_writer *writer, int interrupts, int fd, int64_t until_ns)
{
    struct pollfd polls[3] = {
        {.fd = interrupts, .events = POLLIN},
        {.fd = fd, .events = POLLIN},
        {.fd = writer ? framebus_writer_fd(writer) : -1, .events = POLLIN},
    };

    for (;;) {
        int64_t left = until_ns - now_ns();
        struct timespec time = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};

        if (left < 0)
            time = (struct timespec){0};
        if (ppoll(polls, 3, until_ns == INT64_MAX ? NULL : &time, NULL) < 0 && errno != EINTR)
            return -errno;
        if (polls[0].revents)
            return -EINTR;
        if (polls[2].revents) {
            int r = framebus_writer_dispatch(writer);

            if (r < 0)
                return r;
        }
        if (polls[1].revents || left <= 0)
            return 0;
    }
}

/* What there is, at least a byte; 0 at the end. */
static ssize_t read_some(struct input *input, void *to, size_t size)
{
    ssize_t got;
    int r = serve_until(input->writer, input->interrupts, input->fd, INT64_MAX);

    if (r < 0)
        return r;
    got = read(input->fd, to, size);
    if (got < 0) {
        complain("cannot read: %s", strerror(errno));
        return -EIO;
    }
    return got;
}

ssize_t input_read(struct input *input, void *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t ready = input->filled - input->from, wanted = size - done;
        ssize_t got;

        if (ready) {
            size_t part = ready < wanted ? ready : wanted;

            memcpy((uint8_t *)to + done, input->buffer + input->from, part);
            input->from += part;
            done += part;
            continue;
        }
        /* Large pieces go where they are wanted, without a stop in between. */
        if (wanted >= sizeof(input->buffer)) {
            got = read_some(input, (uint8_t *)to + done, wanted);
            if (got > 0)
                done += (size_t)got;
        } else {
            got = read_some(input, input->buffer, sizeof(input->buffer));
            input->from = 0;
            input->filled = got > 0 ? (size_t)got : 0;
        }
        if (got < 0)
            return got;
        if (!got)
            break;
    }
    input->total += done;
    return (ssize_t)done;
}

ssize_t input_line(struct input *input, char *line, size_t room)
{
    for (size_t length = 0; length < room; length++) {
        ssize_t got = input_read(input, line + length, 1);

        if (got < 0)
            return got;
        if (!got)
            return length ? -EBADMSG : -ENODATA;
        if (line[length] == '\n') {
            line[length] = 0;
            return (ssize_t)length;
        }
    }
    return -EBADMSG;
}

int output_write(int fd, int interrupts, const void *from, size_t size)
{
    struct pollfd polls[2] = {{.fd = fd, .events = POLLOUT}, {.fd = interrupts, .events = POLLIN}};
    const uint8_t *at = from;
    struct stat status;
    /* A pipe that poll says has room takes this much without a stop; more could stop beyond reach of signals.
     */
    size_t most = fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) ? PIPE_BUF : SIZE_MAX;

    while (size) {
        ssize_t written;

        if (most == PIPE_BUF && poll(polls, 2, -1) > 0 && !polls[0].revents)
            return -EINTR;
        written = write(fd, at, size < most ? size : most);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            int error = errno;

            if (error != EPIPE)
                complain("cannot write: %s", strerror(error));
            return -error;
        }
        at += written;
        size -= (size_t)written;
    }
    return 0;
}
