/* SPDX-License-Identifier: MIT */
/*
 * Questions about buses that do not keep the window waiting: a writer may take seconds to answer, or never
 * do. So a thread asks, once a second and whenever a monitor tells that something has changed, and pushes an
 * event when it has the answer.
 */
#ifndef VIEWER_INQUIRY_H
#define VIEWER_INQUIRY_H

#include "framebus.h"
#include "wake.h"

#include <stdbool.h>
#include <stddef.h>

struct inquiry;

/* NULL: there is no memory, or no thread can be started. */
struct inquiry *inquiry_create(struct wake *wake);
void inquiry_destroy(struct inquiry *inquiry);

/* Sets the question from now on: about one bus, about every bus (""), or none (NULL). */
void inquiry_set(struct inquiry *inquiry, const char *name);

/* Hands over the newest answer, to be freed by framebus_info_free(). False: there is no new one. */
bool inquiry_collect(struct inquiry *inquiry, struct framebus_bus_info **infos, size_t *count);

#endif
