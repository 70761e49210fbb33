/* SPDX-License-Identifier: MIT */
/*
 * GstVideoOverlayCompositionMeta: u32 number of rectangles; of each u32 x, y, width and height on the
 * picture, u32 flags, float alpha of the whole, u32 format, u32 width and height of its own, and its pixels,
 * four bytes each, row by row.
 */
#include "carrier.h"

#include <gst/video/video-overlay-composition.h>
#include <gst/video/video.h>
#include <math.h>
#include <string.h>

enum overlay_format { OVERLAY_RGB = 1, OVERLAY_YUV };

#define RECTANGLES_MOST 4096
#define PIXEL_BYTES     4
#define OFFSIDE_MOST    65536 /* how far outside of the picture a rectangle may begin */
#define OVERLAY_FLAGS                                                                                        \
    (GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA | GST_VIDEO_OVERLAY_FORMAT_FLAG_GLOBAL_ALPHA)

static gboolean overlay_put_pixels(GByteArray *bytes, GstBuffer *pixels)
{
    GstVideoMeta *meta = gst_buffer_get_video_meta(pixels);
    GstMapInfo map;
    gpointer data;
    gint stride;

    if (!meta || !gst_video_meta_map(meta, 0, &map, &data, &stride, GST_MAP_READ))
        return FALSE;
    block_put_u32(bytes,
                  meta->format == GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_YUV ? OVERLAY_YUV : OVERLAY_RGB);
    block_put_u32(bytes, meta->width);
    block_put_u32(bytes, meta->height);
    for (guint row = 0; row < meta->height; row++)
        block_put_bytes(bytes, (guint8 *)data + (gsize)row * stride, (gsize)meta->width * PIXEL_BYTES);
    gst_video_meta_unmap(meta, 0, &map);
    return TRUE;
}

static gboolean overlay_put_rectangle(GByteArray *bytes, GstVideoOverlayRectangle *rectangle)
{
    const GstVideoOverlayFormatFlags flags = gst_video_overlay_rectangle_get_flags(rectangle);
    gint x, y;
    guint width, height;

    gst_video_overlay_rectangle_get_render_rectangle(rectangle, &x, &y, &width, &height);
    block_put_u32(bytes, (guint32)x);
    block_put_u32(bytes, (guint32)y);
    block_put_u32(bytes, width);
    block_put_u32(bytes, height);
    block_put_u32(bytes, flags);
    block_put_float(bytes, gst_video_overlay_rectangle_get_global_alpha(rectangle));
    /* With that flag they are as they were before the global alpha. */
    return overlay_put_pixels(bytes, gst_video_overlay_rectangle_get_pixels_unscaled_raw(
                                         rectangle, flags | GST_VIDEO_OVERLAY_FORMAT_FLAG_GLOBAL_ALPHA));
}

static gboolean overlay_write(const GstMeta *meta, struct meta_output *output)
{
    GstVideoOverlayComposition *composition = ((const GstVideoOverlayCompositionMeta *)meta)->overlay;
    const guint count = composition ? gst_video_overlay_composition_n_rectangles(composition) : 0;

    block_put_u32(output->bytes, count);
    for (guint i = 0; i < count; i++) {
        if (!overlay_put_rectangle(output->bytes,
                                   gst_video_overlay_composition_get_rectangle(composition, i)))
            return FALSE;
    }
    return count > 0;
}

/* Returns NULL if there are no pixels that make sense. */
static GstBuffer *overlay_take_pixels(struct block *block)
{
    const guint32 format = block_take_u32(block), width = block_take_u32(block),
                  height = block_take_u32(block);
    const guint8 *data;
    GstBuffer *pixels;
    gsize size;

    if (block->is_short || (format != OVERLAY_RGB && format != OVERLAY_YUV) || width == 0 || height == 0 ||
        width > block->left / PIXEL_BYTES || height > block->left / PIXEL_BYTES / width)
        return NULL;
    size = (gsize)width * height * PIXEL_BYTES;
    data = block_take_bytes(block, size);
    pixels = gst_buffer_new_memdup(data, size);
    gst_buffer_add_video_meta(pixels, GST_VIDEO_FRAME_FLAG_NONE,
                              format == OVERLAY_YUV ? GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_YUV
                                                    : GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB,
                              width, height);
    return pixels;
}

/* Returns NULL for one that GStreamer should not have to draw: it scales to the size that it is told. */
static GstVideoOverlayRectangle *overlay_take_rectangle(struct block *block, const struct meta_target *target)
{
    const guint32 side_most = target->frame->format->fourcc ? 0 : FRAMEBUS_SIDE_MAX / 4;
    const guint32 width_most = MAX(target->frame->format->width, side_most),
                  height_most = MAX(target->frame->format->height, side_most);
    const gint32 x = (gint32)block_take_u32(block), y = (gint32)block_take_u32(block);
    const guint32 width = block_take_u32(block), height = block_take_u32(block),
                  flags = block_take_u32(block);
    const gfloat alpha = block_take_float(block);
    GstBuffer *pixels = overlay_take_pixels(block);
    GstVideoOverlayRectangle *rectangle = NULL;

    if (pixels && ABS((gint64)x) <= OFFSIDE_MOST && ABS((gint64)y) <= OFFSIDE_MOST && width > 0 &&
        width <= width_most && height > 0 && height <= height_most && (flags & ~OVERLAY_FLAGS) == 0 &&
        isfinite(alpha) && alpha >= 0 && alpha <= 1) {
        rectangle = gst_video_overlay_rectangle_new_raw(
            pixels, x - (gint)target->cut->x, y - (gint)target->cut->y, width, height,
            flags & GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
        if (rectangle && (flags & GST_VIDEO_OVERLAY_FORMAT_FLAG_GLOBAL_ALPHA))
            gst_video_overlay_rectangle_set_global_alpha(rectangle, alpha);
    }
    gst_clear_buffer(&pixels);
    return rectangle;
}

static gboolean overlay_restore(struct block *block, const struct meta_target *target)
{
    const guint32 count = block_take_u32(block);
    GstVideoOverlayComposition *composition = NULL;
    gboolean is_valid = count > 0 && count <= RECTANGLES_MOST;

    for (guint32 i = 0; is_valid && i < count; i++) {
        GstVideoOverlayRectangle *rectangle = overlay_take_rectangle(block, target);

        is_valid = rectangle != NULL;
        if (rectangle && composition)
            gst_video_overlay_composition_add_rectangle(composition, rectangle);
        else if (rectangle)
            composition = gst_video_overlay_composition_new(rectangle);
        g_clear_pointer(&rectangle, gst_video_overlay_rectangle_unref);
    }
    is_valid = is_valid && block_is_used_up(block);
    if (is_valid)
        gst_buffer_add_video_overlay_composition_meta(target->buffer, composition);
    g_clear_pointer(&composition, gst_video_overlay_composition_unref);
    return is_valid;
}

const struct meta_carrier overlay_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'o', 'v'),
    .version = 1,
    .api = gst_video_overlay_composition_meta_api_get_type,
    .write = overlay_write,
    .restore = overlay_restore,
};
