/* SPDX-License-Identifier: MIT */
/* JPEG pictures as 32-bit pixels (B, G, R, unused in memory), by libjpeg-turbo. No SDL. */
#ifndef PIXELS_JPEG_H
#define PIXELS_JPEG_H

#include <stddef.h>
#include <stdint.h>

struct jpeg;

/** -EBADMSG: no JPEG picture, a damaged one, or one of a kind that is not known (CMYK). -ENOMEM.
 *  `data` must stay as long as *jpeg, which is NULL on failure. */
int jpeg_open(struct jpeg **jpeg, const uint8_t *data, size_t bytes, int *width, int *height);

/** Decodes it, once. -EBADMSG: damaged; the pixels are as far as they go. */
int jpeg_decode(struct jpeg *jpeg, uint8_t *pixels, int stride);

/** NULL is fine. */
void jpeg_close(struct jpeg *jpeg);

#endif
