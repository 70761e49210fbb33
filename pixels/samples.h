/* SPDX-License-Identifier: MIT */
/* The components of single pixels as they are stored: for people to look at, and to draw with. No SDL. */
#ifndef PIXELS_SAMPLES_H
#define PIXELS_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "framebus.h"

#define SAMPLES_MAX 4

struct sample {
    char name; /* Y, U (Cb), V (Cr), R, G, B or A */
    uint8_t bits;
    uint32_t value;
};

/**
 * Reads what a linear picture stores for the pixel (x, y); chroma that several pixels share is that
 * of each of them. Returns how many components there are, in the order in which one reads them;
 * 0: the format is not known, or the pixel is outside.
 */
unsigned samples_read(const struct framebus_format *format, const uint8_t *data, uint32_t x, uint32_t y,
                      struct sample sample[SAMPLES_MAX]);

/** In words: "Y 235  Cb 128  Cr 128". Returns text. */
char *samples_describe(const struct sample *sample, unsigned count, char *text, size_t room);

/** A component in the word of a group, see struct framebus_plane_layout. */
struct samples_field {
    char name; /* as in struct sample; x: padding */
    uint8_t bits, shift;
    uint8_t pixel; /* of the group whose it is, counted from 0; 0 also for what all of them share */
};

#define SAMPLES_FIELDS_MAX 8

/** A group of a plane: a word of up to 8 bytes. */
struct samples_group {
    uint8_t bytes, fields;
    bool big_endian;
    struct samples_field field[SAMPLES_FIELDS_MAX];
};

/** How the groups of a plane are made. False: the format is not known, or has no such plane. */
bool samples_group(uint32_t fourcc, unsigned plane, struct samples_group *group);

#endif
