/* SPDX-License-Identifier: MIT */
#include "camera-v4l2.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICES 64

/* In the order in which they are tried. */
static const struct pixel_format {
    uint32_t v4l2;
    const char *name;
    const char *caps; /* of what is no raw picture */
} pixel_formats[] = {
    {V4L2_PIX_FMT_NV12, "NV12", NULL},
    {V4L2_PIX_FMT_NV12M, "NV12", NULL}, /* planes in memory of their own */
    {V4L2_PIX_FMT_YUYV, "YUY2", NULL},
    {V4L2_PIX_FMT_UYVY, "UYVY", NULL},
    {V4L2_PIX_FMT_YUV420, "I420", NULL},
    {V4L2_PIX_FMT_YUV420M, "I420", NULL},
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

/* ---- saying what is wrong ---- */

static char *sentence;
static size_t sentence_length;

const char *camera_error(void)
{
    return sentence ? sentence : "";
}

/* To write a new sentence to; ended by fclose. */
static FILE *explain(void)
{
    free(sentence);
    sentence = NULL;
    return open_memstream(&sentence, &sentence_length);
}

int camera_fail(int error, const char *what, ...)
{
    FILE *out = explain();
    va_list arguments;

    if (!out)
        return error;
    va_start(arguments, what);
    vfprintf(out, what, arguments);
    va_end(arguments);
    fclose(out);
    return error;
}

static int fail_errno(const struct camera *camera, const char *what)
{
    int error = errno;

    return camera_fail(
        -error, "%s: cannot %s: %s", camera->path, what,
        error == ENODEV   ? "the camera is gone (unplugged?)"
        : error == EBUSY  ? "another program is using it"
        : error == EACCES ? "no permission; after 'sudo usermod -aG video $USER' and a new login "
                            "there is"
        : error == ENOSPC ? "no room for it on the bus it is plugged into; try a smaller picture, "
                            "fewer of them, or MJPEG"
                          : strerror(error));
}

static int call(int fd, unsigned long request, void *argument)
{
    int r;

    do
        r = ioctl(fd, request, argument);
    while (r < 0 && errno == EINTR);
    return r;
}

/* ---- what a camera can do ---- */

static uint32_t capabilities(int fd, struct v4l2_capability *answer)
{
    if (call(fd, VIDIOC_QUERYCAP, answer) < 0)
        return 0;
    return answer->capabilities & V4L2_CAP_DEVICE_CAPS ? answer->device_caps : answer->capabilities;
}

/* The kind of its buffers; 0: it cannot capture. */
static uint32_t capture_type(uint32_t can)
{
    if (!(can & V4L2_CAP_STREAMING))
        return 0;
    return can & V4L2_CAP_VIDEO_CAPTURE          ? V4L2_BUF_TYPE_VIDEO_CAPTURE
           : can & V4L2_CAP_VIDEO_CAPTURE_MPLANE ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
                                                 : 0;
}

static bool has(const struct camera *camera, const struct pixel_format *pixels)
{
    struct v4l2_fmtdesc description = {.type = camera->type};

    for (; call(camera->fd, VIDIOC_ENUM_FMT, &description) == 0; description.index++)
        if (description.pixelformat == pixels->v4l2)
            return true;
    return false;
}

/* The next one that this camera has, of each name the first; NULL: there are no more. */
static const struct pixel_format *next_format(const struct camera *camera, const struct pixel_format *last)
{
    const struct pixel_format *end = pixel_formats + PIXEL_FORMATS;

    for (const struct pixel_format *p = last ? last + 1 : pixel_formats; p < end; p++)
        if ((!last || strcmp(p->name, last->name) != 0) && has(camera, p))
            return p;
    return NULL;
}

static void print_rates(FILE *out, const struct camera *camera, const struct pixel_format *pixels,
                        unsigned width, unsigned height)
{
    struct v4l2_frmivalenum i = {.pixel_format = pixels->v4l2, .width = width, .height = height};

    for (; call(camera->fd, VIDIOC_ENUM_FRAMEINTERVALS, &i) == 0; i.index++) {
        const struct v4l2_fract *shortest =
            i.type == V4L2_FRMIVAL_TYPE_DISCRETE ? &i.discrete : &i.stepwise.min;

        if (shortest->numerator)
            fprintf(out, " %s%.4g", i.type == V4L2_FRMIVAL_TYPE_DISCRETE ? "" : "up to ",
                    (double)shortest->denominator / shortest->numerator);
        if (i.type != V4L2_FRMIVAL_TYPE_DISCRETE)
            break;
    }
}

/* One after the other, or each on a line of its own with its rates. */
static void print_sizes(FILE *out, const struct camera *camera, const struct pixel_format *pixels, bool lines)
{
    struct v4l2_frmsizeenum s = {.pixel_format = pixels->v4l2};

    for (; call(camera->fd, VIDIOC_ENUM_FRAMESIZES, &s) == 0; s.index++) {
        bool discrete = s.type == V4L2_FRMSIZE_TYPE_DISCRETE;
        unsigned width = discrete ? s.discrete.width : s.stepwise.max_width;
        unsigned height = discrete ? s.discrete.height : s.stepwise.max_height;

        if (lines)
            fprintf(out, "  %-5s", pixels->name);
        if (!discrete)
            fprintf(out, " %ux%u to", s.stepwise.min_width, s.stepwise.min_height);
        fprintf(out, " %ux%u", width, height);
        if (lines) {
            fputs(" at", out);
            print_rates(out, camera, pixels, width, height);
            fputs(" fps\n", out);
        }
        if (!discrete)
            return;
    }
    if (lines && !s.index)
        fprintf(out, "  %s\n", pixels->name);
}

static bool list_one(const char *path)
{
    struct v4l2_capability about;
    struct camera camera = {.path = path, .fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    const struct pixel_format *pixels = NULL;

    if (camera.fd < 0) {
        if (errno != ENOENT && errno != ENODEV) {
            fail_errno(&camera, "open it");
            fprintf(stderr, "camera: %s\n", camera_error());
        }
        return false;
    }
    camera.type = capture_type(capabilities(camera.fd, &about));
    if (camera.type) {
        printf("%s  %.32s\n", path, (const char *)about.card);
        while ((pixels = next_format(&camera, pixels)))
            print_sizes(stdout, &camera, pixels, true);
    }
    close(camera.fd);
    return camera.type;
}

int camera_list(const char *path)
{
    unsigned found = path ? list_one(path) : 0;
    char name[32];

    for (unsigned i = 0; !path && i < DEVICES; i++) {
        snprintf(name, sizeof(name), "/dev/video%u", i);
        found += list_one(name);
    }
    if (found)
        return 0;
    return path ? camera_fail(-ENODEV, "%s is no camera", path)
                : camera_fail(-ENODEV, "there is no camera that could be opened");
}

/* ---- setting it ---- */

/* By its name, or as V4L2 spells it. */
static bool is_called(const struct pixel_format *pixels, const char *name)
{
    return strcmp(name, pixels->name) == 0 ||
           (strlen(name) == 4 && v4l2_fourcc(name[0], name[1], name[2], name[3]) == pixels->v4l2);
}

static int choose_pixels(struct camera *camera, const char *wanted)
{
    const struct pixel_format *pixels = next_format(camera, NULL), *end = pixel_formats + PIXEL_FORMATS;
    FILE *out;

    if (!pixels)
        return camera_fail(-EINVAL, "%s has no format that this program knows", camera->path);
    while (wanted && pixels < end && !(is_called(pixels, wanted) && has(camera, pixels)))
        pixels++;
    if (pixels < end) {
        camera->pixels = pixels;
        return 0;
    }
    out = explain();
    if (out) {
        fprintf(out, "%s has no %s, but", camera->path, wanted);
        for (pixels = NULL; (pixels = next_format(camera, pixels));)
            fprintf(out, " %s", pixels->name);
        fclose(out);
    }
    return -EINVAL;
}

/* Both interfaces in the words of the multi-planar one. */
static int exchange_format(const struct camera *camera, unsigned long request,
                           struct v4l2_pix_format_mplane *mp)
{
    struct v4l2_format f = {.type = camera->type};
    struct v4l2_pix_format *pix = &f.fmt.pix;
    int r;

    if (camera->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
        f.fmt.pix_mp = *mp;
        r = call(camera->fd, request, &f);
        *mp = f.fmt.pix_mp;
        return r;
    }
    pix->width = mp->width;
    pix->height = mp->height;
    pix->pixelformat = mp->pixelformat;
    pix->field = mp->field;
    r = call(camera->fd, request, &f);
    *mp = (struct v4l2_pix_format_mplane){
        .width = pix->width,
        .height = pix->height,
        .pixelformat = pix->pixelformat,
        .field = pix->field,
        .colorspace = pix->colorspace,
        .ycbcr_enc = (uint8_t)pix->ycbcr_enc,
        .quantization = (uint8_t)pix->quantization,
        .xfer_func = (uint8_t)pix->xfer_func,
        .num_planes = 1,
        .plane_fmt[0] = {.sizeimage = pix->sizeimage, .bytesperline = pix->bytesperline},
    };
    return r;
}

static uint8_t look_up(const uint8_t *table, size_t count, uint32_t index)
{
    return index < count ? table[index] : 0;
}

/* V4L2's words for colours, in the numbers of H.273. What is not in a table is left to be guessed. */
static struct framebus_color describe_color(const struct v4l2_pix_format_mplane *mp, bool yuv)
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
    uint32_t transfer = mp->xfer_func ? mp->xfer_func : V4L2_MAP_XFER_FUNC_DEFAULT(mp->colorspace);
    uint32_t matrix = mp->ycbcr_enc ? mp->ycbcr_enc : V4L2_MAP_YCBCR_ENC_DEFAULT(mp->colorspace);
    uint32_t range = mp->quantization;

    if (!range)
        range = V4L2_MAP_QUANTIZATION_DEFAULT(!yuv, mp->colorspace, matrix);
    return (struct framebus_color){
        .primaries = look_up(primaries, sizeof(primaries), mp->colorspace),
        .transfer = look_up(transfers, sizeof(transfers), transfer),
        .matrix = yuv ? look_up(matrices, sizeof(matrices), matrix) : 0,
        .range = look_up(ranges, sizeof(ranges), range),
    };
}

/* Where planes are: in pieces of memory of their own, or one after the other in one piece, whose only stride
 * is the first plane's. */
static int describe_picture(struct camera *camera, const struct v4l2_pix_format_mplane *mp)
{
    const struct framebus_format_info *info = framebus_format_by_name(camera->pixels->name);
    struct framebus_format *format = &camera->format;
    uint32_t bytesperline = mp->plane_fmt[0].bytesperline;
    uint64_t offset = 0;

    if (framebus_format_init(format, info->fourcc, mp->width, mp->height) < 0)
        return camera_fail(-EINVAL, "%s", framebus_last_error());
    if (mp->num_planes > 1 && mp->num_planes != format->planes)
        return camera_fail(-ENOTSUP, "%s: %s in %u pieces of memory is not supported", camera->path,
                           info->name, mp->num_planes);
    for (uint32_t i = 0; i < format->planes; i++) {
        const struct framebus_plane_layout *first = &info->plane[0], *plane = &info->plane[i];

        if (mp->num_planes > 1) {
            format->stride[i] = mp->plane_fmt[i].bytesperline;
            format->offset[i] = camera->offset[i];
        } else if (bytesperline) {
            format->stride[i] =
                bytesperline * plane->bytes * first->pixels / (plane->pixels * plane->sub_x * first->bytes);
            format->offset[i] = offset;
            offset += (uint64_t)format->stride[i] * framebus_format_rows(format, i);
        }
    }
    offset = camera->offset[mp->num_planes - 1] + camera->size[mp->num_planes - 1];
    if (format->size < offset)
        format->size = offset;
    format->color = describe_color(mp, info->yuv);
    return 0;
}

static int describe_payload(struct camera *camera, const struct v4l2_pix_format_mplane *mp)
{
    struct framebus_format *format = &camera->format;

    snprintf(camera->caps, sizeof(camera->caps), "%s, width=%u, height=%u", camera->pixels->caps, mp->width,
             mp->height);
    if (framebus_format_init_opaque(format, camera->caps, camera->size[0]) < 0)
        return camera_fail(-EINVAL, "%s", framebus_last_error());
    format->width = mp->width;
    format->height = mp->height;
    return 0;
}

static int set_size(struct camera *camera, const struct camera_wish *wish, struct v4l2_pix_format_mplane *mp)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), offset = 0;

    if (exchange_format(camera, VIDIOC_G_FMT, mp) < 0)
        return fail_errno(camera, "ask for its format");
    if (wish->width) {
        mp->width = wish->width;
        mp->height = wish->height;
    }
    mp->pixelformat = camera->pixels->v4l2;
    mp->field = V4L2_FIELD_ANY;
    mp->num_planes = 0;
    memset(mp->plane_fmt, 0, sizeof(mp->plane_fmt));
    if (exchange_format(camera, VIDIOC_S_FMT, mp) < 0)
        return fail_errno(camera, "set its format");
    if (wish->width && (mp->width != wish->width || mp->height != wish->height)) {
        FILE *out = explain();

        if (out) {
            fprintf(out, "%s has no %s %ux%u, but", camera->path, camera->pixels->name, wish->width,
                    wish->height);
            print_sizes(out, camera, camera->pixels, false);
            fclose(out);
        }
        return -EINVAL;
    }
    if (mp->pixelformat != camera->pixels->v4l2 || !mp->num_planes || mp->num_planes > FRAMEBUS_PLANES_MAX ||
        !mp->plane_fmt[0].sizeimage)
        return camera_fail(-EINVAL, "%s refuses %s %ux%u", camera->path, camera->pixels->name, mp->width,
                           mp->height);
    camera->pieces = mp->num_planes;
    for (unsigned i = 0; i < camera->pieces; i++) {
        camera->size[i] = mp->plane_fmt[i].sizeimage;
        camera->offset[i] = offset;
        offset += (camera->size[i] + page - 1) / page * page;
    }
    return 0;
}

static int set_rate(struct camera *camera, unsigned fps)
{
    struct v4l2_streamparm parm = {.type = camera->type};
    struct v4l2_fract *interval = &parm.parm.capture.timeperframe;
    FILE *out;

    if (call(camera->fd, VIDIOC_G_PARM, &parm) == 0 && fps) {
        *interval = (struct v4l2_fract){.numerator = 1, .denominator = fps};
        call(camera->fd, VIDIOC_S_PARM, &parm);
        call(camera->fd, VIDIOC_G_PARM, &parm);
    }
    /* 30000/1001 is as good as 30. */
    if (fps && (!interval->numerator ||
                (interval->denominator + interval->numerator / 2) / interval->numerator != fps)) {
        out = explain();
        if (out) {
            fprintf(out, "%s has no %u fps in %s %ux%u, but", camera->path, fps, camera->pixels->name,
                    camera->format.width, camera->format.height);
            print_rates(out, camera, camera->pixels, camera->format.width, camera->format.height);
            fclose(out);
        }
        return -EINVAL;
    }
    if (!interval->numerator || !interval->denominator)
        return 0;
    camera->format.rate_num = interval->denominator;
    camera->format.rate_den = interval->numerator;
    camera->duration_ns = INT64_C(1000000000) * interval->numerator / interval->denominator;
    return 0;
}

int camera_open(struct camera *camera, const char *path, const struct camera_wish *wish)
{
    struct v4l2_pix_format_mplane mp = {0};
    struct v4l2_capability about;
    uint32_t can;
    int r;

    *camera = (struct camera){.path = path, .fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (camera->fd < 0)
        return fail_errno(camera,
                          errno == ENOENT ? "open it ('camera --list' shows what there is)" : "open it");
    can = capabilities(camera->fd, &about);
    if (!can && errno == ENODEV)
        return fail_errno(camera, "ask what it is");
    camera->type = capture_type(can);
    if (!camera->type)
        return camera_fail(-EINVAL, "%s is no camera: %s", path,
                           can ? "it does not capture video by streaming" : "it does not speak V4L2");
    r = choose_pixels(camera, wish->format);
    if (!r)
        r = set_size(camera, wish, &mp);
    if (!r)
        r = camera->pixels->caps ? describe_payload(camera, &mp) : describe_picture(camera, &mp);
    if (mp.field == V4L2_FIELD_INTERLACED)
        camera->frame_flags = FRAMEBUS_FRAME_INTERLACED;
    return r ? r : set_rate(camera, wish->fps);
}

void camera_close(struct camera *camera)
{
    if (camera->fd >= 0)
        close(camera->fd);
    camera->fd = -1;
}

/* ---- its buffers ---- */

int camera_request(struct camera *camera, enum v4l2_memory memory, unsigned *count)
{
    struct v4l2_requestbuffers request = {.count = *count, .type = camera->type, .memory = memory};

    camera->memory = memory;
    if (call(camera->fd, VIDIOC_REQBUFS, &request) < 0)
        return errno == EINVAL ? camera_fail(-ENOTSUP, "%s: its driver cannot do that", camera->path)
                               : fail_errno(camera, "get buffers");
    *count = request.count;
    return 0;
}

/* A buffer, single-planar, or with its pieces in planes. */
static struct v4l2_buffer buffer_of(const struct camera *camera, unsigned index, struct v4l2_plane *planes)
{
    struct v4l2_buffer b = {.index = index, .type = camera->type, .memory = camera->memory};

    if (camera->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
        b.m.planes = planes;
        b.length = camera->pieces;
    }
    return b;
}

int camera_queue(const struct camera *camera, unsigned index, void *base, int fd)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer b = buffer_of(camera, index, planes);

    for (unsigned i = 0; i < camera->pieces; i++) {
        planes[i].length = (uint32_t)camera->size[i];
        if (camera->memory == V4L2_MEMORY_USERPTR)
            planes[i].m.userptr = (unsigned long)base + camera->offset[i];
        else if (camera->memory == V4L2_MEMORY_DMABUF)
            planes[i].m.fd = fd;
    }
    if (camera->type == V4L2_BUF_TYPE_VIDEO_CAPTURE) {
        b.length = planes[0].length;
        if (camera->memory == V4L2_MEMORY_USERPTR)
            b.m.userptr = planes[0].m.userptr;
        else
            b.m.fd = planes[0].m.fd;
    }
    return call(camera->fd, VIDIOC_QBUF, &b) < 0 ? fail_errno(camera, "give it a buffer") : 0;
}

int camera_map(const struct camera *camera, unsigned index, unsigned piece, void **map)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer b = buffer_of(camera, index, planes);
    bool multi = camera->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;

    if (call(camera->fd, VIDIOC_QUERYBUF, &b) < 0)
        return fail_errno(camera, "ask for a buffer");
    *map = mmap(NULL, camera->size[piece], PROT_READ, MAP_SHARED, camera->fd,
                multi ? planes[piece].m.mem_offset : b.m.offset);
    if (*map != MAP_FAILED)
        return 0;
    *map = NULL;
    return fail_errno(camera, "map a buffer");
}

int camera_export(const struct camera *camera, unsigned index, unsigned piece, int *fd)
{
    struct v4l2_exportbuffer e = {
        .type = camera->type, .index = index, .plane = piece, .flags = O_RDWR | O_CLOEXEC};

    if (call(camera->fd, VIDIOC_EXPBUF, &e) < 0)
        return errno == ENOTTY ? camera_fail(-ENOTSUP, "%s: its driver exports no DMA-BUFs", camera->path)
                               : fail_errno(camera, "export a buffer as a DMA-BUF");
    *fd = e.fd;
    return 0;
}

int camera_start(const struct camera *camera)
{
    uint32_t type = camera->type;

    return call(camera->fd, VIDIOC_STREAMON, &type) < 0 ? fail_errno(camera, "start it") : 0;
}

int camera_take(const struct camera *camera, struct camera_picture *picture)
{
    struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
    struct v4l2_buffer b = buffer_of(camera, 0, planes);

    if (call(camera->fd, VIDIOC_DQBUF, &b) < 0)
        return errno == EAGAIN ? -EAGAIN : fail_errno(camera, "take a picture");
    *picture = (struct camera_picture){
        .index = b.index,
        .size = camera->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ? planes[0].bytesused : b.bytesused,
        .sequence = b.sequence,
        .damaged = b.flags & V4L2_BUF_FLAG_ERROR,
    };
    if ((b.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC)
        picture->capture_ns = b.timestamp.tv_sec * INT64_C(1000000000) + b.timestamp.tv_usec * INT64_C(1000);
    return 0;
}
