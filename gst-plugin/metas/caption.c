/* SPDX-License-Identifier: MIT */
/* GstVideoCaptionMeta: u32 type, bytes. */
#include "carrier.h"

#include <gst/video/video.h>

static gboolean caption_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoCaptionMeta *caption = (const GstVideoCaptionMeta *)meta;

    block_put_u32(output->bytes, caption->caption_type);
    block_put_bytes(output->bytes, caption->data, caption->size);
    return TRUE;
}

static gboolean caption_restore(struct block *block, const struct meta_target *target)
{
    const guint32 type = block_take_u32(block);

    if (block->is_short || block->left == 0 || type < GST_VIDEO_CAPTION_TYPE_CEA608_RAW ||
        type > GST_VIDEO_CAPTION_TYPE_CEA708_CDP)
        return FALSE;
    gst_buffer_add_video_caption_meta(target->buffer, type, block->at, block->left);
    return TRUE;
}

const struct meta_carrier caption_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'c', 'c'),
    .api = gst_video_caption_meta_api_get_type,
    .write = caption_write,
    .restore = caption_restore,
};
