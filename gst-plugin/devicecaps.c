/* SPDX-License-Identifier: MIT */
#include "devicecaps.h"

#include <gst/allocators/gstdmabuf.h>
#include <gst/video/video.h>

static gboolean caps_in_system_memory(const GstCaps *caps, guint index)
{
    const GstCapsFeatures *features = gst_caps_get_features(caps, index);

    return !features || (!gst_caps_features_is_any(features) &&
                         gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY));
}

gboolean caps_in_dmabufs(const GstCaps *caps, guint index)
{
    const GstCapsFeatures *features = gst_caps_get_features(caps, index);

    return features && !gst_caps_features_is_any(features) &&
           gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_DMABUF);
}

#if GST_CHECK_VERSION(1, 24, 0)
/* Since 1.24 such caps name their format as DRM does, with the modifier; ours are linear. */
static void append_drm_name(GValue *list, const char *name)
{
    guint32 fourcc = gst_video_dma_drm_fourcc_from_format(gst_video_format_from_string(name));
    GValue value = G_VALUE_INIT;

    if (!fourcc)
        return;
    g_value_init(&value, G_TYPE_STRING);
    g_value_take_string(&value, gst_video_dma_drm_fourcc_to_string(fourcc, 0));
    gst_value_list_append_and_take_value(list, &value);
}

static void name_as_drm(GstStructure *structure)
{
    const GValue *format = gst_structure_get_value(structure, "format");
    GValue names = G_VALUE_INIT;

    g_value_init(&names, GST_TYPE_LIST);
    if (format && GST_VALUE_HOLDS_LIST(format)) {
        for (guint i = 0; i < gst_value_list_get_size(format); i++)
            append_drm_name(&names, g_value_get_string(gst_value_list_get_value(format, i)));
    } else if (format) {
        append_drm_name(&names, g_value_get_string(format));
    }
    gst_structure_set_value(structure, "drm-format",
                            gst_value_list_get_size(&names) == 1 ? gst_value_list_get_value(&names, 0)
                                                                 : &names);
    gst_structure_set(structure, "format", G_TYPE_STRING, "DMA_DRM", NULL);
    g_value_unset(&names);
}

static gboolean name_as_usual(GstStructure *structure)
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
        name_as_drm(gst_caps_get_structure(named, i));
    same = gst_caps_merge(named, same);
#endif
    return same;
}

GstCaps *caps_without_dmabufs(const GstCaps *caps)
{
    GstCaps *same = gst_caps_copy(caps);

#if GST_CHECK_VERSION(1, 24, 0)
    if (gst_video_is_dma_drm_caps(same) && !name_as_usual(gst_caps_get_structure(same, 0))) {
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

GstCaps *dmabufs_asked_for(GstPad *pad, const GstCaps *caps)
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

gboolean pad_has_dmabufs(GstPad *pad)
{
    GstCaps *caps = gst_pad_get_current_caps(pad);
    const gboolean has = caps && caps_in_dmabufs(caps, 0);

    gst_clear_caps(&caps);
    return has;
}
