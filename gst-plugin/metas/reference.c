/* SPDX-License-Identifier: MIT */
/*
 * GstReferenceTimestampMeta: u64 time, u64 duration, the caps as text, and since GStreamer 1.28 the structure
 * `info`, as text too, if there is one. The capture time, and times by clocks that the library knows, travel
 * in fields of the frame.
 */
#include "carrier.h"

#include "../text.h"
#include "../timing.h"

/* References of these names, without fields, are times that the library knows. */
static const struct {
    const char *name;
    enum framebus_clock clock;
} clocks[] = {
    {"timestamp/x-unix", FRAMEBUS_CLOCK_REALTIME},
    {"timestamp/x-ptp", FRAMEBUS_CLOCK_TAI},
};

#if GST_CHECK_VERSION(1, 28, 0)
static const GstStructure *reference_info(const GstReferenceTimestampMeta *meta)
{
    return meta->info;
}

static void reference_restore_info(GstReferenceTimestampMeta *meta, const char *text)
{
    meta->info = text_to_structure(text);
}
#else
static const GstStructure *reference_info(const GstReferenceTimestampMeta *meta G_GNUC_UNUSED)
{
    return NULL;
}

static void reference_restore_info(GstReferenceTimestampMeta *meta G_GNUC_UNUSED,
                                   const char *text G_GNUC_UNUSED)
{
}
#endif

/* Returns TRUE if the frame's time by a clock says all there is to say. */
static gboolean reference_set_clock_time(struct framebus_frame *frame, const GstReferenceTimestampMeta *meta)
{
    const GstStructure *reference =
        gst_caps_get_size(meta->reference) ? gst_caps_get_structure(meta->reference, 0) : NULL;

    for (size_t i = 0; reference && i < G_N_ELEMENTS(clocks); i++) {
        const struct framebus_clock_time time = {.ns = meta->timestamp, .clock = clocks[i].clock};

        if (gst_structure_has_name(reference, clocks[i].name) && meta->timestamp <= G_MAXINT64)
            return framebus_frame_set_clock_time(frame, &time) == 0 &&
                   gst_structure_n_fields(reference) == 0 && !GST_CLOCK_TIME_IS_VALID(meta->duration) &&
                   !reference_info(meta);
    }
    return FALSE;
}

static gboolean reference_write(const GstMeta *meta, struct meta_output *output)
{
    const GstReferenceTimestampMeta *reference = (const GstReferenceTimestampMeta *)meta;
    g_autofree char *text = NULL, *info = NULL;

    if (gst_caps_is_equal(reference->reference, monotonic_reference()) ||
        reference_set_clock_time(output->frame, reference))
        return FALSE;
    text = gst_caps_to_string(reference->reference);
    block_put_u64(output->bytes, reference->timestamp);
    block_put_u64(output->bytes, reference->duration);
    block_put_text(output->bytes, text);
    if (reference_info(reference)) {
        info = gst_structure_to_string(reference_info(reference));
        block_put_text(output->bytes, info);
    }
    return TRUE;
}

static gboolean reference_restore(struct block *block, const struct meta_target *target)
{
    const guint64 timestamp = block_take_u64(block), duration = block_take_u64(block);
    const char *text = block_take_text(block), *info = block->left ? block_take_text(block) : NULL;
    GstReferenceTimestampMeta *meta;
    GstStructure *structure;
    GstCaps *caps;

    if (!block_is_used_up(block) || !GST_CLOCK_TIME_IS_VALID(timestamp))
        return FALSE;
    /* One without features, of whose names GStreamer would warn. */
    structure = text_to_structure(text);
    if (!structure)
        return FALSE;
    caps = gst_caps_new_full(structure, NULL);
    meta = gst_buffer_add_reference_timestamp_meta(target->buffer, caps, timestamp, duration);
    if (meta && info)
        reference_restore_info(meta, info);
    gst_caps_unref(caps);
    return meta != NULL;
}

void reference_restore_clock_times(GstBuffer *buffer, const struct framebus_frame *frame)
{
    struct framebus_clock_time time;

    for (size_t i = 0; i < G_N_ELEMENTS(clocks); i++) {
        GstCaps *caps = gst_caps_new_empty_simple(clocks[i].name);

        if (framebus_frame_get_clock_time(frame, clocks[i].clock, &time) == 0 && time.ns >= 0 &&
            !gst_buffer_get_reference_timestamp_meta(buffer, caps))
            gst_buffer_add_reference_timestamp_meta(buffer, caps, time.ns, GST_CLOCK_TIME_NONE);
        gst_caps_unref(caps);
    }
}

const struct meta_carrier reference_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'r', 't'),
    .api = gst_reference_timestamp_meta_api_get_type,
    .write = reference_write,
    .restore = reference_restore,
};
