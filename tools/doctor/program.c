/* SPDX-License-Identifier: MIT */
/* Runs a program with nothing to read, and keeps what it says. */
#include "doctor/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int program_start(const char *const argv[], int output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int r = posix_spawnp(pid, argv[0], &actions, NULL, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* Until the other end is closed; more than there is room for is read, so that the program can end. */
static void program_read(int fd, char *output, size_t room)
{
    char part[1024] = "";
    size_t used = 0;
    for (;;) {
        ssize_t got = read(fd, part, sizeof part);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        for (ssize_t i = 0; i < got && used < room - 1; i++)
            output[used++] = part[i];
    }
    output[used] = 0;
}

int program_run(const char *const argv[], char *output, size_t room)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    int r = program_start(argv, ends[1], &pid);
    close(ends[1]);
    if (!r)
        program_read(ends[0], output, room);
    close(ends[0]);
    while (!r && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return r ? r : WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
