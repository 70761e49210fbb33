/* SPDX-License-Identifier: MIT */
/* Buses in other runtime directories than ours: where FRAMEBUS_DIR should have pointed. */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

#include <stddef.h>

/* A bus that somebody serves, and that this user may connect to. */
struct elsewhere_bus {
    char *directory, *name;
};

struct elsewhere {
    struct elsewhere_bus *bus;
    size_t count;
};

/* Finds the buses of this name, NULL: of any, among the sockets of the kernel's list and in the usual
 * directories. A path is a name of no bus. Makes no connection to those in the list. */
void elsewhere_find(struct elsewhere *elsewhere, const char *name);

/* Says on standard error where buses of this name are, with the command that works there. */
void elsewhere_report(const char *name);

/* The number of buses in the directory of the first one, which come first. */
size_t elsewhere_first(const struct elsewhere *elsewhere);

/* "FRAMEBUS_DIR=/run/framebus ", as a shell takes it; to be freed. */
char *elsewhere_setting(const char *directory);

void elsewhere_finish(struct elsewhere *elsewhere);

#endif
