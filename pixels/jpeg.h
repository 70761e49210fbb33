/* SPDX-License-Identifier: MIT */
/* JPEG pictures as 32-bit pixels (B, G, R, unused in memory), by libjpeg-turbo. */
#ifndef PIXELS_JPEG_H
#define PIXELS_JPEG_H

#include <stddef.h>
#include <stdint.h>

struct jpeg;

/* -EBADMSG: it is not a JPEG picture, is damaged, or of a kind that is not known (CMYK). -ENOMEM. `data` must
 * stay until jpeg_close(). *jpeg is NULL on failure. */
int jpeg_open(struct jpeg **jpeg, const uint8_t *data, size_t bytes, int *width, int *height);

/* Decodes it, once. -EBADMSG: it is damaged, and only part of the pixels is written. */
int jpeg_decode(struct jpeg *jpeg, uint8_t *pixels, int stride);

/* NULL is fine. */
void jpeg_close(struct jpeg *jpeg);

#endif
