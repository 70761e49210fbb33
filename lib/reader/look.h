/* SPDX-License-Identifier: MIT */
/* Looking for a frame without sleeping: for a moment, or about the time when one is due (anticipate.h). */
#ifndef FRAMEBUS_READER_LOOK_H
#define FRAMEBUS_READER_LOOK_H

#include "reader/reader.h"

/* A reader looks this long after a wait that was brief, or as long as its spin_ns says. True: there may be
 * something to take. */
bool look_briefly(const struct framebus_reader *rd, int64_t began, int64_t timeout);

/* Is there a moment to wake before the next frame? */
bool look_plan(struct framebus_reader *rd, struct anticipate_plan *plan);

/*
 * S3 with such a plan, and then the look: with S1 done, sleeps until plan->wake on the bell, takes S1 back
 * (S4) and looks. As attach_wait(); 0 if it looked, whatever came of it. A plan for now only looks.
 */
int look_ahead(struct framebus_reader *rd, const struct anticipate_plan *plan, int64_t deadline);

#endif
