/* SPDX-License-Identifier: MIT */
#include "camera/queue.h"
#include "cli/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static bool queue_is_multiplanar(const struct queue *queue)
{
    return queue->device->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
}

/* A buffer, single-planar, or with its pieces in planes. */
static struct v4l2_buffer queue_buffer(const struct queue *queue, unsigned index, struct v4l2_plane *planes)
{
    struct v4l2_buffer b = {.index = index, .type = queue->device->type, .memory = queue->memory};
    if (queue_is_multiplanar(queue)) {
        b.m.planes = planes;
        b.length = queue->setting->pieces;
    }
    return b;
}

int queue_request(const struct queue *queue, unsigned *count)
{
    const struct device *device = queue->device;
    struct v4l2_requestbuffers request = {.count = *count, .type = device->type, .memory = queue->memory};
    if (device_call(device, VIDIOC_REQBUFS, &request) < 0)
        return errno == EINVAL ? device_fail(device, -ENOTSUP, "%s: its driver cannot do that", device->path)
                               : device_fail_errno(device, "get buffers");
    *count = request.count;
    return 0;
}

int queue_put(const struct queue *queue, unsigned index, void *base, int fd)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer b = queue_buffer(queue, index, planes);
    for (unsigned i = 0; i < queue->setting->pieces; i++) {
        planes[i].length = (uint32_t)queue->setting->size[i];
        if (queue->memory == V4L2_MEMORY_USERPTR)
            planes[i].m.userptr = (unsigned long)base + queue->setting->offset[i];
        else if (queue->memory == V4L2_MEMORY_DMABUF)
            planes[i].m.fd = fd;
    }
    if (!queue_is_multiplanar(queue)) {
        b.length = planes[0].length;
        if (queue->memory == V4L2_MEMORY_USERPTR)
            b.m.userptr = planes[0].m.userptr;
        else
            b.m.fd = planes[0].m.fd;
    }
    return device_call(queue->device, VIDIOC_QBUF, &b) < 0
               ? device_fail_errno(queue->device, "give it a buffer")
               : 0;
}

int queue_map(const struct queue *queue, unsigned index, unsigned piece, void **map)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer b = queue_buffer(queue, index, planes);
    if (device_call(queue->device, VIDIOC_QUERYBUF, &b) < 0)
        return device_fail_errno(queue->device, "ask for a buffer");
    *map = mmap(NULL, queue->setting->size[piece], PROT_READ, MAP_SHARED, queue->device->fd,
                queue_is_multiplanar(queue) ? planes[piece].m.mem_offset : b.m.offset);
    if (*map != MAP_FAILED)
        return 0;
    *map = NULL;
    return device_fail_errno(queue->device, "map a buffer");
}

int queue_export(const struct queue *queue, unsigned index, unsigned piece, int *fd)
{
    const struct device *device = queue->device;
    struct v4l2_exportbuffer e = {
        .type = device->type, .index = index, .plane = piece, .flags = O_RDWR | O_CLOEXEC};
    if (device_call(device, VIDIOC_EXPBUF, &e) < 0)
        return errno == ENOTTY
                   ? device_fail(device, -ENOTSUP, "%s: its driver exports no DMA-BUFs", device->path)
                   : device_fail_errno(device, "export a buffer as a DMA-BUF");
    *fd = e.fd;
    return 0;
}

int queue_start(const struct queue *queue)
{
    uint32_t type = queue->device->type;
    return device_call(queue->device, VIDIOC_STREAMON, &type) < 0
               ? device_fail_errno(queue->device, "start it")
               : 0;
}

int queue_take(const struct queue *queue, struct queue_picture *picture)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer b = queue_buffer(queue, 0, planes);
    if (device_call(queue->device, VIDIOC_DQBUF, &b) < 0)
        return errno == EAGAIN ? -EAGAIN : device_fail_errno(queue->device, "take a picture");
    *picture = (struct queue_picture){
        .index = b.index,
        .size = queue_is_multiplanar(queue) ? planes[0].bytesused : b.bytesused,
        .sequence = b.sequence,
        .damaged = b.flags & V4L2_BUF_FLAG_ERROR,
    };
    if ((b.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        picture->capture_ns = b.timestamp.tv_sec * NS_PER_S + b.timestamp.tv_usec * INT64_C(1000);
    return 0;
}
