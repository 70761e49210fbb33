/* SPDX-License-Identifier: MIT */
/* How a camera is set, and what its pictures are then, in the words of a bus. */
#ifndef SETTING_H
#define SETTING_H

#include "camera/offer.h"
#include "cli/values.h"
#include "framebus.h"

#include <linux/videodev2.h>

/* What was asked for; NULL and 0: as the camera is set. */
struct setting_wish {
    const char *format;
    struct value_pair size, rate;
};

struct setting {
    const struct pixel_format *pixels;
    struct framebus_format format; /* of the pictures */
    char caps[160];
    uint32_t frame_flags; /* of each picture */
    int64_t duration_ns;  /* of each picture; 0: the driver does not say */
    /* A frame is so many pieces of memory, one after the other; with most cameras it is one. */
    unsigned pieces;
    uint64_t offset[VIDEO_MAX_PLANES], size[VIDEO_MAX_PLANES];
};

/* Sets the camera as wished. -EINVAL: it cannot do that, and the reason says what it can. */
int setting_make(struct setting *setting, const struct device *device, const struct setting_wish *wish);

#endif
