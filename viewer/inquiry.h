/* SPDX-License-Identifier: MIT */
/*
 * Asking about buses without keeping the window waiting: writers that do not answer take their
 * time, so a thread asks, once a second, and pushes an event when it knows.
 */
#ifndef VIEWER_INQUIRY_H
#define VIEWER_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>

#include "framebus.h"
#include "wake.h"

struct inquiry;

/** NULL: not enough memory or threads. */
struct inquiry *inquiry_create(struct wake *wake);
void inquiry_destroy(struct inquiry *inquiry);

/** What to ask about from now on: one bus, every bus (""), or nothing (NULL). */
void inquiry_set(struct inquiry *inquiry, const char *name);

/** Hands over the newest answer, to be freed by framebus_info_free(). False: nothing new. */
bool inquiry_take(struct inquiry *inquiry, struct framebus_bus_info **infos, size_t *count);

#endif
