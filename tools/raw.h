/* SPDX-License-Identifier: MIT */
/* Frames one after another without anything in between: pictures without padding, JPEG files, pieces of a
 * size. */
#ifndef RAW_H
#define RAW_H

#include "shot.h"
#include "stream.h"

/* What the frames of a stream without heads are. */
struct raw_options {
    struct framebus_format format;
    uint64_t frame_bytes; /* payloads: all are of this size; 0: they tell where they end, as JPEG does */
};

/* NULL once the reason is said. */
struct source *raw_source(struct input *input, const struct raw_options *options);

struct sink *raw_sink(int fd, int interrupts);

/* Reads the rows of a picture into a frame. 0, or a negative errno once the reason is said; -EINTR. */
int input_picture(struct input *input, const struct framebus_format *format,
                  const struct framebus_frame *frame, uint64_t number);

/*
 * Reads caps as GStreamer writes them: "video/x-raw, format=NV12, width=640, height=480, framerate=30/1", or
 * any other media type, which makes it a payload. Returns what is wrong, or NULL. The text must outlive
 * *format.
 */
const char *format_from_caps(struct framebus_format *format, const char *caps);

#endif
