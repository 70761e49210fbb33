/* SPDX-License-Identifier: MIT */
/* Memory that a reader was sent beside its pool: imports, and slots as DMA-BUFs. */
#ifndef FRAMEBUS_READER_IMPORT_H
#define FRAMEBUS_READER_IMPORT_H

#include "base/memory.h"
#include "shared/protocol.h"

struct framebus_reader;
struct import_table;
struct reader_pool;

/* Takes over what a message brings, its fds in any case. */
int import_receive(struct framebus_reader *rd, const struct message_memory *message, const int *fds,
                   unsigned fd_count);

/* Gives a new pool what was received for it. */
void import_adopt(struct framebus_reader *rd, struct reader_pool *pool);

/* Has the import with this serial been received? */
bool import_is_known(const struct reader_pool *pool, uint32_t slot, uint32_t serial);

/* Makes the frame of a claimed slot point to the import with this serial. -ENOTSUP: it cannot be mapped,
 * unless that does not matter. -EBADMSG: there is none. */
int import_point(struct reader_pool *pool, uint32_t slot, uint32_t serial, bool unmapped);

/* Unmaps and closes. NULL is fine. */
void import_table_finish(struct import_table *table);

/* Only closes, in a forked child. NULL is fine. */
void import_table_forget(const struct import_table *table);

#endif
