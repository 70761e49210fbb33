/* SPDX-License-Identifier: MIT */
/* Pictures of any format as 8-bit 4:4:4 YUV (BT.601, limited range), through pixels/. */
#ifndef RGB_H
#define RGB_H

#include "shot.h"

struct rgb;

/* NULL: no memory, or framebus was built without libyuv. */
struct rgb *rgb_create(void);
void rgb_destroy(struct rgb *rgb);

bool rgb_knows(const struct shot *shot);

/* `to` has room for three planes of the picture's size. 0 or a negative errno once the reason is said. */
int rgb_to_444(struct rgb *rgb, const struct shot *shot, uint8_t *to);

#endif
