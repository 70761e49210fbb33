/* SPDX-License-Identifier: MIT */
#include "meta.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY(framebus_meta_debug);
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

static gboolean format_is_video(const struct framebus_format *format)
{
    return format->fourcc || (format->caps && (g_str_has_prefix(format->caps, "video/") ||
                                               g_str_has_prefix(format->caps, "image/")));
}

static const struct meta_carrier *const own_carriers[] = {
    &region_carrier,      &reference_carrier,      &caption_carrier,       &timecode_carrier, &afd_carrier,
    &bar_carrier,         &transformation_carrier, &overlay_carrier,       &alpha_carrier,    &audio_carrier,
    &audio_level_carrier, &audio_clipping_carrier, &audio_downmix_carrier,
#if GST_CHECK_VERSION(1, 22, 0)
    &sei_carrier,
#endif
#if GST_CHECK_VERSION(1, 24, 0)
    &ancillary_carrier,
#endif
};

/* Carriers and their APIs. Nothing is added once metas travel. */
#define CARRIERS_MOST 32
static struct {
    GType api;
    const struct meta_carrier *carrier;
} carriers[CARRIERS_MOST];
static guint carriers_count;

static const struct meta_carrier *carrier_of_meta(GstMeta *meta)
{
    for (guint i = 0; i < carriers_count; i++) {
        if (carriers[i].api == meta->info->api)
            return carriers[i].carrier;
    }
    if (!gst_meta_info_is_custom(meta->info))
        return NULL;
    return gst_custom_meta_has_name((GstCustomMeta *)meta, FRAMEBUS_BLOCK_META) ? &own_block_carrier
                                                                                : &custom_carrier;
}

static const struct meta_carrier *carrier_of_tag(guint32 tag)
{
    for (guint i = 0; i < carriers_count; i++) {
        if (carriers[i].carrier->tag == tag)
            return carriers[i].carrier;
    }
    return tag == custom_carrier.tag ? &custom_carrier : NULL;
}

/* The metas of a buffer on their way into a frame. */
struct meta_departure {
    struct framebus_frame *frame;
    GByteArray *bytes;
    guint left_out;
    char **why;
};

static void meta_leave_out(struct meta_departure *departure, const GstMeta *meta, const char *why)
{
    departure->left_out++;
    GST_INFO("a %s is left out: %s", g_type_name(meta->info->type), why);
    if (!*departure->why)
        *departure->why = g_strdup_printf("%s: %s", g_type_name(meta->info->type), why);
}

static gboolean meta_depart(GstBuffer *buffer, GstMeta **meta, gpointer user)
{
    const struct meta_carrier *carrier = carrier_of_meta(*meta);
    struct meta_departure *departure = user;
    struct meta_output output;

    if (!carrier)
        return TRUE;
    g_byte_array_set_size(departure->bytes, 0);
    output = (struct meta_output){departure->frame, buffer, departure->bytes, carrier->tag, NULL};
    if (carrier->version)
        block_put_u32(output.bytes, carrier->version);
    if (!carrier->write(*meta, &output)) {
        if (output.why_not)
            meta_leave_out(departure, *meta, output.why_not);
    } else if (framebus_frame_add_meta(output.frame, output.tag, output.bytes->data, output.bytes->len) < 0) {
        meta_leave_out(departure, *meta, framebus_last_error());
    }
    return TRUE;
}

gboolean meta_restore_block(guint32 tag, gconstpointer data, gsize size, const struct meta_target *target)
{
    const struct meta_carrier *carrier = carrier_of_tag(tag);
    /* The block is the writer's and may change while it is read. */
    g_autofree guint8 *copy = carrier ? g_memdup2(data, size) : NULL;
    struct block block = {copy, size, FALSE};

    if (!carrier) {
        own_block_restore(target->buffer, tag, data, size);
        return TRUE;
    }
    if ((!carrier->version || block_take_u32(&block) == carrier->version) && carrier->restore(&block, target))
        return TRUE;
    GST_INFO("a block of metadata, %" G_GSIZE_FORMAT " bytes, is not understood: tag 0x%x", size, tag);
    return FALSE;
}

static void meta_restore_all(const struct meta_target *target)
{
    gboolean has_clock_time = FALSE;
    const void *data;
    guint32 tag;
    size_t at = 0, size;

    while ((data = framebus_frame_next_meta(target->frame, &at, &tag, &size))) {
        if (tag == FRAMEBUS_META_CLOCK_TIME)
            has_clock_time = TRUE;
        else
            meta_restore_block(tag, data, size, target);
    }
    if (has_clock_time)
        reference_restore_clock_times(target->buffer, target->frame);
}

void meta_add_carriers(const struct meta_carriers *more)
{
    for (guint i = 0; i < more->count && carriers_count < CARRIERS_MOST; i++) {
        carriers[carriers_count].api = more->carrier[i]->api();
        carriers[carriers_count++].carrier = more->carrier[i];
    }
}

void meta_register(void)
{
    static const struct meta_carriers own = {own_carriers, G_N_ELEMENTS(own_carriers)};
    static const char *tags[] = {NULL};

    GST_DEBUG_CATEGORY_INIT(framebus_meta_debug, "framebusmeta", 0, "what travels beside the pixels");
    if (!gst_meta_get_info(FRAMEBUS_BLOCK_META))
        gst_meta_register_custom(FRAMEBUS_BLOCK_META, tags, NULL, NULL, NULL);
    if (carriers_count == 0)
        meta_add_carriers(&own);
}

void meta_load_plugins(void)
{
    static gsize once;
    GstPlugin *plugin, *loaded;
    const struct meta_carriers *more;

    if (!g_once_init_enter(&once))
        return;
    plugin = gst_registry_find_plugin(gst_registry_get(), "framebusanalytics");
    loaded = plugin && !gst_plugin_is_loaded(plugin) ? gst_plugin_load(plugin) : g_steal_pointer(&plugin);
    more = loaded ? g_object_get_data(G_OBJECT(loaded), META_CARRIERS_KEY) : NULL;
    if (more)
        meta_add_carriers(more);
    gst_clear_object(&loaded); /* the registry keeps it */
    gst_clear_object(&plugin);
    g_once_init_leave(&once, 1);
}

guint meta_to_frame(struct framebus_frame *frame, GstBuffer *buffer, GByteArray *scratch, char **why)
{
    struct meta_departure departure = {.frame = frame, .bytes = scratch, .why = why};
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
    gst_buffer_foreach_meta(buffer, meta_depart, &departure);
    return departure.left_out;
}

void meta_to_buffer(const struct framebus_frame *frame, GstBuffer *buffer, const struct framebus_rect *cut,
                    const GstAudioInfo *audio)
{
    const struct meta_target target = {buffer, frame, cut, audio};

    for (size_t i = 0; i < G_N_ELEMENTS(frame_flags); i++) {
        if ((frame->flags & frame_flags[i].frame) &&
            (!frame_flags[i].video || format_is_video(frame->format)))
            GST_BUFFER_FLAG_SET(buffer, frame_flags[i].buffer);
    }
    if (frame->duration_ns > 0)
        GST_BUFFER_DURATION(buffer) = frame->duration_ns;
    GST_BUFFER_OFFSET(buffer) = frame->sequence;
    GST_BUFFER_OFFSET_END(buffer) = frame->sequence + 1;

    if (frame->crop.width && frame->crop.height && !cut->width) {
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);

        crop->x = frame->crop.x;
        crop->y = frame->crop.y;
        crop->width = frame->crop.width;
        crop->height = frame->crop.height;
    }
    meta_restore_all(&target);
}
