/* SPDX-License-Identifier: MIT */
/* What a camera offers: pixel formats that a bus knows as well, sizes and rates. */
#ifndef OFFER_H
#define OFFER_H

#include "camera/device.h"

#include <stdbool.h>

struct pixel_format {
    uint32_t v4l2;
    const char *name;
    const char *caps; /* of payloads that are not raw pictures; NULL: it is one */
};

/* The first one offered after `last` (NULL: of all) that has another name; NULL: there are no more. */
const struct pixel_format *offer_next(const struct device *device, const struct pixel_format *last);

/* The one of this name, which is framebus's or V4L2's; NULL: it is not offered. */
const struct pixel_format *offer_find(const struct device *device, const char *name);

/* Print sizes, or the rates of one size, each after a blank, all after `head`; false: nothing, since the
 * driver lists none. */
bool offer_print_sizes(FILE *file, const struct device *device, const struct pixel_format *pixels,
                       const char *head);
bool offer_print_rates(FILE *file, const struct device *device, const struct pixel_format *pixels,
                       uint32_t width, uint32_t height, const char *head);

/* Prints all that this device offers, or every camera of this machine if path is NULL. Returns an exit status
 * once the reason is reported. */
int offer_list(const char *path);

#endif
