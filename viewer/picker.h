/* SPDX-License-Identifier: MIT */
/* The list of buses to choose from, when the viewer was started without a name. */
#ifndef VIEWER_PICKER_H
#define VIEWER_PICKER_H

#include <SDL.h>
#include <stdbool.h>
#include <stddef.h>

#include "framebus.h"
#include "overlay.h"

/** All zero: nothing known yet. */
struct picker {
    struct framebus_bus_info *infos; /* sorted by name */
    size_t count;
    bool known;
    char chosen[FRAMEBUS_PATH_MAX + 1]; /* "": none */
    struct box list;                    /* where it was last drawn */
    double line;
    size_t first; /* the first one drawn, if there is no room for all */
};

/** Takes a new list over. */
void picker_update(struct picker *picker, struct framebus_bus_info *infos, size_t count);

void picker_draw(struct picker *picker, const struct overlay *overlay, struct box area);

/** Moves the choice by so many entries. */
void picker_move(struct picker *picker, int by);

/** Chooses the entry at a point of the window. False: there is none. */
bool picker_point(struct picker *picker, double x, double y);

void picker_finish(struct picker *picker);

#endif
