/* SPDX-License-Identifier: MIT */
#include "caps.h"

#include "text.h"
#include "tiled.h"

#include <gst/allocators/gstdmabuf.h>
#include <string.h>

/* The formats that a bare `videotestsrc ! framebussink` tries first, in this order. */
static const char *const common[] = {"NV12", "I420", "YUY2", "UYVY", "BGRx", "RGBx",
                                     "BGRA", "RGBA", "RGB",  "BGR",  "GRAY8"};

static GstVideoFormat row_video_format(const struct framebus_format_info *row)
{
    return gst_video_format_from_string(row->name);
}

static const struct framebus_format_info *row_of_video(GstVideoFormat video)
{
    const struct framebus_format_info *row;
    const char *name = gst_video_format_to_string(video);

    for (size_t i = 0; (row = framebus_format_at(i)); i++) {
        if (name && strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

static void names_append(GValue *list, const char *name)
{
    GValue value = G_VALUE_INIT;

    if (gst_video_format_from_string(name) == GST_VIDEO_FORMAT_UNKNOWN)
        return;
    g_value_init(&value, G_TYPE_STRING);
    g_value_set_string(&value, name);
    gst_value_list_append_and_take_value(list, &value);
}

GstCaps *caps_of_pictures(void)
{
    const struct framebus_format_info *row;
    GValue formats = G_VALUE_INIT;
    GstCaps *caps;

    g_value_init(&formats, GST_TYPE_LIST);
    for (size_t i = 0; i < G_N_ELEMENTS(common); i++) {
        if (framebus_format_by_name(common[i]))
            names_append(&formats, common[i]);
    }
    for (size_t i = 0; (row = framebus_format_at(i)); i++) {
        gboolean had = FALSE;

        for (size_t k = 0; k < G_N_ELEMENTS(common); k++)
            had |= strcmp(common[k], row->name) == 0;
        if (!had)
            names_append(&formats, row->name);
    }
    caps = gst_caps_new_simple("video/x-raw", "width", GST_TYPE_INT_RANGE, 1, FRAMEBUS_SIDE_MAX, "height",
                               GST_TYPE_INT_RANGE, 1, FRAMEBUS_SIDE_MAX, "framerate", GST_TYPE_FRACTION_RANGE,
                               0, 1, G_MAXINT, 1, NULL);
    gst_caps_set_value(caps, "format", &formats);
    g_value_unset(&formats);
    return caps;
}

static gboolean caps_are_raw(const GstCaps *caps, GstVideoInfo *info)
{
    return gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") &&
           gst_video_info_from_caps(info, caps);
}

gboolean info_is_of_several(const GstVideoInfo *info)
{
    return GST_VIDEO_INFO_MULTIVIEW_MODE(info) == GST_VIDEO_MULTIVIEW_MODE_SEPARATED ||
           GST_VIDEO_INFO_INTERLACE_MODE(info) == GST_VIDEO_INTERLACE_MODE_FIELDS;
}

gboolean caps_are_picture(const GstCaps *caps, GstVideoInfo *info)
{
    /* The two fields of an alternating stream come in buffers of half the height. */
    return caps_are_raw(caps, info) && row_of_video(GST_VIDEO_INFO_FORMAT(info)) &&
           GST_VIDEO_INFO_INTERLACE_MODE(info) != GST_VIDEO_INTERLACE_MODE_ALTERNATE &&
           !info_is_of_several(info);
}

gboolean caps_are_other_raw(const GstCaps *caps, GstVideoInfo *info)
{
    return !caps_are_picture(caps, info) && caps_are_raw(caps, info);
}

gboolean info_align_rows(GstVideoInfo *info, guint row_mask, GstVideoAlignment *align)
{
    for (guint i = 0; i < GST_VIDEO_MAX_PLANES; i++)
        align->stride_align[i] |= row_mask;
    return gst_video_info_align(info, align);
}

static void color_from_info(struct framebus_color *color, const GstVideoColorimetry *from)
{
    static const guint8 ranges[] = {
        [GST_VIDEO_COLOR_RANGE_0_255] = 2,
        [GST_VIDEO_COLOR_RANGE_16_235] = 1,
    };

    if (from->primaries != GST_VIDEO_COLOR_PRIMARIES_UNKNOWN)
        color->primaries = gst_video_color_primaries_to_iso(from->primaries);
    if (from->transfer != GST_VIDEO_TRANSFER_UNKNOWN)
        color->transfer = gst_video_transfer_function_to_iso(from->transfer);
    if (from->matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        color->matrix = gst_video_color_matrix_to_iso(from->matrix);
    color->range = (guint)from->range < G_N_ELEMENTS(ranges) ? ranges[from->range] : 0;
}

/* What the bus does not say stays as GStreamer guesses it from format and size. */
static void color_to_info(const struct framebus_color *color, gboolean yuv, GstVideoColorimetry *to)
{
    GstVideoColorPrimaries primaries = gst_video_color_primaries_from_iso(color->primaries);
    GstVideoTransferFunction transfer = gst_video_transfer_function_from_iso(color->transfer);
    GstVideoColorMatrix matrix = gst_video_color_matrix_from_iso(color->matrix);

    if (color->primaries && primaries != GST_VIDEO_COLOR_PRIMARIES_UNKNOWN)
        to->primaries = primaries;
    if (color->transfer && transfer != GST_VIDEO_TRANSFER_UNKNOWN)
        to->transfer = transfer;
    if (color->matrix && yuv && matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        to->matrix = matrix;
    if (color->range)
        to->range = color->range == 2 ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235;
}

void format_from_info(struct framebus_format *format, const GstVideoInfo *info, const char *text)
{
    *format = (struct framebus_format){
        .fourcc = row_of_video(GST_VIDEO_INFO_FORMAT(info))->fourcc,
        .width = GST_VIDEO_INFO_WIDTH(info),
        .height = GST_VIDEO_INFO_HEIGHT(info),
        .rate_num = GST_VIDEO_INFO_FPS_N(info),
        .rate_den = GST_VIDEO_INFO_FPS_D(info),
        .aspect_num = GST_VIDEO_INFO_PAR_N(info),
        .aspect_den = GST_VIDEO_INFO_PAR_D(info),
        .size = GST_VIDEO_INFO_SIZE(info),
        .planes = GST_VIDEO_INFO_N_PLANES(info),
        .caps = text,
    };
    for (guint i = 0; i < format->planes; i++) {
        format->stride[i] = GST_VIDEO_INFO_PLANE_STRIDE(info, i);
        format->offset[i] = GST_VIDEO_INFO_PLANE_OFFSET(info, i);
    }
    color_from_info(&format->color, &info->colorimetry);
}

/* Returns the caps that the bus's text says, if they can be parsed and are those of the picture that the
 * format describes. */
static GstCaps *caps_from_text(const struct framebus_format *format, GstVideoInfo *info, char **why)
{
    GstCaps *caps = text_to_caps(format->caps);
    const struct framebus_format_info *row = framebus_format_find(format->fourcc);

    if (!caps || gst_caps_is_any(caps) || !gst_caps_is_fixed(caps)) {
        *why = g_strdup_printf("the bus's caps text is not one format: %.200s", format->caps);
        gst_clear_caps(&caps);
    } else if (!caps_in_system_memory(caps, 0)) {
        *why = g_strdup_printf("no bus carries what the bus's caps text says: %.200s", format->caps);
        gst_clear_caps(&caps);
    } else if (row &&
               (!caps_are_picture(caps, info) || GST_VIDEO_INFO_FORMAT(info) != row_video_format(row) ||
                GST_VIDEO_INFO_WIDTH(info) != (int)format->width ||
                GST_VIDEO_INFO_HEIGHT(info) != (int)format->height)) {
        *why = g_strdup_printf("the bus's caps text does not describe its pictures: %.200s", format->caps);
        gst_clear_caps(&caps);
    }
    return caps;
}

GstCaps *caps_from_format(const struct framebus_format *format, GstVideoInfo *info, char **why)
{
    const struct framebus_format_info *row = framebus_format_find(format->fourcc);
    GstVideoFormat video = row ? row_video_format(row) : GST_VIDEO_FORMAT_UNKNOWN;
    GstCaps *caps;
    char text[128];

    *why = NULL;
    gst_video_info_init(info);
    if (format->fourcc && video == GST_VIDEO_FORMAT_UNKNOWN) {
        *why = g_strdup_printf("this GStreamer has no name for the bus's pictures: %s",
                               framebus_format_describe(format, text, sizeof(text)));
        return NULL;
    }
    if (format->modifier)
        return tiled_to_caps(format, info, why);
    if (format->caps && format->caps[0]) {
        caps = caps_from_text(format, info, why);
        if (!row)
            info->finfo = NULL;
        if (caps || !row)
            return caps;
        g_clear_pointer(why, g_free);
    }
    if (!row) {
        *why = g_strdup("the bus does not say what its payloads are: it has no caps text");
        info->finfo = NULL;
        return NULL;
    }

    if (!gst_video_info_set_format(info, video, format->width, format->height)) {
        *why = g_strdup_printf("GStreamer cannot describe %s",
                               framebus_format_describe(format, text, sizeof(text)));
        return NULL;
    }
    if (format->rate_den) {
        GST_VIDEO_INFO_FPS_N(info) = format->rate_num;
        GST_VIDEO_INFO_FPS_D(info) = format->rate_den;
    }
    if (format->aspect_num && format->aspect_den) {
        GST_VIDEO_INFO_PAR_N(info) = format->aspect_num;
        GST_VIDEO_INFO_PAR_D(info) = format->aspect_den;
    }
    color_to_info(&format->color, row->yuv, &info->colorimetry);
    return gst_video_info_to_caps(info);
}

gboolean format_has_layout(const struct framebus_format *format, guint planes, const gsize *offset,
                           const gint *stride)
{
    if (planes != format->planes)
        return FALSE;
    for (guint i = 0; i < planes; i++) {
        if (offset[i] != format->offset[i] || stride[i] < 0 || (guint)stride[i] != format->stride[i])
            return FALSE;
    }
    return TRUE;
}

void format_copy_picture(const struct framebus_format *format, const struct plane_rows *to,
                         const struct plane_rows *from)
{
    for (guint i = 0; i < format->planes; i++) {
        const gsize rows = framebus_format_rows(format, i);
        const gsize length =
            MIN(framebus_format_row_bytes(format, i), (gsize)MIN(ABS(to[i].stride), ABS(from[i].stride)));

        if (to[i].stride == from[i].stride && to[i].stride > 0 && rows > 0) {
            memcpy(to[i].data, from[i].data, to[i].stride * (rows - 1) + length);
            continue;
        }
        for (gsize row = 0; row < rows; row++)
            memcpy(to[i].data + (gssize)row * to[i].stride, from[i].data + (gssize)row * from[i].stride,
                   length);
    }
}

void rows_of_frame(struct plane_rows *rows, const struct framebus_frame *frame)
{
    for (guint i = 0; i < frame->format->planes; i++)
        rows[i] = (struct plane_rows){frame->plane[i].data, frame->plane[i].stride};
}

void rows_of_picture(struct plane_rows *rows, const GstVideoFrame *picture)
{
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(picture); i++)
        rows[i] = (struct plane_rows){GST_VIDEO_FRAME_PLANE_DATA(picture, i),
                                      GST_VIDEO_FRAME_PLANE_STRIDE(picture, i)};
}

/* ---- Memory -------------------------------------------------------------------------------- */

gboolean caps_in_system_memory(const GstCaps *caps, guint index)
{
    const GstCapsFeatures *features = gst_caps_get_features(caps, index);

    if (features && gst_caps_features_is_any(features))
        return FALSE;
    for (guint i = 0; features && i < gst_caps_features_get_size(features); i++) {
        const char *feature = gst_caps_features_get_nth(features, i);

        if (strcmp(feature, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY) != 0 &&
            strcmp(feature, GST_CAPS_FEATURE_FORMAT_INTERLACED) != 0)
            return FALSE;
    }
    return TRUE;
}

gboolean caps_in_dmabufs(const GstCaps *caps, guint index)
{
    const GstCapsFeatures *features = gst_caps_get_features(caps, index);

    return features && !gst_caps_features_is_any(features) &&
           gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF);
}

#if GST_CHECK_VERSION(1, 24, 0)
/* Since 1.24 such caps name their format as DRM does, with the modifier; those made here are linear. */
static void drm_names_append(GValue *list, const char *name)
{
    guint32 fourcc = gst_video_dma_drm_fourcc_from_format(gst_video_format_from_string(name));
    GValue value = G_VALUE_INIT;

    if (!fourcc)
        return;
    g_value_init(&value, G_TYPE_STRING);
    g_value_take_string(&value, gst_video_dma_drm_fourcc_to_string(fourcc, 0));
    gst_value_list_append_and_take_value(list, &value);
}

static void caps_name_as_drm(GstStructure *structure)
{
    const GValue *format = gst_structure_get_value(structure, "format");
    GValue names = G_VALUE_INIT;

    g_value_init(&names, GST_TYPE_LIST);
    if (format && GST_VALUE_HOLDS_LIST(format)) {
        for (guint i = 0; i < gst_value_list_get_size(format); i++)
            drm_names_append(&names, g_value_get_string(gst_value_list_get_value(format, i)));
    } else if (format) {
        drm_names_append(&names, g_value_get_string(format));
    }
    gst_structure_set_value(structure, "drm-format",
                            gst_value_list_get_size(&names) == 1 ? gst_value_list_get_value(&names, 0)
                                                                 : &names);
    gst_structure_set(structure, "format", G_TYPE_STRING, "DMA_DRM", NULL);
    g_value_unset(&names);
}

static gboolean caps_name_as_usual(GstStructure *structure)
{
    const char *name = gst_structure_get_string(structure, "drm-format");
    guint64 modifier = 0;
    guint32 fourcc = name ? gst_video_dma_drm_fourcc_from_string(name, &modifier) : 0;
    GstVideoFormat format = fourcc ? gst_video_dma_drm_fourcc_to_format(fourcc) : GST_VIDEO_FORMAT_UNKNOWN;

    if (modifier != 0 || format == GST_VIDEO_FORMAT_UNKNOWN)
        return FALSE;
    gst_structure_remove_field(structure, "drm-format");
    gst_structure_set(structure, "format", G_TYPE_STRING, gst_video_format_to_string(format), NULL);
    return TRUE;
}
#endif

GstCaps *caps_with_dmabufs(const GstCaps *caps)
{
    GstCaps *same = gst_caps_copy(caps);

    gst_caps_set_features_simple(same, gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_DMABUF, NULL));
#if GST_CHECK_VERSION(1, 24, 0)
    GstCaps *named = gst_caps_copy(same);

    for (guint i = 0; i < gst_caps_get_size(named); i++)
        caps_name_as_drm(gst_caps_get_structure(named, i));
    same = gst_caps_merge(named, same);
#endif
    return same;
}

GstCaps *caps_without_dmabufs(GstCaps *caps)
{
    GstCaps *same;

    if (!caps_in_dmabufs(caps, 0))
        return gst_caps_ref(caps);
    same = gst_caps_copy(caps);
#if GST_CHECK_VERSION(1, 24, 0)
    if (gst_video_is_dma_drm_caps(same) && !caps_name_as_usual(gst_caps_get_structure(same, 0))) {
        gst_caps_unref(same);
        return NULL;
    }
#endif
    gst_caps_set_features_simple(same, NULL);
    return same;
}

gboolean caps_can_be_shared(const GstCaps *caps, guint index)
{
    GstCaps *one, *plain;

    if (!caps_in_dmabufs(caps, index))
        return caps_in_system_memory(caps, index);
    if (!gst_structure_has_name(gst_caps_get_structure(caps, index), "video/x-raw"))
        return FALSE;
    one = gst_caps_copy_nth(caps, index);
    plain = caps_without_dmabufs(one);
    gst_caps_unref(one);
    if (!plain)
        return FALSE;
    gst_caps_unref(plain);
    return TRUE;
}

GstCaps *caps_asked_for_in_dmabufs(const GstCaps *caps, GstPad *pad)
{
    GstCaps *dmabufs = caps_with_dmabufs(caps), *peer = gst_pad_peer_query_caps(pad, NULL);
    gboolean asks = FALSE;

    for (guint i = 0; !gst_caps_is_any(peer) && i < gst_caps_get_size(peer); i++) {
        GstCaps *one = gst_caps_copy_nth(peer, i);

        asks |= caps_in_dmabufs(one, 0) && gst_caps_can_intersect(one, dmabufs);
        gst_caps_unref(one);
    }
    gst_caps_unref(peer);
    if (!asks)
        gst_clear_caps(&dmabufs);
    return dmabufs;
}
