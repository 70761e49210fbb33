/* SPDX-License-Identifier: MIT */
/* What is written over the pictures, or in place of one. */
#ifndef VIEWER_OVERLAY_H
#define VIEWER_OVERLAY_H

#include <stdbool.h>

#include "geometry.h"
#include "text.h"
#include "window.h"

struct overlay {
    struct window *window;
    struct text *text;
};

/** In place of a picture, or over one that has been dimmed. Strings may be NULL. */
struct overlay_card {
    const char *headline; /* "No signal" */
    const char *name;     /* of the bus */
    const char *detail;   /* what happened, and when; lines end in '\n' */
    const char *command;  /* that would help */
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
    double expected; /* drawn as a line across */
    const char *label;
};

extern const SDL_Color overlay_background, overlay_bad, overlay_waiting, overlay_neutral;

void overlay_draw_card(const struct overlay *overlay, struct box cell, const struct overlay_card *card);

/** A table in the upper left corner of a cell; the graph, if any, below it. */
void overlay_draw_table(const struct overlay *overlay, struct box cell, const char *title,
                        const struct overlay_row *rows, unsigned count, const struct overlay_graph *graph);

/** The name of a bus in the lower left corner of its cell. */
void overlay_draw_label(const struct overlay *overlay, struct box cell, const char *name, bool chosen);

/** What is said of the pixel at the pointer. */
struct overlay_tip {
    double x, y; /* of the pointer */
    const char *place, *values, *shown;
    uint8_t rgb[3];
};

/** Draws it beside the pointer, inside a cell; returns the square that is left for a loupe. */
struct box overlay_draw_tip(const struct overlay *overlay, struct box cell, const struct overlay_tip *tip);

/** Marks a pixel of the loupe, whose middle and side these are. */
void overlay_draw_mark(const struct overlay *overlay, double x, double y, double side);

/** How often each level of R, G and B comes, in the lower right corner of a cell, if there is room. */
void overlay_draw_histogram(const struct overlay *overlay, struct box cell, const uint32_t levels[3][256]);

/** A short message at the bottom. */
void overlay_draw_notice(const struct overlay *overlay, struct box area, const char *message);

/** A list that fills an area: its heading, and entries each of overlay_entry_height(). */
void overlay_draw_heading(const struct overlay *overlay, struct box area, const char *heading,
                          const char *hint);
double overlay_entry_height(const struct overlay *overlay, struct box area);
void overlay_draw_entry(const struct overlay *overlay, struct box box, const char *name, const char *detail,
                        bool chosen, bool lit);

#endif
