/* SPDX-License-Identifier: MIT */
/* Frames one after another without anything in between: pictures without padding, JPEG files, pieces of a
 * size. */
#ifndef RAW_H
#define RAW_H

#include "media/media.h"
#include "media/stream.h"

/* The frames of a stream without heads. */
struct raw_options {
    struct framebus_format format;
    uint64_t frame_bytes; /* size of every payload; 0: JPEG files, which end by themselves */
};

/* NULL once the reason is reported. */
struct source *raw_source_open(struct input *input, const struct raw_options *options);

/* Writes to `fd`, the caller's. Ends the program if there is no memory. */
struct sink *raw_sink_open(int fd, int interrupts);

/* Reads the rows of a picture into a frame. 0, or a negative errno once the reason is reported; -EINTR. */
int input_picture(struct input *input, const struct framebus_format *format,
                  const struct framebus_frame *frame, uint64_t number);

#endif
