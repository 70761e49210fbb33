/* SPDX-License-Identifier: MIT */
/* From a camera to the screen, both of them GStreamer's: what kmssink has the display driver scan out is
 * looked at from outside, and is the memory that the camera wrote to. */
#include "screen.h"

#include <xf86drm.h>
#include <xf86drmMode.h>

#define CARDS 4

#define CAPS "video/x-raw,format=BGRx,width=640,height=480"

/* As check_soon(): the guest is slow, and GStreamer is a lot to load. Says what both pipelines have said. */
#define check_late(condition)                                                                                \
    do {                                                                                                     \
        int64_t limit_ = now_ns() + 60 * S;                                                                  \
        while (!(condition)) {                                                                               \
            if (now_ns() > limit_) {                                                                         \
                note("camera: %s", end_of(said("camera")));                                                  \
                note("display: %s", end_of(said("display")));                                                \
                check_failed(__FILE__, __LINE__, "never came true: %s", #condition);                         \
            }                                                                                                \
            sleep_ns(10 * MS);                                                                               \
        }                                                                                                    \
    } while (0)

/* What it has said, the last of it, in a static buffer. */
static const char *said(const char *name)
{
    static char text[65536];
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && lseek(fd, -(off_t)(sizeof text - 1), SEEK_END) < 0)
        lseek(fd, 0, SEEK_SET); /* it is shorter */
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    if (fd >= 0)
        close(fd);
    return text;
}

static const char *end_of(const char *text)
{
    size_t length = strlen(text);
    return length > 2000 ? text + length - 2000 : text;
}

/* Of the card that has a screen; "" if there is none. */
static const char *driver_name(void)
{
    static char name[32];
    for (int i = 0; i < CARDS && !name[0]; i++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/dri/card%d", i);
        int card = open(path, O_RDWR | O_CLOEXEC);
        drmModeRes *resources = card < 0 ? NULL : drmModeGetResources(card);
        drmVersion *version = card < 0 ? NULL : drmGetVersion(card);
        if (resources && resources->count_connectors && version)
            snprintf(name, sizeof name, "%s", version->name);
        drmFreeVersion(version);
        drmModeFreeResources(resources);
        if (card >= 0)
            close(card);
    }
    return name;
}

/* ---- pipelines ---- */

struct pipeline {
    const char *name; /* of the file for what it says */
    const char *text;
};

/* Errors go where the test's go: what the library warns of must not be lost among the messages. */
static void launch(const void *argument)
{
    const struct pipeline *pipeline = argument;
    char text[512], *words[64] = {NULL};
    unsigned count = 0;
    snprintf(text, sizeof text, "gst-launch-1.0 -e -m %s", pipeline->text);
    for (char *word = strtok(text, " "); word && count < 63; word = strtok(NULL, " "))
        words[count++] = word;
    check(freopen(path_of(pipeline->name), "w", stdout));
    execvp(words[0], words);
    check(false);
}

/* A number of the statistics that an element posted last. */
static int64_t stat_of(const char *name, const char *element, const char *field)
{
    char word[64];
    const char *stats = NULL, *at = said(name);
    snprintf(word, sizeof word, "%s-stats,", element);
    while ((at = strstr(at, word)))
        stats = at++;
    snprintf(word, sizeof word, " %s=(guint64)", field);
    at = stats ? strstr(stats, word) : NULL;
    if (!at)
        check_failed(__FILE__, __LINE__, "no %s of %s in \"%s\"", field, element, end_of(said(name)));
    return strtoll(at + strlen(word), NULL, 10);
}

static void end_well(pid_t pid, const char *name)
{
    check_late(has_ended(pid));
    int status = status_of(pid);
    if (status)
        check_failed(__FILE__, __LINE__, "the %s ended with status 0x%x: \"%s\"", name, (unsigned)status,
                     end_of(said(name)));
}

/* Ends the camera in good order, and with the stream, the display. */
static void end(pid_t camera, pid_t display)
{
    kill(camera, SIGINT);
    end_well(camera, "camera");
    end_well(display, "display");
}

static unsigned readers(void)
{
    struct framebus_bus_info *info = NULL;
    unsigned count = framebus_query("bus", &info) < 0 ? 0 : info->readers;
    framebus_info_free(info, 1);
    return count;
}

static uint64_t published(void)
{
    struct framebus_bus_info *info = NULL;
    uint64_t count = framebus_query("bus", &info) < 0 ? 0 : info->published;
    framebus_info_free(info, 1);
    return count;
}

static pid_t start_display(void)
{
    static char text[256];
    static struct pipeline display = {"display", text};
    snprintf(text, sizeof text,
             "framebussrc bus=bus ! kmssink driver-name=%s force-modesetting=true sync=false", driver_name());
    pid_t pid = spawn(launch, &display);
    check_late(has_ended(pid) || readers() == 1);
    if (has_ended(pid))
        check_failed(__FILE__, __LINE__, "no display: \"%s\"", end_of(said("display")));
    return pid;
}

/* The newest frame of a camera that has been stopped. */
static struct framebus_frame *newest(struct framebus_reader *rd)
{
    struct framebus_frame *f = NULL, *next;
    int r;
    while ((r = framebus_reader_next(rd, &next, f ? 500 * MS : 20 * S)) == 0) {
        if (f)
            framebus_reader_release(rd, f);
        f = next;
    }
    check_equal(r, -ETIMEDOUT);
    check(f);
    return f;
}

static int64_t inode_of(const struct framebus_frame *f)
{
    struct framebus_dmabuf d;
    struct stat st;
    check_equal(framebus_frame_dmabuf(f, &d), 0);
    check(!fstat(d.part[0].fd, &st));
    return (int64_t)st.st_ino;
}

static bool shows(const struct framebus_frame *f, int64_t expected)
{
    static uint8_t bytes[SCREEN_SIZE];
    int64_t inode = 0;
    return screen_look(bytes, &inode) && inode == expected && !memcmp(bytes, f->data, SCREEN_SIZE);
}

static void check_shown(const char *camera_text)
{
    const struct pipeline pipeline = {"camera", camera_text};
    struct framebus_reader *rd;
    allow_seconds(140);
    pid_t camera = spawn(launch, &pipeline);
    pid_t display = start_display();
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.dmabuf = true}), 0);
    for (int i = 0; i < 3; i++) {
        uint64_t before = published();
        check_late(published() > before + 5);
        stop_now(camera);
        struct framebus_frame *f = newest(rd);
        check(f->data && f->size >= SCREEN_SIZE);
        int64_t inode = inode_of(f);
        check_late(shows(f, inode)); /* the same memory, the same bytes */
        framebus_reader_release(rd, f);
        check(!kill(camera, SIGCONT));
    }
    framebus_reader_close(rd);
    end(camera, display);
    int64_t delivered = stat_of("display", "framebussrc", "delivered");
    check(delivered > 5);
    check_equal(stat_of("display", "framebussrc", "dmabuf"), delivered);
    check_equal(stat_of("display", "framebussrc", "copied"), 0);
    int64_t captured = stat_of("camera", "framebussink", "rendered");
    check(captured > 15);
    check_equal(stat_of("camera", "framebussink", "zero-copy"), captured);
    check_equal(stat_of("camera", "framebussink", "copied"), 0);
    note("%lld frames captured, %lld shown", (long long)captured, (long long)delivered);
}

static void finish_files(void)
{
    check(!unlink(path_of("camera")) && !unlink(path_of("display")));
}

static void kmssink_scans_out_slots_that_the_camera_filled(void)
{
    check_shown("v4l2src io-mode=dmabuf-import ! " CAPS
                " ! framebussink bus=bus dmabuf=slots wait-for-connection=true");
    check_equal(stat_of("camera", "framebussink", "imported"), 0);
    finish_files();
}

static void kmssink_scans_out_the_cameras_own_buffers(void)
{
    check_shown("v4l2src io-mode=dmabuf ! " CAPS " ! framebussink bus=bus wait-for-connection=true");
    check_equal(stat_of("camera", "framebussink", "imported"),
                stat_of("camera", "framebussink", "zero-copy"));
    finish_files();
}

static void a_killed_display_gives_back_the_cameras_buffers(void)
{
    const struct pipeline pipeline = {"camera", "v4l2src io-mode=dmabuf ! " CAPS " ! framebussink bus=bus"};
    allow_seconds(140);
    pid_t camera = spawn(launch, &pipeline);
    for (int i = 0; i < 3; i++) { /* each dies with two or three of a dozen buffers */
        pid_t display = start_display();
        uint64_t before = published();
        check_late(published() > before + 8);
        kill_now(display);
        check_late(readers() == 0);
    }
    pid_t last = start_display();
    uint64_t before = published();
    check_late(published() > before + 30);
    end(camera, last);
    int64_t captured = stat_of("camera", "framebussink", "rendered");
    check_equal(stat_of("camera", "framebussink", "imported"), captured);
    finish_files();
}

/* With a pattern: only the cases that it fits. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(kmssink_scans_out_slots_that_the_camera_filled),
        PROCESS_TEST(kmssink_scans_out_the_cameras_own_buffers),
        PROCESS_TEST(a_killed_display_gives_back_the_cameras_buffers),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
