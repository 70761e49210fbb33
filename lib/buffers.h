/* SPDX-License-Identifier: MIT */
/* What a reader knows of memory outside its pool: DMA-BUFs of slots, foreign buffers. */
#ifndef FRAMEBUS_BUFFERS_H
#define FRAMEBUS_BUFFERS_H

#include "dmabuf.h"
#include "protocol.h"

struct framebus_reader;
struct reader_pool;
struct buffers;

/* Takes over what a message brings, its fds in any case. */
int buffers_hear(struct framebus_reader *rd, const struct message_buffers *message, const int *fds,
                 unsigned fd_count);

/* Gives a new pool what was heard for it. */
void buffers_adopt(struct framebus_reader *rd, struct reader_pool *pool);

/* Makes the frame of a claimed slot point to the foreign buffer with this serial, 0: to the slot.
 * -ENOTSUP: it cannot be mapped. -EBADMSG: there is none. Or why the connection is over. */
int buffers_point(struct framebus_reader *rd, struct reader_pool *pool, uint32_t slot, uint32_t serial);

/* Unmaps and closes. NULL is fine. */
void buffers_finish(struct buffers *buffers);

/* Only closes, in a forked child. NULL is fine. */
void buffers_forget(const struct buffers *buffers);

#endif
