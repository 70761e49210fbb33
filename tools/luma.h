/* SPDX-License-Identifier: MIT */
/* The brightness of single pixels, read and written in place in every format of the table. */
#ifndef LUMA_H
#define LUMA_H

#include <stdbool.h>
#include <stdint.h>

#include "framebus.h"
#include "samples.h"

#define LUMA_PIXELS_MAX 4 /* in a group of the first plane */

/* Where the luma of a format is; green stands for it in RGB. */
struct luma {
    struct samples_group group; /* of the first plane */
    unsigned pixels;            /* in a group */
    struct samples_field field[LUMA_PIXELS_MAX];
    uint64_t gray[LUMA_PIXELS_MAX]; /* mask of all that makes a pixel brighter or darker */
    bool full;                      /* 0..255 rather than 16..235 */
};

/* False: what a pixel is cannot be known (no linear picture of the table). */
bool luma_init(struct luma *luma, const struct framebus_format *format);

/* The highest 8 bits of a pixel's luma. `row` is its row in the first plane. */
uint8_t luma_get(const struct luma *luma, const uint8_t *row, uint32_t x);

/* Makes a pixel as bright as `level` (0 black, 255 white) in luma, or in red, green and blue. */
void luma_set(const struct luma *luma, uint8_t *row, uint32_t x, uint8_t level);

/* Stores a whole group, and loads it. */
void group_store(const struct samples_group *group, uint8_t *to, uint64_t word);
uint64_t group_load(const struct samples_group *group, const uint8_t *from);

/* 0..1 as a component of so many bits; of a limited range if it is not full. */
uint32_t level_of(double value, unsigned bits, bool full);

#endif
