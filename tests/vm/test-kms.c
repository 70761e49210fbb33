/* SPDX-License-Identifier: MIT */
/* From the bus to the screen: what kms-display has the display driver scan out is looked at from outside. */
#include "../process/harness.h"

#include <drm_fourcc.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#define WIDTH  640
#define HEIGHT 480
#define FRAMES 12
#define SIZE   (WIDTH * HEIGHT * 4)

/* Of frame n; two differ in every pixel. */
static void paint(uint8_t *bytes, uint64_t n)
{
    for (uint32_t i = 0; i < SIZE / 4; i++) {
        uint32_t pixel = (uint32_t)(n + 1) * 0x9e3779b9u + i;
        memcpy(bytes + 4 * i, &pixel, 4);
    }
}

/* Publishes frame after frame, each when the one before is on the screen; the last one stays. value[0]: its
 * number + 1, value[1]: what its memory is to the kernel. */
static void write_for_the_screen(const void *dmabuf)
{
    struct framebus_format format;
    struct framebus_writer *w;
    check_equal(framebus_format_init(&format, DRM_FORMAT_XRGB8888, WIDTH, HEIGHT), 0);
    check_equal(framebus_writer_open(&w, "bus", &format, &(struct framebus_writer_options){.dmabuf = dmabuf}),
                0);
    shared->writer.ready = 1;
    for (uint64_t n = 0; n < FRAMES; n++) {
        struct framebus_frame *f;
        struct framebus_dmabuf d;
        struct stat st = {0};
        check_equal(framebus_writer_begin(w, &f), 0);
        check_equal(f->size, SIZE);
        paint(f->data, n);
        if (dmabuf) {
            check_equal(framebus_frame_dmabuf(f, &d), 0);
            check_equal(fstat(d.part[0].fd, &st), 0);
        }
        check_equal(framebus_writer_publish(w, f), 0);
        framebus_writer_release(w, f);
        shared->value[1] = (int64_t)st.st_ino;
        shared->value[0] = (int64_t)n + 1;
        while (shared->go <= n && !shared->writer.stop)
            serve(w, MS, NULL);
    }
    serve(w, 300 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

/* What the display scans out now, as another process sees it: the number of the frame in it, -1 if it is
 * none. */
static int64_t on_screen_of(int card, int64_t *inode)
{
    int64_t number = -1;
    check_equal(drmSetClientCap(card, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1), 0);
    drmModePlaneRes *planes = drmModeGetPlaneResources(card);
    for (uint32_t i = 0; planes && i < planes->count_planes; i++) {
        drmModePlane *plane = drmModeGetPlane(card, planes->planes[i]);
        drmModeFB2 *fb = plane && plane->fb_id ? drmModeGetFB2(card, plane->fb_id) : NULL;
        int fd = -1;
        if (fb && fb->width == WIDTH && fb->height == HEIGHT && fb->handles[0] &&
            !drmPrimeHandleToFD(card, fb->handles[0], DRM_CLOEXEC, &fd)) {
            size_t size = (size_t)fb->pitches[0] * HEIGHT;
            void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
            struct stat st;
            check(!fstat(fd, &st));
            *inode = (int64_t)st.st_ino;
            static uint8_t expected[SIZE];
            for (uint64_t n = 0; bytes != MAP_FAILED && n < FRAMES && number < 0; n++) {
                paint(expected, n);
                if (fb->pitches[0] == WIDTH * 4 && !memcmp(bytes, expected, SIZE))
                    number = (int64_t)n;
            }
            if (bytes != MAP_FAILED)
                munmap(bytes, size);
        }
        if (fd >= 0)
            close(fd);
        if (fb && fb->handles[0])
            drmCloseBufferHandle(card, fb->handles[0]);
        drmModeFreeFB2(fb);
        drmModeFreePlane(plane);
    }
    drmModeFreePlaneResources(planes);
    return number;
}

/* Looks anew each time: who opens a display that nobody uses is its master, and kms-display must be. */
static int64_t on_screen(int64_t *inode)
{
    int64_t number = -1;
    for (int i = 0; i < 4 && number < 0; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/dri/card%d", i);
        int card = open(path, O_RDWR | O_CLOEXEC);
        if (card >= 0 && !drmIsMaster(card))
            number = on_screen_of(card, inode);
        if (card >= 0)
            close(card);
    }
    return number;
}

static void display(const void *argument)
{
    (void)argument;
    const char *build = getenv("FRAMEBUS_BUILD");
    char program[512];
    check(build);
    snprintf(program, sizeof program, "%s/examples/kms-display", build);
    check(freopen(path_of("said"), "w", stdout));
    execl(program, "kms-display", "bus", (char *)NULL);
    check(false);
}

static bool has_said_something(void)
{
    struct stat st;
    return !stat(path_of("said"), &st) && st.st_size > 0;
}

/* What kms-display said has both words in it. */
static void check_said(const char *one, const char *other)
{
    char text[1024] = "";
    int fd = open(path_of("said"), O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    if (!strstr(text, one) || !strstr(text, other))
        check_failed(__FILE__, __LINE__, "no \"%s\" and \"%s\" in \"%s\"", one, other, text);
    check(!unlink(path_of("said")));
}

static void show(const char *dmabuf)
{
    allow_seconds(200);
    pid_t writer = spawn(write_for_the_screen, dmabuf);
    check_soon(shared->writer.ready == 1);
    pid_t screen = spawn(display, NULL);
    check_soon(has_ended(screen) || has_said_something()); /* before that our look would make us the master */
    for (uint32_t n = 0; n < FRAMES; n++) {
        int64_t inode = 0;
        check_soon(shared->value[0] == n + 1);
        check_soon(has_ended(screen) || on_screen(&inode) == n);
        check(!has_ended(screen));
        if (dmabuf)
            check_equal(inode, shared->value[1]); /* not a copy: the slot itself */
        shared->go = n + 1;
    }
    check(!kill(screen, SIGTERM));
    check_equal(status_of(screen), 0);
    int64_t inode;
    check_equal(on_screen(&inode), -1); /* it is given back */
    finish(writer, &shared->writer);
}

static void the_screen_shows_the_slots_themselves(void)
{
    show("dmabuf");
    check_said("without a copy", "12 frames shown, 0 of them copied");
}

static void without_dmabufs_each_frame_is_copied_once(void)
{
    show(NULL);
    check_said("each frame copied once", "12 frames shown, 12 of them copied");
}

/* With a pattern: only the cases that it fits. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(the_screen_shows_the_slots_themselves),
        PROCESS_TEST(without_dmabufs_each_frame_is_copied_once),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
