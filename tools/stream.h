/* SPDX-License-Identifier: MIT */
/* Pipes and files that are read and written from one end to the other, and the signals that end it. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "framebus.h"

/* catch_interrupts(), and from now on a broken pipe is an error of write. Ends the program if it fails. */
int interrupts_open(int more);

/* The number of the next signal that came; 0: none. */
int interrupts_take(int interrupts);

/* Serves the readers of a writer, which may be NULL, until then, or until `fd` (-1: none) is readable.
 * 0, or -EINTR: a signal came (it is not taken), or what dispatch returned. */
int serve_until(struct framebus_writer *writer, int interrupts, int fd, int64_t until_ns);

#define INPUT_BUFFER 65536

struct input {
    int fd;
    int interrupts;
    struct framebus_writer *writer; /* its readers are served while we wait; NULL: none */
    uint64_t total;                 /* bytes handed out so far */
    size_t from, filled;
    uint8_t buffer[INPUT_BUFFER];
};

/* Reads `size` bytes. Returns how many: fewer only at the end. -EINTR: a signal came; other errors are said.
 */
ssize_t input_read(struct input *input, void *to, size_t size);

/* Reads a line of at most room - 1 bytes without its newline. Returns its length; -ENODATA: there is nothing
 * more; -EBADMSG: too long, or no newline; or as above. Nothing but these two is said here. */
ssize_t input_line(struct input *input, char *line, size_t room);

/* Writes all of it. -EPIPE: nobody reads any more; -EINTR: a signal came while nobody did (the pipe is full).
 * `interrupts` may be -1. */
int output_write(int fd, int interrupts, const void *from, size_t size);

#endif
