/* SPDX-License-Identifier: MIT */
/* The loop of the viewer. */
#ifndef VIEWER_LOOP_H
#define VIEWER_LOOP_H

#include "options.h"

/* Opens buses and window and runs until something ends it. Returns the exit status. */
int loop_run(const struct options *options);

#endif
