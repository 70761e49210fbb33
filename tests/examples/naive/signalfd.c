/* SPDX-License-Identifier: MIT */
/* What a user of signalfd writes first: signalfd BUS. The signals' fd is the reader's cancel_fd. */
#include <framebus.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct framebus_reader *reader;
    struct framebus_frame *frame;
    sigset_t signals;
    int r;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    const struct framebus_reader_options options = {
        .follow = true,
        .cancel_fd = signalfd(-1, &signals, SFD_CLOEXEC),
    };
    if (framebus_reader_open(&reader, argc > 1 ? argv[1] : "", &options) < 0) {
        fprintf(stderr, "%s\n", framebus_last_error());
        return 1;
    }
    do {
        r = framebus_reader_next(reader, &frame, -1);
        if (r == 0) {
            printf("%llu\n", (unsigned long long)frame->sequence);
            framebus_reader_release(reader, frame);
        } else {
            printf("%s\n", framebus_last_error());
        }
        fflush(stdout);
    } while (r != -ECANCELED);
    framebus_reader_close(reader);
    close(options.cancel_fd);
    return 0;
}
