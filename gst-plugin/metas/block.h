/* SPDX-License-Identifier: MIT */
/* The bytes of a block of metadata, written and read one after the other. Numbers are little-endian and stand
 * where they stand, without padding. What is read may be anything that another process has written. */
#ifndef GST_FRAMEBUS_BLOCK_H
#define GST_FRAMEBUS_BLOCK_H

#include <gst/gst.h>

G_BEGIN_DECLS

void block_put_u8(GByteArray *bytes, guint8 value);
void block_put_u16(GByteArray *bytes, guint16 value);
void block_put_u32(GByteArray *bytes, guint32 value);
void block_put_u64(GByteArray *bytes, guint64 value);
void block_put_float(GByteArray *bytes, gfloat value);

/* Puts the text and the zero that ends it. */
void block_put_text(GByteArray *bytes, const char *text);

/* Of more than any frame can carry only so much is copied that the block is too large, too. */
void block_put_bytes(GByteArray *bytes, const void *data, gsize size);

/* A block that is used up from its beginning, in memory of this process. */
struct block {
    const guint8 *at;
    gsize left;
    gboolean is_short; /* something was asked for that is not there */
};

/* Return zero, NULL or "", if the block is too short. */
guint8 block_take_u8(struct block *block);
guint16 block_take_u16(struct block *block);
guint32 block_take_u32(struct block *block);
guint64 block_take_u64(struct block *block);
gfloat block_take_float(struct block *block);
const guint8 *block_take_bytes(struct block *block, gsize size);
const char *block_take_text(struct block *block);

/* Returns TRUE if everything that was asked for was there, and nothing else is. */
gboolean block_is_used_up(const struct block *block);

G_END_DECLS

#endif
