/* SPDX-License-Identifier: MIT */
/*
 * Which numbers a picture's colours are: matrix and range as the frame says, guessed where it does
 * not. No SDL.
 */
#ifndef PIXELS_COLOR_H
#define PIXELS_COLOR_H

#include <stdbool.h>

#include "framebus.h"

enum color_matrix {
    COLOR_BT601,
    COLOR_BT709,
    COLOR_BT2020,
};

struct color {
    enum color_matrix matrix; /* of YUV; RGB has none */
    bool full;                /* 0..255 rather than 16..235 */
};

/** Unknown matrix: BT.601 below 720 rows, BT.709 above. Unknown range: limited for YUV, full for
 *  RGB and grey. */
struct color color_of(const struct framebus_format *format);

/** "BT.709 limited" and the like. Static. */
const char *color_name(struct color color);

#endif
