/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include "caps.h"
#include "meta.h"
#include "payload.h"
#include "tiled.h"

#include <errno.h>
#include <string.h>

/* Attempts to publish while upstream starts pools, each of which gives the bus another format. */
#define TRIES 8

/* Returns the flags that all frames have because the caps say so. */
static guint32 publisher_flags(const struct publisher *publisher)
{
    const GstVideoInfo *info = &publisher->info;

    if ((!publisher->is_picture && !publisher->is_raw) || !GST_VIDEO_INFO_IS_INTERLACED(info) ||
        GST_VIDEO_INFO_INTERLACE_MODE(info) == GST_VIDEO_INTERLACE_MODE_MIXED)
        return 0;
    if (GST_VIDEO_INFO_INTERLACE_MODE(info) == GST_VIDEO_INTERLACE_MODE_INTERLEAVED &&
        GST_VIDEO_INFO_FIELD_ORDER(info) == GST_VIDEO_FIELD_ORDER_TOP_FIELD_FIRST)
        return FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF;
    return FRAMEBUS_FRAME_INTERLACED;
}

static void publisher_describe(struct publisher *publisher, struct framebus_frame *frame, GstBuffer *buffer,
                               const struct departure_times *times)
{
    /* First, since room may be short. */
    if (times->has_pts)
        framebus_frame_add_meta(frame, TAG_PTS, &times->pts_after_ns, sizeof(times->pts_after_ns));
    if (times->has_dts)
        framebus_frame_add_meta(frame, TAG_DTS, &times->dts_after_ns, sizeof(times->dts_after_ns));
    if (times->shift_ns)
        framebus_frame_add_meta(frame, TAG_SHIFT, &times->shift_ns, sizeof(times->shift_ns));
    publisher->metas_left_out = meta_to_frame(frame, buffer, publisher->scratch, &publisher->why_left_out);
    frame->flags |= publisher_flags(publisher);
    frame->capture_ns = times->capture_ns;
    if (times->rate != 1.0 && times->rate > 0)
        frame->duration_ns = (gint64)((gdouble)frame->duration_ns / times->rate);
    tags_said_to_frame(&publisher->tags, frame);
}

/* Returns TRUE if a slot is for frames of the publisher's caps: the bus may have another format by now, or
 * none yet. */
static gboolean publisher_matches(struct publisher *publisher, const struct framebus_frame *frame)
{
    gboolean same = frame->format_serial == publisher->serial;

    if (!same && frame->format->caps && strcmp(frame->format->caps, publisher->text) == 0) {
        publisher->serial = frame->format_serial;
        same = TRUE;
    }
    return same;
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

/* Returns TRUE if the bytes of a payload are what readers take them for: those of raw video are in
 * GStreamer's default layout. */
static gboolean publisher_is_usual(const struct publisher *publisher, const GstVideoMeta *meta)
{
    const GstVideoInfo *info = &publisher->info;

    if (!publisher->is_raw || !meta)
        return TRUE;
    return !info_is_of_several(info) && meta->format == GST_VIDEO_INFO_FORMAT(info) &&
           meta->width == (guint)GST_VIDEO_INFO_WIDTH(info) &&
           meta->height == (guint)GST_VIDEO_INFO_HEIGHT(info) &&
           memcmp(meta->offset, info->offset, meta->n_planes * sizeof(gsize)) == 0 &&
           memcmp(meta->stride, info->stride, meta->n_planes * sizeof(gint)) == 0;
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
        is_same = publisher_is_usual(publisher, meta);
        frame->size = memory->size;
    }
    return is_same ? memory : NULL;
}

static int publisher_set_format(struct publisher *publisher, guint64 size)
{
    struct framebus_format format;
    GstVideoInfo info = publisher->info;
    GstVideoAlignment align;
    int r = 0;

    gst_video_alignment_reset(&align);
    if (publisher->is_picture && publisher->row_mask)
        info_align_rows(&info, publisher->row_mask, &align);
    if (publisher->is_picture)
        format_from_info(&format, &info, publisher->text);
    else
        r = payload_format(&format, publisher->text, size);
    return r < 0 ? r : allocator_set_format(publisher->allocator, publisher->use, &format);
}

/* Returns how many pictures a raw buffer describes by GstVideoMeta, with ids from 0 on. */
static guint publisher_pictures(const struct publisher *publisher, GstBuffer *buffer)
{
    guint count = 0;

    if (!publisher->is_raw || !info_is_of_several(&publisher->info))
        return publisher->is_raw && gst_buffer_get_video_meta(buffer) ? 1 : 0;
    while (count < SEVERAL_MAX && gst_buffer_get_video_meta_id(buffer, (gint)count))
        count++;
    return count;
}

/* Returns the size of a buffer as a payload. */
static gsize publisher_payload_size(const struct publisher *publisher, GstBuffer *buffer)
{
    const guint pictures = publisher_pictures(publisher, buffer);

    return pictures ? pictures * GST_VIDEO_INFO_SIZE(&publisher->info) : gst_buffer_get_size(buffer);
}

/* Copies a plane that is stored bottom-up, which gst_video_frame_copy_plane() cannot in formats whose pixels
 * are not whole bytes. */
static void publisher_fill_upright(const GstVideoFrame *to, const GstVideoFrame *from, guint plane)
{
    const gint to_stride = GST_VIDEO_FRAME_PLANE_STRIDE(to, plane);
    const gint from_stride = GST_VIDEO_FRAME_PLANE_STRIDE(from, plane);
    const guint8 *source = GST_VIDEO_FRAME_PLANE_DATA(from, plane);
    guint8 *target = GST_VIDEO_FRAME_PLANE_DATA(to, plane);
    gint component[GST_VIDEO_MAX_COMPONENTS], length;

    gst_video_format_info_component(to->info.finfo, plane, component);
    length = GST_VIDEO_FRAME_COMP_WIDTH(to, component[0]) * GST_VIDEO_FRAME_COMP_PSTRIDE(to, component[0]);
    if (length == 0)
        length = MIN(to_stride, ABS(from_stride));
    for (gint row = 0; row < GST_VIDEO_FRAME_COMP_HEIGHT(to, component[0]); row++)
        memcpy(target + (gssize)row * to_stride, source + (gssize)row * from_stride, length);
}

static gboolean publisher_fill_planes(GstVideoFrame *to, const GstVideoFrame *from)
{
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(to); i++) {
        if (GST_VIDEO_FRAME_PLANE_STRIDE(from, i) >= 0)
            gst_video_frame_copy_plane(to, from, i);
        else if (!GST_VIDEO_FORMAT_INFO_IS_TILED(to->info.finfo) &&
                 !GST_VIDEO_FORMAT_INFO_HAS_PALETTE(to->info.finfo))
            publisher_fill_upright(to, from, i);
        else
            return FALSE;
    }
    return TRUE;
}

/* Copies a raw picture that is laid out as its GstVideoMeta says, which does not travel, to where the default
 * layout has it. `id`: which of several; -1: the only one. */
static gboolean publisher_fill_raw(struct publisher *publisher, guint8 *data, GstBuffer *buffer, gint id)
{
    const gsize size = GST_VIDEO_INFO_SIZE(&publisher->info);
    GstBuffer *target = gst_buffer_new_wrapped_full(0, data, size, 0, size, NULL, NULL);
    GstVideoFrame from, to;
    gboolean filled = FALSE;

    if (gst_video_frame_map(&to, &publisher->info, target, GST_MAP_WRITE)) {
        if (gst_video_frame_map_id(&from, &publisher->info, buffer, id, GST_MAP_READ)) {
            filled = publisher_fill_planes(&to, &from);
            gst_video_frame_unmap(&from);
        }
        gst_video_frame_unmap(&to);
    }
    gst_buffer_unref(target);
    return filled;
}

static gboolean publisher_fill_payload(struct publisher *publisher, struct framebus_frame *frame,
                                       GstBuffer *buffer)
{
    const guint pictures = publisher_pictures(publisher, buffer);
    const gboolean several = publisher->is_raw && info_is_of_several(&publisher->info);

    frame->size = publisher_payload_size(publisher, buffer);
    for (guint i = 0; i < pictures; i++) {
        if (!publisher_fill_raw(publisher, (guint8 *)frame->data + i * GST_VIDEO_INFO_SIZE(&publisher->info),
                                buffer, several ? (gint)i : -1))
            return FALSE;
    }
    return pictures > 0 || gst_buffer_extract(buffer, 0, frame->data, frame->capacity) == frame->size;
}

static gboolean publisher_fill(struct publisher *publisher, struct framebus_frame *frame, GstBuffer *buffer)
{
    struct plane_rows to[FRAMEBUS_PLANES_MAX] = {0}, from[FRAMEBUS_PLANES_MAX] = {0};
    GstVideoFrame picture;

    if (!publisher->is_picture)
        return publisher_fill_payload(publisher, frame, buffer);
    if (!gst_video_frame_map(&picture, &publisher->info, buffer, GST_MAP_READ))
        return FALSE;
    rows_of_frame(to, frame);
    rows_of_picture(from, &picture);
    format_copy_picture(frame->format, to, from);
    gst_video_frame_unmap(&picture);
    return TRUE;
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
        publisher_describe(publisher, frame, buffer, times);
        r = allocator_publish(publisher->allocator, memory);
    }
    gst_memory_unref(memory);
    return r;
}

/* Returns 0 or a negative errno: that of imports_begin(). */
static int publisher_import(struct publisher *publisher, GstBuffer *buffer,
                            const struct departure_times *times)
{
    const struct import_picture picture = {publisher->is_picture ? &publisher->info : NULL,
                                           publisher->modifier, publisher->text};
    struct framebus_frame *frame;
    int r = -EBADMSG;

    if (!publisher->imports || gst_buffer_n_memory(buffer) == 0 ||
        allocator_has(publisher->allocator, gst_buffer_peek_memory(buffer, 0)) ||
        (!publisher->is_picture && !publisher_is_usual(publisher, gst_buffer_get_video_meta(buffer))))
        return r;
    frame = imports_begin(publisher->imports, buffer, &picture, &r);
    if (!frame)
        return r;
    if (!publisher->is_picture)
        frame->size = gst_buffer_get_size(buffer);
    publisher_describe(publisher, frame, buffer, times);
    return imports_publish(publisher->imports, frame);
}

/* Turns the bus as the tags say. */
static int publisher_turn(struct publisher *publisher)
{
    const guint orientation = tags_said_orientation(&publisher->tags);
    int r = 0;

    if (orientation != publisher->orientation)
        r = allocator_set_orientation(publisher->allocator, publisher->use, orientation);
    if (r >= 0)
        publisher->orientation = orientation;
    return r;
}

int publisher_publish(struct publisher *publisher, GstBuffer *buffer, const struct departure_times *times)
{
    const int turned = publisher_turn(publisher);
    GstMemory *memory = publisher->modifier ? NULL : publisher_slot_of(publisher, buffer);
    int r;

    if (turned < 0)
        return turned;

    if (memory) {
        publisher_describe(publisher, allocator_frame(publisher->allocator, memory), buffer, times);
        if (allocator_publish(publisher->allocator, memory) == 0)
            return PUBLISHED_IN_PLACE;
        /* Somebody still writes to it, or its pool has ended. */
    }
    r = publisher_import(publisher, buffer, times);
    if (r == 0)
        return PUBLISHED_IMPORT;
    if (publisher->modifier)
        return r == -EAGAIN || r == -ESTALE ? PUBLISHED_NOT : r;
    r = -ESTALE;
    for (guint i = 0; r == -ESTALE && i < TRIES; i++)
        r = publisher_copy(publisher, buffer, times);
    return r < 0 ? r : PUBLISHED_COPY;
}

void publisher_init(struct publisher *publisher, GstFramebusAllocator *allocator, gboolean imports,
                    guint row_mask)
{
    *publisher = (struct publisher){
        .allocator = allocator,
        .use = ALLOCATOR_FOR_RENDER,
        .row_mask = row_mask,
        .imports = imports ? imports_new(allocator) : NULL,
        .scratch = g_byte_array_new(),
    };
}

void publisher_set_caps(struct publisher *publisher, GstCaps *caps, char *text)
{
    g_free(publisher->text);
    publisher->text = text;
    publisher->serial = 0;
    publisher->modifier = 0;
    publisher->is_picture = tiled_from_caps(caps, &publisher->info, &publisher->modifier) ||
                            caps_are_picture(caps, &publisher->info);
    publisher->is_raw = !publisher->is_picture && caps_are_other_raw(caps, &publisher->info);
}

void publisher_finish(struct publisher *publisher)
{
    g_clear_pointer(&publisher->imports, imports_free);
    tags_said_finish(&publisher->tags);
    g_clear_pointer(&publisher->text, g_free);
    g_clear_pointer(&publisher->why_left_out, g_free);
    g_clear_pointer(&publisher->scratch, g_byte_array_unref);
}
