/* SPDX-License-Identifier: MIT */
#include "camera/setting.h"
#include "cli/clock.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define CAPS_ROOM sizeof((struct setting *)NULL)->caps

/* ---- Colours ---- */

static uint8_t color_code(const uint8_t *table, size_t count, uint32_t index)
{
    return index < count ? table[index] : 0;
}

/* V4L2's words for colours, in the numbers of H.273. What is not in a table is left to be guessed. */
static struct framebus_color color_of(const struct v4l2_pix_format_mplane *mp, bool yuv)
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
        .primaries = color_code(primaries, sizeof primaries, mp->colorspace),
        .transfer = color_code(transfers, sizeof transfers, transfer),
        .matrix = yuv ? color_code(matrices, sizeof matrices, matrix) : 0,
        .range = color_code(ranges, sizeof ranges, range),
    };
}

/* ---- What the pictures are ---- */

/* Planes are in pieces of memory of their own, or one after the other in one piece, whose only stride is that
 * of the first plane. */
static int setting_describe_picture(struct setting *setting, const struct device *device,
                                    const struct v4l2_pix_format_mplane *mp)
{
    const struct framebus_format_info *info = framebus_format_by_name(setting->pixels->name);
    struct framebus_format *format = &setting->format;
    uint32_t bytesperline = mp->plane_fmt[0].bytesperline;
    uint64_t offset = 0;
    if (framebus_format_init(format, info->fourcc, mp->width, mp->height) < 0)
        return device_fail(device, -EINVAL, "%s", framebus_last_error());
    if (mp->num_planes > 1 && mp->num_planes != format->planes)
        return device_fail(device, -ENOTSUP, "%s: %s in %u pieces of memory is not supported", device->path,
                           info->name, mp->num_planes);
    for (uint32_t i = 0; i < format->planes; i++) {
        const struct framebus_plane_layout *first = &info->plane[0], *plane = &info->plane[i];
        if (mp->num_planes > 1) {
            format->stride[i] = mp->plane_fmt[i].bytesperline;
            format->offset[i] = setting->offset[i];
        } else if (bytesperline) {
            format->stride[i] =
                bytesperline * plane->bytes * first->pixels / (plane->pixels * plane->sub_x * first->bytes);
            format->offset[i] = offset;
            offset += (uint64_t)format->stride[i] * framebus_format_rows(format, i);
        }
    }
    offset = setting->offset[mp->num_planes - 1] + setting->size[mp->num_planes - 1];
    if (format->size < offset)
        format->size = offset;
    format->color = color_of(mp, info->yuv);
    return 0;
}

static int setting_describe_payload(struct setting *setting, const struct device *device,
                                    const struct v4l2_pix_format_mplane *mp)
{
    struct framebus_format *format = &setting->format;
    snprintf(setting->caps, CAPS_ROOM, "%s, width=%u, height=%u", setting->pixels->caps, mp->width,
             mp->height);
    if (framebus_format_init_opaque(format, setting->caps, setting->size[0]) < 0)
        return device_fail(device, -EINVAL, "%s", framebus_last_error());
    format->width = mp->width;
    format->height = mp->height;
    return 0;
}

/* ---- Setting it ---- */

static int setting_choose_pixels(struct setting *setting, const struct device *device, const char *wanted)
{
    const struct pixel_format *pixels = offer_next(device, NULL);
    if (!pixels)
        return device_fail(device, -EINVAL, "%s has no format that a bus knows", device->path);
    setting->pixels = wanted ? offer_find(device, wanted) : pixels;
    if (setting->pixels)
        return 0;
    FILE *reason = device_explain(device);
    if (reason) {
        fprintf(reason, "%s has no %s, but", device->path, wanted);
        for (; pixels; pixels = offer_next(device, pixels))
            fprintf(reason, " %s", pixels->name);
        fclose(reason);
    }
    return -EINVAL;
}

/* Both interfaces in the words of the multi-planar one. */
static int setting_exchange(const struct device *device, unsigned long request,
                            struct v4l2_pix_format_mplane *mp)
{
    struct v4l2_format f = {.type = device->type};
    struct v4l2_pix_format *pix = &f.fmt.pix;
    int r;
    if (device->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE) {
        f.fmt.pix_mp = *mp;
        r = device_call(device, request, &f);
        *mp = f.fmt.pix_mp;
        return r;
    }
    pix->width = mp->width;
    pix->height = mp->height;
    pix->pixelformat = mp->pixelformat;
    pix->field = mp->field;
    r = device_call(device, request, &f);
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

static int setting_refuse_size(const struct setting *setting, const struct device *device,
                               struct value_pair size)
{
    FILE *reason = device_explain(device);
    if (reason) {
        fprintf(reason, "%s has no %s %ux%u", device->path, setting->pixels->name, size.first, size.second);
        offer_print_sizes(reason, device, setting->pixels, ", but");
        fclose(reason);
    }
    return -EINVAL;
}

static int setting_set_size(struct setting *setting, const struct device *device, struct value_pair size,
                            struct v4l2_pix_format_mplane *mp)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), offset = 0;
    if (setting_exchange(device, VIDIOC_G_FMT, mp) < 0)
        return device_fail_errno(device, "ask for its format");
    if (size.first) {
        mp->width = size.first;
        mp->height = size.second;
    }
    mp->pixelformat = setting->pixels->v4l2;
    mp->field = V4L2_FIELD_ANY;
    mp->num_planes = 0;
    memset(mp->plane_fmt, 0, sizeof mp->plane_fmt);
    if (setting_exchange(device, VIDIOC_S_FMT, mp) < 0)
        return device_fail_errno(device, "set its format");
    if (size.first && (mp->width != size.first || mp->height != size.second))
        return setting_refuse_size(setting, device, size);
    if (mp->pixelformat != setting->pixels->v4l2 || !mp->num_planes || mp->num_planes > FRAMEBUS_PLANES_MAX ||
        !mp->plane_fmt[0].sizeimage)
        return device_fail(device, -EINVAL, "%s refuses %s %ux%u", device->path, setting->pixels->name,
                           mp->width, mp->height);
    setting->pieces = mp->num_planes;
    for (unsigned i = 0; i < setting->pieces; i++) {
        setting->size[i] = mp->plane_fmt[i].sizeimage;
        setting->offset[i] = offset;
        offset += (setting->size[i] + page - 1) / page * page;
    }
    if (mp->field == V4L2_FIELD_INTERLACED)
        setting->frame_flags = FRAMEBUS_FRAME_INTERLACED;
    return 0;
}

/* 30000/1001 is as good as 30. */
static bool rate_is_near(const struct v4l2_fract *interval, struct value_pair wanted)
{
    double rate = (double)wanted.first / wanted.second;
    return interval->numerator &&
           fabs((double)interval->denominator / interval->numerator - rate) <= rate / 100;
}

static int setting_refuse_rate(const struct setting *setting, const struct device *device,
                               struct value_pair rate)
{
    const struct framebus_format *format = &setting->format;
    FILE *reason = device_explain(device);
    if (reason) {
        fprintf(reason, "%s has no %.4g fps in %s %ux%u", device->path, (double)rate.first / rate.second,
                setting->pixels->name, format->width, format->height);
        offer_print_rates(reason, device, setting->pixels, format->width, format->height, ", but");
        fclose(reason);
    }
    return -EINVAL;
}

static int setting_set_rate(struct setting *setting, const struct device *device, struct value_pair rate)
{
    struct v4l2_streamparm parm = {.type = device->type};
    struct v4l2_fract *interval = &parm.parm.capture.timeperframe;
    if (device_call(device, VIDIOC_G_PARM, &parm) == 0 && rate.first) {
        *interval = (struct v4l2_fract){.numerator = rate.second, .denominator = rate.first};
        device_call(device, VIDIOC_S_PARM, &parm);
        device_call(device, VIDIOC_G_PARM, &parm);
    }
    if (rate.first && !rate_is_near(interval, rate))
        return setting_refuse_rate(setting, device, rate);
    if (!interval->numerator || !interval->denominator)
        return 0;
    setting->format.rate_num = interval->denominator;
    setting->format.rate_den = interval->numerator;
    setting->duration_ns = NS_PER_S * interval->numerator / interval->denominator;
    return 0;
}

int setting_make(struct setting *setting, const struct device *device, const struct setting_wish *wish)
{
    struct v4l2_pix_format_mplane mp = {0};
    *setting = (struct setting){0};
    int r = setting_choose_pixels(setting, device, wish->format);
    if (r == 0)
        r = setting_set_size(setting, device, wish->size, &mp);
    if (r == 0)
        r = setting->pixels->caps ? setting_describe_payload(setting, device, &mp)
                                  : setting_describe_picture(setting, device, &mp);
    return r ? r : setting_set_rate(setting, device, wish->rate);
}
