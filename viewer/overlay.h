/* SPDX-License-Identifier: MIT */
/* Everything that is drawn over the pictures, or in place of one. */
#ifndef VIEWER_OVERLAY_H
#define VIEWER_OVERLAY_H

#include "geometry.h"
#include "text.h"
#include "window.h"

#include <stdbool.h>

struct overlay {
    struct window *window;
    struct text *text;
};

/* A text in place of a picture, or over one that has been dimmed. Strings may be NULL. */
struct overlay_card {
    const char *headline; /* "No signal" */
    const char *name;     /* name of the bus */
    const char *detail;   /* what happened and when, in lines that end in '\n' */
    const char *command;  /* a command that would help */
    SDL_Color accent;
    bool over_picture;
};

struct overlay_row {
    const char *label; /* NULL: an empty line */
    const char *value;
};

struct overlay_graph {
    const double *value;
    unsigned count;
    double expected; /* value of the line across */
    const char *label;
};

extern const SDL_Color overlay_background, overlay_bad, overlay_waiting, overlay_neutral;

void overlay_draw_card(const struct overlay *overlay, struct box cell, const struct overlay_card *card);

/* Draws a table in the upper left corner of a cell, and below it the graph unless it is NULL. */
void overlay_draw_table(const struct overlay *overlay, struct box cell, const char *title,
                        const struct overlay_row *rows, unsigned count, const struct overlay_graph *graph);

/* Draws the name of a bus in the lower left corner of its cell. */
void overlay_draw_label(const struct overlay *overlay, struct box cell, const char *name, bool chosen);

/* The texts about the pixel at the pointer. */
struct overlay_tip {
    double x, y; /* place of the pointer */
    const char *place, *values, *shown;
    uint8_t rgb[3];
};

/* Draws a tip beside the pointer, inside a cell. Returns the square that is left for a loupe. */
struct box overlay_draw_tip(const struct overlay *overlay, struct box cell, const struct overlay_tip *tip);

/* Marks a pixel of the loupe; (x, y) is its middle. */
void overlay_draw_mark(const struct overlay *overlay, double x, double y, double side);

/* Draws how often each level of R, G and B occurs, in the lower right corner of a cell, if there is room. */
void overlay_draw_histogram(const struct overlay *overlay, struct box cell, const uint32_t levels[3][256]);

/* Draws a short message at the bottom. */
void overlay_draw_notice(const struct overlay *overlay, struct box area, const char *message);

/* Draws a list that fills an area: its heading, and entries that are overlay_entry_height() high. */
void overlay_draw_heading(const struct overlay *overlay, struct box area, const char *heading,
                          const char *hint);
double overlay_entry_height(const struct overlay *overlay, struct box area);
void overlay_draw_entry(const struct overlay *overlay, struct box box, const char *name, const char *detail,
                        bool chosen, bool lit);

#endif
