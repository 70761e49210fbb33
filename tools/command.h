/* SPDX-License-Identifier: MIT */
/* A command of `framebus`: a file in commands/, with an entry in the table of main.c. */
#ifndef COMMAND_H
#define COMMAND_H

#include "cli/options.h"
#include "cli/report.h"

struct command {
    struct usage usage; /* its name begins with "framebus " */
    int (*run)(int argc, char **argv);
};

extern const struct command command_camera, command_check, command_display, command_doctor, command_hz,
    command_info, command_ls, command_mon, command_play, command_record, command_recv, command_rm,
    command_send, command_snap, command_test, command_top;

#endif
