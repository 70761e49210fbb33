/* SPDX-License-Identifier: MIT */
/* The ways from a camera's driver to the readers of a bus, in the order in which they are tried. */
#ifndef METHOD_H
#define METHOD_H

#include "framebus.h"

#include <linux/videodev2.h>
#include <stdbool.h>

#define METHOD_QUEUED 4 /* buffers that the driver has at a time, where they are slots */

enum method_kind {
    METHOD_INTO_SLOTS,  /* the driver writes into slots */
    METHOD_OWN_BUFFERS, /* the driver's buffers are published as they are */
    METHOD_COPY,        /* each picture is copied from the driver's buffers into a slot */
};

struct method {
    const char *name, *says;
    enum v4l2_memory memory;
    enum method_kind kind;
    unsigned buffers;                      /* asked of the driver */
    struct framebus_writer_options writer; /* what the bus must have for it */
};

/* The first one, or the one after `last`; NULL: there are no more. */
const struct method *method_next(const struct method *last);

/* An option's value, as in cli/values.h: const struct method *, NULL for "auto". */
const char *method_parse(const char *text, void *field);

/* The options of a bus for it: the method's, and what the user wants. Returns why that cannot be; NULL: it
 * can. */
const char *method_options(const struct method *method, const struct framebus_writer_options *wanted,
                           struct framebus_writer_options *options);

#endif
