/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <stdio.h>

char *process_name(int32_t pid, char text[PROCESS_ROOM])
{
    if (pid)
        snprintf(text, PROCESS_ROOM, "process %d", (int)pid);
    else
        snprintf(text, PROCESS_ROOM, "a process that cannot be seen from here");
    return text;
}

char *process_number(int32_t pid, char text[PROCESS_ROOM])
{
    if (pid)
        snprintf(text, PROCESS_ROOM, "%d", (int)pid);
    else
        snprintf(text, PROCESS_ROOM, "?");
    return text;
}
