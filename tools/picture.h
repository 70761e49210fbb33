/* SPDX-License-Identifier: MIT */
/*
 * A moving test picture in every format of the table: colour bars, a ramp, a bar that wanders, the frame's
 * number and the time of day, and the code of code.h.
 *
 * Everything that moves is grey, and so is the background behind it: it is drawn into the first plane alone,
 * and what does not move is drawn once for each slot, which keeps it.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "framebus.h"

struct picture;

/* `format` is copied. -EINVAL: no linear picture of the table. -ENOMEM. *picture is NULL on failure. */
int picture_create(struct picture **picture, const struct framebus_format *format);

/* Paints a frame that is lent, of that format. `clock` is shown beside the number: digits, ':', '.'. */
void picture_paint(struct picture *picture, struct framebus_frame *frame, uint32_t number, const char *clock);

/* NULL is fine. */
void picture_destroy(struct picture *picture);

#endif
