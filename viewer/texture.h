/* SPDX-License-Identifier: MIT */
/* The last picture of a bus, as the renderer can draw it. */
#ifndef VIEWER_TEXTURE_H
#define VIEWER_TEXTURE_H

#include "framebus.h"
#include "geometry.h"
#include "import.h"
#include "plan.h"
#include "window.h"

#include <SDL.h>
#include <stdbool.h>

struct convert;

struct texture {
    struct plan plan; /* for frames of format_serial, if `planned` */
    uint32_t format_serial;
    bool planned;
    char problem[192]; /* why the last frame could not be loaded */

    SDL_Texture *handle;
    Uint32 format; /* SDL's format ... */
    int access;    /* ... and access */
    SDL_YUV_CONVERSION_MODE mode;
    int width, height;
    SDL_Rect crop;               /* part of the texture that is to be seen */
    struct extent size;          /* size of that part in square pixels; 0x0: no picture yet */
    struct framebus_rect stored; /* the same part of the stored picture */

    struct import import;
    bool imported;             /* the graphics processor read the last picture where it was */
    uint64_t imports, uploads; /* pictures so far */
    struct convert *convert;   /* NULL: not needed so far, or there is no memory */
    uint8_t *spare;            /* pixels of a picture that is larger than the renderer's textures */
    size_t spare_room;
};

/* Loads a frame; it is not needed any more then. 0 or a negative errno: `problem` says why it cannot be
 * shown. -ENOTSUP: nor can others of its format. */
int texture_load(struct texture *texture, struct window *window, struct framebus_frame *frame);

/* Draws it into a cell. `smooth`: an enlarged picture does not show its pixels. */
void texture_draw(struct texture *texture, struct window *window, const struct placement *placement,
                  bool smooth);

/* Reads a part of the texture as the renderer shows it, scaled to a size without mixing pixels. `rgb` has
 * room for 3 bytes each. It must not be called between drawing and presenting. 0 or -EIO. */
int texture_sample(struct texture *texture, struct window *window, const SDL_Rect *part, struct extent size,
                   uint8_t *rgb);

/* Drops the picture: it is not shown any more, or the renderer has lost its textures. */
void texture_reset(struct texture *texture);

/* Drops the bus's memory; the picture stays. */
void texture_drop_memory(struct texture *texture);

/* Writes the whole picture in its own size, upright, to a PNG file. 0 or -errno. */
int texture_save(struct texture *texture, struct window *window, const char *path);

void texture_finish(struct texture *texture);

#endif
