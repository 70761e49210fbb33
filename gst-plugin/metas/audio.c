/* SPDX-License-Identifier: MIT */
/*
 * Metas of sound.
 *
 *   GstAudioMeta          u32 channels, u64 samples, u64 where the plane of each channel begins; without
 * those: the samples are interleaved GstAudioLevelMeta     u8 level, u8 whether somebody speaks
 *   GstAudioClippingMeta  u32 what is counted (GstFormat), u64 how many at the beginning, u64 at the end
 *   GstAudioDownmixMeta   u32 channels before, u32 after; u32 position of each, before and after; floats, all
 *                         coefficients of an output channel together
 */
#include "carrier.h"

#include <math.h>
#include <stdlib.h>

#define CHANNELS_MOST 1024
#define DOWNMIX_MOST  64
#define LEVEL_MOST    127

/* Of these GstFormat has the same numbers in each process. */
#define CLIPPING_FORMAT_MOST GST_FORMAT_TIME

static gboolean audio_write(const GstMeta *meta, struct meta_output *output)
{
    const GstAudioMeta *audio = (const GstAudioMeta *)meta;
    const guint channels = GST_AUDIO_INFO_CHANNELS(&audio->info);

    block_put_u32(output->bytes, channels);
    block_put_u64(output->bytes, audio->samples);
    for (guint i = 0; audio->offsets && i < channels; i++)
        block_put_u64(output->bytes, audio->offsets[i]);
    return TRUE;
}

static gint plane_compare(gconstpointer a, gconstpointer b)
{
    const gsize first = *(const gsize *)a, second = *(const gsize *)b;

    return (first > second) - (first < second);
}

/* Returns TRUE if planes of so many bytes are apart from each other, in a buffer of `size`. */
static gboolean planes_are_apart(const gsize *offsets, guint count, gsize plane, gsize size)
{
    gsize sorted[CHANNELS_MOST] = {0};

    for (guint i = 0; i < count; i++) {
        if (offsets[i] > size || plane > size - offsets[i])
            return FALSE;
        sorted[i] = offsets[i];
    }
    qsort(sorted, count, sizeof(*sorted), plane_compare);
    for (guint i = 1; i < count; i++) {
        if (sorted[i] - sorted[i - 1] < plane)
            return FALSE;
    }
    return TRUE;
}

/* Who maps such a buffer believes what the meta says of the bytes. */
static gboolean audio_restore(struct block *block, const struct meta_target *target)
{
    const guint32 channels = block_take_u32(block);
    const guint64 samples = block_take_u64(block);
    const GstAudioInfo *info = target->audio;
    const gsize size = gst_buffer_get_size(target->buffer);
    const gboolean is_planar = info->finfo && info->layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
    gsize offsets[CHANNELS_MOST];

    if (!info->finfo || channels == 0 || channels > CHANNELS_MOST ||
        channels != (guint)GST_AUDIO_INFO_CHANNELS(info) || samples == 0 ||
        samples > size / GST_AUDIO_INFO_BPF(info))
        return FALSE;
    for (guint i = 0; is_planar && i < channels; i++) {
        const guint64 offset = block_take_u64(block);

        offsets[i] = (gsize)MIN(offset, G_MAXSIZE);
    }
    if (!block_is_used_up(block) ||
        (is_planar && !planes_are_apart(offsets, channels, samples * GST_AUDIO_INFO_BPS(info), size)))
        return FALSE;
    gst_buffer_add_audio_meta(target->buffer, info, samples, is_planar ? offsets : NULL);
    return TRUE;
}

static gboolean audio_level_write(const GstMeta *meta, struct meta_output *output)
{
    const GstAudioLevelMeta *level = (const GstAudioLevelMeta *)meta;

    block_put_u8(output->bytes, level->level);
    block_put_u8(output->bytes, level->voice_activity != FALSE);
    return TRUE;
}

static gboolean audio_level_restore(struct block *block, const struct meta_target *target)
{
    const guint8 level = block_take_u8(block), voice = block_take_u8(block);

    if (!block_is_used_up(block) || level > LEVEL_MOST)
        return FALSE;
    gst_buffer_add_audio_level_meta(target->buffer, level, voice != 0);
    return TRUE;
}

static gboolean audio_clipping_write(const GstMeta *meta, struct meta_output *output)
{
    const GstAudioClippingMeta *clipping = (const GstAudioClippingMeta *)meta;

    block_put_u32(output->bytes, clipping->format);
    block_put_u64(output->bytes, clipping->start);
    block_put_u64(output->bytes, clipping->end);
    return clipping->format <= CLIPPING_FORMAT_MOST;
}

static gboolean audio_clipping_restore(struct block *block, const struct meta_target *target)
{
    const guint32 format = block_take_u32(block);
    const guint64 start = block_take_u64(block), end = block_take_u64(block);

    if (!block_is_used_up(block) || format < GST_FORMAT_DEFAULT || format > CLIPPING_FORMAT_MOST)
        return FALSE;
    gst_buffer_add_audio_clipping_meta(target->buffer, format, start, end);
    return TRUE;
}

static gboolean audio_downmix_write(const GstMeta *meta, struct meta_output *output)
{
    const GstAudioDownmixMeta *downmix = (const GstAudioDownmixMeta *)meta;

    block_put_u32(output->bytes, downmix->from_channels);
    block_put_u32(output->bytes, downmix->to_channels);
    for (gint i = 0; i < downmix->from_channels; i++)
        block_put_u32(output->bytes, (guint32)downmix->from_position[i]);
    for (gint i = 0; i < downmix->to_channels; i++)
        block_put_u32(output->bytes, (guint32)downmix->to_position[i]);
    for (gint to = 0; to < downmix->to_channels; to++) {
        for (gint from = 0; from < downmix->from_channels; from++)
            block_put_float(output->bytes, downmix->matrix[to][from]);
    }
    return TRUE;
}

static gboolean positions_take(struct block *block, GstAudioChannelPosition *positions, guint count)
{
    gboolean are_known = TRUE;

    for (guint i = 0; i < count; i++) {
        const gint32 position = (gint32)block_take_u32(block);

        are_known &= position >= GST_AUDIO_CHANNEL_POSITION_NONE && position < DOWNMIX_MOST;
        positions[i] = position;
    }
    return are_known;
}

static gboolean audio_downmix_restore(struct block *block, const struct meta_target *target)
{
    const guint32 from = block_take_u32(block), to = block_take_u32(block);
    GstAudioChannelPosition from_position[DOWNMIX_MOST], to_position[DOWNMIX_MOST];
    g_autofree gfloat *coefficients = NULL;
    const gfloat *matrix[DOWNMIX_MOST];
    gboolean are_sane;

    if (from == 0 || from > DOWNMIX_MOST || to == 0 || to > DOWNMIX_MOST)
        return FALSE;
    are_sane = positions_take(block, from_position, from);
    are_sane &= positions_take(block, to_position, to);
    coefficients = g_new(gfloat, (gsize)from * to);
    for (guint i = 0; i < from * to; i++) {
        coefficients[i] = block_take_float(block);
        are_sane &= isfinite(coefficients[i]) != 0;
    }
    if (!are_sane || !block_is_used_up(block))
        return FALSE;
    for (guint i = 0; i < to; i++)
        matrix[i] = coefficients + (gsize)i * from;
    gst_buffer_add_audio_downmix_meta(target->buffer, from_position, from, to_position, to, matrix);
    return TRUE;
}

const struct meta_carrier audio_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'a', 'u'),
    .version = 1,
    .api = gst_audio_meta_api_get_type,
    .write = audio_write,
    .restore = audio_restore,
};

const struct meta_carrier audio_level_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'a', 'l'),
    .version = 1,
    .api = gst_audio_level_meta_api_get_type,
    .write = audio_level_write,
    .restore = audio_level_restore,
};

const struct meta_carrier audio_clipping_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'a', 'c'),
    .version = 1,
    .api = gst_audio_clipping_meta_api_get_type,
    .write = audio_clipping_write,
    .restore = audio_clipping_restore,
};

const struct meta_carrier audio_downmix_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'd', 'm'),
    .version = 1,
    .api = gst_audio_downmix_meta_api_get_type,
    .write = audio_downmix_write,
    .restore = audio_downmix_restore,
};
