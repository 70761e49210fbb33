/* SPDX-License-Identifier: MIT */
/* Calls that a signal may end (-EINTR), made again until none does: what ends a command comes by the file
 * descriptor of interrupts.h, as -ECANCELED. */
#ifndef AGAIN_H
#define AGAIN_H

#include "cli/clock.h"
#include "framebus.h"

#include <errno.h>

/* Waits no longer than the options say, however often it is called again. */
static inline int reader_open_again(struct framebus_reader **reader, const char *name,
                                    struct framebus_reader_options options)
{
    const int64_t end = clock_now() + options.wait_ns;
    int r;
    while ((r = framebus_reader_open(reader, name, &options)) == -EINTR)
        if (options.wait_ns > 0)
            options.wait_ns = end > clock_now() ? end - clock_now() : 1;
    return r;
}

static inline int reader_next_again(struct framebus_reader *reader, struct framebus_frame **frame,
                                    int64_t timeout_ns)
{
    int r;
    while ((r = framebus_reader_next(reader, frame, timeout_ns)) == -EINTR)
        ;
    return r;
}

static inline int writer_begin_again(struct framebus_writer *writer, uint64_t size,
                                     struct framebus_frame **frame)
{
    int r;
    while ((r = framebus_writer_begin_size(writer, size, frame)) == -EINTR)
        ;
    return r;
}

static inline int writer_set_format_again(struct framebus_writer *writer,
                                          const struct framebus_format *format)
{
    int r;
    while ((r = framebus_writer_set_format(writer, format)) == -EINTR)
        ;
    return r;
}

static inline int writer_end_again(struct framebus_writer *writer)
{
    int r;
    while ((r = framebus_writer_end(writer)) == -EINTR)
        ;
    return r;
}

#endif
