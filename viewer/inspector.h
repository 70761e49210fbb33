/* SPDX-License-Identifier: MIT */
/*
 * Looks at single pixels: what is stored, and what is shown. What is stored has to be read while
 * no frame is held; so there is a copy of the last one, as long as somebody looks.
 */
#ifndef VIEWER_INSPECTOR_H
#define VIEWER_INSPECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "framebus.h"
#include "geometry.h"
#include "overlay.h"
#include "texture.h"

/** All zero: nothing seen yet. */
struct inspector {
    uint8_t *copy; /* of a frame, NULL: none */
    size_t room;
    struct framebus_format format; /* its own, without the caps */
    bool stored;                   /* the copy is of the frame that is shown, and can be read */
    bool opaque;                   /* it is no raw picture */
    uint32_t levels[3][256];
    int64_t due_ns; /* when to count levels again */
    bool over;      /* the pointer is over a pixel ... */
    SDL_Rect texel; /* ... here in the texture ... */
    uint32_t x, y;  /* ... and here in what is stored */
    uint8_t rgb[3];
};

/** Keeps a copy of a frame that is being uploaded. */
void inspector_keep(struct inspector *inspector, const struct framebus_frame *frame);

/** The copy, if any, is no longer what is shown. */
void inspector_miss(struct inspector *inspector);

/** Reads what the texture shows; before anything is drawn. x and y: the pointer, in output pixels. */
void inspector_look(struct inspector *inspector, struct texture *texture, struct window *window,
                    const struct placement *placement, double x, double y, int64_t now_ns);

/** Draws what is known of the pixel at the pointer, and the histogram. */
void inspector_draw(const struct inspector *inspector, const struct overlay *overlay, struct texture *texture,
                    struct box cell, const struct placement *placement, double x, double y);

/** Frees the copy. */
void inspector_finish(struct inspector *inspector);

#endif
