/* SPDX-License-Identifier: MIT */
#include "block.h"

#include <framebus.h>
#include <string.h>

void block_put_u8(GByteArray *bytes, guint8 value)
{
    block_put_bytes(bytes, &value, sizeof(value));
}

void block_put_u16(GByteArray *bytes, guint16 value)
{
    value = GUINT16_TO_LE(value);
    block_put_bytes(bytes, &value, sizeof(value));
}

void block_put_u32(GByteArray *bytes, guint32 value)
{
    value = GUINT32_TO_LE(value);
    block_put_bytes(bytes, &value, sizeof(value));
}

void block_put_u64(GByteArray *bytes, guint64 value)
{
    value = GUINT64_TO_LE(value);
    block_put_bytes(bytes, &value, sizeof(value));
}

void block_put_float(GByteArray *bytes, gfloat value)
{
    guint8 data[sizeof(value)];

    GST_WRITE_FLOAT_LE(data, value);
    block_put_bytes(bytes, data, sizeof(data));
}

void block_put_text(GByteArray *bytes, const char *text)
{
    block_put_bytes(bytes, text, strlen(text) + 1);
}

void block_put_bytes(GByteArray *bytes, const void *data, gsize size)
{
    const guint too_large = FRAMEBUS_META_MAX + 1;

    if (size > 0 && bytes->len < too_large)
        g_byte_array_append(bytes, data, (guint)MIN(size, too_large - bytes->len));
}

const guint8 *block_take_bytes(struct block *block, gsize size)
{
    const guint8 *data = block->at;

    if (block->is_short || size > block->left) {
        block->is_short = TRUE;
        return NULL;
    }
    block->at += size;
    block->left -= size;
    return data;
}

guint8 block_take_u8(struct block *block)
{
    const guint8 *data = block_take_bytes(block, sizeof(guint8));

    return data ? *data : 0;
}

guint16 block_take_u16(struct block *block)
{
    const guint8 *data = block_take_bytes(block, sizeof(guint16));

    return data ? GST_READ_UINT16_LE(data) : 0;
}

guint32 block_take_u32(struct block *block)
{
    const guint8 *data = block_take_bytes(block, sizeof(guint32));

    return data ? GST_READ_UINT32_LE(data) : 0;
}

guint64 block_take_u64(struct block *block)
{
    const guint8 *data = block_take_bytes(block, sizeof(guint64));

    return data ? GST_READ_UINT64_LE(data) : 0;
}

gfloat block_take_float(struct block *block)
{
    const guint8 *data = block_take_bytes(block, sizeof(gfloat));

    return data ? GST_READ_FLOAT_LE(data) : 0;
}

const char *block_take_text(struct block *block)
{
    const guint8 *end = block->left ? memchr(block->at, '\0', block->left) : NULL;
    const guint8 *text = block_take_bytes(block, end ? (gsize)(end - block->at) + 1 : block->left + 1);

    return text ? (const char *)text : "";
}

gboolean block_is_used_up(const struct block *block)
{
    return !block->is_short && block->left == 0;
}
