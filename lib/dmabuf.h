/* SPDX-License-Identifier: MIT */
/* Memory that is not, or not only, the pool's: DMA-BUFs of slots, other people's DMA-BUFs and memfds. */
#ifndef FRAMEBUS_DMABUF_H
#define FRAMEBUS_DMABUF_H

#include "framebus.h"

/* The memory of one frame, in parts that follow one another. */
struct outside {
    uint32_t serial;
    uint32_t parts;
    struct framebus_part part[FRAMEBUS_PLANES_MAX]; /* the fds are ours; -1: none */
    bool dmabuf;                                    /* all of them are DMA-BUFs; else none */
    uint64_t size;                                  /* of all parts */
    void *base;                                     /* where a reader has mapped them; NULL: nowhere */
};

/* Makes DMA-BUFs of `count` pieces of a memfd, which is sealed against shrinking on the way: piece i is
 * `size` bytes at offset + i * stride. -ENOTSUP: this kernel cannot. */
int dmabuf_make(struct outside *made, uint32_t count, int memfd, uint64_t offset, uint64_t stride,
                uint64_t size);

/* Looks at what the fds are and whether the parts lie within them, and fills in dmabuf and size.
 * Returns `error` if something is wrong. Asks no file system, which might not answer. */
int outside_check(struct outside *outside, int error);

/* Maps all parts, one after the other, read-only. */
int outside_map(struct outside *outside);

/* Unmaps and closes. */
void outside_finish(struct outside *outside);

/* Only closes, in a forked child. */
void outside_forget(const struct outside *outside);

#endif
