/* SPDX-License-Identifier: MIT */
#include "convert.h"

#include <errno.h>
#include <libyuv.h>
#include <stdlib.h>

#include "pixels.h"

struct convert {
    uint8_t *scratch;
    size_t room;
};

bool convert_knows(uint32_t fourcc)
{
    return pixels_find(fourcc) != NULL;
}

struct convert *convert_create(void)
{
    return calloc(1, sizeof(struct convert));
}

void convert_destroy(struct convert *convert)
{
    if (convert)
        free(convert->scratch);
    free(convert);
}

static int make_room(struct convert *convert, int width)
{
    size_t room = pixels_scratch_size(width);

    if (convert->room >= room)
        return 0;
    free(convert->scratch);
    convert->scratch = malloc(room);
    convert->room = convert->scratch ? room : 0;
    return convert->scratch ? 0 : -ENOMEM;
}

int convert_picture(struct convert *convert, const struct framebus_frame *frame, uint8_t *pixels, int stride)
{
    const struct framebus_format *format = frame->format;
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    const struct pixels_rule *rule = pixels_find(format->fourcc);
    int height = format->height;

    if (!info || !rule)
        return -EINVAL;
    for (unsigned i = 0; i < info->planes; i++)
        if (info->depth > 8 && frame->plane[i].stride % 2)
            return -EINVAL; /* libyuv counts strides of 16-bit samples in samples */
    int r = make_room(convert, format->width);

    for (int y = 0; !r && y < height; y += PIXELS_BAND) {
        struct pixels_band band = {
            .rule = rule,
            .color = color_of(format),
            .to = pixels + (size_t)y * stride,
            .to_stride = stride,
            .width = format->width,
            .height = height - y < PIXELS_BAND ? height - y : PIXELS_BAND,
            .scratch = convert->scratch,
        };
        for (unsigned i = 0; i < info->planes; i++) {
            size_t row = y / info->plane[i].sub_y;
            band.from[i] = (const uint8_t *)frame->plane[i].data + row * frame->plane[i].stride;
            band.from_stride[i] = frame->plane[i].stride;
        }
        r = pixels_convert(&band) ? -EINVAL : 0;
    }
    return r;
}

void convert_scale(const uint8_t *from, int from_stride, int from_width, int from_height, uint8_t *to,
                   int to_stride, int to_width, int to_height)
{
    ARGBScale(from, from_stride, from_width, from_height, to, to_stride, to_width, to_height, kFilterBox);
}
