/* SPDX-License-Identifier: MIT */
/*
 * Pictures that the graphics processor reads where they are: a frame's DMA-BUFs become an EGLImage, once for
 * each slot. A texture bound to the image is drawn into another texture. So the slot is free again as soon as
 * the processor has read it, the picture can be drawn any number of times, and the CPU touches no pixel.
 */
#ifndef VIEWER_IMPORT_H
#define VIEWER_IMPORT_H

#include "framebus.h"

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

struct importer;

/* Begins to import for a renderer, which must outlive it. NULL: this renderer cannot import, which is not an
 * error. */
struct importer *importer_create(SDL_Renderer *renderer);
void importer_destroy(struct importer *importer);

/* True if frames of this format can be imported. */
bool import_knows(const struct importer *importer, const struct framebus_format *format);

/* What the images of one bus are drawn through. All zero: nothing yet. */
struct import {
    SDL_Texture *texture; /* bound to the image that is drawn */
    int width, height;    /* size of that texture */
};

/* Imports the memory of a frame, unless that has been done before: the image is kept with the memory, and the
 * importer must outlive the frame's reader. False: it cannot be imported. */
bool import_prepare(struct importer *importer, struct framebus_frame *frame);

/* Draws a frame that has been prepared into `target`, a texture of the picture's size, and waits until that
 * is done: the frame is not needed any more then. -ENOTSUP: the driver cannot, although import_knows() was
 * true. */
int import_draw(struct import *import, struct importer *importer, const struct framebus_frame *frame,
                SDL_Texture *target);

/* Destroys the texture. */
void import_forget(struct import *import);

#endif
