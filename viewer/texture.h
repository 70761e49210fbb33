/* SPDX-License-Identifier: MIT */
/*
 * The last picture of a bus, as the renderer can draw it. What SDL has a texture for, colours
 * included, goes there as it is; everything else is converted on the way.
 */
#ifndef VIEWER_TEXTURE_H
#define VIEWER_TEXTURE_H

#include <SDL.h>
#include <stdbool.h>

#include "framebus.h"
#include "geometry.h"
#include "import.h"
#include "window.h"

struct convert;

struct texture {
    SDL_Texture *handle;
    Uint32 format; /* SDL's */
    int access;    /* SDL's too */
    SDL_YUV_CONVERSION_MODE mode;
    int width, height;
    SDL_Rect crop;               /* what of it is to be seen */
    struct extent size;          /* of that, in square pixels; 0x0: no picture yet */
    struct framebus_rect stored; /* what of the stored picture that is */
    struct import import;
    struct importer *importer; /* that it belongs to */
    bool imported;             /* the last picture: read by the graphics processor where it was */
    uint64_t imports, uploads; /* pictures so far */
    struct convert *convert;
    uint8_t *spare; /* for what is larger than the renderer's textures */
    size_t spare_room;
};

/** Takes a frame over; the frame is not needed any more then. -ENOTSUP: `problem` (of `room` bytes)
 *  says why it cannot be shown. Other errors are SDL's or memory's; `problem` too. */
int texture_take(struct texture *texture, struct window *window, const struct framebus_frame *frame,
                 char *problem, size_t room);

/** Draws it into a cell. `smooth`: not to be seen in pixels when enlarged. */
void texture_draw(struct texture *texture, struct window *window, const struct placement *placement,
                  bool smooth);

/** Reads a part of the texture as the renderer shows it, brought to a size without mixing pixels. `rgb`
 *  has room for 3 bytes each. Not between drawing and presenting. 0 or -EIO. */
int texture_sample(struct texture *texture, struct window *window, const SDL_Rect *part, struct extent size,
                   uint8_t *rgb);

/** The picture is gone, or the renderer has lost its textures. */
void texture_reset(struct texture *texture);

/** Lets go of the bus's memory; the picture stays. */
void texture_let_go(struct texture *texture);

/** Writes the whole picture in its own size, upright, to a PNG file. 0 or -errno. */
int texture_save(struct texture *texture, struct window *window, const char *path);

void texture_finish(struct texture *texture);

#endif
