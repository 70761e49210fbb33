/* SPDX-License-Identifier: MIT */
/* framebus camera on real drivers: run in the guest, needs vivid, udmabuf and a display. */
#include "screen.h"

#include <linux/videodev2.h>

#define DRIVER "/sys/bus/platform/drivers/vivid/"

/* ---- the camera, without the program ---- */

/* vivid writes the time into each picture, or not; without it all are the same. */
static void write_time(const char *device, bool write)
{
    struct v4l2_queryctrl q = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
    int fd = open(device, O_RDWR | O_CLOEXEC);
    check(fd >= 0);
    while (!control(fd, VIDIOC_QUERYCTRL, &q) && strcmp((const char *)q.name, "OSD Text Mode") != 0)
        q.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
    check(!strcmp((const char *)q.name, "OSD Text Mode"));
    struct v4l2_control c = {.id = q.id, .value = write ? 0 : 2};
    check_equal(control(fd, VIDIOC_S_CTRL, &c), 0);
    close(fd);
}

/* One picture, by read(2). */
static void read_picture(uint32_t pixels, uint32_t width, uint32_t height, uint8_t *bytes, size_t size)
{
    struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    int fd = open("/dev/video0", O_RDWR | O_CLOEXEC);
    check(fd >= 0);
    check_equal(control(fd, VIDIOC_G_FMT, &f), 0);
    f.fmt.pix.width = width;
    f.fmt.pix.height = height;
    f.fmt.pix.pixelformat = pixels;
    f.fmt.pix.bytesperline = 0;
    check_equal(control(fd, VIDIOC_S_FMT, &f), 0);
    check_equal(f.fmt.pix.sizeimage, size);
    check_equal(read(fd, bytes, size), size);
    close(fd);
}

static void plug(bool in)
{
    int fd = open(in ? DRIVER "bind" : DRIVER "unbind", O_WRONLY | O_CLOEXEC);
    check(fd >= 0);
    check_equal(write(fd, "vivid.0", 7), 7);
    close(fd);
    check_equal(access("/dev/video0", F_OK), in ? 0 : -1);
}

/* ---- the program ---- */

struct wish {
    const char *device, *io, *format, *size, *rate, *output;
    bool as_nobody;
    const char *memory; /* NULL: memfd */
};

static void camera(const void *argument)
{
    const struct wish *w = argument;
    const char *const argv[] = {
        "framebus", "camera", "--device", w->device, "--io",  w->io,      "--format",
        w->format,  "--size", w->size,    "--rate",  w->rate, "--memory", w->memory ? w->memory : "memfd",
        "bus",      NULL};
    if (w->as_nobody) {
        check_equal(chown(directory, 65534, 65534), 0);
        check_equal(setgid(65534), 0);
        check_equal(setuid(65534), 0);
    }
    run_program("tools/framebus", w->output, argv);
}

static pid_t start_camera(const struct wish *wish)
{
    pid_t pid = spawn(camera, wish);
    check_soon(has_ended(pid) || has_said(wish->output, ", nothing is copied") ||
               has_said(wish->output, "is copied once"));
    return pid;
}

/* It ends well, and says these words. */
static void end_camera(pid_t pid, const char *words)
{
    check(!kill(pid, SIGTERM));
    check_equal(status_of(pid), 0);
    check_said("camera", words);
    forget_said("camera");
}

/* It ends at once, for this reason. */
static void check_refused(const struct wish *wish, const char *why)
{
    pid_t pid = spawn(camera, wish);
    check_equal(status_of(pid), 1 << 8);
    check_said(wish->output, why);
    forget_said(wish->output);
}

/* Planes without their padding, one after the other. */
static uint64_t pack(const struct framebus_frame *f, uint8_t *bytes)
{
    uint64_t size = 0;
    for (uint32_t p = 0; p < f->format->planes; p++) {
        uint32_t row = framebus_format_row_bytes(f->format, p), rows = framebus_format_rows(f->format, p);
        for (uint32_t y = 0; y < rows; y++, size += row)
            memcpy(bytes + size, (uint8_t *)f->plane[p].data + (size_t)y * f->plane[p].stride, row);
    }
    return size;
}

/* ---- what is published ---- */

static void check_pictures(const struct wish *wish, uint32_t pixels, uint32_t width, uint32_t height)
{
    static uint8_t expected[640 * 480 * 4], bytes[sizeof expected];
    pid_t pid = start_camera(wish);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){0});
    uint64_t size = 0;
    int64_t before = 0;
    struct framebus_format format = {0};
    for (int i = 0; i < 3; i++) {
        struct framebus_frame *f = take(rd);
        check(llabs(f->capture_ns - now_ns()) < 20 * S && f->capture_ns != f->publish_ns);
        check(f->capture_ns > before);
        before = f->capture_ns;
        check_equal(f->duration_ns, S / 25);
        size = pack(f, bytes);
        format = *f->format;
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    check_said("camera", strcmp(wish->io, "auto") ? wish->io : "dmabuf");
    check_equal(format.width, width);
    check_equal(format.height, height);
    check(format.rate_num == 25 && format.rate_den == 1);
    check_equal(format.color.primaries, 1); /* vivid's sRGB, and what V4L2 takes for granted with it */
    check_equal(format.color.transfer, 13);
    check_equal(format.color.matrix, pixels == V4L2_PIX_FMT_XBGR32 ? 0 : 6);
    check_equal(format.color.range, pixels == V4L2_PIX_FMT_XBGR32 ? 2 : 1);
    end_camera(pid, strcmp(wish->io, "mmap") ? " 0 copied, 0 damaged" : " copied, 0 damaged");
    read_picture(pixels, width, height, expected, size);
    if (memcmp(bytes, expected, size))
        check_failed(__FILE__, __LINE__, "%s by %s: other pixels", wish->format, wish->io);
}

static void every_method_brings_the_pixels_that_the_driver_made(void)
{
    static const char *const methods[] = {"dmabuf", "userptr", "export", "mmap"};
    allow_seconds(200);
    write_time("/dev/video0", false);
    write_time("/dev/video1", false);
    for (int i = 0; i < 4; i++) {
        struct wish w = {"/dev/video0", methods[i], "NV12", "640x360", "25", "camera", false};
        check_pictures(&w, V4L2_PIX_FMT_NV12, 640, 360);
        w.device = "/dev/video1"; /* a plane in a buffer of its own cannot be a slot's DMA-BUF */
        w.format = i ? "NM12" : "NV12";
        check_pictures(&w, V4L2_PIX_FMT_NV12, 640, 360);
    }
    const struct wish i420 = {"/dev/video1", "dmabuf", "I420", "320x180", "25", "camera", false};
    check_pictures(&i420, V4L2_PIX_FMT_YUV420, 320, 180);
    const struct wish bgrx = {"/dev/video0", "auto", "BGRx", "640x480", "25", "camera", false};
    check_pictures(&bgrx, V4L2_PIX_FMT_XBGR32, 640, 480);
}

static void a_camera_writes_into_memory_of_other_kinds(void)
{
    static const char *const kinds[] = {"posix", "sysv"};
    allow_seconds(200);
    write_time("/dev/video0", false);
    for (int i = 0; i < 2; i++) {
        const struct wish w = {"/dev/video0", "userptr", "NV12", "640x360", "25", "camera", false, kinds[i]};
        check_pictures(&w, V4L2_PIX_FMT_NV12, 640, 360);
    }
}

static void what_cannot_be_is_said_with_what_can(void)
{
    struct wish w = {"/dev/video0", "auto", "NV12", "640x360", "25", "camera", false};
    pid_t pid = start_camera(&w);
    check_said("camera", "dmabuf"); /* the best method */
    w.output = "other";
    check_refused(&w, "/dev/video0: cannot set its format: another program is using it");
    end_camera(pid, "captured");

    w.format = "MJPEG";
    check_refused(&w, "/dev/video0 has no MJPEG, but NV12 YUY2 UYVY");
    w.format = "NV12";
    w.size = "640x361";
    check_refused(&w, "/dev/video0 has no NV12 640x361, but 320x180 ");
    w.size = "640x360";
    w.rate = "7";
    check_refused(&w, "/dev/video0 has no 7 fps in NV12 640x360, but 1 2 4 5 10");
    w.rate = "25";
    w.io = "dmabuf";
    w.device = "/dev/video1";
    w.format = "NM12";
    check_refused(&w, "planes have memory of their own");
    w.as_nobody = true;
    check_refused(&w, "usermod -aG video");
}

/* ---- from the camera to the screen ---- */

#define KEPT 16

static void show(const char *io)
{
    static uint8_t kept[KEPT][SCREEN_SIZE], seen[SCREEN_SIZE];
    int64_t inode_of[KEPT] = {0}, inode = 0;
    uint64_t shown = 0, last = UINT64_MAX;
    const struct wish wish = {"/dev/video0", io, "BGRx", "640x480", "10", "camera", false};
    allow_seconds(200);
    write_time("/dev/video0", true);
    pid_t pid = start_camera(&wish);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.dmabuf = true});
    pid_t screen = screen_start();
    int64_t limit = now_ns() + 60 * S;
    while (shown < 6) {
        check(now_ns() < limit && !has_ended(screen) && !has_ended(pid));
        struct framebus_frame *f;
        while (!framebus_reader_next(rd, &f, 0)) {
            struct framebus_dmabuf d;
            struct stat st;
            check_equal(framebus_frame_dmabuf(f, &d), 0);
            check(!fstat(d.part[0].fd, &st));
            check_equal(framebus_frame_begin_access(f, false), 0);
            check_equal(pack(f, kept[f->sequence % KEPT]), SCREEN_SIZE);
            check_equal(framebus_frame_end_access(f, false), 0);
            inode_of[f->sequence % KEPT] = (int64_t)st.st_ino;
            framebus_reader_release(rd, f);
        }
        if (!screen_look(seen, &inode))
            continue;
        for (uint64_t i = 0; i < KEPT; i++) {
            if (i != last && inode_of[i] && !memcmp(seen, kept[i], SCREEN_SIZE)) {
                check_equal(inode, inode_of[i]); /* no copy of it: the published memory itself */
                last = i;
                shown++;
                break;
            }
        }
    }
    framebus_reader_close(rd);
    screen_end(screen, "without a copy", " 0 of them copied");
    end_camera(pid, " 0 copied, 0 damaged");
}

static void the_screen_shows_the_slots_that_the_camera_wrote(void)
{
    show("dmabuf");
}

static void the_screen_shows_the_cameras_own_buffers(void)
{
    show("export");
}

/* ---- who dies or is unplugged ---- */

static void hold_two(const void *number)
{
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.quota = 2});
    take(rd);
    take(rd);
    shared->reader[*(const int *)number].ready = 1;
    pause();
}

/* Whether the next frame is in a slot, and not in the camera's own memory. */
static bool is_copied(struct framebus_reader *rd)
{
    struct framebus_dmabuf d;
    struct framebus_frame *f = take(rd);
    int r = framebus_frame_dmabuf(f, &d);
    framebus_reader_release(rd, f);
    check(r == 0 || r == -ENOTSUP);
    return r;
}

static void a_killed_reader_gives_the_cameras_buffers_back(void)
{
    const struct wish wish = {"/dev/video0", "export", "NV12", "320x180", "25", "camera", false};
    pid_t holder[3];
    allow_seconds(200);
    pid_t pid = start_camera(&wish);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.dmabuf = true});
    for (int i = 0; i < 20; i++)
        check(!is_copied(rd));
    for (int i = 0; i < 3; i++) {
        holder[i] = spawn(hold_two, &i);
        check_soon(shared->reader[i].ready);
        for (int frames = 0; frames < 4; frames++) /* the next one holds others */
            is_copied(rd);
    }
    for (int in_a_row = 0; in_a_row < 10;) /* it goes on, with what is left */
        in_a_row = is_copied(rd) ? in_a_row + 1 : 0;
    for (int i = 0; i < 3; i++)
        kill_now(holder[i]);
    for (int in_a_row = 0; in_a_row < 20;)
        in_a_row = is_copied(rd) ? 0 : in_a_row + 1;
    framebus_reader_close(rd);
    end_camera(pid, " 0 damaged, "); /* a slow machine may lose some */
}

static void unplug_and_replug(const char *io)
{
    const struct wish wish = {"/dev/video0", io, "NV12", "320x180", "25", "camera", false};
    static uint8_t before[320 * 180 * 2], after[sizeof before];
    allow_seconds(200);
    pid_t pid = start_camera(&wish);
    struct framebus_reader *rd = open_reader(&(struct framebus_reader_options){.quota = 3});
    struct framebus_frame *held = take(rd), *f;
    uint64_t size = pack(held, before);
    plug(false);
    int r;
    while (!(r = framebus_reader_next(rd, &f, 20 * S)))
        framebus_reader_release(rd, f);
    check_equal(r, -ENODATA); /* the end of the stream, not of the writer */
    check_soon(has_said("camera", "/dev/video0 is gone"));
    plug(true);
    for (int i = 0; i < 10; i++)
        framebus_reader_release(rd, take(rd));
    check_equal(pack(held, after), size);
    check(!memcmp(before, after, size));
    framebus_reader_release(rd, held);

    plug(false); /* and while it is away it can be ended */
    while (!(r = framebus_reader_next(rd, &f, 20 * S)))
        framebus_reader_release(rd, f);
    check_equal(r, -ENODATA);
    framebus_reader_close(rd);
    end_camera(pid, strcmp(io, "mmap") ? " 0 copied, 0 damaged" : " copied, 0 damaged");
    plug(true);
}

static void an_unplugged_camera_ends_the_stream_and_comes_back_into_slots(void)
{
    unplug_and_replug("dmabuf");
}

static void an_unplugged_camera_ends_the_stream_and_comes_back_with_its_buffers(void)
{
    unplug_and_replug("export");
}

static void an_unplugged_camera_ends_the_stream_and_comes_back_copied(void)
{
    unplug_and_replug("mmap");
}

/* With a pattern: only the cases that it fits. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(every_method_brings_the_pixels_that_the_driver_made),
        PROCESS_TEST(a_camera_writes_into_memory_of_other_kinds),
        PROCESS_TEST(what_cannot_be_is_said_with_what_can),
        PROCESS_TEST(the_screen_shows_the_slots_that_the_camera_wrote),
        PROCESS_TEST(the_screen_shows_the_cameras_own_buffers),
        PROCESS_TEST(a_killed_reader_gives_the_cameras_buffers_back),
        PROCESS_TEST(an_unplugged_camera_ends_the_stream_and_comes_back_into_slots),
        PROCESS_TEST(an_unplugged_camera_ends_the_stream_and_comes_back_with_its_buffers),
        PROCESS_TEST(an_unplugged_camera_ends_the_stream_and_comes_back_copied),
    };
    if (access("/dev/video0", F_OK))
        plug(true); /* an earlier case failed */
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
