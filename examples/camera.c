/* SPDX-License-Identifier: MIT */
/*
 * Captures from a V4L2 camera into a bus. Where the driver takes memory from us (V4L2_MEMORY_USERPTR) the
 * camera writes straight into the slots of the bus and nothing is copied; else each frame is copied once.
 */
#include <framebus.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define BUFFERS     4
#define BUFFERS_MAX 8 /* drivers may insist on more than we ask for; as many as a writer lends by default */
#define SILENCE_MS  5000

/* In the order in which they are tried. */
static const struct pixel_format {
    uint32_t v4l2;
    const char *name;
    const char *caps; /* of what is no raw picture */
} pixel_formats[] = {
    {V4L2_PIX_FMT_NV12, "NV12", NULL},
    {V4L2_PIX_FMT_YUYV, "YUY2", NULL},
    {V4L2_PIX_FMT_UYVY, "UYVY", NULL},
    {V4L2_PIX_FMT_YUV420, "I420", NULL},
    {V4L2_PIX_FMT_YVU420, "YV12", NULL},
    {V4L2_PIX_FMT_NV21, "NV21", NULL},
    {V4L2_PIX_FMT_NV16, "NV16", NULL},
    {V4L2_PIX_FMT_YUV422P, "Y42B", NULL},
    {V4L2_PIX_FMT_XBGR32, "BGRx", NULL},
    {V4L2_PIX_FMT_RGB24, "RGB", NULL},
    {V4L2_PIX_FMT_BGR24, "BGR", NULL},
    {V4L2_PIX_FMT_GREY, "GRAY8", NULL},
    {V4L2_PIX_FMT_MJPEG, "MJPEG", "image/jpeg"},
    {V4L2_PIX_FMT_JPEG, "JPEG", "image/jpeg"},
    {V4L2_PIX_FMT_H264, "H264", "video/x-h264, stream-format=byte-stream, alignment=au"},
};

#define PIXEL_FORMATS (sizeof(pixel_formats) / sizeof(pixel_formats[0]))

static const struct option long_options[] = {
    {"device", required_argument, NULL, 'd'}, {"bus", required_argument, NULL, 'b'},
    {"size", required_argument, NULL, 's'},   {"fps", required_argument, NULL, 'r'},
    {"format", required_argument, NULL, 'f'}, {"memory", required_argument, NULL, 'm'},
    {"frames", required_argument, NULL, 'n'}, {"list", no_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static const char help[] =
    "Usage: camera [OPTION]...\n"
    "Publishes the pictures of a V4L2 camera on a framebus.\n"
    "\n"
    "  -d, --device FILE    the camera [/dev/video0]\n"
    "  -b, --bus NAME       the bus [cam0]\n"
    "  -s, --size WxH       size of the picture [as the camera is set]\n"
    "  -r, --fps N          frames a second [as the camera is set]\n"
    "  -f, --format FORMAT  NV12, YUY2, MJPEG, ... [the first that camera and bus both know]\n"
    "  -m, --memory KIND    userptr: the camera writes into the bus; mmap: each frame is copied once\n"
    "                       [userptr if the camera can, else mmap]\n"
    "  -n, --frames N       end after so many frames [at ctrl-C]\n"
    "  -l, --list           list the cameras and their formats\n"
    "  -h, --help           show this text\n";

struct options {
    const char *device, *bus, *format;
    unsigned width, height, fps;
    unsigned long frames;
    enum v4l2_memory memory; /* 0: what works */
};

struct camera {
    const char *path;
    int fd;
    struct framebus_writer *writer;
    const struct pixel_format *pixels;
    enum v4l2_memory memory;
    uint32_t sizeimage;
    uint32_t frame_flags;
    int64_t duration_ns;
    struct framebus_format format;
    char caps[160];
    struct framebus_frame *frame[BUFFERS_MAX]; /* userptr: lent to us, and by us to the driver */
    void *map[BUFFERS_MAX];                    /* mmap: the driver's own memory */
    size_t map_length[BUFFERS_MAX];
    unsigned long published, dropped;
};

static int error(const struct camera *camera, const char *what)
{
    fprintf(stderr, "camera: %s: cannot %s: %s\n", camera->path, what,
            errno == ENODEV  ? "the camera is gone (unplugged?)"
            : errno == EBUSY ? "another program is using it"
                             : strerror(errno));
    return -1;
}

static int bus_error(void)
{
    fprintf(stderr, "camera: %s\n", framebus_last_error());
    return -1;
}

static int call(int fd, unsigned long request, void *argument)
{
    int r;

    do
        r = ioctl(fd, request, argument);
    while (r < 0 && errno == EINTR);
    return r;
}

static bool camera_has(int fd, uint32_t v4l2)
{
    struct v4l2_fmtdesc description = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};

    for (; call(fd, VIDIOC_ENUM_FMT, &description) == 0; description.index++)
        if (description.pixelformat == v4l2)
            return true;
    return false;
}

static uint32_t capabilities(int fd, struct v4l2_capability *answer)
{
    if (call(fd, VIDIOC_QUERYCAP, answer) < 0)
        return 0;
    return answer->capabilities & V4L2_CAP_DEVICE_CAPS ? answer->device_caps : answer->capabilities;
}

static bool can_capture(uint32_t can)
{
    return (can & V4L2_CAP_VIDEO_CAPTURE) && (can & V4L2_CAP_STREAMING);
}

static int list_cameras(void)
{
    unsigned found = 0;

    for (unsigned i = 0; i < 64; i++) {
        struct v4l2_capability about;
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/dev/video%u", i);
        fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (can_capture(capabilities(fd, &about))) {
            found++;
            printf("%s  %.32s ", path, (const char *)about.card);
            for (size_t k = 0; k < PIXEL_FORMATS; k++)
                if (camera_has(fd, pixel_formats[k].v4l2))
                    printf(" %s", pixel_formats[k].name);
            putchar('\n');
        }
        close(fd);
    }
    if (!found)
        fputs("camera: there is no camera that could be opened\n", stderr);
    return found ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int open_camera(struct camera *camera)
{
    struct v4l2_capability about;
    uint32_t can;

    camera->fd = open(camera->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (camera->fd < 0)
        return error(camera, "open it ('camera --list' shows what there is)");
    can = capabilities(camera->fd, &about);
    if (can_capture(can))
        return 0;
    fprintf(stderr, "camera: %s is no camera this program can use: %s\n", camera->path,
            !can                                  ? "it does not speak V4L2"
            : can & V4L2_CAP_VIDEO_CAPTURE_MPLANE ? "it has the multi-planar interface only"
                                                  : "it does not capture video by streaming");
    return -1;
}

static int choose_pixels(struct camera *camera, const char *wanted)
{
    for (size_t i = 0; i < PIXEL_FORMATS; i++) {
        const struct pixel_format *pixels = &pixel_formats[i];

        if ((!wanted || strcmp(wanted, pixels->name) == 0) && camera_has(camera->fd, pixels->v4l2)) {
            camera->pixels = pixels;
            return 0;
        }
    }
    fprintf(stderr, "camera: %s does not deliver %s ('camera --list' shows what it does)\n", camera->path,
            wanted ? wanted : "any format this program knows");
    return -1;
}

static uint8_t look_up(const uint8_t *table, size_t count, uint32_t index)
{
    return index < count ? table[index] : 0;
}

/* V4L2's words for colours, in the numbers of H.273. What is not in a table is left to be guessed. */
static struct framebus_color describe_color(const struct v4l2_pix_format *pix, bool yuv)
{
    static const uint8_t primaries[] = {
        [V4L2_COLORSPACE_SMPTE170M] = 6,     [V4L2_COLORSPACE_REC709] = 1, [V4L2_COLORSPACE_SRGB] = 1,
        [V4L2_COLORSPACE_470_SYSTEM_BG] = 5, [V4L2_COLORSPACE_JPEG] = 1,   [V4L2_COLORSPACE_BT2020] = 9,
    };
    static const uint8_t transfers[] = {
        [V4L2_XFER_FUNC_709] = 1, [V4L2_XFER_FUNC_SRGB] = 13, [V4L2_XFER_FUNC_SMPTE2084] = 16};
    static const uint8_t matrices[] = {
        [V4L2_YCBCR_ENC_601] = 6, [V4L2_YCBCR_ENC_709] = 1, [V4L2_YCBCR_ENC_BT2020] = 9};
    static const uint8_t ranges[] = {[V4L2_QUANTIZATION_LIM_RANGE] = 1, [V4L2_QUANTIZATION_FULL_RANGE] = 2};
    uint32_t transfer = pix->xfer_func ? pix->xfer_func : V4L2_MAP_XFER_FUNC_DEFAULT(pix->colorspace);
    uint32_t matrix = pix->ycbcr_enc ? pix->ycbcr_enc : V4L2_MAP_YCBCR_ENC_DEFAULT(pix->colorspace);
    uint32_t range = pix->quantization;

    if (!range)
        range = V4L2_MAP_QUANTIZATION_DEFAULT(!yuv, pix->colorspace, matrix);
    return (struct framebus_color){
        .primaries = look_up(primaries, sizeof(primaries), pix->colorspace),
        .transfer = look_up(transfers, sizeof(transfers), transfer),
        .matrix = yuv ? look_up(matrices, sizeof(matrices), matrix) : 0,
        .range = look_up(ranges, sizeof(ranges), range),
    };
}

/* Strides and offsets as V4L2 lays contiguous planes out: one stride, the chroma planes' in proportion. */
static int describe_picture(struct camera *camera, const struct v4l2_pix_format *pix)
{
    const struct framebus_format_info *info = framebus_format_by_name(camera->pixels->name);
    struct framebus_format *format = &camera->format;
    uint64_t offset = 0;

    if (framebus_format_init(format, info->fourcc, pix->width, pix->height) < 0)
        return bus_error();
    for (uint32_t i = 0; pix->bytesperline && i < format->planes; i++) {
        const struct framebus_plane_layout *first = &info->plane[0], *plane = &info->plane[i];

        format->stride[i] =
            pix->bytesperline * plane->bytes * first->pixels / (plane->pixels * plane->sub_x * first->bytes);
        format->offset[i] = offset;
        offset += (uint64_t)format->stride[i] * framebus_format_rows(format, i);
    }
    if (format->size < pix->sizeimage)
        format->size = pix->sizeimage;
    format->color = describe_color(pix, info->yuv);
    return 0;
}

static int describe_payload(struct camera *camera, const struct v4l2_pix_format *pix)
{
    struct framebus_format *format = &camera->format;

    snprintf(camera->caps, sizeof(camera->caps), "%s, width=%u, height=%u", camera->pixels->caps, pix->width,
             pix->height);
    if (framebus_format_init_opaque(format, camera->caps, pix->sizeimage) < 0)
        return bus_error();
    format->width = pix->width;
    format->height = pix->height;
    return 0;
}

static void set_rate(struct camera *camera, unsigned fps)
{
    struct v4l2_streamparm parm = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_fract *interval = &parm.parm.capture.timeperframe;

    if (call(camera->fd, VIDIOC_G_PARM, &parm) == 0 && fps) {
        *interval = (struct v4l2_fract){.numerator = 1, .denominator = fps};
        if (!(parm.parm.capture.capability & V4L2_CAP_TIMEPERFRAME) ||
            call(camera->fd, VIDIOC_S_PARM, &parm) < 0)
            fprintf(stderr, "camera: %s does not let its frame rate be set\n", camera->path);
    }
    if (!interval->numerator || !interval->denominator)
        return;
    camera->format.rate_num = interval->denominator;
    camera->format.rate_den = interval->numerator;
    camera->duration_ns = INT64_C(1000000000) * interval->numerator / interval->denominator;
}

static int set_format(struct camera *camera, const struct options *options)
{
    struct v4l2_format v4l2 = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_pix_format *pix = &v4l2.fmt.pix;
    int r;

    if (call(camera->fd, VIDIOC_G_FMT, &v4l2) < 0)
        return error(camera, "ask for its format");
    if (options->width) {
        pix->width = options->width;
        pix->height = options->height;
    }
    pix->pixelformat = camera->pixels->v4l2;
    pix->field = V4L2_FIELD_ANY;
    pix->bytesperline = 0;
    if (call(camera->fd, VIDIOC_S_FMT, &v4l2) < 0)
        return error(camera, "set its format");
    if (pix->pixelformat != camera->pixels->v4l2 || !pix->sizeimage) {
        fprintf(stderr, "camera: %s refuses %s %ux%u\n", camera->path, camera->pixels->name, pix->width,
                pix->height);
        return -1;
    }
    if (options->width && (pix->width != options->width || pix->height != options->height))
        fprintf(stderr, "camera: %s has no %ux%u, but %ux%u\n", camera->path, options->width, options->height,
                pix->width, pix->height);
    camera->sizeimage = pix->sizeimage;
    camera->frame_flags = pix->field == V4L2_FIELD_INTERLACED ? FRAMEBUS_FRAME_INTERLACED : 0;
    r = camera->pixels->caps ? describe_payload(camera, pix) : describe_picture(camera, pix);
    if (r == 0)
        set_rate(camera, options->fps);
    return r;
}

/* A slot for the camera to write into, if that is how we do it and this buffer has none yet. */
static int lend(struct camera *camera, unsigned index)
{
    int r = 0;

    if (camera->memory == V4L2_MEMORY_USERPTR && !camera->frame[index])
        r = framebus_writer_begin_size(camera->writer, camera->sizeimage, &camera->frame[index]);
    if (r < 0) {
        bus_error();
        errno = -r;
    }
    return r < 0 ? -1 : 0;
}

static int queue(struct camera *camera, unsigned index)
{
    struct v4l2_buffer buffer = {
        .index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = camera->memory};
    const struct framebus_frame *frame = camera->frame[index];

    if (frame) {
        buffer.m.userptr = (unsigned long)frame->data;
        buffer.length = frame->capacity < UINT32_MAX ? (uint32_t)frame->capacity : UINT32_MAX;
    }
    return call(camera->fd, VIDIOC_QBUF, &buffer);
}

static int map_buffer(struct camera *camera, unsigned index)
{
    struct v4l2_buffer buffer = {
        .index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    void *map;

    if (call(camera->fd, VIDIOC_QUERYBUF, &buffer) < 0)
        return -1;
    map = mmap(NULL, buffer.length, PROT_READ, MAP_SHARED, camera->fd, buffer.m.offset);
    if (map == MAP_FAILED)
        return -1;
    camera->map[index] = map;
    camera->map_length[index] = buffer.length;
    return 0;
}

/* Takes everything back from the driver first: it must not write into a slot that is no longer lent. */
static void stop(struct camera *camera)
{
    enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    struct v4l2_requestbuffers none = {.type = type, .memory = camera->memory};

    if (camera->fd >= 0)
        call(camera->fd, VIDIOC_STREAMOFF, &type);
    for (unsigned i = 0; i < BUFFERS_MAX; i++) {
        if (camera->map[i])
            munmap(camera->map[i], camera->map_length[i]);
        if (camera->frame[i])
            framebus_writer_cancel(camera->writer, camera->frame[i]);
        camera->map[i] = NULL;
        camera->frame[i] = NULL;
    }
    if (camera->fd >= 0)
        call(camera->fd, VIDIOC_REQBUFS, &none);
}

static int start(struct camera *camera, enum v4l2_memory memory)
{
    enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    struct v4l2_requestbuffers request = {.count = BUFFERS, .type = type, .memory = memory};

    camera->memory = memory;
    if (call(camera->fd, VIDIOC_REQBUFS, &request) < 0)
        return -1;
    for (unsigned i = 0; i < request.count && i < BUFFERS_MAX; i++)
        if ((memory == V4L2_MEMORY_MMAP && map_buffer(camera, i) < 0) || lend(camera, i) < 0 ||
            queue(camera, i) < 0)
            return -1;
    return call(camera->fd, VIDIOC_STREAMON, &type);
}

static int start_any(struct camera *camera, enum v4l2_memory wanted)
{
    if (wanted != V4L2_MEMORY_MMAP) {
        if (start(camera, V4L2_MEMORY_USERPTR) == 0)
            return 0;
        if (wanted || errno == ENODEV || errno == EBUSY)
            return error(camera, "stream into the bus (userptr)");
        stop(camera);
    }
    return start(camera, V4L2_MEMORY_MMAP) == 0 ? 0 : error(camera, "stream");
}

static int publish(struct camera *camera, const struct v4l2_buffer *buffer)
{
    struct framebus_frame *frame = camera->frame[buffer->index];
    int r = 0;

    if (camera->memory == V4L2_MEMORY_MMAP) {
        r = framebus_writer_begin_size(camera->writer, buffer->bytesused, &frame);
        if (r < 0)
            return bus_error();
        memcpy(frame->data, camera->map[buffer->index], buffer->bytesused);
    }
    camera->frame[buffer->index] = NULL;
    if (camera->pixels->caps)
        frame->size = buffer->bytesused;
    if ((buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        frame->capture_ns =
            buffer->timestamp.tv_sec * INT64_C(1000000000) + buffer->timestamp.tv_usec * INT64_C(1000);
    frame->duration_ns = camera->duration_ns;
    frame->flags = camera->frame_flags;
    r = framebus_writer_publish(camera->writer, frame);
    if (r < 0)
        bus_error();
    framebus_writer_release(camera->writer, frame);
    return r;
}

/* Handles one frame if there is one. The slot it came in is published: the driver gets another. */
static int capture(struct camera *camera)
{
    struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = camera->memory};

    if (call(camera->fd, VIDIOC_DQBUF, &buffer) < 0)
        return errno == EAGAIN ? 0 : error(camera, "take a frame");
    if ((buffer.flags & V4L2_BUF_FLAG_ERROR) || !buffer.bytesused)
        camera->dropped++;
    else if (publish(camera, &buffer) < 0)
        return -1;
    else
        camera->published++;
    if (lend(camera, buffer.index) < 0)
        return -1;
    return queue(camera, buffer.index) == 0 ? 0 : error(camera, "queue a buffer");
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

static int stream(struct camera *camera, int stop_fd, unsigned long frames)
{
    struct pollfd fds[] = {
        {.fd = camera->fd, .events = POLLIN},
        {.fd = framebus_writer_fd(camera->writer), .events = POLLIN},
        {.fd = stop_fd, .events = POLLIN},
    };
    int r = 0;

    while (r == 0 && !fds[2].revents && (!frames || camera->published < frames)) {
        if (poll(fds, 3, SILENCE_MS) == 0)
            fprintf(stderr, "camera: %s has sent nothing for %d s\n", camera->path, SILENCE_MS / 1000);
        if (fds[1].revents && framebus_writer_dispatch(camera->writer) < 0)
            r = bus_error();
        if (fds[0].revents && r == 0)
            r = capture(camera);
    }
    return r;
}

static int run(const struct options *options)
{
    struct camera camera = {.path = options->device, .fd = -1};
    int stop_fd = signal_fd(), r = -1;
    char text[64];

    if (stop_fd < 0 || open_camera(&camera) < 0 || choose_pixels(&camera, options->format) < 0 ||
        set_format(&camera, options) < 0)
        goto done;
    if (framebus_writer_open(&camera.writer, options->bus, &camera.format, NULL) < 0) {
        bus_error();
        goto done;
    }
    if (start_any(&camera, options->memory) < 0)
        goto done;
    printf("camera: %s to bus %s, %s, %s\n", camera.path, options->bus,
           framebus_format_describe(&camera.format, text, sizeof(text)),
           camera.memory == V4L2_MEMORY_USERPTR ? "captured into the bus (userptr)"
                                                : "each frame copied once (mmap)");
    fflush(stdout);
    r = stream(&camera, stop_fd, options->frames);
    printf("camera: %lu frames published, %lu damaged ones dropped\n", camera.published, camera.dropped);
done:
    if (camera.writer)
        stop(&camera);
    framebus_writer_close(camera.writer);
    if (camera.fd >= 0)
        close(camera.fd);
    if (stop_fd >= 0)
        close(stop_fd);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *number)
{
    char *end;

    errno = 0;
    *number = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *number >= 1 && *number <= max;
}

static bool parse_size(const char *text, struct options *options)
{
    int end = 0;

    return sscanf(text, "%5u%*1[x]%5u%n", &options->width, &options->height, &end) == 2 && !text[end] &&
           options->width && options->width <= FRAMEBUS_SIDE_MAX && options->height &&
           options->height <= FRAMEBUS_SIDE_MAX;
}

static bool parse_memory(const char *text, struct options *options)
{
    options->memory = strcmp(text, "userptr") == 0 ? V4L2_MEMORY_USERPTR
                      : strcmp(text, "mmap") == 0  ? V4L2_MEMORY_MMAP
                                                   : 0;
    return options->memory;
}

int main(int argc, char **argv)
{
    struct options options = {.device = "/dev/video0", .bus = "cam0"};
    unsigned long fps = 0;
    bool good = true;
    int option;

    while (good && (option = getopt_long(argc, argv, "d:b:s:r:f:m:n:lh", long_options, NULL)) != -1) {
        switch (option) {
        case 'd':
            options.device = optarg;
            break;
        case 'b':
            options.bus = optarg;
            break;
        case 'f':
            options.format = optarg;
            break;
        case 's':
            good = parse_size(optarg, &options);
            break;
        case 'r':
            good = parse_number(optarg, 10000, &fps);
            break;
        case 'm':
            good = parse_memory(optarg, &options);
            break;
        case 'n':
            good = parse_number(optarg, ULONG_MAX, &options.frames);
            break;
        case 'l':
            return list_cameras();
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
    options.fps = (unsigned)fps;
    return run(&options);
}
