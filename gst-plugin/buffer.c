/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include "caps.h"
#include "timing.h"

#include <string.h>

struct frame_hold frame_hold_begin(struct framebus_reader *reader, struct framebus_frame *frame, gint *count)
{
    g_atomic_int_inc(count);
    return (struct frame_hold){reader, frame, g_atomic_rc_box_acquire(count)};
}

void frame_hold_end(const struct frame_hold *hold)
{
    framebus_reader_release(hold->reader, hold->frame);
    g_atomic_int_add(hold->count, -1);
    g_atomic_rc_box_release(hold->count);
}

/* Returns how far behind the beginning of a plane its part of `cut` begins. */
static gsize cut_offset(const struct framebus_format *bus, const struct framebus_rect *cut, guint plane)
{
    struct framebus_format before = *bus;

    before.width = cut->x;
    before.height = cut->y;
    return cut->width ? framebus_format_rows(&before, plane) * bus->stride[plane] +
                            framebus_format_row_bytes(&before, plane)
                      : 0;
}

void buffer_format_init(struct buffer_format *format, const GstCaps *caps, const GstVideoInfo *info,
                        const struct framebus_format *bus, const struct framebus_rect *cut)
{
    GstVideoInfo each;

    *format = (struct buffer_format){.cut = *cut, .info = *info, .layout = *info, .is_default = TRUE};
    if (!info->finfo && caps_are_other_raw(caps, &each) && info_is_of_several(&each))
        format->each = each;
    if (!info->finfo)
        return;
    format->planes = bus->planes;
    format->is_tiled = bus->modifier != 0;
    format->is_default = !format->is_tiled && !cut->width &&
                         format_has_layout(bus, GST_VIDEO_INFO_N_PLANES(info), info->offset, info->stride);
    for (guint i = 0; i < bus->planes; i++) {
        format->layout.offset[i] = bus->offset[i] + cut_offset(bus, cut, i);
        format->layout.stride[i] = bus->stride[i];
    }
}

gboolean buffer_format_is_default(const struct buffer_format *format, const struct framebus_frame *frame)
{
    return format->is_default && (!format->info.finfo || frame->size >= GST_VIDEO_INFO_SIZE(&format->info));
}

GstBuffer *buffer_prepare(struct buffer_format *format)
{
    GstVideoInfo *layout = &format->layout;
    GstBuffer *buffer = gst_buffer_new();

    if (layout->finfo)
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(layout),
                                       GST_VIDEO_INFO_WIDTH(layout), GST_VIDEO_INFO_HEIGHT(layout),
                                       format->planes, layout->offset, layout->stride);
    gst_buffer_add_reference_timestamp_meta(buffer, monotonic_reference(), 0, GST_CLOCK_TIME_NONE);
    return buffer;
}

void buffer_add_each(GstBuffer *buffer, const struct buffer_format *format)
{
    GstVideoInfo each = format->each;
    gsize left = gst_buffer_get_size(buffer);

    for (gint id = 0; each.finfo && id < SEVERAL_MAX && left >= GST_VIDEO_INFO_SIZE(&each); id++) {
        GstVideoMeta *meta = gst_buffer_add_video_meta_full(
            buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(&each), GST_VIDEO_INFO_WIDTH(&each),
            GST_VIDEO_INFO_HEIGHT(&each), GST_VIDEO_INFO_N_PLANES(&each), each.offset, each.stride);

        meta->id = id;
        left -= GST_VIDEO_INFO_SIZE(&each);
        for (guint i = 0; i < GST_VIDEO_INFO_N_PLANES(&each); i++)
            each.offset[i] += GST_VIDEO_INFO_SIZE(&each);
    }
}

void buffer_set_capture_time(GstBuffer *buffer, const struct framebus_frame *frame)
{
    GstMeta *meta = gst_buffer_get_meta(buffer, GST_REFERENCE_TIMESTAMP_META_API_TYPE);

    ((GstReferenceTimestampMeta *)meta)->timestamp = frame->capture_ns;
}

GstBuffer *buffer_copy(const struct buffer_format *format, const struct framebus_frame *frame)
{
    const GstVideoInfo *info = &format->info;
    const gsize size = info->finfo ? GST_VIDEO_INFO_SIZE(info) : frame->size;
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);
    GstMapInfo map;

    if (!buffer || !frame->data || !gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
        gst_clear_buffer(&buffer);
        return NULL;
    }
    if (framebus_frame_begin_access(frame, false) < 0) {
        gst_buffer_unmap(buffer, &map);
        gst_buffer_unref(buffer);
        return NULL;
    }
    if (info->finfo) {
        struct plane_rows to[FRAMEBUS_PLANES_MAX] = {0}, from[FRAMEBUS_PLANES_MAX] = {0};
        struct framebus_format part = *frame->format;

        part.width = GST_VIDEO_INFO_WIDTH(info);
        part.height = GST_VIDEO_INFO_HEIGHT(info);
        rows_of_frame(from, frame);
        for (guint i = 0; i < frame->format->planes; i++) {
            from[i].data += cut_offset(frame->format, &format->cut, i);
            to[i].data = map.data + GST_VIDEO_INFO_PLANE_OFFSET(info, i);
            to[i].stride = GST_VIDEO_INFO_PLANE_STRIDE(info, i);
        }
        format_copy_picture(&part, to, from);
    } else {
        memcpy(map.data, frame->data, size);
    }
    gst_buffer_unmap(buffer, &map);
    framebus_frame_end_access(frame, false);
    gst_buffer_add_reference_timestamp_meta(buffer, monotonic_reference(), frame->capture_ns,
                                            GST_CLOCK_TIME_NONE);
    return buffer;
}
