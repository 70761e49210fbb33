/* SPDX-License-Identifier: MIT */
/*
 * Captures from a V4L2 camera into a bus: camera --help.
 *
 * There are four roads from the camera's driver to the readers, tried in the order of the table below. On
 * the first three nothing is copied. What is V4L2 is in camera-v4l2.c; here is what the bus has to do with
 * it.
 */
#include "camera-v4l2.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define QUEUED     4 /* buffers that the driver has at a time */
#define EXPORTED   8 /* of its own: those, the last one published, and three with readers */
#define SPARE      2 /* fewer than that left to it: readers hold too many, copy */
#define SILENCE_MS 5000
#define RETRY_MS   500

enum way { INTO_SLOTS, OWN_BUFFERS, COPY };

static const struct road {
    const char *name, *says;
    enum v4l2_memory memory;
    enum way way;
    struct framebus_writer_options options;
    unsigned buffers;
} roads[] = {
    {"dmabuf",
     "captured into the bus's DMA-BUFs, nothing is copied",
     V4L2_MEMORY_DMABUF,
     INTO_SLOTS,
     {.dmabuf = true, .max_lends = QUEUED + 1},
     VIDEO_MAX_FRAME},
    {"userptr",
     "captured into the bus, nothing is copied",
     V4L2_MEMORY_USERPTR,
     INTO_SLOTS,
     {.max_slots = VIDEO_MAX_FRAME, .max_lends = QUEUED + 1},
     VIDEO_MAX_FRAME},
    {"export",
     "the camera's own buffers are on the bus, nothing is copied while readers leave it enough",
     V4L2_MEMORY_MMAP,
     OWN_BUFFERS,
     {.history = 1},
     EXPORTED},
    {"mmap", "each picture is copied once", V4L2_MEMORY_MMAP, COPY, {0}, QUEUED},
};

#define ROADS (sizeof(roads) / sizeof(roads[0]))

static const struct option long_options[] = {
    {"device", required_argument, NULL, 'd'}, {"bus", required_argument, NULL, 'b'},
    {"size", required_argument, NULL, 's'},   {"fps", required_argument, NULL, 'r'},
    {"format", required_argument, NULL, 'f'}, {"io", required_argument, NULL, 'i'},
    {"frames", required_argument, NULL, 'n'}, {"list", no_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static const char help[] =
    "Usage: camera [OPTION]...\n"
    "Publishes the pictures of a V4L2 camera on a framebus. When the camera is unplugged the stream ends; "
    "it\n"
    "goes on when it is plugged in again.\n"
    "\n"
    "  -d, --device FILE    the camera, best one of /dev/v4l/by-id [/dev/video0]\n"
    "  -b, --bus NAME       the bus [cam0]\n"
    "  -s, --size WxH       size of the picture [as the camera is set]\n"
    "  -r, --fps N          frames a second [as the camera is set]\n"
    "  -f, --format FORMAT  NV12, YUY2, MJPEG, ... [the first that camera and bus both know]\n"
    "  -i, --io ROAD        dmabuf: the camera writes into the bus, whose slots are DMA-BUFs\n"
    "                       userptr: the camera writes into the bus\n"
    "                       export: the camera's own buffers are shown to readers, as DMA-BUFs\n"
    "                       mmap: each picture is copied once\n"
    "                       [auto: the first of these that works]\n"
    "  -n, --frames N       end after so many frames [at Ctrl-C]\n"
    "  -l, --list           list formats, sizes and rates of all cameras, or of the --device\n"
    "  -h, --help           show this text\n";

struct options {
    const char *device, *bus;
    const struct road *road; /* NULL: what works */
    struct camera_wish wish;
    unsigned long frames;
};

struct capture;

struct buffer {
    struct capture *capture;
    unsigned index;
    struct framebus_frame *frame;   /* INTO_SLOTS: lent to us, and by us to the driver */
    struct framebus_buffer *shared; /* OWN_BUFFERS */
    void *map[VIDEO_MAX_PLANES];    /* OWN_BUFFERS, COPY: the driver's memory */
};

/* A camera from when it is plugged in until it is unplugged, and every frame in its buffers came back. */
struct capture {
    struct camera camera;
    const struct road *road;
    struct buffer buffers[VIDEO_MAX_FRAME];
    unsigned count;
    unsigned refs;   /* ours, and of each buffer of its own that is on the bus */
    unsigned queued; /* buffers with the driver */
    uint32_t next;   /* number that the driver should give to the next picture ... */
    bool runs;       /* ... if this is not the first */
    bool ended;
    int error; /* when a buffer that came back was queued */
};

struct session {
    const struct options *options;
    struct framebus_writer *writer;
    const struct road *road; /* of the writer */
    bool settled;            /* it works */
    struct capture *capture;
    int stop_fd;
    unsigned long captured, published, copied, damaged, lost;
};

static int bus_failed(int error)
{
    return camera_fail(error, "%s", framebus_last_error());
}

/* ---- buffers ---- */

static void unref(struct capture *c)
{
    if (--c->refs == 0)
        free(c);
}

static int queue(struct buffer *b, void *base, int fd)
{
    int r = camera_queue(&b->capture->camera, b->index, base, fd);

    b->capture->queued += r == 0;
    return r;
}

/* Lends the driver a slot. A slot has always the same buffer of the driver, which so gets to know it once. */
static int lend(struct session *s)
{
    struct capture *c = s->capture;
    struct framebus_frame *frame;
    struct framebus_dmabuf dmabuf = {0};
    int r = framebus_writer_begin(s->writer, &frame);

    if (r == 0 && c->road->memory == V4L2_MEMORY_DMABUF)
        r = framebus_frame_dmabuf(frame, &dmabuf);
    if (!frame || r < 0) {
        framebus_writer_release(s->writer, frame);
        return bus_failed(r);
    }
    if (frame->slot >= c->count) {
        framebus_writer_cancel(s->writer, frame);
        return camera_fail(-ENOTSUP, "%s: its driver takes %u buffers only", c->camera.path, c->count);
    }
    c->buffers[frame->slot].frame = frame;
    return queue(&c->buffers[frame->slot], frame->data, dmabuf.part[0].fd);
}

/* Nobody reads a buffer of the camera's own any more. Called by the library. */
static void returned(void *user)
{
    struct buffer *b = user;
    struct capture *c = b->capture;
    int r = c->ended ? 0 : queue(b, NULL, -1);

    if (r < 0)
        c->error = r;
    unref(c);
}

/* Puts a buffer of the camera's own on the bus. */
static int share(struct session *s, struct buffer *b)
{
    const struct camera *camera = &b->capture->camera;
    struct framebus_part parts[FRAMEBUS_PLANES_MAX] = {0};
    unsigned n;
    int r = 0;

    for (n = 0; n < camera->pieces && r == 0; n++) {
        r = camera_export(camera, b->index, n, &parts[n].fd);
        if (r == 0)
            parts[n].size =
                n + 1 < camera->pieces ? camera->offset[n + 1] - camera->offset[n] : camera->size[n];
        else
            parts[n].fd = -1;
    }
    if (r == 0 && framebus_buffer_create(&b->shared, s->writer, parts, n, returned, b) < 0)
        r = bus_failed(-ENOTSUP);
    while (n-- > 0)
        if (parts[n].fd >= 0)
            close(parts[n].fd);
    return r;
}

static int prepare(struct session *s, struct buffer *b)
{
    struct capture *c = b->capture;
    int r = 0;

    for (unsigned piece = 0; piece < c->camera.pieces && r == 0; piece++)
        r = camera_map(&c->camera, b->index, piece, &b->map[piece]);
    if (r == 0 && c->road->way == OWN_BUFFERS)
        r = share(s, b);
    return r ? r : queue(b, NULL, -1);
}

/* ---- from plugging in to unplugging ---- */

static void detach(struct session *s)
{
    struct capture *c = s->capture;

    if (!c)
        return;
    s->capture = NULL;
    c->ended = true;
    for (unsigned i = 0; i < VIDEO_MAX_FRAME; i++)
        for (unsigned piece = 0; piece < VIDEO_MAX_PLANES; piece++)
            if (c->buffers[i].map[piece])
                munmap(c->buffers[i].map[piece], c->camera.size[piece]);
    camera_close(&c->camera); /* first: it must not write into a slot that is no longer lent */
    for (unsigned i = 0; i < VIDEO_MAX_FRAME; i++) {
        if (c->buffers[i].frame)
            framebus_writer_cancel(s->writer, c->buffers[i].frame);
        framebus_buffer_destroy(c->buffers[i].shared);
    }
    unref(c);
}

/* A bus with what this road needs, for pictures of this camera. */
static int open_bus(struct session *s, const struct road *road)
{
    const struct framebus_format *format = &s->capture->camera.format;
    int r;

    if (s->writer && s->road == road) {
        r = framebus_writer_set_format(s->writer, format);
    } else {
        framebus_writer_close(s->writer);
        r = framebus_writer_open(&s->writer, s->options->bus, format, &road->options);
        s->road = road;
    }
    return r < 0 ? bus_failed(r) : 0;
}

static int take_road(struct session *s, const struct road *road)
{
    struct capture *c = s->capture;
    unsigned count = road->buffers;
    int r;

    if (road->memory == V4L2_MEMORY_DMABUF && c->camera.pieces > 1)
        return camera_fail(-ENOTSUP, "%s: planes have memory of their own", c->camera.path);
    r = camera_request(&c->camera, road->memory, &count);
    if (r == 0)
        r = open_bus(s, road);
    c->count = count < VIDEO_MAX_FRAME ? count : VIDEO_MAX_FRAME;
    for (unsigned i = 0; r == 0 && i < (road->way == INTO_SLOTS ? QUEUED : c->count); i++)
        r = road->way == INTO_SLOTS ? lend(s) : prepare(s, &c->buffers[i]);
    return r ? r : camera_start(&c->camera);
}

static int open_capture(struct session *s, const struct road *road)
{
    struct capture *c = s->capture = calloc(1, sizeof(*c));

    if (!c)
        return camera_fail(-ENOMEM, "no memory");
    c->road = road;
    c->refs = 1;
    for (unsigned i = 0; i < VIDEO_MAX_FRAME; i++)
        c->buffers[i] = (struct buffer){.capture = c, .index = i};
    return camera_open(&c->camera, s->options->device, &s->options->wish);
}

static void tell(const struct session *s)
{
    const struct camera *camera = &s->capture->camera;
    char text[64];

    printf("camera: %s to bus %s, %s, %s: %s\n", camera->path, s->options->bus,
           framebus_format_describe(&camera->format, text, sizeof(text)), s->road->name, s->road->says);
    fflush(stdout);
}

/* Is there no use in trying another road? */
static bool is_hopeless(const struct session *s, int error)
{
    return error == -ENODEV || error == -EIO || error == -EBUSY || error == -EADDRINUSE ||
           (error == -EINVAL && !s->writer);
}

/* Opens the camera and takes the road that was asked for, or was taken before, or the first one that works.
 */
static int attach(struct session *s)
{
    const struct road *only = s->settled ? s->road : s->options->road, *road = only ? only : roads;
    int r;

    for (;; road++) {
        r = open_capture(s, road);
        if (r < 0)
            break;
        r = take_road(s, road);
        if (r == 0) {
            s->settled = true;
            tell(s);
            return 0;
        }
        if (only || road + 1 == roads + ROADS || is_hopeless(s, r))
            break;
        fprintf(stderr, "camera: not by %s: %s\n", road->name, camera_error());
        detach(s);
    }
    detach(s);
    return r;
}

/* ---- pictures ---- */

/* A frame of the picture in this buffer, not yet published. */
static int make_frame(struct session *s, struct buffer *b, uint64_t size, struct framebus_frame **frame)
{
    struct capture *c = s->capture;
    const struct camera *camera = &c->camera;
    int r;

    if (c->road->way == INTO_SLOTS) {
        *frame = b->frame;
        b->frame = NULL;
        return 0;
    }
    if (c->road->way == OWN_BUFFERS && c->queued >= SPARE) {
        r = framebus_writer_begin_buffer(s->writer, b->shared, frame);
        c->refs += r == 0;
        return r < 0 ? bus_failed(r) : 0;
    }
    r = framebus_writer_begin_size(s->writer, camera->format.fourcc ? camera->format.size : size, frame);
    if (r < 0)
        return bus_failed(r);
    for (unsigned i = 0; i < camera->pieces; i++)
        memcpy((uint8_t *)(*frame)->data + camera->offset[i], b->map[i], i ? camera->size[i] : size);
    s->copied++;
    return queue(b, NULL, -1);
}

static int publish(struct session *s, struct buffer *b, const struct camera_picture *picture, bool lost)
{
    const struct camera *camera = &s->capture->camera;
    struct framebus_frame *frame = NULL;
    int r = make_frame(s, b, picture->size, &frame);

    if (r == 0) {
        if (!camera->format.fourcc)
            frame->size = picture->size;
        frame->capture_ns = picture->capture_ns;
        frame->duration_ns = camera->duration_ns;
        frame->flags = camera->frame_flags;
        if (lost)
            frame->flags |= FRAMEBUS_FRAME_DISCONT;
        r = framebus_writer_publish(s->writer, frame);
        if (r < 0)
            bus_failed(r);
        else
            s->published++;
    }
    framebus_writer_release(s->writer, frame);
    return r;
}

/* Handles one picture if there is one, and gives the driver another buffer for it. */
static int capture(struct session *s)
{
    struct capture *c = s->capture;
    struct camera_picture picture;
    struct buffer *b;
    uint32_t lost;
    int r = camera_take(&c->camera, &picture);

    if (r < 0)
        return r;
    b = &c->buffers[picture.index];
    lost = picture.sequence - c->next;
    if (!c->runs || lost > INT32_MAX) /* some drivers count backwards at times */
        lost = 0;
    c->runs = true;
    c->next = picture.sequence + 1;
    c->queued--;
    s->captured++;
    s->lost += lost;
    if (picture.damaged || !picture.size || picture.size > c->camera.size[0]) {
        s->damaged++;
        framebus_writer_release(s->writer, b->frame);
        b->frame = NULL;
        r = c->road->way == INTO_SLOTS ? 0 : queue(b, NULL, -1);
    } else {
        r = publish(s, b, &picture, lost);
    }
    return r == 0 && c->road->way == INTO_SLOTS ? lend(s) : r;
}

static int stream(struct session *s)
{
    const unsigned long *frames = &s->options->frames;
    struct pollfd fds[] = {
        {.fd = s->capture->camera.fd, .events = POLLIN},
        {.fd = framebus_writer_fd(s->writer), .events = POLLIN},
        {.fd = s->stop_fd, .events = POLLIN},
    };
    int r = 0;

    while (r == 0 && !fds[2].revents && (!*frames || s->published < *frames)) {
        if (poll(fds, 3, SILENCE_MS) == 0)
            fprintf(stderr, "camera: %s has sent nothing for %d s\n", s->options->device, SILENCE_MS / 1000);
        if (fds[1].revents && (r = framebus_writer_dispatch(s->writer)) < 0)
            return bus_failed(r);
        if (fds[0].revents) {
            r = capture(s);
            if (r == -EAGAIN)
                r = fds[0].revents & (POLLERR | POLLHUP) ? -EIO : 0;
        }
        if (r == 0)
            r = s->capture->error;
    }
    return r;
}

/* ---- one after the other ---- */

/* 0: it is there again. -ECANCELED: the user has waited enough. */
static int wait_for_camera(struct session *s)
{
    struct pollfd fds[] = {
        {.fd = s->stop_fd, .events = POLLIN},
        {.fd = framebus_writer_fd(s->writer), .events = POLLIN},
    };

    for (;;) {
        int r = poll(fds, 2, RETRY_MS);

        if (fds[0].revents)
            return -ECANCELED;
        if (fds[1].revents && (r = framebus_writer_dispatch(s->writer)) < 0)
            return bus_failed(r);
        if (r != 0)
            continue;
        r = attach(s);
        /* A device appears before it may be opened. */
        if (r != -ENODEV && r != -EIO && r != -ENOENT && r != -ENXIO && r != -EACCES && r != -EBUSY)
            return r;
    }
}

/* Ctrl-C and kill become something to poll for. */
static int signal_fd(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int run(const struct options *options)
{
    struct session s = {.options = options, .stop_fd = signal_fd()};
    int r = s.stop_fd < 0 ? camera_fail(-errno, "no signalfd: %s", strerror(errno)) : attach(&s);

    while (r == 0) {
        r = stream(&s);
        detach(&s);
        if (r != -ENODEV && r != -EIO)
            break;
        framebus_writer_end(s.writer);
        printf("camera: %s is gone; waiting for it to come back\n", options->device);
        fflush(stdout);
        r = wait_for_camera(&s);
    }
    if (s.settled)
        printf("camera: %lu frames captured, %lu published, %lu copied, %lu damaged, %lu lost\n", s.captured,
               s.published, s.copied, s.damaged, s.lost);
    if (r < 0 && r != -ECANCELED)
        fprintf(stderr, "camera: %s\n", camera_error());
    framebus_writer_close(s.writer);
    if (s.stop_fd >= 0)
        close(s.stop_fd);
    return r < 0 && r != -ECANCELED ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *number)
{
    char *end;

    errno = 0;
    *number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *number >= 1 && *number <= max;
}

static bool parse_size(const char *text, struct camera_wish *wish)
{
    int end = 0;

    return sscanf(text, "%5u%*1[x]%5u%n", &wish->width, &wish->height, &end) == 2 && !text[end] &&
           wish->width && wish->width <= FRAMEBUS_SIDE_MAX && wish->height &&
           wish->height <= FRAMEBUS_SIDE_MAX;
}

static bool parse_road(const char *text, struct options *options)
{
    for (size_t i = 0; i < ROADS; i++)
        if (strcmp(text, roads[i].name) == 0)
            options->road = &roads[i];
    return options->road || strcmp(text, "auto") == 0;
}

int main(int argc, char **argv)
{
    struct options options = {.bus = "cam0"};
    unsigned long fps = 0;
    bool good = true, list = false;
    int option;

    while (good && (option = getopt_long(argc, argv, "d:b:s:r:f:i:n:lh", long_options, NULL)) != -1) {
        switch (option) {
        case 'd':
            options.device = optarg;
            break;
        case 'b':
            options.bus = optarg;
            break;
        case 'f':
            options.wish.format = optarg;
            break;
        case 's':
            good = parse_size(optarg, &options.wish);
            break;
        case 'r':
            good = parse_number(optarg, 10000, &fps);
            break;
        case 'i':
            good = parse_road(optarg, &options);
            break;
        case 'n':
            good = parse_number(optarg, ULONG_MAX, &options.frames);
            break;
        case 'l':
            list = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            return 2;
        }
        if (!good)
            fprintf(stderr, "camera: -%c %s makes no sense; 'camera --help' explains it\n", option, optarg);
    }
    if (good && optind < argc)
        fprintf(stderr, "camera: one argument too many: %s\n", argv[optind]);
    if (!good || optind < argc)
        return 2;
    options.wish.fps = (unsigned)fps;
    if (list) {
        if (camera_list(options.device) == 0)
            return EXIT_SUCCESS;
        fprintf(stderr, "camera: %s\n", camera_error());
        return EXIT_FAILURE;
    }
    if (!options.device)
        options.device = "/dev/video0";
    return run(&options);
}
