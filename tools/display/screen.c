/* SPDX-License-Identifier: MIT */
#include "display/screen.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CARDS_MAX   8 /* /dev/dri/card0 and on */
#define REASON_ROOM 256

/* ---- Finding it ---- */

/* The id of a property, and its value; 0: there is none. */
static uint32_t find_property(int card, uint32_t object, uint32_t type, const char *name, uint64_t *value)
{
    drmModeObjectProperties *all = drmModeObjectGetProperties(card, object, type);
    uint32_t id = 0;
    for (uint32_t i = 0; all && i < all->count_props && !id; i++) {
        drmModePropertyRes *p = drmModeGetProperty(card, all->props[i]);
        if (p && strcmp(p->name, name) == 0) {
            id = p->prop_id;
            *value = all->prop_values[i];
        }
        drmModeFreeProperty(p);
    }
    drmModeFreeObjectProperties(all);
    return id;
}

static bool screen_find_plane(struct screen *screen)
{
    drmModePlaneRes *planes = drmModeGetPlaneResources(screen->card);
    for (uint32_t i = 0; planes && i < planes->count_planes && !screen->plane; i++) {
        drmModePlane *plane = drmModeGetPlane(screen->card, planes->planes[i]);
        uint64_t type = 0;
        if (plane && plane->possible_crtcs & (1u << screen->crtc_index) &&
            find_property(screen->card, plane->plane_id, DRM_MODE_OBJECT_PLANE, "type", &type) &&
            type == DRM_PLANE_TYPE_PRIMARY)
            screen->plane = plane->plane_id;
        drmModeFreePlane(plane);
    }
    drmModeFreePlaneResources(planes);
    return screen->plane;
}

static bool screen_find_crtc(struct screen *screen, const drmModeRes *all, const drmModeConnector *connector)
{
    for (int i = 0; i < connector->count_encoders; i++) {
        drmModeEncoder *encoder = drmModeGetEncoder(screen->card, connector->encoders[i]);
        for (int c = 0; encoder && c < all->count_crtcs && !screen->crtc; c++) {
            if (encoder->possible_crtcs & (1u << c)) {
                screen->crtc = all->crtcs[c];
                screen->crtc_index = (uint32_t)c;
            }
        }
        drmModeFreeEncoder(encoder);
    }
    return screen->crtc;
}

static bool screen_find_connector(struct screen *screen)
{
    drmModeRes *all = drmModeGetResources(screen->card);
    for (int i = 0; all && i < all->count_connectors && !screen->connector; i++) {
        drmModeConnector *connector = drmModeGetConnector(screen->card, all->connectors[i]);
        if (connector && connector->connection == DRM_MODE_CONNECTED && connector->count_modes > 0 &&
            screen_find_crtc(screen, all, connector) && screen_find_plane(screen)) {
            screen->connector = connector->connector_id;
            screen->mode_count =
                connector->count_modes < SCREEN_MODES ? connector->count_modes : SCREEN_MODES;
            memcpy(screen->modes, connector->modes, (size_t)screen->mode_count * sizeof *screen->modes);
        }
        drmModeFreeConnector(connector);
    }
    drmModeFreeResources(all);
    return screen->connector;
}

static bool screen_find_properties(struct screen *screen)
{
    static const char *const on_plane[] = {"FB_ID", "CRTC_ID", "SRC_X",  "SRC_Y",  "SRC_W",
                                           "SRC_H", "CRTC_X",  "CRTC_Y", "CRTC_W", "CRTC_H"};
    static const char *const on_crtc[] = {"ACTIVE", "MODE_ID"};
    uint64_t value;
    bool all = true;
    for (int i = 0; i < PLANE_PROPERTIES; i++) {
        screen->plane_property[i] =
            find_property(screen->card, screen->plane, DRM_MODE_OBJECT_PLANE, on_plane[i], &value);
        all &= screen->plane_property[i] != 0;
    }
    for (int i = 0; i < CRTC_PROPERTIES; i++) {
        screen->crtc_property[i] =
            find_property(screen->card, screen->crtc, DRM_MODE_OBJECT_CRTC, on_crtc[i], &value);
        all &= screen->crtc_property[i] != 0;
    }
    screen->connector_crtc_id =
        find_property(screen->card, screen->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID", &value);
    return all && screen->connector_crtc_id;
}

/* What keeps us from showing pictures by the card that is open; NULL: nothing. */
static const char *screen_examine(struct screen *screen)
{
    if (drmSetClientCap(screen->card, DRM_CLIENT_CAP_ATOMIC, 1) != 0)
        return "is not a display driver with atomic mode setting";
    if (!drmIsMaster(screen->card))
        return "is in use by another program (X, Wayland?): change to a text console, such as by Ctrl-Alt-F3";
    if (!screen_find_connector(screen))
        return "has no screen that is connected";
    return screen_find_properties(screen) ? NULL : "is not a display driver with atomic mode setting";
}

/* False: the reason is written, unless there is no such file and it is one of many. */
static bool screen_open_card(struct screen *screen, const char *path, bool of_many, char reason[REASON_ROOM])
{
    *screen = (struct screen){.card = open(path, O_RDWR | O_CLOEXEC)};
    if (screen->card < 0) {
        if (!of_many || errno != ENOENT)
            snprintf(reason, REASON_ROOM, "cannot open %s: %s", path,
                     errno == EACCES ? "no permission; after 'sudo usermod -aG video $USER' and a new login "
                                       "there is"
                                     : strerror(errno));
        return false;
    }
    const char *wrong = screen_examine(screen);
    if (!wrong) {
        screen->before = drmModeGetCrtc(screen->card, screen->crtc);
        return true;
    }
    snprintf(reason, REASON_ROOM, "%s %s", path, wrong);
    close(screen->card);
    screen->card = -1;
    return false;
}

bool screen_open(struct screen *screen, const char *path)
{
    char reason[REASON_ROOM] = "there is no screen: no display driver has made a /dev/dri/card*";
    if (path && screen_open_card(screen, path, false, reason))
        return true;
    for (int i = 0; !path && i < CARDS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "/dev/dri/card%d", i);
        if (screen_open_card(screen, name, true, reason))
            return true;
    }
    report_error("%s", reason);
    return false;
}

/* ---- Showing ---- */

bool screen_choose_mode(struct screen *screen, const struct framebus_format *format)
{
    const drmModeModeInfo *best = NULL;
    for (int i = 0; i < screen->mode_count; i++) {
        const drmModeModeInfo *m = &screen->modes[i];
        if (m->hdisplay <= format->width && m->vdisplay <= format->height &&
            (!best || m->hdisplay * m->vdisplay > best->hdisplay * best->vdisplay))
            best = m;
    }
    screen->mode = best ? *best : screen->modes[0];
    if (screen->mode_blob)
        drmModeDestroyPropertyBlob(screen->card, screen->mode_blob);
    screen->mode_blob = 0;
    drmModeCreatePropertyBlob(screen->card, &screen->mode, sizeof screen->mode, &screen->mode_blob);
    return best;
}

int screen_commit(struct screen *screen, uint32_t fb, uint32_t flags, void *user)
{
    const uint64_t on_plane[PLANE_PROPERTIES] = {
        [PLANE_FB_ID] = fb,
        [PLANE_CRTC_ID] = screen->crtc,
        [PLANE_SRC_W] = (uint64_t)screen->mode.hdisplay << 16,
        [PLANE_SRC_H] = (uint64_t)screen->mode.vdisplay << 16,
        [PLANE_CRTC_W] = screen->mode.hdisplay,
        [PLANE_CRTC_H] = screen->mode.vdisplay,
    };
    drmModeAtomicReq *request = drmModeAtomicAlloc();
    for (int i = 0; i < PLANE_PROPERTIES; i++)
        drmModeAtomicAddProperty(request, screen->plane, screen->plane_property[i], on_plane[i]);
    if (flags & DRM_MODE_ATOMIC_ALLOW_MODESET) {
        drmModeAtomicAddProperty(request, screen->connector, screen->connector_crtc_id, screen->crtc);
        drmModeAtomicAddProperty(request, screen->crtc, screen->crtc_property[CRTC_ACTIVE], 1);
        drmModeAtomicAddProperty(request, screen->crtc, screen->crtc_property[CRTC_MODE_ID],
                                 screen->mode_blob);
    }
    int r = drmModeAtomicCommit(screen->card, request, flags, user);
    drmModeAtomicFree(request);
    return r;
}

void screen_restore(struct screen *screen)
{
    drmModeCrtc *before = screen->before;
    if (before && before->buffer_id)
        drmModeSetCrtc(screen->card, before->crtc_id, before->buffer_id, before->x, before->y,
                       &screen->connector, 1, &before->mode);
    else if (before)
        drmModeSetCrtc(screen->card, screen->crtc, 0, 0, 0, NULL, 0, NULL);
}

void screen_close(struct screen *screen)
{
    drmModeFreeCrtc(screen->before);
    close(screen->card);
}
