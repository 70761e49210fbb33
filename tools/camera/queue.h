/* SPDX-License-Identifier: MIT */
/* The buffers of a V4L2 device: given to the driver empty, taken back with a picture. */
#ifndef QUEUE_H
#define QUEUE_H

#include "camera/setting.h"

struct queue {
    const struct device *device;
    const struct setting *setting;
    enum v4l2_memory memory;
};

/* A buffer with a picture. */
struct queue_picture {
    unsigned index;
    uint64_t size;      /* in bytes, of the first piece */
    int64_t capture_ns; /* 0: the driver does not say */
    uint32_t sequence;
    bool damaged;
};

/* All return 0 or -errno; then the device's reason says why. */

/* Asks for *count buffers, and changes it to how many there are. -ENOTSUP: not with memory of this kind. */
int queue_request(const struct queue *queue, unsigned *count);

/* Gives the driver a buffer to fill: at `base` (V4L2_MEMORY_USERPTR) or in DMA-BUF `fd` (V4L2_MEMORY_DMABUF).
 */
int queue_put(const struct queue *queue, unsigned index, void *base, int fd);

/* The driver's own memory (V4L2_MEMORY_MMAP): a piece of a buffer, mapped, and as a DMA-BUF. */
int queue_map(const struct queue *queue, unsigned index, unsigned piece, void **map);
int queue_export(const struct queue *queue, unsigned index, unsigned piece, int *fd);

int queue_start(const struct queue *queue);

/* The next picture. -EAGAIN: there is none. -ENODEV, -EIO: the camera is gone. */
int queue_take(const struct queue *queue, struct queue_picture *picture);

#endif
