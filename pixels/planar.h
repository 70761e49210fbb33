/* SPDX-License-Identifier: MIT */
/*
 * Pictures with every component in a plane of its own, without padding, as YUV4MPEG2 and many tools know
 * them. YUV pictures in other arrangements are put in this one without touching a value.
 */
#ifndef PIXELS_PLANAR_H
#define PIXELS_PLANAR_H

#include "framebus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct planar {
    uint8_t components; /* 1: Y; 3: Y, Cb, Cr */
    uint8_t bits;       /* size of a value; above 8 it has two bytes, the low one first */
    uint8_t sub_x, sub_y;
};

/* Finds how pictures of this fourcc are arranged in planes. False: they are not YUV, or big-endian with more
 * than 8 bits. *alpha: an alpha channel would be lost. */
bool planar_of(uint32_t fourcc, struct planar *planar, bool *alpha);

/* Bytes of a picture. */
size_t planar_size(const struct planar *planar, uint32_t width, uint32_t height);

/* Rearranges a picture of a format for which planar_of() is true; `data` is the beginning of its slot. */
void planar_pack(const struct framebus_format *format, const uint8_t *data, uint8_t *to);

#endif
