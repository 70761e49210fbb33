/* SPDX-License-Identifier: MIT */
/*
 * A frame is shown from the memory it was published in: its DMA-BUFs are imported into the display driver
 * once for each slot, and every frame is one atomic page flip. Where there is no DMA-BUF, or the driver does
 * not take it, each frame is copied once into a buffer of the card.
 */
#include "display/display.h"
#include "again.h"
#include "cli/report.h"
#include "display/canvas.h"
#include "module.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

struct display {
    const char *name; /* of the bus */
    struct screen screen;
    struct canvas canvas;
    struct framebus_reader *reader;
    struct framebus_frame *shown, *flipping; /* held while the screen reads them; NULL: a copy */
    uint32_t serial;                         /* of the format that is shown */
    bool copies;
    bool flips; /* a flip is under way */
    unsigned long count, copied;
};

static uint32_t display_copy(struct display *display, const struct framebus_frame *frame)
{
    uint32_t fb = canvas_copy(&display->canvas, frame);
    display->copied += fb != 0;
    return fb;
}

/* The first frame, or one of another format: chooses the mode, and whether to copy, by trying. Returns the
 * frame's framebuffer; 0 once the reason is reported. */
static uint32_t display_set_up(struct display *display, struct framebus_frame *frame)
{
    struct screen *screen = &display->screen;
    uint32_t fourcc = frame->format->fourcc;
    char text[128];
    bool fits = screen_choose_mode(screen, frame->format);
    uint32_t fb = fits && !display->copies ? canvas_import(&display->canvas, frame) : 0;
    framebus_format_describe(frame->format, text, sizeof text);
    canvas_free_buffers(&display->canvas);
    if (fb && screen_commit(screen, fb, DRM_MODE_ATOMIC_ALLOW_MODESET | DRM_MODE_ATOMIC_TEST_ONLY, NULL) != 0)
        fb = 0;
    if (!fb) {
        if (fourcc != DRM_FORMAT_XRGB8888 && fourcc != DRM_FORMAT_ARGB8888) {
            report_error("the screen cannot show %s, and only BGRx and BGRA are copied: show %s-bgrx, which "
                         "'gst-launch-1.0 framebussrc bus=%s ! videoconvert ! video/x-raw,format=BGRx ! "
                         "framebussink bus=%s-bgrx' makes",
                         text, display->name, display->name, display->name);
            return 0;
        }
        display->copies = true;
        fb = display_copy(display, frame);
    }
    fprintf(stderr, "showing %s at %ux%u, %s\n", text, screen->mode.hdisplay, screen->mode.vdisplay,
            display->copies ? "each frame copied once" : "in place, without a copy");
    return fb;
}

static void display_on_flip(int card, unsigned sequence, unsigned s, unsigned us, unsigned crtc, void *user)
{
    struct display *display = user;
    (void)card, (void)sequence, (void)s, (void)us, (void)crtc;
    framebus_reader_release(display->reader, display->shown);
    display->shown = display->flipping;
    display->flipping = NULL;
    display->flips = false;
}

static int display_show(struct display *display, struct framebus_frame *frame)
{
    bool changed = frame->format_serial != display->serial;
    uint32_t flags = DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT;
    uint32_t fb = changed           ? display_set_up(display, frame)
                  : display->copies ? display_copy(display, frame)
                                    : canvas_import(&display->canvas, frame);
    display->serial = frame->format_serial;
    if (changed)
        flags |= DRM_MODE_ATOMIC_ALLOW_MODESET;
    if (!fb || screen_commit(&display->screen, fb, flags, display) != 0) {
        if (fb)
            report_error("cannot show a frame: %s", strerror(errno));
        framebus_reader_release(display->reader, frame);
        return -1;
    }
    display->flips = true;
    display->count++;
    if (display->copies)
        framebus_reader_release(display->reader, frame);
    else
        display->flipping = frame;
    return 0;
}

/* Shows one frame, if there is one; 1: there was none. -EPIPE: the writer is gone; other errors are reported.
 */
static int display_show_next(struct display *display)
{
    struct framebus_frame *frame;
    int r = framebus_reader_next(display->reader, &frame, 0);
    if (r == -ETIMEDOUT || r == -ENODATA || r == -ECANCELED)
        return 1;
    if (r < 0) {
        report_error("%s", framebus_last_error());
        return r;
    }
    return display_show(display, frame);
}

static int display_loop(struct display *display, uint64_t frames, int interrupts)
{
    drmEventContext events = {.version = 3, .page_flip_handler2 = display_on_flip};
    struct pollfd fds[] = {{.fd = interrupts, .events = POLLIN},
                           {.fd = display->screen.card, .events = POLLIN},
                           {.fd = framebus_reader_fd(display->reader), .events = POLLIN}};
    int r = 0;
    while (!fds[0].revents && (!frames || display->count < frames || display->flips)) {
        /* One flip at a time: the screen sets the pace. */
        if (!display->flips)
            r = display_show_next(display);
        if (r < 0)
            break;
        fds[2].events = display->flips ? 0 : POLLIN;
        if (display->flips || r == 1)
            poll(fds, display->flips ? 2 : 3, -1);
        if (fds[1].revents & POLLIN)
            drmHandleEvent(display->screen.card, &events);
    }
    return r < 0 && r != -EPIPE ? STATUS_FAILED : STATUS_DONE;
}

static int display_bus(const struct display_settings *settings, const char *name, int interrupts)
{
    static struct display display;
    /* One is on the screen, one on its way there, one is the next. */
    const struct framebus_reader_options options = {
        .quota = 3,
        .delivery = FRAMEBUS_DELIVERY_LATEST,
        .wait_ns = -1,
        .cancel_fd = interrupts,
        .dmabuf = true,
        .label = "framebus display",
    };
    display.name = name;
    display.copies = settings->copy;
    display.canvas.screen = &display.screen;
    if (!screen_open(&display.screen, settings->device))
        return STATUS_FAILED;
    int r = reader_open_again(&display.reader, name, options), status = STATUS_DONE;
    if (r == 0)
        status = display_loop(&display, settings->frames, interrupts);
    else if (r != -ECANCELED)
        status = report_error("%s", framebus_last_error());
    if (r == 0)
        fprintf(stderr, "%lu frames shown, %lu of them copied\n", display.count, display.copied);
    screen_restore(&display.screen);
    canvas_free_buffers(&display.canvas);
    framebus_reader_release(display.reader, display.shown);
    framebus_reader_release(display.reader, display.flipping);
    framebus_reader_close(display.reader);
    screen_close(&display.screen);
    return status;
}

static const struct display_functions display_functions = {.run = display_bus};

extern const struct module framebus_module;

__attribute__((visibility("default")))
const struct module framebus_module = {report_init, &display_functions};
