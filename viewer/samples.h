/* SPDX-License-Identifier: MIT */
/* The components of a single pixel as they are stored, for people to look at. No SDL. */
#ifndef VIEWER_SAMPLES_H
#define VIEWER_SAMPLES_H

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

#endif
