/* SPDX-License-Identifier: MIT */
#include "meta.h"

#include "text.h"
#include "timing.h"

#include <gst/video/video.h>
#include <string.h>

GST_DEBUG_CATEGORY_STATIC(framebus_meta_debug);
#undef GST_CAT_DEFAULT
#define GST_CAT_DEFAULT framebus_meta_debug

static const struct {
    guint buffer;
    guint32 frame;
    gboolean video; /* the flag means something else in other media */
} frame_flags[] = {
    {GST_BUFFER_FLAG_DISCONT, FRAMEBUS_FRAME_DISCONT, FALSE},
    {GST_BUFFER_FLAG_DELTA_UNIT, FRAMEBUS_FRAME_DELTA, FALSE},
    {GST_BUFFER_FLAG_CORRUPTED, FRAMEBUS_FRAME_CORRUPTED, FALSE},
    {GST_BUFFER_FLAG_HEADER, FRAMEBUS_FRAME_HEADER, FALSE},
    {GST_BUFFER_FLAG_GAP, FRAMEBUS_FRAME_GAP, FALSE},
    {GST_BUFFER_FLAG_DROPPABLE, FRAMEBUS_FRAME_DROPPABLE, FALSE},
    {GST_BUFFER_FLAG_MARKER, FRAMEBUS_FRAME_MARKER, FALSE},
    {GST_VIDEO_BUFFER_FLAG_INTERLACED, FRAMEBUS_FRAME_INTERLACED, TRUE},
    {GST_VIDEO_BUFFER_FLAG_TFF, FRAMEBUS_FRAME_TFF, TRUE},
    {GST_VIDEO_BUFFER_FLAG_RFF, FRAMEBUS_FRAME_RFF, TRUE},
    {GST_VIDEO_BUFFER_FLAG_ONEFIELD, FRAMEBUS_FRAME_ONE_FIELD, TRUE},
    {GST_VIDEO_BUFFER_FLAG_MULTIPLE_VIEW, FRAMEBUS_FRAME_MULTIVIEW, TRUE},
    {GST_VIDEO_BUFFER_FLAG_FIRST_IN_BUNDLE, FRAMEBUS_FRAME_FIRST_IN_BUNDLE, TRUE},
};

/* References of these names, without fields, are times that the library knows. */
static const struct {
    const char *name;
    enum framebus_clock clock;
} clocks[] = {
    {"timestamp/x-unix", FRAMEBUS_CLOCK_REALTIME},
    {"timestamp/x-ptp", FRAMEBUS_CLOCK_TAI},
};

static gboolean format_is_video(const struct framebus_format *format)
{
    return format->fourcc || (format->caps && (g_str_has_prefix(format->caps, "video/") ||
                                               g_str_has_prefix(format->caps, "image/")));
}

static void block_append_text(GByteArray *block, const char *text)
{
    g_byte_array_append(block, (const guint8 *)text, strlen(text) + 1);
}

static void block_add(struct framebus_frame *frame, guint32 tag, GByteArray *block)
{
    if (framebus_frame_add_meta(frame, tag, block->data, block->len) < 0)
        GST_INFO("a meta is left out: %s", framebus_last_error());
    g_byte_array_unref(block);
}

static void meta_add_region(struct framebus_frame *frame, const GstVideoRegionOfInterestMeta *meta)
{
    const struct region_block head = {meta->id, meta->parent_id, meta->x, meta->y, meta->w, meta->h};
    const char *type = g_quark_to_string(meta->roi_type);
    GByteArray *block = g_byte_array_new();

    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    block_append_text(block, type ? type : "");
    for (GList *item = meta->params; item; item = item->next) {
        g_autofree char *text = gst_structure_to_string(item->data);

        block_append_text(block, text);
    }
    block_add(frame, TAG_REGION, block);
}

/* Returns TRUE if the block says all there is to say. */
static gboolean meta_add_clock_time(struct framebus_frame *frame, const GstReferenceTimestampMeta *meta)
{
    const GstStructure *reference =
        gst_caps_get_size(meta->reference) ? gst_caps_get_structure(meta->reference, 0) : NULL;

    for (size_t i = 0; reference && i < G_N_ELEMENTS(clocks); i++) {
        const struct framebus_clock_time time = {.ns = meta->timestamp, .clock = clocks[i].clock};

        if (gst_structure_has_name(reference, clocks[i].name) && meta->timestamp <= G_MAXINT64)
            return framebus_frame_set_clock_time(frame, &time) == 0 &&
                   gst_structure_n_fields(reference) == 0 && !GST_CLOCK_TIME_IS_VALID(meta->duration);
    }
    return FALSE;
}

static void meta_add_reference(struct framebus_frame *frame, const GstReferenceTimestampMeta *meta)
{
    const struct reference_block head = {meta->timestamp, meta->duration};
    g_autofree char *text = gst_caps_to_string(meta->reference);
    GByteArray *block;

    /* The frame has a field for the capture time. */
    if (gst_caps_is_equal(meta->reference, monotonic_reference()) || meta_add_clock_time(frame, meta))
        return;
    block = g_byte_array_new();
    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    block_append_text(block, text);
    block_add(frame, TAG_REFERENCE, block);
}

static void meta_add_caption(struct framebus_frame *frame, const GstVideoCaptionMeta *meta)
{
    const struct caption_block head = {meta->caption_type};
    GByteArray *block = g_byte_array_new();

    g_byte_array_append(block, (const guint8 *)&head, sizeof(head));
    g_byte_array_append(block, meta->data, meta->size);
    block_add(frame, TAG_CAPTION, block);
}

static gboolean tag_is_own(const char *tag)
{
    return tag && strlen(tag) == 4 && !g_str_has_prefix(tag, "fb");
}

static void meta_add_own_block(struct framebus_frame *frame, GstCustomMeta *meta)
{
    GstStructure *fields = gst_custom_meta_get_structure(meta);
    const char *tag = gst_structure_get_string(fields, "tag");
    GBytes *bytes = NULL;
    gconstpointer data;
    gsize size;

    if (!tag_is_own(tag) || !gst_structure_get(fields, "data", G_TYPE_BYTES, &bytes, NULL) || !bytes) {
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
static void meta_add_other(struct framebus_frame *frame, const GstMeta *meta)
{
    GByteArray *block;

    if (!gst_meta_info_is_custom(meta->info))
        return;
    block = g_byte_array_new();
    if (gst_meta_serialize_simple(meta, block))
        block_add(frame, TAG_META, block);
    else
        g_byte_array_unref(block);
}

/* Checks a block before GStreamer reads it: two lengths of 32 bits, a name with its zero, a version, and a
 * structure as text. Only custom metas are taken: what reads the others was not made for a hostile writer. */
static gboolean meta_may_be_restored(const guint8 *block, gsize size)
{
    const gsize lengths = 2 * sizeof(guint32);
    const GstMetaInfo *info;
    gsize name;

    if (size < lengths + 2 || GST_READ_UINT32_LE(block) != size)
        return FALSE;
    name = GST_READ_UINT32_LE(block + sizeof(guint32));
    if (name > size - lengths - 2 || block[lengths + name] != '\0')
        return FALSE;
    info = gst_meta_get_info((const char *)block + lengths);
    return info && gst_meta_info_is_custom(info) && block[size - 1] == '\0' &&
           text_is_harmless((const char *)block + lengths + name + 2);
}

static void meta_restore_other(GstBuffer *buffer, const void *data, gsize size)
{
    /* The block is the writer's and may change while it is read. */
    g_autofree guint8 *block = g_memdup2(data, size);
    guint32 consumed;

    if (!meta_may_be_restored(block, size) || !gst_meta_deserialize(buffer, block, size, &consumed))
        GST_INFO("a meta of %" G_GSIZE_FORMAT " bytes is not understood", size);
}
#else
static void meta_add_other(struct framebus_frame *frame G_GNUC_UNUSED, const GstMeta *meta G_GNUC_UNUSED)
{
}

static void meta_restore_other(GstBuffer *buffer G_GNUC_UNUSED, const void *data G_GNUC_UNUSED,
                               gsize size G_GNUC_UNUSED)
{
}
#endif

static gboolean meta_add(GstBuffer *buffer G_GNUC_UNUSED, GstMeta **meta, gpointer frame)
{
    if ((*meta)->info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
        meta_add_region(frame, (GstVideoRegionOfInterestMeta *)*meta);
    else if ((*meta)->info->api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
        meta_add_reference(frame, (GstReferenceTimestampMeta *)*meta);
    else if ((*meta)->info->api == GST_VIDEO_CAPTION_META_API_TYPE)
        meta_add_caption(frame, (GstVideoCaptionMeta *)*meta);
    else if (gst_meta_info_is_custom((*meta)->info) &&
             gst_custom_meta_has_name((GstCustomMeta *)*meta, FRAMEBUS_BLOCK_META))
        meta_add_own_block(frame, (GstCustomMeta *)*meta);
    else
        meta_add_other(frame, *meta);
    return TRUE;
}

/* Returns a copy of a block, which is the writer's and may change; to be freed. NULL: it is not a head of
 * `least` bytes followed by text. */
static void *block_copy(const void *data, gsize size, gsize least)
{
    char *block;

    if (size <= least)
        return NULL;
    block = g_memdup2(data, size);
    block[size - 1] = '\0';
    return block;
}

static void meta_restore_region(GstBuffer *buffer, const void *data, gsize size)
{
    g_autofree struct region_block *block = block_copy(data, size, sizeof(*block));
    GstVideoRegionOfInterestMeta *meta;
    const char *text, *end;

    if (!block || !text_may_be_name(block->text))
        return;
    text = block->text;
    end = (const char *)block + size;
    meta = gst_buffer_add_video_region_of_interest_meta(buffer, text, block->x, block->y, block->width,
                                                        block->height);
    meta->id = block->id;
    meta->parent_id = block->parent_id;
    for (text += strlen(text) + 1; text < end; text += strlen(text) + 1) {
        GstStructure *param = text_is_harmless(text) ? gst_structure_from_string(text, NULL) : NULL;

        if (param)
            gst_video_region_of_interest_meta_add_param(meta, param);
    }
}

static void meta_restore_reference(GstBuffer *buffer, const void *data, gsize size)
{
    g_autofree struct reference_block *block = block_copy(data, size, sizeof(*block));
    GstCaps *caps = block && text_is_harmless(block->caps) ? gst_caps_from_string(block->caps) : NULL;

    if (caps)
        gst_buffer_add_reference_timestamp_meta(buffer, caps, block->timestamp, block->duration);
    gst_clear_caps(&caps);
}

/* Adds those that no other block tells more of. */
static void meta_restore_clock_times(GstBuffer *buffer, const struct framebus_frame *frame)
{
    struct framebus_clock_time time;

    for (size_t i = 0; i < G_N_ELEMENTS(clocks); i++) {
        GstCaps *caps = gst_caps_new_empty_simple(clocks[i].name);

        if (framebus_frame_get_clock_time(frame, clocks[i].clock, &time) == 0 && time.ns >= 0 &&
            !gst_buffer_get_reference_timestamp_meta(buffer, caps))
            gst_buffer_add_reference_timestamp_meta(buffer, caps, time.ns, GST_CLOCK_TIME_NONE);
        gst_caps_unref(caps);
    }
}

static void meta_restore_own_block(GstBuffer *buffer, guint32 tag, const void *data, gsize size)
{
    const char text[] = {tag & 0xff, tag >> 8 & 0xff, tag >> 16 & 0xff, tag >> 24, '\0'};
    GstCustomMeta *meta = NULL;
    GBytes *bytes;

    if (tag_is_own(text) && g_utf8_validate(text, -1, NULL))
        meta = gst_buffer_add_custom_meta(buffer, FRAMEBUS_BLOCK_META);
    if (!meta)
        return;
    bytes = g_bytes_new(data, size);
    gst_structure_set(gst_custom_meta_get_structure(meta), "tag", G_TYPE_STRING, text, "data", G_TYPE_BYTES,
                      bytes, NULL);
    g_bytes_unref(bytes);
}

static void meta_restore_caption(GstBuffer *buffer, const void *data, gsize size)
{
    const struct caption_block *block = data;

    if (size > sizeof(*block))
        gst_buffer_add_video_caption_meta(buffer, block->type, block->data, size - sizeof(*block));
}

static void meta_restore_all(const struct framebus_frame *frame, GstBuffer *buffer)
{
    gboolean has_clock_time = FALSE;
    const void *data;
    guint32 tag;
    size_t at = 0, size;

    while ((data = framebus_frame_next_meta(frame, &at, &tag, &size))) {
        switch (tag) {
        case FRAMEBUS_META_CLOCK_TIME:
            has_clock_time = TRUE;
            break;
        case TAG_REGION:
            meta_restore_region(buffer, data, size);
            break;
        case TAG_REFERENCE:
            meta_restore_reference(buffer, data, size);
            break;
        case TAG_CAPTION:
            meta_restore_caption(buffer, data, size);
            break;
        case TAG_META:
            meta_restore_other(buffer, data, size);
            break;
        default:
            meta_restore_own_block(buffer, tag, data, size);
            break;
        }
    }
    if (has_clock_time)
        meta_restore_clock_times(buffer, frame);
}

void meta_register(void)
{
    static const char *tags[] = {NULL};

    GST_DEBUG_CATEGORY_INIT(framebus_meta_debug, "framebusmeta", 0, "what travels beside the pixels");
    gst_meta_register_custom(FRAMEBUS_BLOCK_META, tags, NULL, NULL, NULL);
}

void meta_to_frame(struct framebus_frame *frame, GstBuffer *buffer)
{
    const struct framebus_format *format = frame->format;
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);

    frame->flags = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(frame_flags); i++) {
        if (GST_BUFFER_FLAG_IS_SET(buffer, frame_flags[i].buffer) &&
            (!frame_flags[i].video || format_is_video(format)))
            frame->flags |= frame_flags[i].frame;
    }
    frame->duration_ns = GST_BUFFER_DURATION_IS_VALID(buffer) ? (gint64)GST_BUFFER_DURATION(buffer) : 0;

    if (crop && crop->width && crop->height && format->fourcc &&
        (guint64)crop->x + crop->width <= format->width && (guint64)crop->y + crop->height <= format->height)
        frame->crop = (struct framebus_rect){crop->x, crop->y, crop->width, crop->height};
    gst_buffer_foreach_meta(buffer, meta_add, frame);
}

void meta_to_buffer(const struct framebus_frame *frame, GstBuffer *buffer)
{
    for (size_t i = 0; i < G_N_ELEMENTS(frame_flags); i++) {
        if ((frame->flags & frame_flags[i].frame) &&
            (!frame_flags[i].video || format_is_video(frame->format)))
            GST_BUFFER_FLAG_SET(buffer, frame_flags[i].buffer);
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
    meta_restore_all(frame, buffer);
}
