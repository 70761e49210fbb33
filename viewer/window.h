/* SPDX-License-Identifier: MIT */
/*
 * The window and its renderer: the choice of SDL's drivers, and what they can do.
 */
#ifndef VIEWER_WINDOW_H
#define VIEWER_WINDOW_H

#include "geometry.h"
#include "import.h"

#include <SDL.h>
#include <stdbool.h>

/* The frames that the graphics processor reads in their DMA-BUFs. */
enum window_dmabuf {
    WINDOW_DMABUF_AUTO,   /* those that it can import, if there is a graphics processor */
    WINDOW_DMABUF_ALWAYS, /* also with an OpenGL that runs on the CPU, which may crash */
    WINDOW_DMABUF_NO,
};

struct window_options {
    const char *title;
    const char *driver;   /* name of an SDL video driver, NULL: chosen here */
    const char *renderer; /* name of an SDL render driver, NULL: chosen here */
    struct extent size;   /* size of the window */
    int x, y;             /* place of the window; SDL_WINDOWPOS_UNDEFINED: the desktop chooses it */
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
    bool offscreen;            /* the driver shows nothing */
    bool direct;               /* pixels reach the screen without OpenGL */
    double text_scale;         /* scale that people have set beyond window_scale() */
};

/* Opens a window, not shown yet. On failure SDL_GetError() says why; window_close() is needed
 * then, too. */
bool window_open(struct window *window, const struct window_options *options);
void window_close(struct window *window);

/* Starts SDL's video, without a window yet. window_usable() works from here on. */
bool window_start(struct window *window, const struct window_options *options);

/* The largest size that a window should have on this display; 0x0: no limit. */
struct extent window_usable(const struct window *window);

/* Pictures a second that the display can show; 60 if that is not known. */
double window_refresh_rate(const struct window *window);

/* The size of the drawing area in pixels, and the number of pixels in one of the window's units. */
struct extent window_area(const struct window *window);
double window_scale(const struct window *window);

/* The same scale for text: on X11 the resource Xft.dpi counts, too. */
double window_text_scale(const struct window *window);

/* Changes the size. The middle stays where it is as far as the display allows. */
void window_resize(struct window *window, struct extent size);

bool window_is_fullscreen(const struct window *window);
void window_set_fullscreen(struct window *window, bool fullscreen);

/* True if the renderer has textures of this SDL format. */
bool window_has_format(const struct window *window, Uint32 format);

/* The largest side of a texture; 0: no limit. */
int window_texture_limit(const struct window *window);

/* Writes what has been drawn since the last presentation as a PNG file. 0 or -errno. */
int window_save(struct window *window, const char *path);

#endif
