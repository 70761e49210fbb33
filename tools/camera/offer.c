/* SPDX-License-Identifier: MIT */
#include "camera/offer.h"

#include <errno.h>
#include <linux/videodev2.h>
#include <string.h>

#define DEVICES_MAX 64 /* /dev/video0 and on */

/* In the order in which they are preferred. */
static const struct pixel_format pixel_formats[] = {
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

#define PIXEL_FORMATS (sizeof pixel_formats / sizeof *pixel_formats)

static bool offer_has(const struct device *device, const struct pixel_format *pixels)
{
    struct v4l2_fmtdesc description = {.type = device->type};
    for (; device_call(device, VIDIOC_ENUM_FMT, &description) == 0; description.index++)
        if (description.pixelformat == pixels->v4l2)
            return true;
    return false;
}

const struct pixel_format *offer_next(const struct device *device, const struct pixel_format *last)
{
    for (const struct pixel_format *p = last ? last + 1 : pixel_formats; p < pixel_formats + PIXEL_FORMATS;
         p++)
        if ((!last || strcmp(p->name, last->name) != 0) && offer_has(device, p))
            return p;
    return NULL;
}

const struct pixel_format *offer_find(const struct device *device, const char *name)
{
    uint32_t fourcc = strlen(name) == 4 ? v4l2_fourcc(name[0], name[1], name[2], name[3]) : 0;
    for (const struct pixel_format *p = pixel_formats; p < pixel_formats + PIXEL_FORMATS; p++)
        if ((strcmp(name, p->name) == 0 || fourcc == p->v4l2) && offer_has(device, p))
            return p;
    return NULL;
}

bool offer_print_rates(FILE *file, const struct device *device, const struct pixel_format *pixels,
                       uint32_t width, uint32_t height, const char *head)
{
    struct v4l2_frmivalenum i = {.pixel_format = pixels->v4l2, .width = width, .height = height};
    for (; device_call(device, VIDIOC_ENUM_FRAMEINTERVALS, &i) == 0; i.index++) {
        bool discrete = i.type == V4L2_FRMIVAL_TYPE_DISCRETE;
        const struct v4l2_fract *shortest = discrete ? &i.discrete : &i.stepwise.min;
        if (shortest->numerator)
            fprintf(file, "%s %s%.4g", i.index ? "" : head, discrete ? "" : "up to ",
                    (double)shortest->denominator / shortest->numerator);
        if (!discrete)
            return true;
    }
    return i.index > 0;
}

/* Prints one size, or the smallest and the largest; *width and *height are the largest. False: there are no
 * more. */
static bool offer_print_size(FILE *file, const struct v4l2_frmsizeenum *s, uint32_t *width, uint32_t *height)
{
    bool discrete = s->type == V4L2_FRMSIZE_TYPE_DISCRETE;
    *width = discrete ? s->discrete.width : s->stepwise.max_width;
    *height = discrete ? s->discrete.height : s->stepwise.max_height;
    if (!discrete)
        fprintf(file, " %ux%u to", s->stepwise.min_width, s->stepwise.min_height);
    fprintf(file, " %ux%u", *width, *height);
    return discrete;
}

bool offer_print_sizes(FILE *file, const struct device *device, const struct pixel_format *pixels,
                       const char *head)
{
    struct v4l2_frmsizeenum s = {.pixel_format = pixels->v4l2};
    for (; device_call(device, VIDIOC_ENUM_FRAMESIZES, &s) == 0; s.index++) {
        uint32_t width, height;
        fputs(s.index ? "" : head, file);
        if (!offer_print_size(file, &s, &width, &height))
            return true;
    }
    return s.index > 0;
}

/* Each size on a line of its own, with its rates. */
static void offer_print_lines(const struct device *device, const struct pixel_format *pixels)
{
    struct v4l2_frmsizeenum s = {.pixel_format = pixels->v4l2};
    bool more = true;
    for (; more && device_call(device, VIDIOC_ENUM_FRAMESIZES, &s) == 0; s.index++) {
        uint32_t width, height;
        printf("  %-5s", pixels->name);
        more = offer_print_size(stdout, &s, &width, &height);
        puts(offer_print_rates(stdout, device, pixels, width, height, " at") ? " fps" : "");
    }
    if (!s.index)
        printf("  %s\n", pixels->name);
}

/* 0 or -errno; the reason is reported unless the device is one of many, and not a camera. */
static int offer_list_one(const char *path, bool of_many)
{
    char reason[DEVICE_REASON_ROOM];
    struct device device;
    const struct pixel_format *pixels = NULL;
    int r = device_open(&device, path, reason);
    if (r == 0) {
        printf("%s  %s\n", path, device.card);
        while ((pixels = offer_next(&device, pixels)))
            offer_print_lines(&device, pixels);
    } else if (!of_many || (r != -ENOENT && r != -ENODEV && r != -EINVAL)) {
        report_error("%s", reason);
    }
    device_close(&device);
    return r;
}

int offer_list(const char *path)
{
    unsigned found = 0;
    if (path)
        return offer_list_one(path, false) ? STATUS_FAILED : STATUS_DONE;
    for (unsigned i = 0; i < DEVICES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "/dev/video%u", i);
        found += offer_list_one(name, true) == 0;
    }
    return found ? STATUS_DONE : report_error("there is no camera among /dev/video* that can be opened");
}
