/* SPDX-License-Identifier: MIT */
/* Tells the program that waits for framebus_writer_fd() of what is no message: an eventfd in that set. */
#ifndef FRAMEBUS_WRITER_NOTICE_H
#define FRAMEBUS_WRITER_NOTICE_H

#include <stdbool.h>

struct framebus_writer;

struct notice {
    int event;
    bool is_up; /* the eventfd is readable */
};

void notice_init(struct framebus_writer *w);
bool notice_open(struct framebus_writer *w);
void notice_close(struct framebus_writer *w);

/* Makes the set readable, until notice_take(). */
void notice_raise(struct framebus_writer *w);

/* Returns whether it was raised, and lowers it. */
bool notice_take(struct framebus_writer *w);

#endif
