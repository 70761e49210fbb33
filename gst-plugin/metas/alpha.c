/* SPDX-License-Identifier: MIT */
/* GstVideoCodecAlphaMeta, the alpha channel of a coded picture, coded by itself: u8 whether it depends on
 * others, bytes. It is shown when the picture is. */
#include "carrier.h"

#include <gst/video/gstvideocodecalphameta.h>

static gboolean alpha_write(const GstMeta *meta, struct meta_output *output)
{
    GstBuffer *alpha = ((const GstVideoCodecAlphaMeta *)meta)->buffer;
    GstMapInfo map;

    if (!alpha || !gst_buffer_map(alpha, &map, GST_MAP_READ))
        return FALSE;
    block_put_u8(output->bytes, GST_BUFFER_FLAG_IS_SET(alpha, GST_BUFFER_FLAG_DELTA_UNIT));
    block_put_bytes(output->bytes, map.data, map.size);
    gst_buffer_unmap(alpha, &map);
    return TRUE;
}

static gboolean alpha_restore(struct block *block, const struct meta_target *target)
{
    const guint8 is_delta = block_take_u8(block);
    GstBuffer *alpha;

    if (block->is_short || block->left == 0)
        return FALSE;
    alpha = gst_buffer_new_memdup(block->at, block->left);
    gst_buffer_copy_into(alpha, target->buffer, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
    if (is_delta)
        GST_BUFFER_FLAG_SET(alpha, GST_BUFFER_FLAG_DELTA_UNIT);
    gst_buffer_add_video_codec_alpha_meta(target->buffer, alpha); /* takes it over */
    return TRUE;
}

const struct meta_carrier alpha_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'c', 'a'),
    .version = 1,
    .api = gst_video_codec_alpha_meta_api_get_type,
    .write = alpha_write,
    .restore = alpha_restore,
};
