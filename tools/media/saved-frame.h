/* SPDX-License-Identifier: MIT */
/* A frame on its way between a bus and a file, with its metadata. */
#ifndef SAVED_FRAME_H
#define SAVED_FRAME_H

#include "framebus.h"

#include <stdbool.h>

struct saved_frame {
    struct framebus_frame frame; /* of a source: data and planes are not set */
    const void *meta;            /* packed blocks, as framebus_frame_copy_meta() gives them */
    uint32_t meta_size;
};

/* Sets all but pixels and times of a frame that is to be published. -EBADMSG: the metadata are not blocks. */
int saved_frame_restore(const struct saved_frame *saved, struct framebus_frame *frame);

/* True if it is a picture whose planes are where the format says, so that it can be converted. */
bool frame_is_picture(const struct framebus_frame *frame);

/* A copy of a format and its caps text, to be freed in one piece; NULL if there is no memory. */
struct framebus_format *format_copy(const struct framebus_format *format);

/* True if pictures of both formats look the same to a program but for rate, shape of pixels and colours. */
bool format_is_alike(const struct framebus_format *a, const struct framebus_format *b);

/* Reports that a format changes to one that cannot be written; `why` begins with "which". Returns -EINVAL. */
int format_refuse_change(const struct framebus_format *before, const struct framebus_format *now,
                         const char *why);

#endif
