/* SPDX-License-Identifier: MIT */
/* The constant part of a pool region: laid out by the writer, checked by the reader. */
#ifndef FRAMEBUS_HEADER_H
#define FRAMEBUS_HEADER_H

#include "layout.h"

/*
 * Lays out a pool: fills in everything of *header but cookie and first_sequence. `capacity` is the
 * room for a frame, `page` the alignment of slots, `readable` the number of frames that readers
 * may take.
 * -ENOMEM: no machine has that much address space.
 */
int header_plan(struct layout_header *header, const struct framebus_format *format, uint64_t capacity,
                uint32_t slots, uint32_t readable, uint64_t page, const char *path);

/*
 * Checks a private copy of a foreign header against what the writer said in its message. After this
 * every offset and size in it can be used without another thought. -EBADMSG: nonsense.
 */
int header_check(const struct layout_header *header, uint64_t region_size, uint64_t cookie);

void format_store(struct layout_format *stored, const struct framebus_format *format);

/* The other way; caps_text is stored->caps_size bytes of private memory. Checks everything.
 * -EBADMSG: nonsense. */
int format_load(struct framebus_format *format, const struct layout_format *stored, const char *caps_text);

#endif
