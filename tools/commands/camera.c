/* SPDX-License-Identifier: MIT */
/* framebus camera: publishes the pictures of a V4L2 camera. */
#include "again.h"
#include "camera/capture.h"
#include "command.h"
#include "interrupts.h"
#include "names.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define SILENCE_MS 5000 /* without a picture, until that is said */
#define RETRY_MS   500  /* between looks for a camera that is gone */

struct camera_settings {
    const char *device;
    struct setting_wish wish;
    const struct method *method; /* NULL: the first one that works */
    uint64_t frames;             /* 0: no end */
    struct framebus_writer_options writer;
    bool list;
};

struct camera {
    const struct camera_settings *settings;
    const char *name; /* of the bus */
    struct framebus_writer *writer;
    const struct method *method; /* of the writer */
    bool settled;                /* that method works */
    struct capture *capture;     /* NULL: the camera is gone */
    struct capture_counts counts;
    char reason[DEVICE_REASON_ROOM]; /* of the last failure */
};

static int camera_fail_bus(struct camera *camera, int error)
{
    snprintf(camera->reason, sizeof camera->reason, "%s", framebus_last_error());
    return error;
}

static void camera_detach(struct camera *camera)
{
    capture_close(camera->capture);
    camera->capture = NULL;
}

/* Opens the bus for this method, or changes its format if it is open so. */
static int camera_open_bus(struct camera *camera, const struct method *method)
{
    const struct framebus_format *format = capture_format(camera->capture);
    struct framebus_writer_options options;
    int r;
    if (camera->writer && camera->method == method) {
        r = writer_set_format_again(camera->writer, format);
    } else {
        const char *wrong = method_options(method, &camera->settings->writer, &options);
        if (wrong) {
            snprintf(camera->reason, sizeof camera->reason, "%s", wrong);
            return -ENOTSUP;
        }
        framebus_writer_close(camera->writer);
        r = framebus_writer_open(&camera->writer, camera->name, format, &options);
        camera->method = method;
    }
    return r < 0 ? camera_fail_bus(camera, r) : 0;
}

static int camera_start(struct camera *camera, const struct method *method)
{
    int r = capture_request(camera->capture, method);
    if (r == 0)
        r = camera_open_bus(camera, method);
    return r ? r : capture_start(camera->capture, camera->writer, &camera->counts);
}

/* True if another method would fail as well. */
static bool camera_is_hopeless(const struct camera *camera, int error)
{
    return error == -ENODEV || error == -EIO || error == -EBUSY || error == -EADDRINUSE ||
           error == -ECANCELED || (error == -EINVAL && !camera->writer);
}

static void camera_tell(const struct camera *camera)
{
    char text[128];
    fprintf(stderr, "publishing %s of %s on %s by %s: %s%s\n",
            framebus_format_describe(capture_format(camera->capture), text, sizeof text),
            camera->settings->device, camera->name, camera->method->name, camera->method->says,
            isatty(STDIN_FILENO) ? "; Ctrl-C ends" : "");
}

/* Opens the camera, by the method that was asked for, or worked before, or the first one that works. */
static int camera_attach(struct camera *camera)
{
    const struct camera_settings *settings = camera->settings;
    const struct method *only = camera->settled ? camera->method : settings->method;
    const struct method *method = only ? only : method_next(NULL);
    for (;;) {
        int r = capture_open(&camera->capture, settings->device, &settings->wish, camera->reason);
        if (r < 0)
            return r;
        r = camera_start(camera, method);
        if (r == 0) {
            camera->settled = true;
            camera_tell(camera);
            return 0;
        }
        camera_detach(camera);
        const struct method *next = only ? NULL : method_next(method);
        if (!next || camera_is_hopeless(camera, r))
            return r;
        report_error("not by %s: %s", method->name, camera->reason);
        method = next;
    }
}

/* Publishes until something ends it: 0 after the last frame or a signal, or -errno. */
static int camera_stream(struct camera *camera)
{
    const struct camera_settings *settings = camera->settings;
    struct pollfd fds[] = {
        {.fd = capture_fd(camera->capture), .events = POLLIN},
        {.fd = framebus_writer_fd(camera->writer), .events = POLLIN},
        {.fd = settings->writer.cancel_fd, .events = POLLIN},
    };
    int r = 0;
    while (r == 0 && !fds[2].revents && (!settings->frames || camera->counts.published < settings->frames)) {
        if (poll(fds, 3, SILENCE_MS) == 0)
            report_error("%s has sent nothing for %d s", settings->device, SILENCE_MS / 1000);
        if (fds[1].revents && (r = framebus_writer_dispatch(camera->writer)) < 0)
            return camera_fail_bus(camera, r);
        if (fds[0].revents) {
            r = capture_step(camera->capture);
            if (r == -EAGAIN)
                r = fds[0].revents & (POLLERR | POLLHUP) ? -EIO : 0;
        }
        if (r == 0)
            r = capture_error(camera->capture);
    }
    return r;
}

/* 0: the camera is there again. -ECANCELED: a signal came. */
static int camera_wait(struct camera *camera)
{
    struct pollfd fds[] = {
        {.fd = camera->settings->writer.cancel_fd, .events = POLLIN},
        {.fd = framebus_writer_fd(camera->writer), .events = POLLIN},
    };
    for (;;) {
        int r = poll(fds, 2, RETRY_MS);
        if (fds[0].revents)
            return -ECANCELED;
        if (fds[1].revents && (r = framebus_writer_dispatch(camera->writer)) < 0)
            return camera_fail_bus(camera, r);
        if (r != 0)
            continue;
        r = camera_attach(camera);
        /* A device appears before it may be opened. */
        if (r != -ENODEV && r != -EIO && r != -ENOENT && r != -ENXIO && r != -EACCES && r != -EBUSY)
            return r;
    }
}

static int camera_publish(struct camera *camera)
{
    const struct capture_counts *counts = &camera->counts;
    int r = camera_attach(camera);
    while (r == 0) {
        r = camera_stream(camera);
        camera_detach(camera);
        if (r != -ENODEV && r != -EIO)
            break;
        writer_end_again(camera->writer);
        report_error("%s is gone; waiting for it to come back", camera->settings->device);
        r = camera_wait(camera);
    }
    framebus_writer_close(camera->writer);
    if (camera->settled)
        fprintf(stderr, "%lu frames captured, %lu published, %lu copied, %lu damaged, %lu lost\n",
                counts->captured, counts->published, counts->copied, counts->damaged, counts->lost);
    return r < 0 && r != -ECANCELED ? report_error("%s", camera->reason) : STATUS_DONE;
}

/* ---- Options ---- */

static const char *camera_parse_history(const char *text, void *field)
{
    return value_within(text, 1, 16, field) ? NULL : "is not a number of frames from 1 to 16";
}

static int camera_run(int argc, char **argv)
{
    struct camera_settings settings = {.writer.label = "framebus camera"};
    struct camera camera = {.settings = &settings};
    int status;
    if (!options_read(&command_camera.usage, argc, argv, &settings, &status))
        return status;
    if (argc - optind > (settings.list ? 0 : 1))
        return report_usage("one argument too many: %s", argv[argc - 1]);
    if (settings.list)
        return offer_list(settings.device);
    if (optind == argc)
        return report_usage("the name of a bus is missing");
    if (!settings.device)
        settings.device = "/dev/video0";
    settings.writer.cancel_fd = interrupts_open(0, STATUS_FAILED);
    camera.name = argv[optind];
    return camera_publish(&camera);
}

#define CAMERA_FIELD(name) offsetof(struct camera_settings, name)

static const struct option_row camera_options[] = {
    {"device", 'd', "FILE", value_text, CAMERA_FIELD(device),
     "the camera, best one of /dev/v4l/by-id [/dev/video0]"},
    {"format", 'f', "FORMAT", value_text, CAMERA_FIELD(wish.format),
     "NV12, YUY2, MJPEG, ... [the first that camera and bus both know]"},
    {"size", 's', "WxH", value_size, CAMERA_FIELD(wish.size),
     "width and height of the picture in pixels [as the camera is set]"},
    {"rate", 'r', "RATE", value_rate, CAMERA_FIELD(wish.rate),
     "frames a second: 30, 29.97, 15/2 [as the camera is set]"},
    {"list", 0, NULL, NULL, CAMERA_FIELD(list),
     "list formats, sizes and rates of all cameras, or of the --device"},
    {"frames", 'n', "N", value_count, CAMERA_FIELD(frames), "end after N frames"},
    {"io", 'i', "METHOD", method_parse, CAMERA_FIELD(method), "dmabuf, userptr, export, mmap or auto [auto]"},
    {"memory", 'm', "KIND", memory_parse, CAMERA_FIELD(writer.memory), "memfd, posix or sysv [memfd]"},
    {"history", 'H', "N", camera_parse_history, CAMERA_FIELD(writer.history),
     "keep N frames for readers that come late or lag [4; with export 1]"},
    {"lossless", 'l', NULL, NULL, CAMERA_FIELD(writer.lossless),
     "wait for lossless readers; meanwhile the camera loses pictures"},
    {0},
};

static const struct usage_term camera_terms[] = {
    {NULL, "Methods, in the order in which auto tries them"},
    {"dmabuf", "the camera writes into slots, which are DMA-BUFs: readers can hand them to a device"},
    {"userptr", "the camera writes into slots"},
    {"export", "the camera's own buffers are shown to readers, as DMA-BUFs"},
    {"mmap", "each picture is copied once"},
    {0},
};

const struct command command_camera = {
    .usage =
        {
            .name = "framebus camera",
            .arguments = "[OPTION]... NAME | --list",
            .summary = "publish the pictures of a camera",
            .text =
                "Publishes what a V4L2 camera captures, until it is interrupted. It says at the beginning by "
                "which method the pictures reach the bus, and at the end how many were copied, damaged, or "
                "lost by the driver. When the camera is unplugged the stream ends; it goes on when the "
                "camera "
                "is plugged in again.",
            .terms = camera_terms,
            .options = camera_options,
            .examples =
                "framebus camera cam0\n"
                "framebus camera --device /dev/video2 --format MJPEG --size 1920x1080 --rate 30 cam0\n"
                "framebus camera --list\n",
            .more = true,
        },
    .run = camera_run,
};
