/* SPDX-License-Identifier: MIT */
/*
 * Pictures as OpenCV, Pillow and their like want them: rows of 8-bit components without padding inside, of
 * full range. A module of its own, framebus-pixels.so.0, which the Python module opens.
 */
#ifndef PIXELS_BITMAP_H
#define PIXELS_BITMAP_H

#include "framebus.h"

#include <stddef.h>
#include <stdint.h>

/* Components of a pixel, in the order of memory. The numbers are known to python/framebus/_pixels.py. */
enum bitmap_layout {
    BITMAP_BGR,
    BITMAP_RGB,
    BITMAP_BGRA,
    BITMAP_RGBA,
    BITMAP_GRAY, /* luma as JPEG has it: 0.299 R + 0.587 G + 0.114 B */
};

struct bitmap;
struct jpeg;

/* NULL: there is no memory. One thread at a time uses it. */
FRAMEBUS_API struct bitmap *framebus_bitmap_create(void);

/* NULL is fine. */
FRAMEBUS_API void framebus_bitmap_destroy(struct bitmap *bitmap);

/*
 * Converts a frame by the matrix and range of its format; where the format does not say, BT.601 below 720
 * rows and BT.709 above, limited range for YUV. Alpha is what the frame has, or 255. -ENOTSUP: the frame is
 * not linear, or no picture of the table; -EINVAL: a stride that cannot be used; -ENOMEM.
 */
FRAMEBUS_API int framebus_bitmap_convert(struct bitmap *bitmap, const struct framebus_frame *frame,
                                         enum bitmap_layout layout, uint8_t *to, size_t stride);

/* As jpeg_open(), jpeg_close() of jpeg.h. */
FRAMEBUS_API int framebus_bitmap_open_jpeg(struct jpeg **jpeg, const uint8_t *data, size_t bytes, int *width,
                                           int *height);
FRAMEBUS_API void framebus_bitmap_close_jpeg(struct jpeg *jpeg);

/* Decodes what was opened, once. -EBADMSG: it is damaged, and `to` is not written to; -ENOMEM. */
FRAMEBUS_API int framebus_bitmap_decode(struct bitmap *bitmap, struct jpeg *jpeg, int width, int height,
                                        enum bitmap_layout layout, uint8_t *to, size_t stride);

#endif
