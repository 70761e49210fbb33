/* SPDX-License-Identifier: MIT */
/* From the bus to the screen: what framebus display has the driver scan out is looked at from outside. */
#include "screen.h"

#include <drm_fourcc.h>

#define FRAMES 12
#define SIZE   SCREEN_SIZE

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
    check_equal(framebus_format_init(&format, DRM_FORMAT_XRGB8888, SCREEN_WIDTH, SCREEN_HEIGHT), 0);
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

/* The number of the frame that is scanned out, -1 if it is none. */
static int64_t on_screen(int64_t *inode)
{
    static uint8_t bytes[SIZE], expected[SIZE];
    if (!screen_look(bytes, inode))
        return -1;
    for (uint64_t n = 0; n < FRAMES; n++) {
        paint(expected, n);
        if (!memcmp(bytes, expected, SIZE))
            return (int64_t)n;
    }
    return -1;
}

static void show(const char *dmabuf, const char *how, const char *copied)
{
    allow_seconds(200);
    pid_t writer = spawn(write_for_the_screen, dmabuf);
    check_soon(shared->writer.ready == 1);
    pid_t screen = screen_start();
    for (uint32_t n = 0; n < FRAMES; n++) {
        int64_t inode = 0;
        check_soon(shared->value[0] == n + 1);
        check_soon(has_ended(screen) || on_screen(&inode) == n);
        check(!has_ended(screen));
        if (dmabuf)
            check_equal(inode, shared->value[1]); /* not a copy: the slot itself */
        shared->go = n + 1;
    }
    screen_end(screen, how, copied);
    finish(writer, &shared->writer);
}

static void the_screen_shows_the_slots_themselves(void)
{
    show("dmabuf", "without a copy", "12 frames shown, 0 of them copied");
}

static void without_dmabufs_each_frame_is_copied_once(void)
{
    show(NULL, "each frame copied once", "12 frames shown, 12 of them copied");
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
