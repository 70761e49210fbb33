/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include "caps.h"
#include "meta.h"
#include "payload.h"

#include <errno.h>
#include <string.h>

/* Attempts to publish while upstream starts pools, each of which gives the bus another format. */
#define TRIES 8

static void publisher_describe(struct framebus_frame *frame, GstBuffer *buffer,
                               const struct departure_times *times)
{
    meta_to_frame(frame, buffer);
    frame->capture_ns = times->capture_ns;
    if (times->rate != 1.0 && times->rate > 0)
        frame->duration_ns = (gint64)((gdouble)frame->duration_ns / times->rate);
    if (times->has_pts)
        framebus_frame_add_meta(frame, TAG_PTS, &times->pts_after_ns, sizeof(times->pts_after_ns));
    if (times->has_dts)
        framebus_frame_add_meta(frame, TAG_DTS, &times->dts_after_ns, sizeof(times->dts_after_ns));
}

/* Returns TRUE if a slot is for frames of the publisher's caps: the bus may have another format by now, or
 * none yet. */
static gboolean publisher_matches(const struct publisher *publisher, const struct framebus_frame *frame)
{
    return frame->format->caps && strcmp(frame->format->caps, publisher->text) == 0;
}

/* Returns TRUE if a picture that is in a slot is laid out as the slot's format says. */
static gboolean publisher_has_layout(const struct publisher *publisher, const struct framebus_format *format,
                                     const GstVideoMeta *meta)
{
    const GstVideoInfo *info = &publisher->info;

    if (!meta)
        return format_has_layout(format, GST_VIDEO_INFO_N_PLANES(info), info->offset, info->stride);
    return meta->format == GST_VIDEO_INFO_FORMAT(info) && meta->width == format->width &&
           meta->height == format->height &&
           format_has_layout(format, meta->n_planes, meta->offset, meta->stride);
}

/* Returns the buffer's memory if it is a slot of this bus that is laid out as the buffer says, else NULL. */
static GstMemory *publisher_slot_of(struct publisher *publisher, GstBuffer *buffer)
{
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    struct framebus_frame *frame;
    GstMemory *memory;
    gboolean is_same;

    if (gst_buffer_n_memory(buffer) != 1)
        return NULL;
    memory = gst_buffer_peek_memory(buffer, 0);
    frame = allocator_frame(publisher->allocator, memory);
    if (!frame || allocator_is_published(publisher->allocator, memory) ||
        !publisher_matches(publisher, frame))
        return NULL;
    if (publisher->is_picture) {
        is_same = memory->size >= GST_VIDEO_INFO_SIZE(&publisher->info) &&
                  publisher_has_layout(publisher, frame->format, meta);
    } else {
        is_same = !publisher->is_raw || !meta;
        frame->size = memory->size;
    }
    return is_same ? memory : NULL;
}

static int publisher_set_format(struct publisher *publisher, guint64 size)
{
    struct framebus_format format;
    int r = 0;

    if (publisher->is_picture)
        format_from_info(&format, &publisher->info, publisher->text);
    else
        r = payload_format(&format, publisher->text, size);
    return r < 0 ? r : allocator_set_format(publisher->allocator, publisher->use, &format);
}

/* Returns the size of a buffer as a payload. */
static gsize publisher_payload_size(const struct publisher *publisher, GstBuffer *buffer)
{
    return publisher->is_raw && gst_buffer_get_video_meta(buffer) ? GST_VIDEO_INFO_SIZE(&publisher->info)
                                                                  : gst_buffer_get_size(buffer);
}

/* Copies a raw picture that is laid out as its GstVideoMeta says, which does not travel. */
static gboolean publisher_fill_raw(struct publisher *publisher, struct framebus_frame *frame,
                                   GstBuffer *buffer)
{
    GstBuffer *target =
        gst_buffer_new_wrapped_full(0, frame->data, frame->capacity, 0, frame->size, NULL, NULL);
    GstVideoFrame from, to;
    gboolean filled = FALSE;

    if (gst_video_frame_map(&to, &publisher->info, target, GST_MAP_WRITE)) {
        if (gst_video_frame_map(&from, &publisher->info, buffer, GST_MAP_READ)) {
            filled = gst_video_frame_copy(&to, &from);
            gst_video_frame_unmap(&from);
        }
        gst_video_frame_unmap(&to);
    }
    gst_buffer_unref(target);
    return filled;
}

static gboolean publisher_fill(struct publisher *publisher, struct framebus_frame *frame, GstBuffer *buffer)
{
    struct framebus_plane planes[FRAMEBUS_PLANES_MAX] = {0};
    GstVideoFrame picture;
    gboolean upright;

    if (publisher->is_raw && gst_buffer_get_video_meta(buffer)) {
        frame->size = GST_VIDEO_INFO_SIZE(&publisher->info);
        return publisher_fill_raw(publisher, frame, buffer);
    }
    if (!publisher->is_picture) {
        frame->size = gst_buffer_extract(buffer, 0, frame->data, frame->capacity);
        return frame->size == gst_buffer_get_size(buffer);
    }
    if (!gst_video_frame_map(&picture, &publisher->info, buffer, GST_MAP_READ))
        return FALSE;
    upright = planes_of_frame(planes, &picture);
    if (upright)
        format_copy_picture(frame->format, frame->plane, planes);
    gst_video_frame_unmap(&picture);
    return upright;
}

/* Returns -ESTALE if another try is worth it: the bus got the publisher's format only now. */
static int publisher_copy(struct publisher *publisher, GstBuffer *buffer, const struct departure_times *times)
{
    const gsize size = publisher_payload_size(publisher, buffer);
    struct framebus_frame *frame;
    GstMemory *memory;
    int r;

    memory = allocator_lend(publisher->allocator, publisher->use, publisher->is_picture ? 0 : MAX(size, 1),
                            NULL, &r);
    if (!memory && r != -ENODATA && r != -EMSGSIZE)
        return r;
    if (!memory || !publisher_matches(publisher, allocator_frame(publisher->allocator, memory))) {
        g_clear_pointer(&memory, gst_memory_unref);
        r = publisher_set_format(publisher, size);
        return r < 0 ? r : -ESTALE;
    }
    frame = allocator_frame(publisher->allocator, memory);
    if (!publisher_fill(publisher, frame, buffer)) {
        r = -EBADMSG;
    } else {
        publisher_describe(frame, buffer, times);
        r = allocator_publish(publisher->allocator, memory);
    }
    gst_memory_unref(memory);
    return r;
}

static gboolean publisher_import(struct publisher *publisher, GstBuffer *buffer,
                                 const struct departure_times *times)
{
    struct framebus_frame *frame;

    if (!publisher->imports || gst_buffer_n_memory(buffer) == 0 ||
        allocator_has(publisher->allocator, gst_buffer_peek_memory(buffer, 0)) ||
        (publisher->is_raw && gst_buffer_get_video_meta(buffer)))
        return FALSE;
    frame = imports_begin(publisher->imports, buffer, publisher->is_picture ? &publisher->info : NULL,
                          publisher->text);
    if (!frame)
        return FALSE;
    if (!publisher->is_picture)
        frame->size = gst_buffer_get_size(buffer);
    publisher_describe(frame, buffer, times);
    return imports_publish(publisher->imports, frame) == 0;
}

int publisher_publish(struct publisher *publisher, GstBuffer *buffer, const struct departure_times *times)
{
    GstMemory *memory = publisher_slot_of(publisher, buffer);
    int r = -ESTALE;

    if (memory) {
        publisher_describe(allocator_frame(publisher->allocator, memory), buffer, times);
        if (allocator_publish(publisher->allocator, memory) == 0)
            return PUBLISHED_IN_PLACE;
        /* Somebody still writes to it, or its pool has ended. */
    }
    if (publisher_import(publisher, buffer, times))
        return PUBLISHED_IMPORT;
    for (guint i = 0; r == -ESTALE && i < TRIES; i++)
        r = publisher_copy(publisher, buffer, times);
    return r < 0 ? r : PUBLISHED_COPY;
}

void publisher_init(struct publisher *publisher, GstFramebusAllocator *allocator, gboolean imports)
{
    *publisher = (struct publisher){
        .allocator = allocator,
        .use = ALLOCATOR_FOR_RENDER,
        .imports = imports ? imports_new(allocator) : NULL,
    };
}

void publisher_set_caps(struct publisher *publisher, GstCaps *caps, char *text)
{
    g_free(publisher->text);
    publisher->text = text;
    publisher->is_picture = caps_are_picture(caps, &publisher->info);
    publisher->is_raw = !publisher->is_picture &&
                        gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") &&
                        gst_video_info_from_caps(&publisher->info, caps);
}

void publisher_finish(struct publisher *publisher)
{
    g_clear_pointer(&publisher->imports, imports_free);
    g_clear_pointer(&publisher->text, g_free);
}
