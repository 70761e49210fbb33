/* SPDX-License-Identifier: MIT */
#include "frameinfo.h"

#include "timebase.h"

#include <gst/video/video.h>
#include <string.h>

static const struct {
    guint buffer;
    guint32 frame;
    gboolean picture; /* means something else in other media */
} flags[] = {
    {GST_BUFFER_FLAG_DISCONT, FRAMEBUS_FRAME_DISCONT, FALSE},
    {GST_BUFFER_FLAG_DELTA_UNIT, FRAMEBUS_FRAME_DELTA, FALSE},
    {GST_BUFFER_FLAG_CORRUPTED, FRAMEBUS_FRAME_CORRUPTED, FALSE},
    {GST_BUFFER_FLAG_HEADER, FRAMEBUS_FRAME_HEADER, FALSE},
    {GST_BUFFER_FLAG_GAP, FRAMEBUS_FRAME_GAP, FALSE},
    {GST_BUFFER_FLAG_DROPPABLE, FRAMEBUS_FRAME_DROPPABLE, FALSE},
    {GST_BUFFER_FLAG_MARKER, FRAMEBUS_FRAME_MARKER, FALSE},
    {GST_VIDEO_BUFFER_FLAG_INTERLACED, FRAMEBUS_FRAME_INTERLACED, TRUE},
    {GST_VIDEO_BUFFER_FLAG_TFF, FRAMEBUS_FRAME_TFF, TRUE},
};

static void append_text(GByteArray *block, const char *text)
{
    g_byte_array_append(block, (const guint8 *)text, strlen(text) + 1);
}

static void add_block(struct framebus_frame *frame, guint32 tag, GByteArray *block)
{
    if (framebus_frame_add_meta(frame, tag, block->data, block->len) < 0)
        GST_INFO("a meta is left out: %s", framebus_last_error());
    g_byte_array_unref(block);
}

static void add_region(struct framebus_frame *frame, const GstVideoRegionOfInterestMeta *meta)
{
    const struct region_block head = {meta->id, meta->parent_id, meta->x, meta->y, meta->w, meta->h};
    const char *type = g_quark_to_string(meta->roi_type);
    GByteArray *block = g_byte_array_new();

    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    append_text(block, type ? type : "");
    for (GList *item = meta->params; item; item = item->next) {
        g_autofree char *text = gst_structure_to_string(item->data);

        append_text(block, text);
    }
    add_block(frame, TAG_REGION, block);
}

static void add_reference(struct framebus_frame *frame, const GstReferenceTimestampMeta *meta)
{
    const struct reference_block head = {meta->timestamp, meta->duration};
    g_autofree char *text = gst_caps_to_string(meta->reference);
    GByteArray *block;

    /* That one is the frame's capture time. */
    if (gst_caps_is_equal(meta->reference, monotonic_reference()))
        return;
    block = g_byte_array_new();
    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    append_text(block, text);
    add_block(frame, TAG_REFERENCE, block);
}

static gboolean is_own_tag(const char *tag)
{
    return tag && strlen(tag) == 4 && !g_str_has_prefix(tag, "fb");
}

static void add_own_block(struct framebus_frame *frame, GstCustomMeta *meta)
{
    GstStructure *fields = gst_custom_meta_get_structure(meta);
    const char *tag = gst_structure_get_string(fields, "tag");
    GBytes *bytes = NULL;
    gconstpointer data;
    gsize size;

    if (!is_own_tag(tag) || !gst_structure_get(fields, "data", G_TYPE_BYTES, &bytes, NULL) || !bytes) {
        GST_WARNING(
            "a block is left out: it needs a \"tag\" of four characters and \"data\": %" GST_PTR_FORMAT,
            fields);
        return;
    }
    data = g_bytes_get_data(bytes, &size);
    if (framebus_frame_add_meta(frame, FRAMEBUS_TAG(tag[0], tag[1], tag[2], tag[3]), data, size) < 0)
        GST_INFO("block %s is left out: %s", tag, framebus_last_error());
    g_bytes_unref(bytes);
}

#if GST_CHECK_VERSION(1, 24, 0)
/* Layout and crop are the frame's own affair. */
static gboolean is_other(const GstMetaInfo *info)
{
    return info->api != GST_VIDEO_META_API_TYPE && info->api != GST_VIDEO_CROP_META_API_TYPE;
}

static void add_other(struct framebus_frame *frame, const GstMeta *meta)
{
    GByteArray *block;

    if (!is_other(meta->info))
        return;
    block = g_byte_array_new();
    if (gst_meta_serialize_simple(meta, block))
        add_block(frame, TAG_META, block);
    else
        g_byte_array_unref(block);
}

/* Two lengths of 32 bits, then a name with its zero and a version: GStreamer does not look at how long it
 * says that the name is. */
static gboolean may_be_restored(const guint8 *block, gsize size)
{
    const gsize lengths = 2 * sizeof(guint32);
    const GstMetaInfo *info;
    gsize name;

    if (size < lengths + 2)
        return FALSE;
    name = GST_READ_UINT32_LE(block + sizeof(guint32));
    if (name > size - lengths - 2 || block[lengths + name] != '\0')
        return FALSE;
    info = gst_meta_get_info((const char *)block + lengths);
    return !info || is_other(info);
}

static void restore_others(const struct framebus_frame *frame, GstBuffer *buffer)
{
    const void *data;
    guint32 consumed;
    gsize size;

    for (guint i = 0; (data = framebus_frame_get_meta(frame, TAG_META, i, &size)); i++) {
        /* It is the writer's and may change while it is read. */
        g_autofree guint8 *block = g_memdup2(data, size);

        if (!may_be_restored(block, size) || !gst_meta_deserialize(buffer, block, size, &consumed))
            GST_INFO("a meta of %" G_GSIZE_FORMAT " bytes is not understood", size);
    }
}
#else
static void add_other(struct framebus_frame *frame G_GNUC_UNUSED, const GstMeta *meta G_GNUC_UNUSED)
{
}

static void restore_others(const struct framebus_frame *frame G_GNUC_UNUSED, GstBuffer *buffer G_GNUC_UNUSED)
{
}
#endif

static gboolean add_meta(GstBuffer *buffer G_GNUC_UNUSED, GstMeta **meta, gpointer frame)
{
    if ((*meta)->info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
        add_region(frame, (GstVideoRegionOfInterestMeta *)*meta);
    else if ((*meta)->info->api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
        add_reference(frame, (GstReferenceTimestampMeta *)*meta);
    else if (gst_meta_info_is_custom((*meta)->info) &&
             gst_custom_meta_has_name((GstCustomMeta *)*meta, FRAMEBUS_BLOCK_META))
        add_own_block(frame, (GstCustomMeta *)*meta);
    else
        add_other(frame, *meta);
    return TRUE;
}

/* A block as it is now, to be freed: what it points to is the writer's and may change. NULL if there is none,
 * or if it is no head of `least` bytes followed by texts. */
static void *copy_block(const struct framebus_frame *frame, guint32 tag, guint index, gsize least,
                        gsize *size)
{
    const void *data = framebus_frame_get_meta(frame, tag, index, size);
    char *block;

    if (!data || *size <= least)
        return NULL;
    block = g_malloc(*size);
    memcpy(block, data, *size);
    block[*size - 1] = '\0';
    return block;
}

static void restore_regions(const struct framebus_frame *frame, GstBuffer *buffer)
{
    struct region_block *block;
    gsize size;

    for (guint i = 0; (block = copy_block(frame, TAG_REGION, i, sizeof(*block), &size)); i++) {
        const char *text = block->text, *end = (const char *)block + size;
        GstVideoRegionOfInterestMeta *meta = gst_buffer_add_video_region_of_interest_meta(
            buffer, text, block->x, block->y, block->width, block->height);

        meta->id = block->id;
        meta->parent_id = block->parent_id;
        for (text += strlen(text) + 1; text < end; text += strlen(text) + 1) {
            GstStructure *param = gst_structure_from_string(text, NULL);

            if (param)
                gst_video_region_of_interest_meta_add_param(meta, param);
        }
        g_free(block);
    }
}

static void restore_references(const struct framebus_frame *frame, GstBuffer *buffer)
{
    struct reference_block *block;
    gsize size;

    for (guint i = 0; (block = copy_block(frame, TAG_REFERENCE, i, sizeof(*block), &size)); i++) {
        GstCaps *caps = gst_caps_from_string(block->caps);

        if (caps)
            gst_buffer_add_reference_timestamp_meta(buffer, caps, block->timestamp, block->duration);
        gst_clear_caps(&caps);
        g_free(block);
    }
}

static void restore_own_blocks(const struct framebus_frame *frame, GstBuffer *buffer)
{
    const void *data;
    guint32 tag;
    gsize size;

    for (guint i = 0; (data = framebus_frame_meta_at(frame, i, &tag, &size)); i++) {
        const char text[] = {tag & 0xff, tag >> 8 & 0xff, tag >> 16 & 0xff, tag >> 24, '\0'};
        GstCustomMeta *meta = NULL;
        GBytes *bytes;

        if (is_own_tag(text) && g_utf8_validate(text, -1, NULL))
            meta = gst_buffer_add_custom_meta(buffer, FRAMEBUS_BLOCK_META);
        if (!meta)
            continue;
        bytes = g_bytes_new(data, size);
        gst_structure_set(gst_custom_meta_get_structure(meta), "tag", G_TYPE_STRING, text, "data",
                          G_TYPE_BYTES, bytes, NULL);
        g_bytes_unref(bytes);
    }
}

void frameinfo_register(void)
{
    static const char *tags[] = {NULL};

    gst_meta_register_custom(FRAMEBUS_BLOCK_META, tags, NULL, NULL, NULL);
}

void frame_from_buffer(struct framebus_frame *frame, GstBuffer *buffer)
{
    const struct framebus_format *format = frame->format;
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);

    frame->flags = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (GST_BUFFER_FLAG_IS_SET(buffer, flags[i].buffer) && (!flags[i].picture || format->fourcc))
            frame->flags |= flags[i].frame;
    }
    frame->duration_ns = GST_BUFFER_DURATION_IS_VALID(buffer) ? (gint64)GST_BUFFER_DURATION(buffer) : 0;

    if (crop && crop->width && crop->height && format->fourcc &&
        (guint64)crop->x + crop->width <= format->width && (guint64)crop->y + crop->height <= format->height)
        frame->crop = (struct framebus_rect){crop->x, crop->y, crop->width, crop->height};
    gst_buffer_foreach_meta(buffer, add_meta, frame);
}

void frame_to_buffer(const struct framebus_frame *frame, GstBuffer *buffer)
{
    guint32 tag;
    gsize size;

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        if ((frame->flags & flags[i].frame) && (!flags[i].picture || frame->format->fourcc))
            GST_BUFFER_FLAG_SET(buffer, flags[i].buffer);
    }
    if (frame->duration_ns > 0)
        GST_BUFFER_DURATION(buffer) = frame->duration_ns;
    GST_BUFFER_OFFSET(buffer) = frame->sequence;
    GST_BUFFER_OFFSET_END(buffer) = frame->sequence + 1;

    if (frame->crop.width && frame->crop.height) {
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);

        crop->x = frame->crop.x;
        crop->y = frame->crop.y;
        crop->width = frame->crop.width;
        crop->height = frame->crop.height;
    }
    if (!framebus_frame_meta_at(frame, 0, &tag, &size))
        return;
    restore_regions(frame, buffer);
    restore_references(frame, buffer);
    restore_own_blocks(frame, buffer);
    restore_others(frame, buffer);
}
