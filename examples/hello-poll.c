/* SPDX-License-Identifier: MIT */
/* Reads a bus in a poll() loop, beside standard input: hello-poll [BUS]. Ctrl-C ends it. */
#include <framebus.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct framebus_reader *reader;

static void on_signal(int number)
{
    (void)number;
    framebus_reader_cancel(reader); /* may be called in a signal handler, unlike most functions */
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "hello";
    struct framebus_reader_options options = {.follow = true}; /* waits for writers that come and go */
    struct framebus_frame *frame;
    char line[256];
    int r = framebus_reader_open(&reader, name, &options);

    if (r == 0) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
    }
    struct pollfd fds[] = {{.fd = r ? -1 : framebus_reader_fd(reader), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    while (r == 0 || r == -ETIMEDOUT || r == -ENODATA) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        r = framebus_reader_next(reader, &frame, 0); /* one for each wake-up is enough */
        if (r == 0) {
            printf("frame %" PRIu64 "\n", frame->sequence);
            fflush(stdout);
            framebus_reader_release(reader, frame);
        }
        if (fds[1].revents && read(STDIN_FILENO, line, sizeof line) <= 0)
            fds[1].fd = -1; /* nothing more will be typed */
    }
    if (r < 0 && r != -ECANCELED)
        fprintf(stderr, "hello-poll: %s\n", framebus_last_error());
    framebus_reader_close(reader);
    return r < 0 && r != -ECANCELED;
}
