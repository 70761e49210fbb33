/* SPDX-License-Identifier: MIT */
/*
 * Pictures with every component in a plane of its own, without padding, as YUV4MPEG2 and many tools know
 * them: what the bus has in other arrangements is put in this one without touching a value.
 */
#ifndef PLANAR_H
#define PLANAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framebus.h"

struct planar {
    uint8_t components; /* 1: Y; 3: Y, Cb, Cr */
    uint8_t bits;       /* of a value; above 8 it takes two bytes, the low one first */
    uint8_t sub_x, sub_y;
};

/* How pictures of this fourcc are arranged in planes. False: they cannot be, they are no YUV. *alpha tells if
 * that would lose an alpha channel. */
bool planar_of(uint32_t fourcc, struct planar *planar, bool *alpha);

/* Bytes of a picture. */
size_t planar_size(const struct planar *planar, uint32_t width, uint32_t height);

/* Rearranges a picture of a format of which planar_of() is true; `data` is where its slot begins. */
void planar_pack(const struct framebus_format *format, const uint8_t *data, uint8_t *to);

#endif
