/* SPDX-License-Identifier: MIT */
/* What becomes of the frames of a format. Decided when the format changes, not for each frame. */
#ifndef VIEWER_PLAN_H
#define VIEWER_PLAN_H

#include "framebus.h"
#include "pixels/color.h"
#include "window.h"

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

/* The texture's format where pixels are made here: B, G, R in memory, and a byte that is not used. SDL names
 * it by the bits of a word. */
#if SDL_BYTEORDER == SDL_LIL_ENDIAN
#define PLAN_CONVERTED SDL_PIXELFORMAT_RGB888
#else
#define PLAN_CONVERTED SDL_PIXELFORMAT_BGRX8888
#endif

enum plan_way {
    PLAN_REFUSE,  /* cannot be shown: see `problem` */
    PLAN_UPLOAD,  /* goes into a texture as it is */
    PLAN_CONVERT, /* is converted on the way there */
    PLAN_JPEG,    /* is decoded on the way there */
};

/* The format of a texture that a picture fits as it is. */
struct plan_direct {
    uint32_t fourcc;
    Uint32 texture_format;
    uint8_t u, v; /* planes of Cb and Cr where they are planes of their own */
};

struct plan {
    bool import;                      /* the graphics processor reads frames where they are, if it can */
    enum plan_way way;                /* for those that it cannot */
    const struct plan_direct *direct; /* PLAN_UPLOAD */
    SDL_YUV_CONVERSION_MODE mode;     /* PLAN_UPLOAD */
    char problem[192];                /* PLAN_REFUSE */

    char format[128]; /* description in words */
    struct color color;
    uint64_t modifier;
    uint32_t orientation;
    bool opaque; /* frames are not raw pictures */
};

void plan_make(struct plan *plan, const struct window *window, const struct framebus_format *format);

#endif
