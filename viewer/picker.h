/* SPDX-License-Identifier: MIT */
/* The list of buses to choose from, when the viewer was started without a name. */
#ifndef VIEWER_PICKER_H
#define VIEWER_PICKER_H

#include "framebus.h"
#include "overlay.h"

#include <SDL.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero: no list yet. */
struct picker {
    struct framebus_bus_info *infos; /* sorted by name */
    size_t count;
    bool known;
    char chosen[FRAMEBUS_PATH_MAX + 1]; /* name, "": none */
    struct box list;                    /* place where it was last drawn */
    double line;                        /* height of an entry */
    size_t first;                       /* index of the first one drawn, if there is no room for all */
};

/* Takes ownership of a new list. */
void picker_update(struct picker *picker, struct framebus_bus_info *infos, size_t count);

void picker_draw(struct picker *picker, const struct overlay *overlay, struct box area);

/* Moves the choice by a number of entries. */
void picker_move(struct picker *picker, int by);

/* Chooses the entry at a point of the window. False: no entry is there. */
bool picker_point(struct picker *picker, double x, double y);

void picker_finish(struct picker *picker);

#endif
