/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <xf86drm.h>
#include <xf86drmMode.h>

static bool look_at_plane(int card, uint32_t id, uint8_t *bytes, int64_t *inode)
{
    drmModePlane *plane = drmModeGetPlane(card, id);
    drmModeFB2 *fb = plane && plane->fb_id ? drmModeGetFB2(card, plane->fb_id) : NULL;
    bool seen = false;
    int fd = -1;
    if (fb && fb->width == SCREEN_WIDTH && fb->height == SCREEN_HEIGHT &&
        fb->pitches[0] == SCREEN_WIDTH * 4 && fb->handles[0] &&
        !drmPrimeHandleToFD(card, fb->handles[0], DRM_CLOEXEC, &fd)) {
        void *map = mmap(NULL, SCREEN_SIZE, PROT_READ, MAP_SHARED, fd, 0);
        struct stat st;
        check(!fstat(fd, &st));
        *inode = (int64_t)st.st_ino;
        if (map != MAP_FAILED) {
            memcpy(bytes, map, SCREEN_SIZE);
            munmap(map, SCREEN_SIZE);
            seen = true;
        }
    }
    if (fd >= 0)
        close(fd);
    if (fb && fb->handles[0])
        drmCloseBufferHandle(card, fb->handles[0]);
    drmModeFreeFB2(fb);
    drmModeFreePlane(plane);
    return seen;
}

/* Opens anew each time: who opens a display that nobody uses is its master, and framebus display must be. */
bool screen_look(uint8_t *bytes, int64_t *inode)
{
    bool seen = false;
    for (int i = 0; i < 4 && !seen; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/dri/card%d", i);
        int card = open(path, O_RDWR | O_CLOEXEC);
        if (card >= 0 && !drmIsMaster(card)) {
            check_equal(drmSetClientCap(card, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1), 0);
            drmModePlaneRes *planes = drmModeGetPlaneResources(card);
            for (uint32_t p = 0; planes && p < planes->count_planes && !seen; p++)
                seen = look_at_plane(card, planes->planes[p], bytes, inode);
            drmModeFreePlaneResources(planes);
        }
        if (card >= 0)
            close(card);
    }
    return seen;
}

static void display(const void *argument)
{
    (void)argument;
    run_program("tools/framebus", "screen", (const char *[]){"framebus", "display", "bus", NULL});
}

pid_t screen_start(void)
{
    pid_t pid = spawn(display, NULL);
    check_soon(has_ended(pid) ||
               has_said("screen", "\n")); /* before that our look would make us the master */
    return pid;
}

void screen_end(pid_t pid, const char *one, const char *other)
{
    static uint8_t bytes[SCREEN_SIZE];
    int64_t inode;
    check(!kill(pid, SIGTERM));
    check_equal(status_of(pid), 0);
    check(!screen_look(bytes, &inode));
    check_said("screen", one);
    check_said("screen", other);
    forget_said("screen");
}
