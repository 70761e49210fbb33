/* SPDX-License-Identifier: MIT */
/*
 * GstVideoTimeCodeMeta: u32 numerator and denominator of the frame rate, flags, hours, minutes, seconds,
 * frames, fields; u8 whether there is a latest daily jam, of which then follow u64 seconds since 1970, u32
 * microseconds and u32 seconds between its time zone and UTC.
 */
#include "carrier.h"

#include <gst/video/video.h>

#define DAY_SECONDS (24 * 60 * 60)

/* More is no frame rate, and GStreamer's arithmetic would overflow. */
#define RATE_MOST 1000000

static void timecode_put_jam(GByteArray *bytes, GDateTime *jam)
{
    block_put_u8(bytes, jam != NULL);
    if (!jam)
        return;
    block_put_u64(bytes, (guint64)g_date_time_to_unix(jam));
    block_put_u32(bytes, g_date_time_get_microsecond(jam));
    block_put_u32(bytes, (guint32)(g_date_time_get_utc_offset(jam) / G_TIME_SPAN_SECOND));
}

static gboolean timecode_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoTimeCode *code = &((const GstVideoTimeCodeMeta *)meta)->tc;

    block_put_u32(output->bytes, code->config.fps_n);
    block_put_u32(output->bytes, code->config.fps_d);
    block_put_u32(output->bytes, code->config.flags);
    block_put_u32(output->bytes, code->hours);
    block_put_u32(output->bytes, code->minutes);
    block_put_u32(output->bytes, code->seconds);
    block_put_u32(output->bytes, code->frames);
    block_put_u32(output->bytes, code->field_count);
    timecode_put_jam(output->bytes, code->config.latest_daily_jam);
    return TRUE;
}

/* Returns NULL if there is none, or none that makes sense. */
static GDateTime *timecode_take_jam(struct block *block)
{
    GDateTime *utc, *precise, *jam;
    guint32 microseconds;
    GTimeZone *zone;
    gint64 seconds;
    gint32 offset;

    if (!block_take_u8(block))
        return NULL;
    seconds = (gint64)block_take_u64(block);
    microseconds = block_take_u32(block);
    offset = (gint32)block_take_u32(block);
    utc = g_date_time_new_from_unix_utc(seconds);
    if (!utc || microseconds >= G_USEC_PER_SEC || offset <= -DAY_SECONDS || offset >= DAY_SECONDS) {
        g_clear_pointer(&utc, g_date_time_unref);
        block->is_short = TRUE;
        return NULL;
    }
    zone = g_time_zone_new_offset(offset);
    precise = g_date_time_add(utc, microseconds);
    jam = precise ? g_date_time_to_timezone(precise, zone) : NULL;
    g_clear_pointer(&precise, g_date_time_unref);
    g_date_time_unref(utc);
    g_time_zone_unref(zone);
    return jam;
}

static gboolean timecode_restore(struct block *block, const struct meta_target *target)
{
    guint32 head[8];
    GstVideoTimeCode code;
    GDateTime *jam;
    gboolean is_valid;

    for (guint i = 0; i < G_N_ELEMENTS(head); i++)
        head[i] = block_take_u32(block);
    jam = timecode_take_jam(block);
    gst_video_time_code_init(&code, head[0], head[1], jam, head[2], head[3], head[4], head[5], head[6],
                             head[7]);
    is_valid = block_is_used_up(block) && head[0] <= RATE_MOST && head[1] > 0 && head[1] <= RATE_MOST &&
               gst_video_time_code_is_valid(&code);
    if (is_valid)
        gst_buffer_add_video_time_code_meta(target->buffer, &code);
    gst_video_time_code_clear(&code);
    g_clear_pointer(&jam, g_date_time_unref);
    return is_valid;
}

const struct meta_carrier timecode_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 't', 'c'),
    .version = 1,
    .api = gst_video_time_code_meta_api_get_type,
    .write = timecode_write,
    .restore = timecode_restore,
};
