/* SPDX-License-Identifier: MIT */
/*
 * How the pixels of each format become 32-bit ones: a table of the steps of libyuv that lead there.
 * For convert.c alone.
 */
#ifndef PIXELS_PIXELS_H
#define PIXELS_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "color.h"
#include "framebus.h"

/* Rows worked on at a time: what lies between two steps stays in the cache. A multiple of every
 * vertical subsampling. */
#define PIXELS_BAND 16

struct pixels_rule;

/** Some rows of a picture. */
struct pixels_band {
    const struct pixels_rule *rule;
    struct color color;
    const uint8_t *from[FRAMEBUS_PLANES_MAX];
    int from_stride[FRAMEBUS_PLANES_MAX];
    uint8_t *to;
    int to_stride;
    int width, height;
    uint8_t *scratch; /* pixels_scratch_size(width) bytes */
};

/** NULL: this format cannot be converted. */
const struct pixels_rule *pixels_find(uint32_t fourcc);

size_t pixels_scratch_size(int width);

/** 0 if it worked. */
int pixels_convert(struct pixels_band *band);

#endif
