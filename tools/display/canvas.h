/* SPDX-License-Identifier: MIT */
/* The framebuffers through which a screen shows frames: their own memory, or buffers of the card to copy
 * into. */
#ifndef CANVAS_H
#define CANVAS_H

#include "display/screen.h"

/* A buffer of the card. */
struct canvas_buffer {
    uint32_t fb, handle, stride;
    uint64_t size;
    uint8_t *data;
};

struct canvas {
    struct screen *screen;
    struct canvas_buffer buffers[2]; /* one is shown, one is written */
    unsigned next;                   /* the one to write */
};

/* The framebuffer of the memory that this frame is in, made once and kept with it; 0: it has none. The reader
 * is closed before the screen. */
uint32_t canvas_import(struct canvas *canvas, struct framebus_frame *frame);

/* The framebuffer of a copy. 0 once the reason is reported. */
uint32_t canvas_copy(struct canvas *canvas, const struct framebus_frame *frame);

/* Frees the buffers to copy into, which are of the mode's size. */
void canvas_free_buffers(struct canvas *canvas);

#endif
