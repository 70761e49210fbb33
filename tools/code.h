/* SPDX-License-Identifier: MIT */
/*
 * A number that survives in the pixels of a frame: a row of black and white cells across the picture, at its
 * top, its middle and its bottom. So a frame that is made of parts of two shows. With the number goes a
 * checksum of the picture's brightness at many points.
 *
 * 80 cells: the number (32 bits), the checksum (32), and a hash of both (16), each from its highest bit.
 */
#ifndef CODE_H
#define CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "luma.h"

#define CODE_CELLS 80

/* Where things are in a test picture: first rows, from top to bottom. All are multiples of 4 but the last,
 * for chroma that as many rows share. */
struct code_layout {
    bool fits;       /* else the picture is too small for a code */
    uint32_t band;   /* rows of a band; the first one begins at 0 */
    uint32_t middle; /* the second band */
    uint32_t ramp, strip, text;
    uint32_t bottom; /* the third band */
};

struct code_layout code_layout(uint32_t width, uint32_t height);

enum code_verdict {
    CODE_NONE,    /* no test picture */
    CODE_TORN,    /* parts of several frames */
    CODE_ALTERED, /* the number is good, but the picture is not as it was made */
    CODE_WHOLE,
};

/* Writes the code into the picture's three bands, as the last thing that is drawn. */
void code_write(const struct luma *luma, const struct framebus_frame *frame, uint32_t number);

/* Reads it; *number is set for all but CODE_NONE, if torn to one of those there are. */
enum code_verdict code_read(const struct luma *luma, const struct framebus_frame *frame, uint32_t *number);

/* A checksum of the brightness at points all over any picture, the bands of a code left out; *brightest is
 * the highest level (0..255) of them all. */
uint32_t code_checksum(const struct luma *luma, const struct framebus_frame *frame, uint8_t *brightest);

/* A hash of bytes that goes on from another; begin with HASH_BEGIN. */
#define HASH_BEGIN UINT32_C(2166136261)
uint32_t hash_bytes(uint32_t hash, const void *data, size_t size);

#endif
