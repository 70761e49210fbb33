/* SPDX-License-Identifier: MIT */
/*
 * What television carries beside the lines of a picture.
 *
 *   GstVideoAFDMeta    u8 field, u8 standard, u8 value
 *   GstVideoBarMeta    u8 field, u8 whether it is a letterbox, u32 and u32 its bars
 *   GstAncillaryMeta   u8 field, u8 whether it is in the colour channel, u16 line, offset, DID, SDID,
 *                      number of words, the words, checksum
 *   GstVideoSEIUserDataUnregisteredMeta   16 bytes UUID, bytes
 */
#include "carrier.h"

#include <gst/video/video.h>
#if GST_CHECK_VERSION(1, 22, 0)
#include <gst/video/video-sei.h>
#endif

#define FIELD_MOST 1 /* the second */

static gboolean afd_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoAFDMeta *afd = (const GstVideoAFDMeta *)meta;

    block_put_u8(output->bytes, afd->field);
    block_put_u8(output->bytes, afd->spec);
    block_put_u8(output->bytes, afd->afd);
    return TRUE;
}

/* Some values are reserved, and one means something in some standards only: GStreamer does not take them. */
static gboolean afd_is_known(guint8 spec, guint8 afd)
{
    const guint known = 1 << GST_VIDEO_AFD_UNAVAILABLE | 1 << GST_VIDEO_AFD_16_9_TOP_ALIGNED |
                        1 << GST_VIDEO_AFD_14_9_TOP_ALIGNED | 1 << GST_VIDEO_AFD_GREATER_THAN_16_9 |
                        1 << GST_VIDEO_AFD_4_3_FULL_16_9_FULL | 1 << GST_VIDEO_AFD_4_3_FULL_4_3_PILLAR |
                        1 << GST_VIDEO_AFD_16_9_LETTER_16_9_FULL |
                        1 << GST_VIDEO_AFD_14_9_LETTER_14_9_PILLAR | 1 << GST_VIDEO_AFD_4_3_FULL_14_9_CENTER |
                        1 << GST_VIDEO_AFD_16_9_LETTER_14_9_CENTER |
                        1 << GST_VIDEO_AFD_16_9_LETTER_4_3_CENTER;

    return spec <= GST_VIDEO_AFD_SPEC_SMPTE_ST2016_1 && afd < 16 && (known >> afd & 1) &&
           (spec != GST_VIDEO_AFD_SPEC_DVB_ETSI || afd != GST_VIDEO_AFD_UNAVAILABLE);
}

static gboolean afd_restore(struct block *block, const struct meta_target *target)
{
    const guint8 field = block_take_u8(block), spec = block_take_u8(block), afd = block_take_u8(block);

    if (!block_is_used_up(block) || field > FIELD_MOST || !afd_is_known(spec, afd))
        return FALSE;
    gst_buffer_add_video_afd_meta(target->buffer, field, spec, afd);
    return TRUE;
}

static gboolean bar_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoBarMeta *bar = (const GstVideoBarMeta *)meta;

    block_put_u8(output->bytes, bar->field);
    block_put_u8(output->bytes, bar->is_letterbox != FALSE);
    block_put_u32(output->bytes, bar->bar_data1);
    block_put_u32(output->bytes, bar->bar_data2);
    return TRUE;
}

static gboolean bar_restore(struct block *block, const struct meta_target *target)
{
    const guint8 field = block_take_u8(block), is_letterbox = block_take_u8(block);
    const guint32 first = block_take_u32(block), second = block_take_u32(block);

    if (!block_is_used_up(block) || field > FIELD_MOST)
        return FALSE;
    if (!target->cut->width) /* they are of the whole picture */
        gst_buffer_add_video_bar_meta(target->buffer, field, is_letterbox != 0, first, second);
    return TRUE;
}

const struct meta_carrier afd_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'a', 'f'),
    .version = 1,
    .api = gst_video_afd_meta_api_get_type,
    .write = afd_write,
    .restore = afd_restore,
};

const struct meta_carrier bar_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'b', 'a'),
    .version = 1,
    .api = gst_video_bar_meta_api_get_type,
    .write = bar_write,
    .restore = bar_restore,
};

#if GST_CHECK_VERSION(1, 22, 0)
static gboolean sei_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoSEIUserDataUnregisteredMeta *sei = (const GstVideoSEIUserDataUnregisteredMeta *)meta;

    block_put_bytes(output->bytes, sei->uuid, sizeof(sei->uuid));
    block_put_bytes(output->bytes, sei->data, sei->size);
    return TRUE;
}

static gboolean sei_restore(struct block *block, const struct meta_target *target)
{
    guint8 *uuid = (guint8 *)block_take_bytes(block, 16);

    if (!uuid || block->left == 0)
        return FALSE;
    gst_buffer_add_video_sei_user_data_unregistered_meta(target->buffer, uuid, (guint8 *)block->at,
                                                         block->left);
    return TRUE;
}

const struct meta_carrier sei_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 's', 'e'),
    .version = 1,
    .api = gst_video_sei_user_data_unregistered_meta_api_get_type,
    .write = sei_write,
    .restore = sei_restore,
};
#endif

#if GST_CHECK_VERSION(1, 24, 0)
/* The number of words is in the lower eight bits; parity is above. */
#define WORDS(count) ((count)&0xff)

static gboolean ancillary_write(const GstMeta *meta, struct meta_output *output)
{
    const GstAncillaryMeta *ancillary = (const GstAncillaryMeta *)meta;

    block_put_u8(output->bytes, ancillary->field);
    block_put_u8(output->bytes, ancillary->c_not_y_channel != FALSE);
    block_put_u16(output->bytes, ancillary->line);
    block_put_u16(output->bytes, ancillary->offset);
    block_put_u16(output->bytes, ancillary->DID);
    block_put_u16(output->bytes, ancillary->SDID_block_number);
    block_put_u16(output->bytes, ancillary->data_count);
    for (guint i = 0; i < WORDS(ancillary->data_count); i++)
        block_put_u16(output->bytes, ancillary->data[i]);
    block_put_u16(output->bytes, ancillary->checksum);
    return TRUE;
}

static gboolean ancillary_restore(struct block *block, const struct meta_target *target)
{
    const guint8 field = block_take_u8(block), is_color = block_take_u8(block);
    const guint16 line = block_take_u16(block), offset = block_take_u16(block), did = block_take_u16(block),
                  sdid = block_take_u16(block), count = block_take_u16(block);
    guint16 words[256], checksum;
    GstAncillaryMeta *meta;

    for (guint i = 0; i < WORDS(count); i++)
        words[i] = block_take_u16(block);
    checksum = block_take_u16(block);
    if (!block_is_used_up(block) || (field != GST_ANCILLARY_META_FIELD_PROGRESSIVE &&
                                     field != GST_ANCILLARY_META_FIELD_INTERLACED_FIRST &&
                                     field != GST_ANCILLARY_META_FIELD_INTERLACED_SECOND))
        return FALSE;
    meta = gst_buffer_add_ancillary_meta(target->buffer);
    meta->field = field;
    meta->c_not_y_channel = is_color != 0;
    meta->line = line;
    meta->offset = offset;
    meta->DID = did;
    meta->SDID_block_number = sdid;
    meta->data_count = count;
    meta->data = g_memdup2(words, WORDS(count) * sizeof(*words));
    meta->checksum = checksum;
    return TRUE;
}

const struct meta_carrier ancillary_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'a', 'n'),
    .version = 1,
    .api = gst_ancillary_meta_api_get_type,
    .write = ancillary_write,
    .restore = ancillary_restore,
};
#endif
