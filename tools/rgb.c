/* SPDX-License-Identifier: MIT */
#include "rgb.h"

#ifdef HAVE_PIXELS
#include <errno.h>
#include <libyuv.h>
#include <stdlib.h>

#include "arguments.h"
#include "convert.h"

struct rgb {
    struct convert *convert;
    uint8_t *pixels;
    size_t size;
};

struct rgb *rgb_create(void)
{
    struct rgb *rgb = calloc(1, sizeof(*rgb));

    if (rgb)
        rgb->convert = convert_create();
    if (rgb && !rgb->convert) {
        free(rgb);
        return NULL;
    }
    return rgb;
}

void rgb_destroy(struct rgb *rgb)
{
    if (!rgb)
        return;
    convert_destroy(rgb->convert);
    free(rgb->pixels);
    free(rgb);
}

bool rgb_knows(const struct shot *shot)
{
    return shot_is_picture(shot) && convert_knows(shot->format->fourcc);
}

int rgb_to_444(struct rgb *rgb, const struct shot *shot, uint8_t *to)
{
    const struct framebus_format *format = shot->format;
    int width = (int)format->width, height = (int)format->height;
    size_t plane = (size_t)width * (size_t)height;
    struct framebus_frame frame = {.format = format, .data = (void *)shot->data, .size = shot->size};

    if (rgb->size < 4 * plane) {
        free(rgb->pixels);
        rgb->size = 4 * plane;
        rgb->pixels = malloc(rgb->size);
    }
    for (unsigned i = 0; i < format->planes; i++)
        frame.plane[i] = (struct framebus_plane){(void *)(shot->data + format->offset[i]), format->stride[i]};
    if (!rgb->pixels || convert_picture(rgb->convert, &frame, rgb->pixels, 4 * width) < 0 ||
        ARGBToI444(rgb->pixels, 4 * width, to, width, to + plane, width, to + 2 * plane, width, width,
                   height)) {
        complain("a frame cannot be converted");
        return -EINVAL;
    }
    return 0;
}

#else

struct rgb *rgb_create(void)
{
    return NULL;
}

void rgb_destroy(struct rgb *rgb)
{
    (void)rgb;
}

bool rgb_knows(const struct shot *shot)
{
    (void)shot;
    return false;
}

int rgb_to_444(struct rgb *rgb, const struct shot *shot, uint8_t *to)
{
    (void)rgb, (void)shot, (void)to;
    return -1;
}
#endif
