/* SPDX-License-Identifier: MIT */
/* GstVideoAffineTransformationMeta: 16 floats. */
#include "carrier.h"

#include <gst/video/gstvideoaffinetransformationmeta.h>
#include <math.h>
#include <string.h>

#define COEFFICIENTS 16

static gboolean transformation_write(const GstMeta *meta, struct meta_output *output)
{
    const GstVideoAffineTransformationMeta *transformation = (const GstVideoAffineTransformationMeta *)meta;

    for (guint i = 0; i < COEFFICIENTS; i++)
        block_put_float(output->bytes, transformation->matrix[i]);
    return TRUE;
}

static gboolean transformation_restore(struct block *block, const struct meta_target *target)
{
    GstVideoAffineTransformationMeta *transformation;
    gboolean is_finite = TRUE;
    gfloat matrix[COEFFICIENTS];

    for (guint i = 0; i < COEFFICIENTS; i++) {
        matrix[i] = block_take_float(block);
        is_finite &= isfinite(matrix[i]) != 0;
    }
    if (!block_is_used_up(block) || !is_finite)
        return FALSE;
    transformation = gst_buffer_add_video_affine_transformation_meta(target->buffer);
    memcpy(transformation->matrix, matrix, sizeof(matrix));
    return TRUE;
}

const struct meta_carrier transformation_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 't', 'r'),
    .version = 1,
    .api = gst_video_affine_transformation_meta_api_get_type,
    .write = transformation_write,
    .restore = transformation_restore,
};
