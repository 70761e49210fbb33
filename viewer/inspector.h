/* SPDX-License-Identifier: MIT */
/*
 * Single pixels: the values that are stored and the colour that is shown. Stored values are read when no
 * frame is held any more; so while the inspector is on, it keeps a copy of the last frame.
 */
#ifndef VIEWER_INSPECTOR_H
#define VIEWER_INSPECTOR_H

#include "framebus.h"
#include "geometry.h"
#include "overlay.h"
#include "texture.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: no frame yet. */
struct inspector {
    uint8_t *copy; /* bytes of a frame, NULL: none */
    size_t room;
    struct framebus_format format; /* format of the copy, without caps */
    bool stored;                   /* the copy is the frame that is shown, and its values can be read */
    bool opaque;                   /* the frame is not a raw picture */
    uint32_t levels[3][256];
    int64_t due_ns; /* time when levels are counted again */
    bool over;      /* the pointer is over a pixel */
    SDL_Rect texel; /* that pixel in the texture */
    uint32_t x, y;  /* that pixel in the stored picture */
    uint8_t rgb[3];
};

/* Keeps a copy of a frame that is being uploaded. */
void inspector_keep(struct inspector *inspector, const struct framebus_frame *frame);

/* Notes that the copy is not what is shown any more. */
void inspector_forget(struct inspector *inspector);

/* Reads what the texture shows, before anything is drawn. (x, y) is the pointer, in output pixels. */
void inspector_read(struct inspector *inspector, struct texture *texture, struct window *window,
                    const struct placement *placement, double x, double y, int64_t now_ns);

/* Draws the values of the pixel at the pointer, and the histogram. */
void inspector_draw(const struct inspector *inspector, const struct overlay *overlay, struct texture *texture,
                    struct box cell, const struct placement *placement, double x, double y);

/* Frees the copy. */
void inspector_finish(struct inspector *inspector);

#endif
