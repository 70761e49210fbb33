/* SPDX-License-Identifier: MIT */
/*
 * GstTensorMeta: u32 number of tensors; of each its id as text, u32 type of data (GstTensorDataType), u32
 * order of dimensions (GstTensorDimOrder), u32 number of dimensions, u64 each, u32 size of the data, and the
 * data.
 */
#include "analytics.h"

#if GST_CHECK_VERSION(1, 26, 0)

#define TENSORS_MOST    1024
#define DIMENSIONS_MOST 32

/* Bits of an element, by its GstTensorDataType. */
static const guint8 element_bits[] = {4, 8, 16, 32, 64, 4, 8, 16, 32, 64, 16, 32, 64, 16};

gboolean tensor_put(GByteArray *bytes, const GstTensor *tensor)
{
    GstMapInfo map;

    if (!tensor->data || !gst_buffer_map(tensor->data, &map, GST_MAP_READ))
        return FALSE;
    label_put(bytes, tensor->id);
    block_put_u32(bytes, tensor->data_type);
    block_put_u32(bytes, tensor->dims_order);
    block_put_u32(bytes, (guint32)tensor->num_dims);
    for (gsize i = 0; i < tensor->num_dims; i++)
        block_put_u64(bytes, tensor->dims[i]);
    block_put_u32(bytes, (guint32)MIN(map.size, G_MAXUINT32));
    block_put_bytes(bytes, map.data, map.size);
    gst_buffer_unmap(tensor->data, &map);
    return TRUE;
}

static gboolean tensor_write(const GstMeta *meta, struct meta_output *output)
{
    const GstTensorMeta *tensors = (const GstTensorMeta *)meta;

    block_put_u32(output->bytes, (guint32)tensors->num_tensors);
    for (gsize i = 0; i < tensors->num_tensors; i++) {
        if (!tensor_put(output->bytes, tensors->tensors[i]))
            return FALSE;
    }
    return tensors->num_tensors > 0;
}

/* Returns TRUE if the data is as large as type and dimensions say. One that is 0 may be of any size. */
static gboolean tensor_has_size(const GstTensor *tensor, gsize size)
{
    gsize elements = 1, bits;

    for (gsize i = 0; i < tensor->num_dims; i++) {
        if (tensor->dims[i] == 0)
            return TRUE;
        if (!g_size_checked_mul(&elements, elements, tensor->dims[i]))
            return FALSE;
    }
    return g_size_checked_mul(&bits, elements, element_bits[tensor->data_type]) && bits <= G_MAXSIZE - 7 &&
           (bits + 7) / 8 == size;
}

GstTensor *tensor_take(struct block *block)
{
    const GQuark id = label_take(block);
    const guint32 type = block_take_u32(block), order = block_take_u32(block), count = block_take_u32(block);
    const guint8 *data;
    GstTensor *tensor;
    guint32 size;

    if (type >= G_N_ELEMENTS(element_bits) || order > GST_TENSOR_DIM_ORDER_COL_MAJOR || count == 0 ||
        count > DIMENSIONS_MOST)
        return NULL;
    tensor = gst_tensor_alloc(count);
    tensor->id = id;
    tensor->layout = GST_TENSOR_LAYOUT_CONTIGUOUS;
    tensor->data_type = type;
    tensor->dims_order = order;
    tensor->num_dims = count;
    for (guint32 i = 0; i < count; i++) {
        const guint64 dimension = block_take_u64(block);

        tensor->dims[i] = (gsize)MIN(dimension, G_MAXSIZE);
    }
    size = block_take_u32(block);
    data = block_take_bytes(block, size);
    if (!data || !tensor_has_size(tensor, size)) {
        gst_tensor_free(tensor);
        return NULL;
    }
    tensor->data = size > 0 ? gst_buffer_new_memdup(data, size) : gst_buffer_new();
    return tensor;
}

static gboolean tensor_restore(struct block *block, const struct meta_target *target)
{
    const guint32 count = block_take_u32(block);
    GstTensor *tensors[TENSORS_MOST];
    guint32 taken = 0;

    if (count == 0 || count > TENSORS_MOST)
        return FALSE;
    while (taken < count && (tensors[taken] = tensor_take(block)))
        taken++;
    if (taken == count && block_is_used_up(block)) {
        gst_tensor_meta_set(gst_buffer_add_tensor_meta(target->buffer), count,
                            g_memdup2(tensors, count * sizeof(*tensors)));
        return TRUE;
    }
    while (taken > 0)
        gst_tensor_free(tensors[--taken]);
    return FALSE;
}

const struct meta_carrier tensor_carrier = {
    .tag = FRAMEBUS_TAG('f', 'b', 't', 'e'),
    .version = 1,
    .api = gst_tensor_meta_api_get_type,
    .write = tensor_write,
    .restore = tensor_restore,
};

#endif
