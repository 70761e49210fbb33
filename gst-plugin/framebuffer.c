/* SPDX-License-Identifier: MIT */
#include "framebuffer.h"

#include "caps.h"
#include "timebase.h"

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

static void give_back(gpointer data)
{
    frame_hold_end(data);
    g_free(data);
}

gboolean frame_is_default(const struct framebus_frame *frame, const GstVideoInfo *info)
{
    return !info->finfo ||
           (frame->size >= GST_VIDEO_INFO_SIZE(info) &&
            format_has_layout(frame->format, GST_VIDEO_INFO_N_PLANES(info), info->offset, info->stride));
}

GstBuffer *frame_expect(GstVideoInfo *lies)
{
    GstBuffer *buffer = gst_buffer_new();

    if (lies->finfo)
        gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(lies),
                                       GST_VIDEO_INFO_WIDTH(lies), GST_VIDEO_INFO_HEIGHT(lies),
                                       GST_VIDEO_INFO_N_PLANES(lies), lies->offset, lies->stride);
    gst_buffer_add_reference_timestamp_meta(buffer, monotonic_reference(), 0, GST_CLOCK_TIME_NONE);
    return buffer;
}

gsize frame_visible_size(const struct framebus_frame *frame, const GstVideoInfo *info)
{
    return info->finfo && frame_is_default(frame, info) ? GST_VIDEO_INFO_SIZE(info) : frame->size;
}

void frame_wrap(GstBuffer *buffer, const struct frame_hold *hold, gsize size)
{
    struct framebus_frame *frame = hold->frame;

    gst_buffer_append_memory(buffer,
                             gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, frame->data, frame->capacity, 0,
                                                    size, g_memdup2(hold, sizeof *hold), give_back));
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_TAG_MEMORY); /* tells of changes, and this is none */
}

void frame_stamp(GstBuffer *buffer, const struct framebus_frame *frame)
{
    GstMeta *meta = gst_buffer_get_meta(buffer, GST_REFERENCE_TIMESTAMP_META_API_TYPE);

    ((GstReferenceTimestampMeta *)meta)->timestamp = frame->capture_ns;
}

GstBuffer *frame_copy(const struct framebus_frame *frame, const GstVideoInfo *info)
{
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
        struct framebus_plane planes[FRAMEBUS_PLANES_MAX] = {0};

        for (guint i = 0; i < frame->format->planes; i++) {
            planes[i].data = map.data + GST_VIDEO_INFO_PLANE_OFFSET(info, i);
            planes[i].stride = GST_VIDEO_INFO_PLANE_STRIDE(info, i);
        }
        format_copy_picture(frame->format, planes, frame->plane);
    } else {
        memcpy(map.data, frame->data, size);
    }
    gst_buffer_unmap(buffer, &map);
    framebus_frame_end_access(frame, false);
    gst_buffer_add_reference_timestamp_meta(buffer, monotonic_reference(), frame->capture_ns,
                                            GST_CLOCK_TIME_NONE);
    return buffer;
}
