/* SPDX-License-Identifier: MIT */
/* Pipes and files that are read and written from one end to the other, until a signal comes. */
#ifndef STREAM_H
#define STREAM_H

#include "framebus.h"

#include <sys/types.h>

/* interrupts_open(), and from now on a broken pipe is an error of write. */
int stream_interrupts(int more);

/* Serves the readers of a writer, which may be NULL, until that time, or until `fd` (-1: none) is readable.
 * 0; -EINTR: a signal came, which is still to be read; or the error of framebus_writer_dispatch(). */
int stream_serve(struct framebus_writer *writer, int interrupts, int fd, int64_t until_ns);

#define INPUT_BUFFER 65536

struct input {
    int fd;
    int interrupts;
    struct framebus_writer *writer; /* its readers are served during waits; NULL: there is none */
    uint64_t total;                 /* bytes read by the caller so far */
    size_t from, filled;            /* the part of the buffer that is still to be read */
    uint8_t buffer[INPUT_BUFFER];
};

/* Reads `size` bytes. Returns their number, which is less only at the end. -EINTR: a signal came; other
 * errors are reported. */
ssize_t input_read(struct input *input, void *to, size_t size);

/* Reads a line of at most room - 1 bytes without its newline. Returns its length; errors as above;
 * -ENODATA: the stream is at its end; -EBADMSG: the line is too long, or has no newline. These two are not
 * reported. */
ssize_t input_line(struct input *input, char *line, size_t room);

/* Writes all of it. 0; -EPIPE: nobody reads the pipe any more; -EINTR: a signal came while the pipe was
 * full. Other errors are reported. `interrupts` may be -1. */
int output_write(int fd, int interrupts, const void *from, size_t size);

#endif
