/* SPDX-License-Identifier: MIT */
#include "media/stream.h"
#include "cli/clock.h"
#include "cli/report.h"
#include "interrupts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int stream_interrupts(int more)
{
    signal(SIGPIPE, SIG_IGN);
    return interrupts_open(more, STATUS_FAILED);
}

int stream_serve(struct framebus_writer *writer, int interrupts, int fd, int64_t until_ns)
{
    struct pollfd polls[3] = {
        {.fd = interrupts, .events = POLLIN},
        {.fd = fd, .events = POLLIN},
        {.fd = writer ? framebus_writer_fd(writer) : -1, .events = POLLIN},
    };
    for (;;) {
        int64_t left = until_ns - clock_now();
        struct timespec time = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
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

/* Reads what there is, at least a byte; 0 at the end. */
static ssize_t input_fill(struct input *input, void *to, size_t size)
{
    ssize_t got;
    int r = stream_serve(input->writer, input->interrupts, input->fd, INT64_MAX);
    if (r < 0)
        return r;
    got = read(input->fd, to, size);
    if (got < 0) {
        report_error("cannot read: %s", strerror(errno));
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
        /* Large pieces go straight to where they are wanted. */
        if (wanted >= sizeof input->buffer) {
            got = input_fill(input, (uint8_t *)to + done, wanted);
            if (got > 0)
                done += (size_t)got;
        } else {
            got = input_fill(input, input->buffer, sizeof input->buffer);
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
    /* A pipe with room takes this much at once; to write more could block where no signal is noticed. */
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
                report_error("cannot write: %s", strerror(error));
            return -error;
        }
        at += written;
        size -= (size_t)written;
    }
    return 0;
}
