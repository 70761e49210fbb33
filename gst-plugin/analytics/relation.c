/* SPDX-License-Identifier: MIT */
/*
 * GstAnalyticsRelationMeta: u32 number of records; of each the name of its type as text, u32 size, and what
 * that type says; u32 number of relations; of each u32 and u32 index of two records, u32 how the first is
 * related to the second (GstAnalyticsRelTypes).
 *
 *   object-detection  label as text, u32 x, y, width, height, float rotation, float confidence
 *   classification    u32 number of classes; of each label as text, float level
 *   object-tracking   u64 id, u64 first and last time, each as nanoseconds after the buffer's, u8 whether it
 * is lost segmentation      u32 x, y, width, height; u32 number of regions, u32 id of each; format of the
 * mask as text, u32 width and height of it, its rows
 *
 * A record of another type keeps its index, and is left out.
 */
#include "analytics.h"

#include <gst/video/video.h>
#include <math.h>
#include <string.h>

/* GStreamer keeps a matrix of all pairs. */
#define RECORDS_MOST 1024

#define RELATION_TYPES 0xff /* those that the matrix can hold */

#define NO_TIME G_MININT64 /* in place of a difference */

/* A kind of record. */
struct record_kind {
    GstAnalyticsMtdType (*type)(void);
    void (*write)(GByteArray *bytes, GstAnalyticsMtd *mtd, const GstBuffer *buffer);

    /* Returns FALSE if the record makes no sense. */
    gboolean (*restore)(struct block *block, GstAnalyticsRelationMeta *meta, const struct meta_target *target,
                        GstAnalyticsMtd *mtd);
};

/* ---- Object detection ---------------------------------------------------------------------- */

static void detection_write(GByteArray *bytes, GstAnalyticsMtd *mtd, const GstBuffer *buffer G_GNUC_UNUSED)
{
    gint x = 0, y = 0, width = 0, height = 0;
    gfloat rotation = 0, confidence = 0;

#if GST_CHECK_VERSION(1, 26, 0)
    gst_analytics_od_mtd_get_oriented_location(mtd, &x, &y, &width, &height, &rotation, &confidence);
#else
    gst_analytics_od_mtd_get_location(mtd, &x, &y, &width, &height, &confidence);
#endif
    label_put(bytes, gst_analytics_od_mtd_get_obj_type(mtd));
    block_put_u32(bytes, (guint32)x);
    block_put_u32(bytes, (guint32)y);
    block_put_u32(bytes, (guint32)width);
    block_put_u32(bytes, (guint32)height);
    block_put_float(bytes, rotation);
    block_put_float(bytes, confidence);
}

/* Returns a place on the part of the picture that there is. */
static gint place_on_cut(gint32 place, guint32 cut)
{
    return (gint)CLAMP((gint64)place - cut, G_MININT32, G_MAXINT32);
}

static gboolean detection_restore(struct block *block, GstAnalyticsRelationMeta *meta,
                                  const struct meta_target *target, GstAnalyticsMtd *mtd)
{
    const GQuark label = label_take(block);
    const gint32 x = (gint32)block_take_u32(block), y = (gint32)block_take_u32(block),
                 width = (gint32)block_take_u32(block), height = (gint32)block_take_u32(block);
    const gfloat rotation = block_take_float(block), confidence = block_take_float(block);
    const gint left = place_on_cut(x, target->cut->x), top = place_on_cut(y, target->cut->y);

    if (!block_is_used_up(block) || width < 0 || height < 0 || !isfinite(rotation) || !isfinite(confidence))
        return FALSE;
#if GST_CHECK_VERSION(1, 26, 0)
    return gst_analytics_relation_meta_add_oriented_od_mtd(meta, label, left, top, width, height, rotation,
                                                           confidence, mtd);
#else
    return gst_analytics_relation_meta_add_od_mtd(meta, label, left, top, width, height, confidence, mtd);
#endif
}

/* ---- Classification ------------------------------------------------------------------------ */

static void classification_write(GByteArray *bytes, GstAnalyticsMtd *mtd,
                                 const GstBuffer *buffer G_GNUC_UNUSED)
{
    const gsize count = gst_analytics_cls_mtd_get_length(mtd);

    block_put_u32(bytes, (guint32)count);
    for (gsize i = 0; i < count; i++) {
        label_put(bytes, gst_analytics_cls_mtd_get_quark(mtd, i));
        block_put_float(bytes, gst_analytics_cls_mtd_get_level(mtd, i));
    }
}

static gboolean classification_restore(struct block *block, GstAnalyticsRelationMeta *meta,
                                       const struct meta_target *target G_GNUC_UNUSED, GstAnalyticsMtd *mtd)
{
    const guint32 count = block_take_u32(block);
    g_autofree gfloat *levels = NULL;
    g_autofree GQuark *labels = NULL;
    gboolean are_finite = TRUE;

    if (count == 0 || count > block->left / (1 + sizeof(gfloat)))
        return FALSE;
    levels = g_new(gfloat, count);
    labels = g_new(GQuark, count);
    for (guint32 i = 0; i < count; i++) {
        labels[i] = label_take(block);
        levels[i] = block_take_float(block);
        are_finite &= isfinite(levels[i]) != 0;
    }
    return are_finite && block_is_used_up(block) &&
           gst_analytics_relation_meta_add_cls_mtd(meta, count, levels, labels, mtd);
}

/* ---- Tracking ------------------------------------------------------------------------------ */

/* Timestamps of one pipeline mean nothing in another one; how far they are apart does. */
static void time_put(GByteArray *bytes, GstClockTime time, const GstBuffer *buffer)
{
    const gboolean is_known = GST_CLOCK_TIME_IS_VALID(time) && GST_BUFFER_PTS_IS_VALID(buffer);

    block_put_u64(bytes, (guint64)(is_known ? GST_CLOCK_DIFF(GST_BUFFER_PTS(buffer), time) : NO_TIME));
}

static GstClockTime time_take(struct block *block, const GstBuffer *buffer)
{
    const gint64 after = (gint64)block_take_u64(block), most = G_MAXINT64 / 4;

    if (after == NO_TIME || !GST_BUFFER_PTS_IS_VALID(buffer) || GST_BUFFER_PTS(buffer) > (guint64)most)
        return GST_CLOCK_TIME_NONE;
    return (GstClockTime)MAX(0, (gint64)GST_BUFFER_PTS(buffer) + CLAMP(after, -most, most));
}

static void tracking_write(GByteArray *bytes, GstAnalyticsMtd *mtd, const GstBuffer *buffer)
{
    GstClockTime first = GST_CLOCK_TIME_NONE, last = GST_CLOCK_TIME_NONE;
    gboolean is_lost = FALSE;
    guint64 id = 0;

    gst_analytics_tracking_mtd_get_info(mtd, &id, &first, &last, &is_lost);
    block_put_u64(bytes, id);
    time_put(bytes, first, buffer);
    time_put(bytes, last, buffer);
    block_put_u8(bytes, is_lost != FALSE);
}

static gboolean tracking_restore(struct block *block, GstAnalyticsRelationMeta *meta,
                                 const struct meta_target *target, GstAnalyticsMtd *mtd)
{
    const guint64 id = block_take_u64(block);
    const GstClockTime first = time_take(block, target->buffer), last = time_take(block, target->buffer);
    const guint8 is_lost = block_take_u8(block);

    if (!block_is_used_up(block) || !gst_analytics_relation_meta_add_tracking_mtd(meta, id, first, mtd))
        return FALSE;
    gst_analytics_tracking_mtd_update_last_seen(mtd, last);
    if (is_lost)
        gst_analytics_tracking_mtd_set_lost(mtd);
    return TRUE;
}

/* ---- Segmentation -------------------------------------------------------------------------- */

#if GST_CHECK_VERSION(1, 26, 0)
static gsize mask_pixel_bytes(GstVideoFormat format)
{
    return format == GST_VIDEO_FORMAT_GRAY8                                               ? 1
           : format == GST_VIDEO_FORMAT_GRAY16_LE || format == GST_VIDEO_FORMAT_GRAY16_BE ? 2
                                                                                          : 0;
}

static void mask_put(GByteArray *bytes, GstBuffer *mask)
{
    GstVideoMeta *meta = mask ? gst_buffer_get_video_meta(mask) : NULL;
    const gsize pixel = meta ? mask_pixel_bytes(meta->format) : 0;
    GstMapInfo map;
    gpointer data;
    gint stride;

    if (pixel == 0 || !gst_video_meta_map(meta, 0, &map, &data, &stride, GST_MAP_READ))
        return;
    block_put_text(bytes, gst_video_format_to_string(meta->format));
    block_put_u32(bytes, meta->width);
    block_put_u32(bytes, meta->height);
    for (guint row = 0; row < meta->height; row++)
        block_put_bytes(bytes, (guint8 *)data + (gsize)row * stride, meta->width * pixel);
    gst_video_meta_unmap(meta, 0, &map);
}

/* Returns NULL if there is none that makes sense. */
static GstBuffer *mask_take(struct block *block)
{
    const GstVideoFormat format = gst_video_format_from_string(block_take_text(block));
    const guint32 width = block_take_u32(block), height = block_take_u32(block);
    const gsize pixel = mask_pixel_bytes(format);
    const gsize offset[GST_VIDEO_MAX_PLANES] = {0};
    gint stride[GST_VIDEO_MAX_PLANES] = {0};
    GstBuffer *mask;

    if (block->is_short || pixel == 0 || width == 0 || height == 0 || width > block->left / pixel ||
        height != block->left / pixel / width || block->left != pixel * width * height)
        return NULL;
    stride[0] = (gint)(width * pixel);
    mask = gst_buffer_new_memdup(block_take_bytes(block, block->left), pixel * width * height);
    gst_buffer_add_video_meta_full(mask, GST_VIDEO_FRAME_FLAG_NONE, format, width, height, 1, offset, stride);
    return mask;
}

static void segmentation_write(GByteArray *bytes, GstAnalyticsMtd *mtd, const GstBuffer *buffer G_GNUC_UNUSED)
{
    const gsize count = gst_analytics_segmentation_mtd_get_region_count(mtd);
    gint x = 0, y = 0;
    guint width = 0, height = 0;
    GstBuffer *mask = gst_analytics_segmentation_mtd_get_mask(mtd, &x, &y, &width, &height);

    block_put_u32(bytes, (guint32)x);
    block_put_u32(bytes, (guint32)y);
    block_put_u32(bytes, width);
    block_put_u32(bytes, height);
    block_put_u32(bytes, (guint32)count);
    for (gsize i = 0; i < count; i++)
        block_put_u32(bytes, gst_analytics_segmentation_mtd_get_region_id(mtd, i));
    mask_put(bytes, mask);
    gst_clear_buffer(&mask);
}

static gboolean segmentation_restore(struct block *block, GstAnalyticsRelationMeta *meta,
                                     const struct meta_target *target, GstAnalyticsMtd *mtd)
{
    const gint32 x = (gint32)block_take_u32(block), y = (gint32)block_take_u32(block);
    const guint32 width = block_take_u32(block), height = block_take_u32(block),
                  count = block_take_u32(block);
    g_autofree guint *regions = NULL;
    GstBuffer *mask;

    if (count > block->left / sizeof(guint32))
        return FALSE;
    regions = g_new(guint, MAX(count, 1));
    for (guint32 i = 0; i < count; i++)
        regions[i] = block_take_u32(block);
    mask = mask_take(block);
    /* Which of the two types it is cannot be asked for, neither here nor by anybody who reads the meta. */
    return mask && gst_analytics_relation_meta_add_segmentation_mtd(
                       meta, mask, GST_SEGMENTATION_TYPE_SEMANTIC, count, regions,
                       place_on_cut(x, target->cut->x), place_on_cut(y, target->cut->y), width, height, mtd);
}
#endif

/* ---- Tensors ------------------------------------------------------------------------------- */

#if GST_CHECK_VERSION(1, 28, 0)
static void tensor_record_write(GByteArray *bytes, GstAnalyticsMtd *mtd,
                                const GstBuffer *buffer G_GNUC_UNUSED)
{
    tensor_put(bytes, gst_analytics_tensor_mtd_get_tensor(mtd));
}

static gboolean tensor_record_restore(struct block *block, GstAnalyticsRelationMeta *meta,
                                      const struct meta_target *target G_GNUC_UNUSED, GstAnalyticsMtd *mtd)
{
    GstTensor *tensor = tensor_take(block), *record;

    if (!tensor || !block_is_used_up(block) ||
        !gst_analytics_relation_meta_add_tensor_mtd(meta, tensor->num_dims, mtd)) {
        g_clear_pointer(&tensor, gst_tensor_free);
        return FALSE;
    }
    record = gst_analytics_tensor_mtd_get_tensor(mtd);
    record->id = tensor->id;
    record->layout = tensor->layout;
    record->data_type = tensor->data_type;
    record->dims_order = tensor->dims_order;
    record->data = g_steal_pointer(&tensor->data);
    memcpy(record->dims, tensor->dims, tensor->num_dims * sizeof(*tensor->dims));
    gst_tensor_free(tensor);
    return TRUE;
}
#endif

/* ---- All of them --------------------------------------------------------------------------- */

static const struct record_kind record_kinds[] = {
    {gst_analytics_od_mtd_get_mtd_type, detection_write, detection_restore},
    {gst_analytics_cls_mtd_get_mtd_type, classification_write, classification_restore},
    {gst_analytics_tracking_mtd_get_mtd_type, tracking_write, tracking_restore},
#if GST_CHECK_VERSION(1, 26, 0)
    {gst_analytics_segmentation_mtd_get_mtd_type, segmentation_write, segmentation_restore},
#endif
#if GST_CHECK_VERSION(1, 28, 0)
    {gst_analytics_tensor_mtd_get_mtd_type, tensor_record_write, tensor_record_restore},
#endif
};

/* Puts a size of what follows, which is set by size_set(). Returns where it is. */
static guint size_put(GByteArray *bytes)
{
    block_put_u32(bytes, 0);
    return bytes->len;
}

static void size_set(GByteArray *bytes, guint after, guint32 value)
{
    value = GUINT32_TO_LE(value);
    if (after <= bytes->len && after >= sizeof(value))
        memcpy(bytes->data + after - sizeof(value), &value, sizeof(value));
}

static void record_put(GByteArray *bytes, GstAnalyticsMtd *mtd, const GstBuffer *buffer)
{
    const GstAnalyticsMtdType type = gst_analytics_mtd_get_mtd_type(mtd);
    guint begin;

    block_put_text(bytes, gst_analytics_mtd_type_get_name(type));
    begin = size_put(bytes);
    for (guint i = 0; i < G_N_ELEMENTS(record_kinds); i++) {
        if (record_kinds[i].type() == type)
            record_kinds[i].write(bytes, mtd, buffer);
    }
    size_set(bytes, begin, bytes->len - begin);
}

static void relations_put(GByteArray *bytes, GstAnalyticsRelationMeta *meta, guint records)
{
    const guint begin = size_put(bytes);
    guint32 count = 0;

    /* To ask for each pair would take milliseconds where there are hundreds of records. */
    for (guint first = 0; first < records; first++) {
        GstAnalyticsMtd second;
        gpointer state = NULL;

        while (gst_analytics_relation_meta_get_direct_related(meta, first, GST_ANALYTICS_REL_TYPE_ANY,
                                                              GST_ANALYTICS_MTD_TYPE_ANY, &state, &second)) {
            block_put_u32(bytes, first);
            block_put_u32(bytes, second.id);
            block_put_u32(bytes, gst_analytics_relation_meta_get_relation(meta, first, second.id));
            count++;
        }
    }
    size_set(bytes, begin, count);
}

static gboolean relation_write(const GstMeta *meta, struct meta_output *output)
{
    GstAnalyticsRelationMeta *relation = (GstAnalyticsRelationMeta *)meta;
    const gsize count = gst_analytics_relation_get_length(relation);

    if (count > RECORDS_MOST) {
        output->why_not = "it has more than 1024 records";
        return FALSE;
    }
    block_put_u32(output->bytes, (guint32)count);
    for (guint id = 0; id < count; id++) {
        GstAnalyticsMtd mtd;

        if (!gst_analytics_relation_meta_get_mtd(relation, id, GST_ANALYTICS_MTD_TYPE_ANY, &mtd))
            return FALSE;
        record_put(output->bytes, &mtd, output->buffer);
    }
    relations_put(output->bytes, relation, (guint)count);
    return count > 0;
}

/* Returns FALSE if the block is not one of records. *id is -1 for one that is left out. */
static gboolean record_take(struct block *block, GstAnalyticsRelationMeta *meta,
                            const struct meta_target *target, gint *id)
{
    const char *name = block_take_text(block);
    const guint32 size = block_take_u32(block);
    struct block record = {block_take_bytes(block, size), size, FALSE};
    GstAnalyticsMtd mtd;

    *id = -1;
    if (block->is_short)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(record_kinds); i++) {
        if (g_str_equal(gst_analytics_mtd_type_get_name(record_kinds[i].type()), name) &&
            record_kinds[i].restore(&record, meta, target, &mtd))
            *id = (gint)mtd.id;
    }
    return TRUE;
}

static gboolean relations_take(struct block *block, GstAnalyticsRelationMeta *meta, const gint *ids,
                               guint32 records)
{
    const guint32 count = block_take_u32(block);

    for (guint32 i = 0; i < count && !block->is_short; i++) {
        const guint32 first = block_take_u32(block), second = block_take_u32(block),
                      type = block_take_u32(block);

        if (block->is_short || first >= records || second >= records || (type & ~RELATION_TYPES))
            return FALSE;
        if (ids[first] >= 0 && ids[second] >= 0)
            gst_analytics_relation_meta_set_relation(meta, type, (guint)ids[first], (guint)ids[second]);
    }
    return block_is_used_up(block);
}

static gboolean relation_restore(struct block *block, const struct meta_target *target)
{
    const guint32 count = block_take_u32(block);
    GstAnalyticsRelationMetaInitParams sizes = {.initial_relation_order = count,
                                                .initial_buf_size = 2 * block->left + 1024};
    GstAnalyticsRelationMeta *meta;
    gint ids[RECORDS_MOST];
    gboolean is_valid = TRUE;

    /* A buffer has one of them, and each further record costs more than those before. */
    if (count == 0 || count > RECORDS_MOST || gst_buffer_get_analytics_relation_meta(target->buffer))
        return FALSE;
    meta = gst_buffer_add_analytics_relation_meta_full(target->buffer, &sizes);
    for (guint32 i = 0; is_valid && i < count; i++)
        is_valid = record_take(block, meta, target, &ids[i]);
    is_valid = is_valid && relations_take(block, meta, ids, count);
    if (!is_valid)
        gst_buffer_remove_meta(target->buffer, (GstMeta *)meta);
    return is_valid;
}

const struct meta_carrier relation_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 'a', 'r'),
    .version = 1,
    .api = gst_analytics_relation_meta_api_get_type,
    .write = relation_write,
    .restore = relation_restore,
};
