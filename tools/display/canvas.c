/* SPDX-License-Identifier: MIT */
#include "display/canvas.h"
#include "cli/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- A frame's own memory ---- */

/* As the card knows it. */
struct import {
    int card;
    uint32_t fb;
};

static void import_free(void *pointer)
{
    struct import *import = pointer;
    if (import->fb)
        drmModeRmFB(import->card, import->fb);
    free(import);
}

static uint32_t import_make_fb(int card, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    uint32_t handle[4] = {0}, stride[4] = {0}, offset[4] = {0};
    uint64_t modifier[4] = {0};
    struct framebus_dmabuf dmabuf;
    uint32_t fb = 0;
    if (framebus_frame_dmabuf(frame, &dmabuf) < 0)
        return 0;
    for (uint32_t p = 0; p < format->planes; p++) {
        if (drmPrimeFDToHandle(card, dmabuf.plane[p].fd, &handle[p]) != 0)
            break;
        stride[p] = dmabuf.plane[p].stride;
        offset[p] = (uint32_t)dmabuf.plane[p].offset;
        modifier[p] = format->modifier;
    }
    if (handle[format->planes - 1] &&
        drmModeAddFB2WithModifiers(card, format->width, format->height, format->fourcc, handle, stride,
                                   offset, modifier, &fb, format->modifier ? DRM_MODE_FB_MODIFIERS : 0) != 0)
        fb = 0;
    for (uint32_t p = 0; p < 4; p++) /* the framebuffer keeps them; planes may share one */
        if (handle[p] && (p == 0 || handle[p] != handle[p - 1]))
            drmCloseBufferHandle(card, handle[p]);
    return fb;
}

uint32_t canvas_import(struct canvas *canvas, struct framebus_frame *frame)
{
    struct import *import = framebus_frame_get_user(frame);
    if (!import) {
        import = malloc(sizeof *import);
        if (!import || framebus_frame_set_user(frame, import, import_free) < 0)
            report_out_of_memory();
        import->card = canvas->screen->card;
        import->fb = import_make_fb(import->card, frame);
    }
    return import->fb;
}

/* ---- Copies ---- */

static bool canvas_make_buffer(struct canvas *canvas, struct canvas_buffer *buffer, uint32_t fourcc)
{
    const drmModeModeInfo *mode = &canvas->screen->mode;
    int card = canvas->screen->card;
    uint32_t handles[4] = {0}, strides[4] = {0}, offsets[4] = {0};
    uint64_t offset;
    const char *what = "make a buffer for the screen";
    if (drmModeCreateDumbBuffer(card, mode->hdisplay, mode->vdisplay, 32, 0, &buffer->handle, &buffer->stride,
                                &buffer->size) == 0) {
        handles[0] = buffer->handle;
        strides[0] = buffer->stride;
        what = "show that format on the screen";
        if (drmModeAddFB2(card, mode->hdisplay, mode->vdisplay, fourcc, handles, strides, offsets,
                          &buffer->fb, 0) == 0 &&
            drmModeMapDumbBuffer(card, buffer->handle, &offset) == 0) {
            what = "map a buffer for the screen";
            buffer->data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, card, (off_t)offset);
            if (buffer->data != MAP_FAILED)
                return true;
            buffer->data = NULL;
        }
    }
    report_error("cannot %s: %s", what, strerror(errno));
    return false;
}

uint32_t canvas_copy(struct canvas *canvas, const struct framebus_frame *frame)
{
    const drmModeModeInfo *mode = &canvas->screen->mode;
    struct canvas_buffer *buffer = &canvas->buffers[canvas->next];
    uint32_t row = framebus_format_row_bytes(frame->format, 0), rows = frame->format->height;
    if (!frame->plane[0].data) {
        report_error("frames in memory that a processor cannot read are not copied: leave out --copy");
        return 0;
    }
    if (!buffer->fb && !canvas_make_buffer(canvas, buffer, frame->format->fourcc))
        return 0;
    if (row > mode->hdisplay * 4u)
        row = mode->hdisplay * 4u;
    if (rows > mode->vdisplay)
        rows = mode->vdisplay;
    framebus_frame_begin_access(frame, false);
    for (uint32_t y = 0; y < rows; y++)
        memcpy(buffer->data + y * buffer->stride,
               (const uint8_t *)frame->plane[0].data + (size_t)y * frame->plane[0].stride, row);
    framebus_frame_end_access(frame, false);
    canvas->next = !canvas->next;
    return buffer->fb;
}

/* ---- Freeing ---- */

void canvas_free_buffers(struct canvas *canvas)
{
    int card = canvas->screen->card;
    for (int i = 0; i < 2; i++) {
        struct canvas_buffer *buffer = &canvas->buffers[i];
        if (buffer->fb)
            drmModeRmFB(card, buffer->fb);
        if (buffer->data)
            munmap(buffer->data, buffer->size);
        if (buffer->handle)
            drmModeDestroyDumbBuffer(card, buffer->handle);
        *buffer = (struct canvas_buffer){0};
    }
}
