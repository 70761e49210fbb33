/* SPDX-License-Identifier: MIT */
/* Memory that is not only the pool's: DMA-BUFs of slots, and DMA-BUFs and memfds from outside. */
#ifndef FRAMEBUS_MEMORY_H
#define FRAMEBUS_MEMORY_H

#include "framebus.h"

/* The memory of one frame, in parts that follow one another. */
struct memory {
    uint32_t serial;
    uint32_t parts;
    struct framebus_part part[FRAMEBUS_PLANES_MAX]; /* the fds are ours; -1: none */
    bool dmabuf;                                    /* all of them are DMA-BUFs; else none */
    uint64_t size;                                  /* of all parts together */
    void *base;                                     /* where a reader has mapped them; NULL: not mapped */
};

/* Prepares a memfd for memory_export(): seals it against shrinking, and opens the device that makes DMA-BUFs
 * of memfds. Returns that fd. -ENOTSUP: this kernel has none; -EACCES: we may not open it. */
int memory_export_open(int memfd);

/* Makes a DMA-BUF of a piece of such a memfd. -ENOTSUP: this kernel cannot. */
int memory_export(struct memory *made, int device, int memfd, uint64_t offset, uint64_t size);

/* Checks what the fds are and that the parts are inside them, and fills in dmabuf and size. Returns `error`
 * if something is wrong. Asks no file system, because one might not answer. */
int memory_check(struct memory *memory, int error);

/* Maps all parts, one after the other, read-only. */
int memory_map(struct memory *memory);

/* Unmaps and closes. */
void memory_finish(struct memory *memory);

/* In a forked child: only closes. */
void memory_forget(const struct memory *memory);

/* The part that a byte of the frame is in; *offset becomes its place there. */
const struct framebus_part *memory_part_at(const struct memory *memory, uint64_t *offset);

/* Brackets access by the CPU. Does nothing to memory that is not a DMA-BUF, or to none (NULL). */
int memory_begin_access(const struct memory *memory, bool write);
int memory_end_access(const struct memory *memory, bool write);

#endif
