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
    guint32 bits;

    memcpy(&bits, &value, sizeof(bits));
    block_put_u32(bytes, bits);
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

/* Numbers stand anywhere; GStreamer's macros would load some of them where they must not be loaded from. */
static void block_take_number(struct block *block, void *value, gsize size)
{
    const guint8 *data = block_take_bytes(block, size);

    if (data)
        memcpy(value, data, size);
    else
        memset(value, 0, size);
}

guint8 block_take_u8(struct block *block)
{
    guint8 value;

    block_take_number(block, &value, sizeof(value));
    return value;
}

guint16 block_take_u16(struct block *block)
{
    guint16 value;

    block_take_number(block, &value, sizeof(value));
    return GUINT16_FROM_LE(value);
}

guint32 block_take_u32(struct block *block)
{
    guint32 value;

    block_take_number(block, &value, sizeof(value));
    return GUINT32_FROM_LE(value);
}

guint64 block_take_u64(struct block *block)
{
    guint64 value;

    block_take_number(block, &value, sizeof(value));
    return GUINT64_FROM_LE(value);
}

gfloat block_take_float(struct block *block)
{
    const guint32 bits = block_take_u32(block);
    gfloat value;

    memcpy(&value, &bits, sizeof(value));
    return value;
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
