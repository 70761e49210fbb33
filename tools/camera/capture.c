/* SPDX-License-Identifier: MIT */
#include "camera/capture.h"
#include "again.h"
#include "camera/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPARE 2 /* the driver has fewer of its own buffers than that: readers hold too many, copy */

/* A buffer of the driver. */
struct buffer {
    struct capture *capture;
    unsigned index;
    struct framebus_frame *frame;     /* METHOD_INTO_SLOTS: a slot lent to us, and by us to the driver */
    struct framebus_import *imported; /* METHOD_OWN_BUFFERS: what the bus knows it as */
    void *map[VIDEO_MAX_PLANES];      /* METHOD_OWN_BUFFERS, METHOD_COPY: the driver's memory */
};

struct capture {
    struct device device;
    struct setting setting;
    struct queue queue;
    const struct method *method;
    struct framebus_writer *writer;
    struct capture_counts *counts;
    struct buffer buffers[VIDEO_MAX_FRAME];
    unsigned count;  /* of buffers */
    unsigned refs;   /* the caller's, and one of each of the camera's own buffers on the bus */
    unsigned queued; /* buffers with the driver */
    uint32_t next;   /* sequence number that the driver should give to the next picture, ... */
    bool runs;       /* ... unless it is the first one */
    bool ended;
    int error; /* of giving back to the driver a buffer that readers had */
};

static void capture_unref(struct capture *capture)
{
    if (--capture->refs == 0)
        free(capture);
}

static int capture_fail_bus(const struct capture *capture, int error)
{
    return device_fail(&capture->device, error, "%s", framebus_last_error());
}

/* ---- Buffers ---- */

static int buffer_queue(struct buffer *buffer, void *base, int fd)
{
    struct capture *capture = buffer->capture;
    int r = queue_put(&capture->queue, buffer->index, base, fd);
    capture->queued += r == 0;
    return r;
}

/* Nobody reads one of the camera's own buffers any more. Called by the library. */
static void buffer_returned(void *user)
{
    struct buffer *buffer = user;
    struct capture *capture = buffer->capture;
    int r = capture->ended ? 0 : buffer_queue(buffer, NULL, -1);
    if (r < 0)
        capture->error = r;
    capture_unref(capture);
}

/* Registers one of the camera's own buffers with the bus. */
static int buffer_import(struct buffer *buffer)
{
    struct capture *capture = buffer->capture;
    const struct setting *setting = &capture->setting;
    struct framebus_part parts[FRAMEBUS_PLANES_MAX] = {0};
    unsigned n;
    int r = 0;
    for (n = 0; n < setting->pieces && r == 0; n++) {
        r = queue_export(&capture->queue, buffer->index, n, &parts[n].fd);
        if (r == 0)
            parts[n].size =
                n + 1 < setting->pieces ? setting->offset[n + 1] - setting->offset[n] : setting->size[n];
        else
            parts[n].fd = -1;
    }
    if (r == 0 &&
        framebus_import_create(&buffer->imported, capture->writer, parts, n, buffer_returned, buffer) < 0)
        r = capture_fail_bus(capture, -ENOTSUP);
    while (n-- > 0)
        if (parts[n].fd >= 0)
            close(parts[n].fd);
    return r;
}

/* Gives the driver one of its own buffers for the first time. */
static int buffer_prepare(struct buffer *buffer)
{
    struct capture *capture = buffer->capture;
    int r = 0;
    for (unsigned piece = 0; piece < capture->setting.pieces && r == 0; piece++)
        r = queue_map(&capture->queue, buffer->index, piece, &buffer->map[piece]);
    if (r == 0 && capture->method->kind == METHOD_OWN_BUFFERS)
        r = buffer_import(buffer);
    return r ? r : buffer_queue(buffer, NULL, -1);
}

/* Lends the driver a slot. A slot has always the same buffer of the driver, which so gets to know it once. */
static int capture_lend(struct capture *capture)
{
    struct framebus_frame *frame;
    struct framebus_dmabuf dmabuf = {0};
    int r = writer_begin_again(capture->writer, 0, &frame);
    if (r == 0 && capture->method->memory == V4L2_MEMORY_DMABUF)
        r = framebus_frame_dmabuf(frame, &dmabuf);
    if (!frame || r < 0) {
        framebus_writer_release(capture->writer, frame);
        return capture_fail_bus(capture, r);
    }
    if (frame->slot >= capture->count) {
        framebus_writer_release(capture->writer, frame);
        return device_fail(&capture->device, -ENOTSUP, "%s: its driver takes %u buffers only",
                           capture->device.path, capture->count);
    }
    capture->buffers[frame->slot].frame = frame;
    return buffer_queue(&capture->buffers[frame->slot], frame->data, dmabuf.part[0].fd);
}

/* ---- From plugging in to unplugging ---- */

int capture_open(struct capture **out, const char *path, const struct setting_wish *wish, char *reason)
{
    struct capture *capture = *out = calloc(1, sizeof *capture);
    if (!capture) {
        snprintf(reason, DEVICE_REASON_ROOM, "out of memory");
        return -ENOMEM;
    }
    capture->refs = 1;
    for (unsigned i = 0; i < VIDEO_MAX_FRAME; i++)
        capture->buffers[i] = (struct buffer){.capture = capture, .index = i};
    int r = device_open(&capture->device, path, reason);
    if (r == 0)
        r = setting_make(&capture->setting, &capture->device, wish);
    if (r < 0) {
        capture_close(capture);
        *out = NULL;
    }
    return r;
}

int capture_request(struct capture *capture, const struct method *method)
{
    unsigned count = method->buffers;
    if (method->memory == V4L2_MEMORY_DMABUF && capture->setting.pieces > 1)
        return device_fail(&capture->device, -ENOTSUP, "%s: planes have memory of their own",
                           capture->device.path);
    capture->method = method;
    capture->queue = (struct queue){&capture->device, &capture->setting, method->memory};
    int r = queue_request(&capture->queue, &count);
    capture->count = count < VIDEO_MAX_FRAME ? count : VIDEO_MAX_FRAME;
    return r;
}

const struct framebus_format *capture_format(const struct capture *capture)
{
    return &capture->setting.format;
}

int capture_start(struct capture *capture, struct framebus_writer *writer, struct capture_counts *counts)
{
    bool slots = capture->method->kind == METHOD_INTO_SLOTS;
    int r = 0;
    capture->writer = writer;
    capture->counts = counts;
    for (unsigned i = 0; r == 0 && i < (slots ? METHOD_QUEUED : capture->count); i++)
        r = slots ? capture_lend(capture) : buffer_prepare(&capture->buffers[i]);
    return r ? r : queue_start(&capture->queue);
}

int capture_fd(const struct capture *capture)
{
    return capture->device.fd;
}

int capture_error(const struct capture *capture)
{
    return capture->error;
}

void capture_close(struct capture *capture)
{
    if (!capture)
        return;
    capture->ended = true;
    for (unsigned i = 0; i < VIDEO_MAX_FRAME; i++)
        for (unsigned piece = 0; piece < VIDEO_MAX_PLANES; piece++)
            if (capture->buffers[i].map[piece])
                munmap(capture->buffers[i].map[piece], capture->setting.size[piece]);
    device_close(&capture->device); /* first: it must not write into a slot that is no longer lent */
    for (unsigned i = 0; i < VIDEO_MAX_FRAME; i++) {
        if (capture->buffers[i].frame)
            framebus_writer_release(capture->writer, capture->buffers[i].frame);
        framebus_import_destroy(capture->buffers[i].imported);
    }
    capture_unref(capture);
}

/* ---- Pictures ---- */

/* Stores a frame, not yet published, of the picture in this buffer. */
static int capture_begin(struct capture *capture, struct buffer *buffer, uint64_t size,
                         struct framebus_frame **frame)
{
    const struct setting *setting = &capture->setting;
    int r;
    if (capture->method->kind == METHOD_INTO_SLOTS) {
        *frame = buffer->frame;
        buffer->frame = NULL;
        return 0;
    }
    if (capture->method->kind == METHOD_OWN_BUFFERS && capture->queued >= SPARE) {
        r = framebus_writer_begin_import(capture->writer, buffer->imported, frame);
        capture->refs += r == 0;
        return r < 0 ? capture_fail_bus(capture, r) : 0;
    }
    r = writer_begin_again(capture->writer, setting->format.fourcc ? setting->format.size : size, frame);
    if (r < 0)
        return capture_fail_bus(capture, r);
    for (unsigned i = 0; i < setting->pieces; i++)
        memcpy((uint8_t *)(*frame)->data + setting->offset[i], buffer->map[i], i ? setting->size[i] : size);
    capture->counts->copied++;
    return buffer_queue(buffer, NULL, -1);
}

static int capture_publish(struct capture *capture, struct buffer *buffer,
                           const struct queue_picture *picture, bool lost)
{
    struct framebus_frame *frame = NULL;
    int r = capture_begin(capture, buffer, picture->size, &frame);
    if (r == 0) {
        if (!capture->setting.format.fourcc)
            frame->size = picture->size;
        frame->capture_ns = picture->capture_ns;
        frame->duration_ns = capture->setting.duration_ns;
        frame->flags = capture->setting.frame_flags;
        if (lost)
            frame->flags |= FRAMEBUS_FRAME_DISCONT;
        r = framebus_writer_publish(capture->writer, frame);
        if (r < 0)
            capture_fail_bus(capture, r);
        else
            capture->counts->published++;
    }
    framebus_writer_release(capture->writer, frame);
    return r;
}

/* Counts a picture, and those that are missing before it, whose number it returns. */
static uint32_t capture_count(struct capture *capture, const struct queue_picture *picture)
{
    uint32_t lost = picture->sequence - capture->next;
    if (!capture->runs || lost > INT32_MAX) /* some drivers count backwards at times */
        lost = 0;
    capture->runs = true;
    capture->next = picture->sequence + 1;
    capture->queued--;
    capture->counts->captured++;
    capture->counts->lost += lost;
    return lost;
}

/* The picture in this buffer is left out. */
static int capture_discard(struct capture *capture, struct buffer *buffer)
{
    capture->counts->damaged++;
    framebus_writer_release(capture->writer, buffer->frame);
    buffer->frame = NULL;
    return capture->method->kind == METHOD_INTO_SLOTS ? 0 : buffer_queue(buffer, NULL, -1);
}

int capture_step(struct capture *capture)
{
    struct queue_picture picture;
    int r = queue_take(&capture->queue, &picture);
    if (r < 0)
        return r;
    struct buffer *buffer = &capture->buffers[picture.index];
    uint32_t lost = capture_count(capture, &picture);
    if (picture.damaged || !picture.size || picture.size > capture->setting.size[0])
        r = capture_discard(capture, buffer);
    else
        r = capture_publish(capture, buffer, &picture, lost);
    return r == 0 && capture->method->kind == METHOD_INTO_SLOTS ? capture_lend(capture) : r;
}
