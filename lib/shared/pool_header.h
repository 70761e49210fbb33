/* SPDX-License-Identifier: MIT */
/* The constant part of a pool region: the writer lays it out, the reader checks it. */
#ifndef FRAMEBUS_POOL_HEADER_H
#define FRAMEBUS_POOL_HEADER_H

#include "shared/layout.h"

/*
 * Lays out a pool: fills in all of *header except cookie and first_sequence. `capacity` is the
 * room for a frame, `meta_size` that for its metadata, `page` the alignment of slots, `readable` the number
 * of frames that readers may take. -ENOMEM: no machine has that much address space.
 */
int pool_header_plan(struct layout_header *header, const struct framebus_format *format, uint64_t capacity,
                     uint32_t meta_size, uint32_t slots, uint32_t readable, uint64_t page, const char *path);

/*
 * Checks a private copy of the writer's header against what its message said. After this every offset
 * and size in it is safe to use. -EBADMSG: it makes no sense.
 */
int pool_header_check(const struct layout_header *header, uint64_t region_size, uint64_t cookie);

void format_store(struct layout_format *stored, const struct framebus_format *format);

/* The other way; caps_text is stored->caps_size bytes of private memory. Checks everything.
 * -EBADMSG: it makes no sense. */
int format_load(struct framebus_format *format, const struct layout_format *stored, const char *caps_text);

#endif
