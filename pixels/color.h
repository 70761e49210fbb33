/* SPDX-License-Identifier: MIT */
/*
 * The meaning of a picture's numbers: matrix and range, as the frame says or, where it does not, guessed.
 */
#ifndef PIXELS_COLOR_H
#define PIXELS_COLOR_H

#include "framebus.h"

#include <stdbool.h>

enum color_matrix {
    COLOR_BT601,
    COLOR_BT709,
    COLOR_BT2020,
};

struct color {
    enum color_matrix matrix; /* matrix of YUV; RGB has none */
    bool full;                /* range 0..255 rather than 16..235 */
};

/* Unknown matrix: BT.601 below 720 rows, BT.709 above. Unknown range: limited for YUV, full for
 * RGB and grey. */
struct color color_of(const struct framebus_format *format);

/* "BT.709 limited" and the like. Static. */
const char *color_name(struct color color);

#endif
