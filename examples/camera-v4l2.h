/* SPDX-License-Identifier: MIT */
/* A V4L2 camera: what it can do, how it is set, its buffers. Nothing here knows of a bus. */
#ifndef CAMERA_V4L2_H
#define CAMERA_V4L2_H

#include <framebus.h>
#include <linux/videodev2.h>

/* What was asked for; NULL and 0: as the camera is set. */
struct camera_wish {
    const char *format;
    unsigned width, height, fps;
};

struct camera {
    const char *path;
    int fd;
    uint32_t type;   /* V4L2_BUF_TYPE_VIDEO_CAPTURE or ..._MPLANE */
    uint32_t memory; /* V4L2_MEMORY_* of its buffers */
    const struct pixel_format *pixels;
    struct framebus_format format; /* of its pictures */
    char caps[160];
    uint32_t frame_flags; /* of each */
    int64_t duration_ns;
    /* A picture is in so many pieces of memory, which one after the other are the frame. Most cameras: one.
     */
    unsigned pieces;
    uint64_t offset[VIDEO_MAX_PLANES], size[VIDEO_MAX_PLANES];
};

/* A buffer that the camera has filled. */
struct camera_picture {
    unsigned index;
    uint64_t size;      /* bytes in the first piece */
    int64_t capture_ns; /* 0: the driver does not say */
    uint32_t sequence;
    bool damaged;
};

/* All return 0 or -errno; then this is a sentence about it, until the next failure. */
const char *camera_error(void);
int camera_fail(int error, const char *what, ...) FRAMEBUS_PRINTF(2, 3);

/* Prints what this device can do, or all of them. -ENODEV: there is none. */
int camera_list(const char *path);

/* Opens a camera and sets it as wished. -EINVAL: it cannot do that, and the sentence says what it can. To be
 * closed in any case. */
int camera_open(struct camera *camera, const char *path, const struct camera_wish *wish);

/* Pictures stop, and nobody writes to the memory that was queued any more. */
void camera_close(struct camera *camera);

/* Asks for *count buffers; changes it to what there is. */
int camera_request(struct camera *camera, enum v4l2_memory memory, unsigned *count);

/* Gives the camera a buffer to fill: `base` is where a frame is to be (USERPTR), `fd` a DMA-BUF of one
 * (DMABUF). */
int camera_queue(const struct camera *camera, unsigned index, void *base, int fd);

/* The camera's own memory (MMAP): one piece of a buffer, mapped; and as a DMA-BUF. */
int camera_map(const struct camera *camera, unsigned index, unsigned piece, void **map);
int camera_export(const struct camera *camera, unsigned index, unsigned piece, int *fd);

int camera_start(const struct camera *camera);

/* The next picture. -EAGAIN: there is none. -ENODEV, -EIO: the camera is gone. */
int camera_take(const struct camera *camera, struct camera_picture *picture);

#endif
