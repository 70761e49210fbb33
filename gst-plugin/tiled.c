/* SPDX-License-Identifier: MIT */
#include "tiled.h"

#include "caps.h"
#include "text.h"

#include <gst/allocators/gstdmabuf.h>
#include <inttypes.h>

#if GST_CHECK_VERSION(1, 24, 0)

/* DRM_FORMAT_MOD_INVALID: the driver knows, and nobody else. */
#define MODIFIER_UNKNOWN G_GUINT64_CONSTANT(0x00ffffffffffffff)

/* Returns the row of a DRM name with a modifier, "NV12:0x0100000000000002"; NULL: it is that of linear
 * pictures, or the bus cannot describe it. */
static const struct framebus_format_info *tiled_row_of(const char *name, guint64 *modifier)
{
    const guint32 fourcc = name ? gst_video_dma_drm_fourcc_from_string(name, modifier) : 0;

    return fourcc && *modifier != 0 && *modifier != MODIFIER_UNKNOWN ? framebus_format_find(fourcc) : NULL;
}

gboolean tiled_from_caps(const GstCaps *caps, GstVideoInfo *info, guint64 *modifier)
{
    const struct framebus_format_info *row;
    GstStructure *structure;
    GstCaps *linear;
    gboolean described;

    if (!gst_caps_is_fixed(caps) || !gst_video_is_dma_drm_caps(caps) ||
        gst_caps_features_get_size(gst_caps_get_features(caps, 0)) != 1)
        return FALSE;
    row = tiled_row_of(gst_structure_get_string(gst_caps_get_structure(caps, 0), "drm-format"), modifier);
    if (!row)
        return FALSE;
    linear = gst_caps_copy(caps);
    gst_caps_set_features_simple(linear, NULL);
    structure = gst_caps_get_structure(linear, 0);
    gst_structure_remove_field(structure, "drm-format");
    gst_structure_set(structure, "format", G_TYPE_STRING, row->name, NULL);
    described = caps_are_picture(linear, info);
    gst_caps_unref(linear);
    return described;
}

static void tiled_names_append(GValue *list, const GValue *name)
{
    guint64 modifier;

    if (G_VALUE_HOLDS_STRING(name) && tiled_row_of(g_value_get_string(name), &modifier))
        gst_value_list_append_value(list, name);
}

GstCaps *tiled_part_of_caps(const GstCaps *caps, guint index)
{
    const GValue *names = gst_structure_get_value(gst_caps_get_structure(caps, index), "drm-format");
    GstCaps *one, *tiled, *part;
    GValue list = G_VALUE_INIT;

    if (!names || !caps_in_dmabufs(caps, index))
        return NULL;
    g_value_init(&list, GST_TYPE_LIST);
    if (GST_VALUE_HOLDS_LIST(names)) {
        for (guint i = 0; i < gst_value_list_get_size(names); i++)
            tiled_names_append(&list, gst_value_list_get_value(names, i));
    } else {
        tiled_names_append(&list, names);
    }
    tiled =
        gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "DMA_DRM", "width", GST_TYPE_INT_RANGE, 1,
                            FRAMEBUS_SIDE_MAX, "height", GST_TYPE_INT_RANGE, 1, FRAMEBUS_SIDE_MAX, NULL);
    gst_caps_set_features_simple(tiled, gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_DMABUF, NULL));
    gst_caps_set_value(tiled, "drm-format", &list);
    one = gst_caps_copy_nth(caps, index);
    part = gst_value_list_get_size(&list) ? gst_caps_intersect(one, tiled) : NULL;
    g_value_unset(&list);
    gst_caps_unref(one);
    gst_caps_unref(tiled);
    if (part && gst_caps_is_empty(part))
        gst_clear_caps(&part);
    return part;
}

/* Returns the bus's caps text as caps if it is that of these very pictures, else NULL. */
static GstCaps *tiled_caps_of_text(const struct framebus_format *format, GstVideoInfo *info)
{
    const struct framebus_format_info *row = framebus_format_find(format->fourcc);
    GstCaps *caps = format->caps ? text_to_caps(format->caps) : NULL;
    guint64 modifier;

    if (caps && !(tiled_from_caps(caps, info, &modifier) && modifier == format->modifier &&
                  GST_VIDEO_INFO_FORMAT(info) == gst_video_format_from_string(row->name) &&
                  GST_VIDEO_INFO_WIDTH(info) == (int)format->width &&
                  GST_VIDEO_INFO_HEIGHT(info) == (int)format->height))
        gst_clear_caps(&caps);
    return caps;
}

GstCaps *tiled_to_caps(const struct framebus_format *format, GstVideoInfo *info, char **why)
{
    struct framebus_format linear = *format;
    g_autofree char *name = NULL;
    GstCaps *caps;

    for (guint i = 0; i < format->planes; i++) {
        if (format->stride[i] > G_MAXINT) {
            *why = g_strdup_printf("GStreamer has no strides of %" PRIu32 " bytes", format->stride[i]);
            return NULL;
        }
    }
    caps = tiled_caps_of_text(format, info);
    if (caps)
        return caps;
    linear.modifier = 0;
    linear.caps = NULL;
    caps = caps_from_format(&linear, info, why);
    if (!caps)
        return NULL;
    name = gst_video_dma_drm_fourcc_to_string(format->fourcc, format->modifier);
    gst_caps_set_simple(caps, "format", G_TYPE_STRING, "DMA_DRM", "drm-format", G_TYPE_STRING, name, NULL);
    gst_caps_set_features_simple(caps, gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_DMABUF, NULL));
    return caps;
}

/* Elements do not agree on which of the two formats it is. */
static gboolean tiled_has_format(const GstVideoInfo *info, GstVideoFormat format)
{
    return format == GST_VIDEO_INFO_FORMAT(info) || format == GST_VIDEO_FORMAT_DMA_DRM;
}

#else

gboolean tiled_from_caps(const GstCaps *caps G_GNUC_UNUSED, GstVideoInfo *info G_GNUC_UNUSED,
                         guint64 *modifier G_GNUC_UNUSED)
{
    return FALSE;
}

GstCaps *tiled_part_of_caps(const GstCaps *caps G_GNUC_UNUSED, guint index G_GNUC_UNUSED)
{
    return NULL;
}

GstCaps *tiled_to_caps(const struct framebus_format *format, GstVideoInfo *info G_GNUC_UNUSED, char **why)
{
    char text[128];

    *why = g_strdup_printf("this GStreamer has no caps for pictures that are not linear, 1.24 has: %s",
                           framebus_format_describe(format, text, sizeof(text)));
    return NULL;
}

static gboolean tiled_has_format(const GstVideoInfo *info, GstVideoFormat format)
{
    return format == GST_VIDEO_INFO_FORMAT(info);
}

#endif

gboolean tiled_has_meta(const GstVideoInfo *info, const GstVideoMeta *meta)
{
    return tiled_has_format(info, meta->format) && meta->width == (guint)GST_VIDEO_INFO_WIDTH(info) &&
           meta->height == (guint)GST_VIDEO_INFO_HEIGHT(info) && meta->n_planes > 0 &&
           meta->n_planes <= FRAMEBUS_PLANES_MAX;
}
