/* SPDX-License-Identifier: MIT */
#include "interrupts.h"
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

int interrupts_open(int more, int status)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    if (more)
        sigaddset(&signals, more);
    int fd = sigprocmask(SIG_BLOCK, &signals, NULL) ? -1 : signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        report_error("Ctrl-C cannot be noticed (does a sandbox forbid it?): signalfd: %s", strerror(errno));
        exit(status);
    }
    return fd;
}

int interrupts_next(int interrupts)
{
    struct signalfd_siginfo info;
    return read(interrupts, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

bool is_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) > 0;
}
