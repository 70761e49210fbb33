/* SPDX-License-Identifier: MIT */
/*
 * A moving test picture in every format of the table: colour bars, a ramp, a bar that wanders, the frame's
 * number and the time of day, and a code that says to a program which frame it is.
 *
 * Everything that moves is grey, as is its background: it is drawn into the first plane only. The rest is
 * drawn once into each slot.
 *
 * The code is the number in the pixels: a row of black and white cells across the picture, at its top, its
 * middle and its bottom, so that a frame that consists of parts of two can be recognised. With the number
 * goes a checksum of the brightness at many points of the picture. 80 cells: the number (32 bits), the
 * checksum (32), and a hash of both (16), each from its highest bit.
 */
#ifndef PIXELS_TESTPICTURE_H
#define PIXELS_TESTPICTURE_H

#include "framebus.h"
#include "luma.h"

#include <stdint.h>

#define TESTPICTURE_CELLS 80

struct testpicture;

/* `format` is copied. -EINVAL: it is not linear or not in the table; -ENOMEM. *picture is NULL on failure. */
int testpicture_create(struct testpicture **picture, const struct framebus_format *format);

/* Paints a frame that is lent, of that format. `clock` is a text of digits, ':' and '.' beside the number. */
void testpicture_paint(struct testpicture *picture, struct framebus_frame *frame, uint32_t number,
                       const char *clock);

/* NULL is fine. */
void testpicture_destroy(struct testpicture *picture);

/* Writes the code into the three bands of a picture that is otherwise complete. */
void testpicture_write_code(const struct luma *luma, const struct framebus_frame *frame, uint32_t number);

enum testpicture_verdict {
    TESTPICTURE_NONE,    /* this is not a test picture */
    TESTPICTURE_TORN,    /* parts of several frames */
    TESTPICTURE_ALTERED, /* the number is good, but the picture is not the one that was made */
    TESTPICTURE_WHOLE,
};

/* Reads the code. Sets *number except for TESTPICTURE_NONE; in a torn picture to one of the numbers found. */
enum testpicture_verdict testpicture_read(const struct luma *luma, const struct framebus_frame *frame,
                                          uint32_t *number);

/* A checksum of the brightness at points all over any picture, outside the bands of a code; *brightest is the
 * highest level (0..255) of these points. */
uint32_t testpicture_checksum(const struct luma *luma, const struct framebus_frame *frame,
                              uint8_t *brightest);

#endif
