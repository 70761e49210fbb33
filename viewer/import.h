/* SPDX-License-Identifier: MIT */
/*
 * Pictures that the graphics processor reads where they are: a frame's DMA-BUFs become an EGLImage, once
 * for each slot, and that a texture, which is drawn into another one. So the slot is free again as soon as
 * the processor has read it, the picture can be drawn as often as need be, and nothing passes the CPU.
 */
#ifndef VIEWER_IMPORT_H
#define VIEWER_IMPORT_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "framebus.h"

struct importer;

/** Begins to import for a renderer, which must outlive it. NULL: that one cannot; nothing is wrong then. */
struct importer *importer_create(SDL_Renderer *renderer);
void importer_destroy(struct importer *importer);

/** What was imported of one bus. All zero: nothing yet. */
struct import {
    SDL_Texture *texture; /* for whichever image is to be drawn */
    int width, height;    /* of it */
    uint32_t format_serial;
    bool known; /* the format is one that can be imported */
    struct import_slot {
        void *image; /* NULL: cannot be imported */
        uint32_t serial;
        bool tried;
    } * slot; /* by their numbers, NULL: none */
};

/** Imports the memory of a frame, if that has not been done. False: it cannot be, for whatever reason. */
bool import_prepare(struct import *import, struct importer *importer, const struct framebus_frame *frame);

/** Draws a frame that has been prepared into `target`, a texture of the picture's size, and waits until that
 *  is done: the frame is not needed any more then. -ENOTSUP: the driver cannot, whatever it said before. */
int import_draw(struct import *import, struct importer *importer, const struct framebus_frame *frame,
                SDL_Texture *target);

/** Gives the memory of all slots back. */
void import_forget(struct import *import, struct importer *importer);

#endif
