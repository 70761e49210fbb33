/* SPDX-License-Identifier: MIT */
/*
 * The window and its renderer: which of SDL's drivers to take, and what is true of them.
 */
#ifndef VIEWER_WINDOW_H
#define VIEWER_WINDOW_H

#include <SDL.h>
#include <stdbool.h>

#include "geometry.h"
#include "import.h"

/* Which frames the graphics processor reads in their DMA-BUFs. */
enum window_dmabuf {
    WINDOW_DMABUF_AUTO,   /* those that it can, if there is a graphics processor */
    WINDOW_DMABUF_ALWAYS, /* also with an OpenGL that runs on the CPU, where one mistaken is a crash */
    WINDOW_DMABUF_NO,
};

struct window_options {
    const char *title;
    const char *driver;   /* of SDL's video drivers, NULL: choose */
    const char *renderer; /* of SDL's render drivers, NULL: choose */
    struct extent size;   /* of the window */
    int x, y;             /* of the window; SDL_WINDOWPOS_UNDEFINED: the desktop places it */
    bool fullscreen;
    bool no_vsync;
    enum window_dmabuf dmabuf;
    bool no_display; /* without a display, draw into memory */
};

struct window {
    SDL_Window *handle;
    SDL_Renderer *renderer;
    SDL_RendererInfo info;
    struct importer *importer; /* NULL: frames are uploaded */
    bool offscreen;            /* nobody sees it */
    double text_scale;         /* what people have asked for beyond window_scale() */
};

/** Opens a window, not shown yet. On failure SDL_GetError() says why, and window_close() is due all
 *  the same. */
bool window_open(struct window *window, const struct window_options *options);
void window_close(struct window *window);

/** Starts SDL's video without a window yet: window_usable() can be asked. */
bool window_start(struct window *window, const struct window_options *options);

/** The largest size that a window should have on this display; 0x0: whatever one likes. */
struct extent window_usable(const struct window *window);

/** Pictures a second that the display can show; 60 where it does not say. */
double window_refresh_rate(const struct window *window);

/** What there is to draw on, in pixels, and how many of them make one of the window's units. */
struct extent window_area(const struct window *window);
double window_scale(const struct window *window);

/** The same for what people have to read: on X11 as the resource Xft.dpi says. */
double window_text_scale(const struct window *window);

/** Changes the size, with the middle staying where it is as far as the display allows. */
void window_resize(struct window *window, struct extent size);

bool window_is_fullscreen(const struct window *window);
void window_set_fullscreen(struct window *window, bool fullscreen);

/** True if the renderer takes textures of this SDL format as they are. */
bool window_takes(const struct window *window, Uint32 format);

/** The largest side of a texture; 0: no limit. */
int window_texture_limit(const struct window *window);

/** Writes what has been drawn since the last presentation to a PNG file. 0 or -errno. */
int window_save(struct window *window, const char *path);

#endif
