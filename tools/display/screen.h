/* SPDX-License-Identifier: MIT */
/* A screen without a window system: what the kernel (KMS) needs to know to show a framebuffer on it. */
#ifndef SCREEN_H
#define SCREEN_H

#include "framebus.h"

#include <stdbool.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define SCREEN_MODES 64

enum {
    PLANE_FB_ID,
    PLANE_CRTC_ID,
    PLANE_SRC_X,
    PLANE_SRC_Y,
    PLANE_SRC_W,
    PLANE_SRC_H,
    PLANE_CRTC_X,
    PLANE_CRTC_Y,
    PLANE_CRTC_W,
    PLANE_CRTC_H,
    PLANE_PROPERTIES
};
enum { CRTC_ACTIVE, CRTC_MODE_ID, CRTC_PROPERTIES };

struct screen {
    int card; /* the device file of its driver */
    uint32_t connector, crtc, plane, crtc_index;
    drmModeModeInfo modes[SCREEN_MODES];
    int mode_count;
    drmModeModeInfo mode;
    uint32_t mode_blob;
    drmModeCrtc *before; /* what it showed */
    uint32_t plane_property[PLANE_PROPERTIES], crtc_property[CRTC_PROPERTIES], connector_crtc_id;
};

/* The first screen of this card, or of any if path is NULL. False once the reason is reported. */
bool screen_open(struct screen *screen, const char *path);

/* Shows again what it showed before. */
void screen_restore(struct screen *screen);
void screen_close(struct screen *screen);

/* Chooses a mode of the picture's size, or else the largest that a picture fills, since few planes scale.
 * False: every mode is larger. */
bool screen_choose_mode(struct screen *screen, const struct framebus_format *format);

/* Shows a framebuffer: an atomic commit with DRM_MODE_* flags, whose event carries `user`. 0, or -1 and
 * errno. */
int screen_commit(struct screen *screen, uint32_t fb, uint32_t flags, void *user);

#endif
