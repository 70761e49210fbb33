/* SPDX-License-Identifier: MIT */
#include "devicecaps.h"

#include <gst/allocators/gstdmabuf.h>

gboolean caps_in_system_memory(const GstCaps *caps, guint index)
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

GstCaps *caps_with_dmabufs(const GstCaps *caps)
{
    GstCaps *same = gst_caps_copy(caps);

    gst_caps_set_features_simple(same, gst_caps_features_new(GST_CAPS_FEATURE_MEMORY_DMABUF, NULL));
    return same;
}

GstCaps *caps_without_dmabufs(const GstCaps *caps)
{
    GstCaps *same = gst_caps_copy(caps);

    gst_caps_set_features_simple(same, NULL);
    return same;
}

gboolean peer_asks_for(GstPad *pad, const GstCaps *dmabufs)
{
    GstCaps *caps = gst_pad_peer_query_caps(pad, NULL);
    gboolean asks = FALSE;

    for (guint i = 0; !gst_caps_is_any(caps) && i < gst_caps_get_size(caps); i++) {
        GstCaps *one = gst_caps_copy_nth(caps, i);

        asks |= caps_in_dmabufs(one, 0) && gst_caps_can_intersect(one, dmabufs);
        gst_caps_unref(one);
    }
    gst_caps_unref(caps);
    return asks;
}
