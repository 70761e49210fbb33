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
