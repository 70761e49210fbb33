/* SPDX-License-Identifier: MIT */
/*
 * The viewer as a whole: buses, window, and the loop that joins them. viewer.c takes frames and
 * keeps time, buses.c knows which, show.c draws, keys.c obeys.
 */
#ifndef VIEWER_VIEWER_H
#define VIEWER_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "color.h"
#include "geometry.h"
#include "inquiry.h"
#include "inspector.h"
#include "options.h"
#include "overlay.h"
#include "phrase.h"
#include "picker.h"
#include "source.h"
#include "statistics.h"
#include "texture.h"
#include "wake.h"
#include "window.h"

/* One bus. */
struct view {
    struct source source;
    struct texture texture;
    struct statistics statistics;
    struct inspector inspector;
    struct pose pose;
    bool signalled; /* the source has something to take or to tell */
    bool fresh;     /* the texture holds a frame that has not been presented */
    bool stalled;   /* nothing comes although it should */
    bool announced; /* the trouble has been written to standard error */
    bool refused;   /* what came last could not be shown: see `problem` ... */
    bool foreign;   /* ... and nothing of the kind can be */
    bool opaque;    /* it is no raw picture */
    char problem[192];
    char format[128]; /* in words */
    struct color color;
    uint64_t modifier;
    uint64_t writers;                /* when the statistics began */
    struct statistics_sample sample; /* of the fresh frame */
    uint64_t missed;
    int64_t progress_ns; /* when something was last presented, or when waiting began */
    struct box cell;     /* where it was last drawn */
    struct placement placement;
};

struct viewer {
    const struct options *options;
    struct window window;
    struct text *text;
    struct overlay overlay;
    struct wake *wake;
    struct inquiry *inquiry;
    struct picker picker;
    struct framebus_bus_info *about; /* what the inquiry said of the chosen bus, NULL: nothing */
    char picked[FRAMEBUS_PATH_MAX + 1];
    struct pacer pacer;
    struct view *view;
    unsigned views, chosen; /* views: none while a bus is being picked */
    bool alone;             /* only the chosen one is shown */
    bool dirty;             /* to be drawn again */
    bool quit, paused, step, hidden;
    bool info, help, smooth;
    bool inspecting, hinted;
    double pointer_x, pointer_y; /* in output pixels; below zero: not over the window */
    uint64_t drawn;              /* times the window was */
    bool auto_size;              /* the window follows the picture's size */
    bool dragging;
    struct extent asked; /* the size that the window was given */
    int64_t refresh_ns;  /* when texts that tell the time are due, 0: none */
    char notice[160];
    int64_t notice_ns; /* until when; 0: none */
    char caption[160];
    int status;
};

/** Runs until somebody or something ends it; returns the exit status. */
int viewer_run(const struct options *options);

/** Shows a short message for a moment. */
void viewer_notify(struct viewer *viewer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Says on standard error why it must end, and ends. */
void viewer_fail(struct viewer *viewer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** True if the view is on the screen at present. */
bool viewer_shows(const struct viewer *viewer, const struct view *view);

/* buses.c */

/** Attaches to the buses of the command line. False: it has said why not. */
bool buses_open(struct viewer *viewer);

/** Shows none any more. */
void buses_close(struct viewer *viewer);

/** Asks for what the screen is to tell about buses; an answer comes as an event. */
void buses_inquire(struct viewer *viewer);
void buses_take_answer(struct viewer *viewer);

/** Shows a bus that has been picked. */
void buses_pick(struct viewer *viewer, const char *name);

/** Goes back to picking, if that is how it began. */
void buses_unpick(struct viewer *viewer);

/* show.c */

/** Draws everything, without presenting it. */
void show_draw(struct viewer *viewer);

/** Writes the command that can show what the viewer cannot; returns text. */
char *show_command(const struct view *view, char *text, size_t room);

/** Sets the window's title to what is going on. */
void show_caption(struct viewer *viewer);

/* keys.c */

void keys_handle(struct viewer *viewer, const SDL_Event *event);

#endif
