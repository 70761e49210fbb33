/* SPDX-License-Identifier: MIT */
/*
 * publish-from-card BUS CARD [tight]: publishes one picture, again and again, in buffers of a graphics card,
 * as a camera or a decoder does. tight: the last row ends with its last pixel and not with its stride; to
 * Mesa's software drivers before 26 such a buffer is too small to be imported.
 */
#include <drm_fourcc.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "framebus.h"

#define WIDTH   320
#define HEIGHT  240
#define STRIDE  8192
#define BUFFERS 3
#define PAGE    4096

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

/* A buffer of the card's with the picture in it; no two pixels near each other are alike. */
static int make_buffer(int card, const struct framebus_format *format, struct framebus_part *part)
{
    uint32_t handle, stride, pages = (uint32_t)((format->size + PAGE - 1) / PAGE);
    uint64_t size, offset;

    if (drmModeCreateDumbBuffer(card, PAGE / 4, pages, 32, 0, &handle, &stride, &size) || stride != PAGE ||
        drmPrimeHandleToFD(card, handle, DRM_CLOEXEC | DRM_RDWR, &part->fd) ||
        drmModeMapDumbBuffer(card, handle, &offset))
        return -1;
    part->offset = 0;
    part->size = size;
    uint8_t *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, card, (off_t)offset);
    if (bytes == MAP_FAILED)
        return -1;
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            const uint8_t pixel[4] = {(uint8_t)x, (uint8_t)y, (uint8_t)(x * y), 0};
            memcpy(bytes + (size_t)y * STRIDE + 4 * x, pixel, sizeof(pixel));
        }
    }
    return munmap(bytes, size);
}

static void take_back(void *at_home)
{
    *(bool *)at_home = true;
}

static int publish(struct framebus_writer *writer, struct framebus_import *buffer)
{
    struct framebus_frame *frame;
    int r = framebus_writer_begin_import(writer, buffer, &frame);

    if (r)
        return r;
    r = framebus_writer_publish(writer, frame);
    framebus_writer_release(writer, frame);
    return r;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = stop};
    struct framebus_writer *writer = NULL;
    struct framebus_import *buffer[BUFFERS] = {NULL};
    bool at_home[BUFFERS];
    struct framebus_format format;
    int card = argc > 2 ? open(argv[2], O_RDWR | O_CLOEXEC) : -1, r = 0;

    if (card < 0)
        return fprintf(stderr, "publish-from-card: no card\n"), 2;
    drmDropMaster(card); /* the viewer has to be it */
    sigaction(SIGTERM, &action, NULL);
    framebus_format_init(&format, DRM_FORMAT_XRGB8888, WIDTH, HEIGHT);
    format.stride[0] = STRIDE;
    format.size = argc > 3 ? STRIDE * (HEIGHT - 1) + WIDTH * 4 : STRIDE * HEIGHT;
    r = framebus_writer_open(&writer, argv[1], &format, &(struct framebus_writer_options){.history = 1});
    for (int i = 0; i < BUFFERS && !r; i++) {
        struct framebus_part part;
        r = make_buffer(card, &format, &part);
        if (r)
            perror("publish-from-card: a buffer of the card");
        else
            r = framebus_import_create(&buffer[i], writer, &part, 1, take_back, &at_home[i]);
        at_home[i] = true;
    }
    for (unsigned n = 0; !r && !stopped; n++) {
        struct pollfd wait = {.fd = framebus_writer_fd(writer), .events = POLLIN};
        if (at_home[n % BUFFERS]) {
            at_home[n % BUFFERS] = false;
            r = publish(writer, buffer[n % BUFFERS]);
        }
        poll(&wait, 1, 100);
        framebus_writer_dispatch(writer);
    }
    if (r)
        fprintf(stderr, "publish-from-card: %s\n", framebus_last_error());
    framebus_writer_close(writer);
    return r ? 1 : 0;
}
