/* SPDX-License-Identifier: MIT */
/* GstVideoRegionOfInterestMeta: u32 id, id of its parent, x, y, width, height; the type, and the structure of
 * each parameter, all as text. */
#include "carrier.h"

#include "../text.h"

#include <gst/video/video.h>

static gboolean region_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoRegionOfInterestMeta *region = (const GstVideoRegionOfInterestMeta *)meta;
    const char *type = g_quark_to_string(region->roi_type);

    block_put_u32(output->bytes, (guint32)region->id);
    block_put_u32(output->bytes, (guint32)region->parent_id);
    block_put_u32(output->bytes, region->x);
    block_put_u32(output->bytes, region->y);
    block_put_u32(output->bytes, region->w);
    block_put_u32(output->bytes, region->h);
    block_put_text(output->bytes, type ? type : "");
    for (GList *item = region->params; item; item = item->next) {
        g_autofree char *text = gst_structure_to_string(item->data);

        block_put_text(output->bytes, text);
    }
    return TRUE;
}

static gboolean region_restore(struct block *block, const struct meta_target *target)
{
    const gint32 id = (gint32)block_take_u32(block), parent_id = (gint32)block_take_u32(block);
    const guint32 x = block_take_u32(block), y = block_take_u32(block), width = block_take_u32(block),
                  height = block_take_u32(block);
    const char *type = block_take_text(block);
    GstVideoRegionOfInterestMeta *region;

    if (block->is_short || !text_may_be_name(type))
        return FALSE;
    region = gst_buffer_add_video_region_of_interest_meta(target->buffer, type, x - MIN(x, target->cut->x),
                                                          y - MIN(y, target->cut->y), width, height);
    region->id = id;
    region->parent_id = parent_id;
    while (block->left > 0 && !block->is_short) {
        const char *text = block_take_text(block);
        GstStructure *param = text_to_structure(text);

        if (param)
            gst_video_region_of_interest_meta_add_param(region, param);
    }
    return TRUE;
}

const struct meta_carrier region_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'r', 'i'),
    .api = gst_video_region_of_interest_meta_api_get_type,
    .write = region_write,
    .restore = region_restore,
};
