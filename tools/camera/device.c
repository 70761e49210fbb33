/* SPDX-License-Identifier: MIT */
#include "camera/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

FILE *device_explain(const struct device *device)
{
    memset(device->reason, 0, DEVICE_REASON_ROOM);
    return fmemopen(device->reason, DEVICE_REASON_ROOM - 1, "w");
}

int device_fail(const struct device *device, int error, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    vsnprintf(device->reason, DEVICE_REASON_ROOM, text, arguments);
    va_end(arguments);
    return error;
}

int device_fail_errno(const struct device *device, const char *what)
{
    int error = errno;
    const char *path = device->path;
    switch (error) {
    case ENOENT:
        return device_fail(device, -error,
                           "%s: cannot %s: there is no such file; 'framebus camera --list' shows the cameras",
                           path, what);
    case ENODEV:
    case ENXIO:
        return device_fail(device, -error, "%s: cannot %s: the camera is gone (unplugged?)", path, what);
    case EBUSY:
        return device_fail(device, -error,
                           "%s: cannot %s: another program is using it; 'fuser -v %s' names it", path, what,
                           path);
    case EACCES:
        return device_fail(device, -error,
                           "%s: cannot %s: no permission; after 'sudo usermod -aG video $USER' and a new "
                           "login there is",
                           path, what);
    case ENOSPC:
        return device_fail(device, -error,
                           "%s: cannot %s: no room for it on the bus it is plugged into; try a smaller "
                           "--size, fewer cameras there, or --format MJPEG",
                           path, what);
    default:
        return device_fail(device, -error, "%s: cannot %s: %s", path, what, strerror(error));
    }
}

int device_call(const struct device *device, unsigned long request, void *argument)
{
    int r;
    do
        r = ioctl(device->fd, request, argument);
    while (r < 0 && errno == EINTR);
    return r;
}

/* The kind of its buffers; 0: it cannot capture. */
static uint32_t device_type(uint32_t can)
{
    if (!(can & V4L2_CAP_STREAMING))
        return 0;
    return can & V4L2_CAP_VIDEO_CAPTURE          ? V4L2_BUF_TYPE_VIDEO_CAPTURE
           : can & V4L2_CAP_VIDEO_CAPTURE_MPLANE ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
                                                 : 0;
}

int device_open(struct device *device, const char *path, char *reason)
{
    struct v4l2_capability about = {0};
    *device = (struct device){
        .path = path,
        .reason = reason,
        .fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC),
    };
    if (device->fd < 0)
        return device_fail_errno(device, "open it");
    if (device_call(device, VIDIOC_QUERYCAP, &about) < 0)
        return errno == ENODEV
                   ? device_fail_errno(device, "ask what it is")
                   : device_fail(device, -EINVAL,
                                 "%s is not a camera: it does not speak V4L2; 'framebus camera --list' shows "
                                 "the cameras",
                                 path);
    snprintf(device->card, sizeof device->card, "%.32s", (const char *)about.card);
    device->type =
        device_type(about.capabilities & V4L2_CAP_DEVICE_CAPS ? about.device_caps : about.capabilities);
    if (device->type)
        return 0;
    return device_fail(device, -EINVAL,
                       "%s is not a camera: it does not capture video by streaming; 'framebus camera --list' "
                       "shows the cameras",
                       path);
}

void device_close(struct device *device)
{
    if (device->fd >= 0)
        close(device->fd);
    device->fd = -1;
}
