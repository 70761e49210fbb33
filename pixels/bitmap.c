/* SPDX-License-Identifier: MIT */
/* From the 32-bit pixels that convert.c and jpeg.c make, band by band, to other arrangements. */
#include "bitmap.h"
#include "convert.h"
#include "formats.h"
#include "jpeg.h"

#include <errno.h>
#include <libyuv.h>
#include <stdlib.h>

struct bitmap {
    struct convert *convert;
    uint8_t *pixels;
    size_t pixels_room;
};

typedef int arrange_function(const uint8_t *from, int from_stride, uint8_t *to, int to_stride, int width,
                             int height);

/* libyuv names components from the highest byte of a word down; "RAW" is R, G, B in memory. */
static arrange_function *const arrange[] = {
    [BITMAP_BGR] = ARGBToRGB24, [BITMAP_RGB] = ARGBToRAW,   [BITMAP_BGRA] = ARGBCopy,
    [BITMAP_RGBA] = ARGBToABGR, [BITMAP_GRAY] = ARGBToJ400,
};

struct bitmap *framebus_bitmap_create(void)
{
    struct bitmap *bitmap = calloc(1, sizeof *bitmap);
    if (bitmap)
        bitmap->convert = convert_create();
    if (bitmap && bitmap->convert)
        return bitmap;
    framebus_bitmap_destroy(bitmap);
    return NULL;
}

void framebus_bitmap_destroy(struct bitmap *bitmap)
{
    if (!bitmap)
        return;
    convert_destroy(bitmap->convert);
    free(bitmap->pixels);
    free(bitmap);
}

static int bitmap_make_room(struct bitmap *bitmap, size_t bytes)
{
    if (bitmap->pixels_room >= bytes)
        return 0;
    free(bitmap->pixels);
    bitmap->pixels = malloc(bytes);
    bitmap->pixels_room = bitmap->pixels ? bytes : 0;
    return bitmap->pixels ? 0 : -ENOMEM;
}

/* ---- Alpha, which the converter leaves as anything ---- */

static bool has_alpha(enum bitmap_layout layout)
{
    return layout == BITMAP_BGRA || layout == BITMAP_RGBA;
}

static void alpha_fill(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pixels[4 * i + 3] = 255;
}

/* Copies the upper bits, at most 8, of rows of a packed format. */
static void alpha_copy(const struct framebus_frame *frame, int y, int rows, uint8_t *pixels)
{
    const struct framebus_format *format = frame->format;
    struct format_component alpha;
    struct format_group group;
    if (!format_component(format->fourcc, 'A', &alpha) || !format_group(format->fourcc, 0, &group))
        return;
    unsigned bits = alpha.bits < 8 ? alpha.bits : 8, byte = (alpha.shift + alpha.bits - 1u) / 8;
    if (group.big_endian)
        byte = group.bytes - 1u - byte;
    for (int i = 0; i < rows; i++) {
        const uint8_t *from =
            (const uint8_t *)frame->plane[0].data + (size_t)(y + i) * frame->plane[0].stride + byte;
        for (uint32_t x = 0; x < format->width; x++, from += group.bytes, pixels += 4)
            pixels[3] = (uint8_t)((*from >> (8 - bits)) * 255 / ((1 << bits) - 1));
    }
}

/* ---- Pictures ---- */

int framebus_bitmap_convert(struct bitmap *bitmap, const struct framebus_frame *frame,
                            enum bitmap_layout layout, uint8_t *to, size_t stride)
{
    const struct framebus_format *format = frame->format;
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    int width = (int)format->width, height = (int)format->height;
    int r = convert_prepare(bitmap->convert, format);
    if (!r)
        r = bitmap_make_room(bitmap, (size_t)width * 4 * CONVERT_BAND_ROWS);
    for (int y = 0; !r && y < height; y += CONVERT_BAND_ROWS) {
        int rows = height - y < CONVERT_BAND_ROWS ? height - y : CONVERT_BAND_ROWS;
        r = convert_band(bitmap->convert, frame, y, bitmap->pixels, width * 4);
        if (r)
            break;
        if (has_alpha(layout) && info->alpha)
            alpha_copy(frame, y, rows, bitmap->pixels);
        else if (has_alpha(layout))
            alpha_fill(bitmap->pixels, (size_t)width * (size_t)rows);
        if (arrange[layout](bitmap->pixels, width * 4, to + (size_t)y * stride, (int)stride, width, rows))
            r = -EINVAL;
    }
    return r;
}

int framebus_bitmap_open_jpeg(struct jpeg **jpeg, const uint8_t *data, size_t bytes, int *width, int *height)
{
    return jpeg_open(jpeg, data, bytes, width, height);
}

void framebus_bitmap_close_jpeg(struct jpeg *jpeg)
{
    jpeg_close(jpeg);
}

int framebus_bitmap_decode(struct bitmap *bitmap, struct jpeg *jpeg, int width, int height,
                           enum bitmap_layout layout, uint8_t *to, size_t stride)
{
    size_t pixels = (size_t)width * (size_t)height;
    int r = bitmap_make_room(bitmap, pixels * 4);
    if (!r)
        r = jpeg_decode(jpeg, bitmap->pixels, width * 4);
    if (r)
        return r;
    if (has_alpha(layout))
        alpha_fill(bitmap->pixels, pixels);
    return arrange[layout](bitmap->pixels, width * 4, to, (int)stride, width, height) ? -EINVAL : 0;
}
