/* SPDX-License-Identifier: MIT */
/* What is drawn in the window, and its title. */
#ifndef VIEWER_SHOW_H
#define VIEWER_SHOW_H

#include "viewer.h"

/* Draws everything, without presenting it. */
void show_draw(struct viewer *viewer);

/* Writes the command that shows what the viewer cannot. Returns text. */
char *show_command(const struct view *view, char *text, size_t room);

/* Sets the window's title: the name of the bus, and its state unless it is live. */
void show_caption(struct viewer *viewer);

#endif
