/* SPDX-License-Identifier: MIT */
/* A camera that publishes on a bus, from when it is plugged in until it is unplugged and all frames in its
 * own buffers came back. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "camera/method.h"
#include "camera/setting.h"

struct capture_counts {
    unsigned long captured, published, copied, damaged, lost;
};

struct capture;

/* All return 0 or -errno, and leave the reason where capture_open() was told to: DEVICE_REASON_ROOM bytes. */

/* Opens and sets a camera. NULL is stored when it fails. */
int capture_open(struct capture **capture, const char *path, const struct setting_wish *wish, char *reason);

/* Has the driver make buffers for this method. -ENOTSUP: it cannot. */
int capture_request(struct capture *capture, const struct method *method);

const struct framebus_format *capture_format(const struct capture *capture);

/* Gives the driver its buffers and lets it run, for a bus of that format. */
int capture_start(struct capture *capture, struct framebus_writer *writer, struct capture_counts *counts);

/* For poll: a picture is there when it is readable. */
int capture_fd(const struct capture *capture);

/* What went wrong with buffers that readers gave back since; 0: nothing. */
int capture_error(const struct capture *capture);

/* Publishes one picture, and gives the driver another buffer for it. -EAGAIN: there is none. -ENODEV, -EIO:
 * the camera is gone. */
int capture_step(struct capture *capture);

/* Nothing writes into slots any more. Memory stays until the last of the camera's own buffers came back. */
void capture_close(struct capture *capture);

#endif
