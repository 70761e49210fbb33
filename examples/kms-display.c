/* SPDX-License-Identifier: MIT */
/*
 * Shows a bus on a screen without a window system: kms-display --help.
 *
 * A frame is shown from the memory it was published in: its DMA-BUFs are imported into the display driver
 * once for each slot, and every frame is one atomic page flip. Where there is no DMA-BUF, or the driver
 * does not take it, each frame is copied once into a buffer of the display's own, and the program says so.
 */
#include <framebus.h>

#include <drm_fourcc.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define CARDS       8
#define IMPORTS_MAX FRAMEBUS_SLOTS_MAX

static const char help[] =
    "Usage: kms-display [OPTION]... BUS\n"
    "Shows a bus on the screen, without X or Wayland; Ctrl-C or SIGTERM gives the screen back.\n"
    "  -d, --device PATH  the display driver [the first /dev/dri/card* with a screen]\n"
    "  -n, --frames N     end after so many frames [never]\n"
    "  -c, --copy         do not import DMA-BUFs, copy each frame\n";

/* A frame's memory as the display driver knows it. */
struct import {
    uint32_t format_serial, buffer_serial;
    uint32_t fb; /* 0: none */
};

/* A buffer of the display's own, to copy into. */
struct dumb {
    uint32_t fb, handle, stride;
    uint64_t size;
    uint8_t *data;
};

struct property {
    const char *name;
    uint32_t id;
};

enum { FB_ID, CRTC_ID, SRC_X, SRC_Y, SRC_W, SRC_H, CRTC_X, CRTC_Y, CRTC_W, CRTC_H, PLANE_PROPERTIES };
enum { ACTIVE, MODE_ID, CRTC_PROPERTIES };

struct display {
    int fd;
    uint32_t connector, crtc, plane, crtc_index;
    drmModeModeInfo modes[64];
    int mode_count;
    drmModeModeInfo mode;
    uint32_t mode_blob;
    drmModeCrtc *before; /* what the screen showed */
    struct property on_plane[PLANE_PROPERTIES], on_crtc[CRTC_PROPERTIES], on_connector;
    struct import imports[IMPORTS_MAX]; /* by slot */
    struct dumb dumb[2];
    bool copies; /* into dumb[], the one that is not shown */
    unsigned next_dumb;
    struct framebus_reader *reader;
    struct framebus_frame *shown, *flipping; /* held while the display reads them */
    uint32_t serial;                         /* of the format that is shown */
    bool flips;                              /* a flip is under way */
    unsigned long count, copied;
};

static int failed(const char *what)
{
    fprintf(stderr, "kms-display: cannot %s: %s\n", what, strerror(errno));
    return -1;
}

/* ---- finding a screen ---- */

static uint32_t find_property(int fd, uint32_t object, uint32_t type, const char *name, uint64_t *value)
{
    drmModeObjectProperties *all = drmModeObjectGetProperties(fd, object, type);
    uint32_t id = 0;

    for (uint32_t i = 0; all && i < all->count_props && !id; i++) {
        drmModePropertyRes *p = drmModeGetProperty(fd, all->props[i]);
        if (p && strcmp(p->name, name) == 0) {
            id = p->prop_id;
            if (value)
                *value = all->prop_values[i];
        }
        drmModeFreeProperty(p);
    }
    drmModeFreeObjectProperties(all);
    return id;
}

static bool find_plane(struct display *d)
{
    drmModePlaneRes *planes = drmModeGetPlaneResources(d->fd);

    for (uint32_t i = 0; planes && i < planes->count_planes && !d->plane; i++) {
        drmModePlane *plane = drmModeGetPlane(d->fd, planes->planes[i]);
        uint64_t type = 0;
        if (plane && plane->possible_crtcs & (1u << d->crtc_index) &&
            find_property(d->fd, plane->plane_id, DRM_MODE_OBJECT_PLANE, "type", &type) &&
            type == DRM_PLANE_TYPE_PRIMARY)
            d->plane = plane->plane_id;
        drmModeFreePlane(plane);
    }
    drmModeFreePlaneResources(planes);
    return d->plane;
}

static bool find_crtc(struct display *d, const drmModeRes *all, const drmModeConnector *connector)
{
    for (int i = 0; i < connector->count_encoders; i++) {
        drmModeEncoder *encoder = drmModeGetEncoder(d->fd, connector->encoders[i]);
        for (int c = 0; encoder && c < all->count_crtcs && !d->crtc; c++) {
            if (encoder->possible_crtcs & (1u << c)) {
                d->crtc = all->crtcs[c];
                d->crtc_index = (uint32_t)c;
            }
        }
        drmModeFreeEncoder(encoder);
    }
    return d->crtc;
}

static bool find_screen(struct display *d)
{
    drmModeRes *all = drmModeGetResources(d->fd);

    for (int i = 0; all && i < all->count_connectors && !d->connector; i++) {
        drmModeConnector *connector = drmModeGetConnector(d->fd, all->connectors[i]);
        if (connector && connector->connection == DRM_MODE_CONNECTED && connector->count_modes > 0 &&
            find_crtc(d, all, connector) && find_plane(d)) {
            d->connector = connector->connector_id;
            d->mode_count = connector->count_modes < 64 ? connector->count_modes : 64;
            memcpy(d->modes, connector->modes, (size_t)d->mode_count * sizeof(*d->modes));
        }
        drmModeFreeConnector(connector);
    }
    drmModeFreeResources(all);
    return d->connector;
}

static bool find_properties(struct display *d)
{
    static const char *const names[] = {"FB_ID", "CRTC_ID", "SRC_X",  "SRC_Y",  "SRC_W",
                                        "SRC_H", "CRTC_X",  "CRTC_Y", "CRTC_W", "CRTC_H"};
    bool all = true;

    for (int i = 0; i < PLANE_PROPERTIES; i++)
        all &=
            0 != (d->on_plane[i].id = find_property(d->fd, d->plane, DRM_MODE_OBJECT_PLANE, names[i], NULL));
    all &= 0 != (d->on_crtc[ACTIVE].id = find_property(d->fd, d->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", NULL));
    all &=
        0 != (d->on_crtc[MODE_ID].id = find_property(d->fd, d->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", NULL));
    all &= 0 != (d->on_connector.id =
                     find_property(d->fd, d->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", NULL));
    return all;
}

static bool open_card(struct display *d, const char *path)
{
    d->fd = open(path, O_RDWR | O_CLOEXEC);
    if (d->fd < 0)
        return false;
    if (drmSetClientCap(d->fd, DRM_CLIENT_CAP_ATOMIC, 1) == 0 && find_screen(d) && find_properties(d)) {
        d->before = drmModeGetCrtc(d->fd, d->crtc);
        return true;
    }
    close(d->fd);
    d->fd = -1;
    return false;
}

static int open_display(struct display *d, const char *device)
{
    char path[32];

    if (device)
        return open_card(d, device) ? 0 : failed("find a screen with atomic mode setting on that device");
    for (int i = 0; i < CARDS; i++) {
        snprintf(path, sizeof(path), "/dev/dri/card%d", i);
        if (open_card(d, path))
            return 0;
    }
    errno = ENODEV;
    return failed("find a screen");
}

/* ---- showing ---- */

/* Few display planes scale: so a mode of the picture's size, or else the largest that it fills. */
static bool choose_mode(struct display *d, const struct framebus_format *format)
{
    const drmModeModeInfo *best = NULL;

    for (int i = 0; i < d->mode_count; i++) {
        const drmModeModeInfo *m = &d->modes[i];
        if (m->hdisplay <= format->width && m->vdisplay <= format->height &&
            (!best || m->hdisplay * m->vdisplay > best->hdisplay * best->vdisplay))
            best = m;
    }
    d->mode = best ? *best : d->modes[0];
    if (d->mode_blob)
        drmModeDestroyPropertyBlob(d->fd, d->mode_blob);
    d->mode_blob = 0;
    drmModeCreatePropertyBlob(d->fd, &d->mode, sizeof(d->mode), &d->mode_blob);
    return best;
}

static int commit(struct display *d, uint32_t fb, uint32_t flags)
{
    const uint64_t on_plane[PLANE_PROPERTIES] = {
        [FB_ID] = fb,
        [CRTC_ID] = d->crtc,
        [SRC_W] = (uint64_t)d->mode.hdisplay << 16,
        [SRC_H] = (uint64_t)d->mode.vdisplay << 16,
        [CRTC_W] = d->mode.hdisplay,
        [CRTC_H] = d->mode.vdisplay,
    };
    drmModeAtomicReq *request = drmModeAtomicAlloc();
    int r;

    for (int i = 0; i < PLANE_PROPERTIES; i++)
        drmModeAtomicAddProperty(request, d->plane, d->on_plane[i].id, on_plane[i]);
    if (flags & DRM_MODE_ATOMIC_ALLOW_MODESET) {
        drmModeAtomicAddProperty(request, d->connector, d->on_connector.id, d->crtc);
        drmModeAtomicAddProperty(request, d->crtc, d->on_crtc[ACTIVE].id, 1);
        drmModeAtomicAddProperty(request, d->crtc, d->on_crtc[MODE_ID].id, d->mode_blob);
    }
    r = drmModeAtomicCommit(d->fd, request, flags, d);
    drmModeAtomicFree(request);
    return r;
}

/* The framebuffer of the memory that this frame is in, made once; 0: there is none. */
static uint32_t import(struct display *d, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    struct import *i = &d->imports[frame->slot];
    uint32_t handle[4] = {0}, stride[4] = {0}, offset[4] = {0};
    uint64_t modifier[4] = {0};
    struct framebus_dmabuf dmabuf;

    if (framebus_frame_dmabuf(frame, &dmabuf) < 0)
        return 0;
    if (i->fb && i->format_serial == frame->format_serial && i->buffer_serial == dmabuf.serial)
        return i->fb;
    if (i->fb)
        drmModeRmFB(d->fd, i->fb);
    *i = (struct import){.format_serial = frame->format_serial, .buffer_serial = dmabuf.serial};
    for (uint32_t p = 0; p < format->planes; p++) {
        if (drmPrimeFDToHandle(d->fd, dmabuf.plane[p].fd, &handle[p]) != 0)
            break;
        stride[p] = dmabuf.plane[p].stride;
        offset[p] = (uint32_t)dmabuf.plane[p].offset;
        modifier[p] = format->modifier;
    }
    if (handle[format->planes - 1] &&
        drmModeAddFB2WithModifiers(d->fd, format->width, format->height, format->fourcc, handle, stride,
                                   offset, modifier, &i->fb,
                                   format->modifier ? DRM_MODE_FB_MODIFIERS : 0) != 0)
        i->fb = 0;
    for (uint32_t p = 0; p < 4; p++) /* the framebuffer keeps them; planes may share one */
        if (handle[p] && (p == 0 || handle[p] != handle[p - 1]))
            drmCloseBufferHandle(d->fd, handle[p]);
    return i->fb;
}

static int make_dumb(struct display *d, struct dumb *dumb, uint32_t fourcc)
{
    uint32_t handles[4] = {0}, strides[4] = {0}, offsets[4] = {0};
    uint64_t offset;

    if (drmModeCreateDumbBuffer(d->fd, d->mode.hdisplay, d->mode.vdisplay, 32, 0, &dumb->handle,
                                &dumb->stride, &dumb->size) != 0)
        return failed("make a buffer for the screen");
    handles[0] = dumb->handle;
    strides[0] = dumb->stride;
    if (drmModeAddFB2(d->fd, d->mode.hdisplay, d->mode.vdisplay, fourcc, handles, strides, offsets, &dumb->fb,
                      0) != 0 ||
        drmModeMapDumbBuffer(d->fd, dumb->handle, &offset) != 0)
        return failed("show that format on the screen");
    dumb->data = mmap(NULL, dumb->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, (off_t)offset);
    return dumb->data == MAP_FAILED ? failed("map a buffer for the screen") : 0;
}

static uint32_t copy(struct display *d, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    struct dumb *dumb = &d->dumb[d->next_dumb];
    uint32_t row = framebus_format_row_bytes(format, 0), rows = format->height;

    if (!dumb->fb && make_dumb(d, dumb, format->fourcc) < 0)
        return 0;
    if (row > d->mode.hdisplay * 4u)
        row = d->mode.hdisplay * 4u;
    if (rows > d->mode.vdisplay)
        rows = d->mode.vdisplay;
    framebus_frame_begin_access(frame, false);
    for (uint32_t y = 0; y < rows; y++)
        memcpy(dumb->data + y * dumb->stride,
               (const uint8_t *)frame->plane[0].data + (size_t)y * frame->plane[0].stride, row);
    framebus_frame_end_access(frame, false);
    d->next_dumb = !d->next_dumb;
    d->copied++;
    return dumb->fb;
}

static void forget_imports(struct display *d)
{
    for (uint32_t i = 0; i < IMPORTS_MAX; i++)
        if (d->imports[i].fb)
            drmModeRmFB(d->fd, d->imports[i].fb);
    memset(d->imports, 0, sizeof(d->imports));
}

static void forget_dumb(struct display *d)
{
    for (int i = 0; i < 2; i++) {
        if (d->dumb[i].fb)
            drmModeRmFB(d->fd, d->dumb[i].fb);
        if (d->dumb[i].data && d->dumb[i].data != MAP_FAILED)
            munmap(d->dumb[i].data, d->dumb[i].size);
        if (d->dumb[i].handle)
            drmModeDestroyDumbBuffer(d->fd, d->dumb[i].handle);
    }
    memset(d->dumb, 0, sizeof(d->dumb));
}

/* The first frame, or one of another format: chooses mode and way by trying. */
static uint32_t set_up(struct display *d, const struct framebus_frame *frame)
{
    char text[64];
    bool fits = choose_mode(d, frame->format);
    uint32_t fb = fits && !d->copies ? import(d, frame) : 0;

    forget_dumb(d); /* those of another size */
    if (fb && commit(d, fb, DRM_MODE_ATOMIC_ALLOW_MODESET | DRM_MODE_ATOMIC_TEST_ONLY) != 0)
        fb = 0;
    if (!fb) {
        if (frame->format->fourcc != DRM_FORMAT_XRGB8888 && frame->format->fourcc != DRM_FORMAT_ARGB8888) {
            fprintf(stderr,
                    "kms-display: the screen cannot show %s, and only XRGB8888 is copied: convert it first\n",
                    framebus_format_describe(frame->format, text, sizeof(text)));
            return 0;
        }
        d->copies = true;
        fb = copy(d, frame);
    }
    printf("kms-display: %s at %ux%u, %s\n", framebus_format_describe(frame->format, text, sizeof(text)),
           d->mode.hdisplay, d->mode.vdisplay,
           d->copies ? "each frame copied once" : "shown in place, without a copy");
    fflush(stdout);
    return fb;
}

static void on_flip(int fd, unsigned sequence, unsigned s, unsigned us, unsigned crtc, void *user)
{
    struct display *d = user;

    (void)fd, (void)sequence, (void)s, (void)us, (void)crtc;
    framebus_reader_release(d->reader, d->shown);
    d->shown = d->flipping;
    d->flipping = NULL;
    d->flips = false;
}

/* One frame, if there is one; 1: there was none. */
static int show_next(struct display *d)
{
    struct framebus_frame *frame;
    int r = framebus_reader_next(d->reader, &frame, 0);
    bool changed;
    uint32_t fb;

    if (r == -ETIMEDOUT || r == -ENODATA || r == -ECANCELED)
        return 1;
    if (r < 0) {
        fprintf(stderr, "kms-display: %s\n", framebus_last_error());
        return r;
    }
    changed = frame->format_serial != d->serial;
    d->serial = frame->format_serial;
    fb = changed ? set_up(d, frame) : d->copies ? copy(d, frame) : import(d, frame);
    if (!fb || commit(d, fb,
                      DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT |
                          (changed ? DRM_MODE_ATOMIC_ALLOW_MODESET : 0)) != 0) {
        framebus_reader_release(d->reader, frame);
        return fb ? failed("flip") : -1;
    }
    d->flips = true;
    d->count++;
    if (d->copies) {
        framebus_reader_release(d->reader, frame);
        return 0;
    }
    d->flipping = frame;
    return 0;
}

static int run(struct display *d, unsigned long frames, int stop)
{
    drmEventContext events = {.version = 3, .page_flip_handler2 = on_flip};
    struct pollfd fds[] = {{.fd = stop, .events = POLLIN},
                           {.fd = d->fd, .events = POLLIN},
                           {.fd = framebus_reader_fd(d->reader), .events = POLLIN}};
    int r = 0;

    while (r >= 0 && !fds[0].revents && (!frames || d->count < frames || d->flips)) {
        /* One flip at a time: the screen sets the pace. */
        if (!d->flips)
            r = show_next(d);
        if (r < 0)
            break;
        fds[2].events = d->flips ? 0 : POLLIN;
        if (d->flips || r == 1)
            poll(fds, d->flips ? 2 : 3, -1);
        if (fds[1].revents & POLLIN)
            drmHandleEvent(d->fd, &events);
    }
    return r == -EPIPE ? 0 : r < 0 ? -1 : 0;
}

/* Gives the screen back as it was. */
static void close_display(struct display *d)
{
    if (d->before && d->before->buffer_id)
        drmModeSetCrtc(d->fd, d->before->crtc_id, d->before->buffer_id, d->before->x, d->before->y,
                       &d->connector, 1, &d->before->mode);
    else if (d->before)
        drmModeSetCrtc(d->fd, d->crtc, 0, 0, 0, NULL, 0, NULL);
    drmModeFreeCrtc(d->before);
    forget_imports(d);
    forget_dumb(d);
    framebus_reader_release(d->reader, d->shown);
    framebus_reader_release(d->reader, d->flipping);
    if (d->fd >= 0)
        close(d->fd);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"device", required_argument, NULL, 'd'},
                                                 {"frames", required_argument, NULL, 'n'},
                                                 {"copy", no_argument, NULL, 'c'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    /* One is on the screen, one on its way there, one is the next. */
    struct framebus_reader_options wish = {.quota = 3, .delivery = FRAMEBUS_DELIVERY_LATEST, .wait_ns = -1};
    static struct display d = {.fd = -1};
    const char *device = NULL;
    unsigned long frames = 0;
    sigset_t signals;
    int option, stop, r;

    while ((option = getopt_long(argc, argv, "d:n:ch", long_options, NULL)) != -1) {
        if (option == 'd')
            device = optarg;
        else if (option == 'n')
            frames = strtoul(optarg, NULL, 10);
        else if (option == 'c')
            d.copies = true;
        else
            return fputs(help, option == 'h' ? stdout : stderr), option == 'h' ? 0 : 2;
    }
    if (optind + 1 != argc)
        return fputs(help, stderr), 2;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    stop = signalfd(-1, &signals, SFD_CLOEXEC);
    wish.cancel_fd = stop;
    wish.dmabuf = true;
    r = open_display(&d, device);
    if (r == 0 && (r = framebus_reader_open(&d.reader, argv[optind], &wish)) < 0)
        fprintf(stderr, "kms-display: %s\n", framebus_last_error());
    if (r == 0)
        r = run(&d, frames, stop);
    printf("kms-display: %lu frames shown, %lu of them copied\n", d.count, d.copied);
    close_display(&d);
    framebus_reader_close(d.reader);
    return r < 0;
}
