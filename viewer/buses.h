/* SPDX-License-Identifier: MIT */
/* The buses that are shown: those named, or the one that is picked from a list. */
#ifndef VIEWER_BUSES_H
#define VIEWER_BUSES_H

#include "viewer.h"

/* Attaches to the buses of the command line. False: the reason is reported. */
bool buses_open(struct viewer *viewer);

/* Detaches from all of them. */
void buses_close(struct viewer *viewer);

/* Inquires about the buses that the screen has something to say of; an answer comes as an event. */
void buses_inquire(struct viewer *viewer);

/* Receives the answer, after that event. */
void buses_receive(struct viewer *viewer);

/* Shows a bus that has been picked. */
void buses_pick(struct viewer *viewer, const char *name);

/* Goes back to picking, if the viewer began with it. */
void buses_unpick(struct viewer *viewer);

#endif
