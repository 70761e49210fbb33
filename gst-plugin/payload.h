/* SPDX-License-Identifier: MIT */
/*
 * An allocator that sink proposes to upstream for everything that is not a picture: encoders and pools that
 * take it write straight into slots, each of which is large enough for what was asked for. A memory that is
 * never published gives its slot back when it is freed. When there is no slot to be had, or a slot is not
 * what was asked for, it gives out ordinary memory, which the sink copies.
 */
#ifndef GST_FRAMEBUS_PAYLOAD_H
#define GST_FRAMEBUS_PAYLOAD_H

#include "allocator.h"

G_BEGIN_DECLS

/* Room for payloads of unknown size at first; a larger payload makes the bus begin a larger pool. */
#define PAYLOAD_MIN (64 * 1024)

/* Describes payloads of which one has `size` bytes; the next ones may be larger. `text` (the caps) is kept,
 * not copied. */
int payload_format(struct framebus_format *format, const char *text, guint64 size);

/* Returns an allocator of slots for payloads with these caps, as text. */
GstAllocator *payload_allocator_new(GstFramebusAllocator *bus, const char *text);

G_END_DECLS

#endif
