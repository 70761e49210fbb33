/* SPDX-License-Identifier: MIT */
/* A V4L2 device that captures video: opened, asked, and a sentence about what went wrong with it. */
#ifndef DEVICE_H
#define DEVICE_H

#include <stdint.h>
#include <stdio.h>

#include "cli/report.h"

#define DEVICE_REASON_ROOM 2048

struct device {
    const char *path;
    int fd;        /* -1: closed */
    uint32_t type; /* of its buffers: V4L2_BUF_TYPE_VIDEO_CAPTURE or ..._MPLANE; 0: it is not a camera */
    char card[33]; /* what the driver calls it */
    char *reason;  /* what the last failure was; DEVICE_REASON_ROOM bytes of the caller's */
};

/* Keeps `path` and `reason`. Returns 0 or -errno; then device->reason says why. To be closed in any case. */
int device_open(struct device *device, const char *path, char *reason);
void device_close(struct device *device);

/* ioctl, through signals: -1 and errno. */
int device_call(const struct device *device, unsigned long request, void *argument);

/* Writes the reason, and returns `error`. */
int device_fail(const struct device *device, int error, const char *text, ...) REPORT_PRINTF(3, 4);

/* The reason is that it cannot do `what` because of errno; returns -errno. */
int device_fail_errno(const struct device *device, const char *what);

/* To write a reason piece by piece; ended by fclose. NULL: out of memory. */
FILE *device_explain(const struct device *device);

#endif
