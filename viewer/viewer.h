/* SPDX-License-Identifier: MIT */
/* All that the viewer knows: its window, and a view for each bus. loop.c runs it, buses.c chooses the buses,
 * show.c draws them, keys.c does what people ask for. */
#ifndef VIEWER_VIEWER_H
#define VIEWER_VIEWER_H

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

#include <stdbool.h>
#include <stdint.h>

/* One bus. */
struct view {
    struct source source;
    struct texture texture;
    struct statistics statistics;
    struct inspector inspector;
    struct pose pose;
    uint32_t orientation;            /* of the format that turned the picture last */
    uint32_t flags;                  /* of the newest frame */
    bool signalled;                  /* the source has a frame, or a new state */
    bool fresh;                      /* the texture holds a frame that has not been presented */
    bool stalled;                    /* no frame comes although the writer is there */
    bool announced;                  /* the problem has been written to standard error */
    bool refused;                    /* the last frame could not be shown: see texture.problem */
    bool unsupported;                /* nor can others of its format */
    uint64_t writers;                /* writers that the source had had when the statistics began */
    struct statistics_sample sample; /* of the fresh frame */
    uint64_t missed;                 /* frames lost before the fresh one */
    int64_t progress_ns;             /* time of the last presentation, or when waiting began */
    struct box cell;                 /* place where it was last drawn */
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
    struct framebus_bus_info *about; /* answer about the chosen bus, NULL: none */
    char picked[FRAMEBUS_PATH_MAX + 1];
    struct pacer pacer;
    struct view *view;
    unsigned views, chosen; /* number of views, 0 while a bus is being picked; the chosen one */
    bool alone;             /* only the chosen one is shown */
    bool dirty;             /* the window is to be drawn again */
    bool quit, paused, step, hidden;
    bool info, help, smooth;
    bool inspecting, hinted;
    double pointer_x, pointer_y; /* place in output pixels; below zero: not over the window */
    uint64_t drawn;              /* times that the window was drawn */
    bool auto_size;              /* the window follows the picture's size */
    bool dragging;
    struct extent asked; /* size that the viewer last gave the window */
    int64_t refresh_ns;  /* time when texts that change by themselves are due, 0: none */
    char notice[160];
    int64_t notice_ns; /* time when the notice goes; 0: there is none */
    char caption[160];
    int status;
};

/* Shows a short message for two seconds. */
void viewer_notify(struct viewer *viewer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reports why the viewer must end, and ends it. */
void viewer_fail(struct viewer *viewer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True if the view is on the screen at present. */
bool viewer_shows(const struct viewer *viewer, const struct view *view);

/* Opens the window, hidden, and what draws in it. False: the reason is reported. */
bool viewer_open_window(struct viewer *viewer);

/* Makes the window as large as the picture, until somebody else has sized it. */
void viewer_follow_size(struct viewer *viewer, const struct view *view);

#endif
