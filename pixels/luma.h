/* SPDX-License-Identifier: MIT */
/* The brightness of single pixels, read and written in place in every format of the table. */
#ifndef PIXELS_LUMA_H
#define PIXELS_LUMA_H

#include "formats.h"
#include "framebus.h"

#include <stdbool.h>
#include <stdint.h>

#define LUMA_PIXELS_MAX 4 /* most pixels in a group of the first plane */

/* Position of the luma in a format; in RGB green counts as luma. */
struct luma {
    struct format_group group; /* of the first plane */
    unsigned pixels;           /* in a group */
    struct format_field field[LUMA_PIXELS_MAX];
    uint64_t gray[LUMA_PIXELS_MAX]; /* mask of the bits that make a pixel brighter or darker */
    bool full;                      /* 0..255 rather than 16..235 */
};

/* False: the pixels cannot be read, since this is not a linear picture of the table. */
bool luma_init(struct luma *luma, const struct framebus_format *format);

/* The highest 8 bits of a pixel's luma. `row` is the pixel's row in the first plane. */
uint8_t luma_get(const struct luma *luma, const uint8_t *row, uint32_t x);

/* Makes a pixel as bright as `level` (0 black, 255 white) in luma, or in red, green and blue. */
void luma_set(const struct luma *luma, uint8_t *row, uint32_t x, uint8_t level);

/* A value from 0 to 1 as a component of `bits` bits, of full or limited range. */
uint32_t luma_level(double value, unsigned bits, bool full);

#endif
