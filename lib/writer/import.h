/* SPDX-License-Identifier: MIT */
/* Frames in memory from outside the pool: what has been imported, and which of it readers still use. */
#ifndef FRAMEBUS_WRITER_IMPORT_H
#define FRAMEBUS_WRITER_IMPORT_H

#include "frame.h"

struct framebus_writer;
struct layout_reader;
struct pool;

struct imports {
    struct framebus_import *all; /* list; of any pool */
    struct framebus_import
        *returned;          /* list of those whose owners have not been told yet that they are back */
    uint32_t published;     /* number of those with a frame that is published and not lent any more */
    uint32_t made;          /* number made so far, which is the serial of the last one */
    struct kept_page *kept; /* list; of readers that hold imports of pools they left */
};

/* Imports memory into the present pool; `returned` is called when it may be written to again. -EBUSY: all
 * slots are promised to somebody. */
int import_create(struct framebus_writer *w, struct framebus_import **made, const struct framebus_part *parts,
                  unsigned count, void (*returned)(void *user), void *user);

/* The writer that an import was made for. */
struct framebus_writer *import_writer(const struct framebus_import *import);

/* Frees an import: now, if it is not in use (true), else when it has been returned. */
bool import_destroy(struct framebus_import *import);

/* In a forked child: frees only the handle. */
void import_forget(struct framebus_import *import);

/* Makes an import the memory of its slot's frame, which may then be lent. */
int import_begin(struct framebus_import *import, struct frame **frame);

/* Ends the lend of a frame in an import. */
void import_release(struct framebus_writer *w, const struct frame *f, bool published);

/* Keeps the page of a reader that leaves this pool, if it holds imports there; *page is then NULL. An error
 * is why the reader has to be evicted. */
int imports_keep_page(struct framebus_writer *w, const void *reader, uint32_t quota, struct pool *pool,
                      struct layout_reader **page);

/* Drops the kept pages of this reader; with NULL those that hold nothing any more. */
void imports_drop_pages(struct framebus_writer *w, const void *reader);

/* Notes that a reader rang, so let go of something. */
void imports_on_ring(struct framebus_writer *w);

/* Finds out which imports nobody uses any more. If only claims keep one, the readers are asked to ring when
 * they release it. */
void imports_collect(struct framebus_writer *w);

/* Takes an import back before the history has passed. -EAGAIN: it is the newest, or not there to be taken;
 * -EBUSY: it is claimed. */
int import_recall(struct framebus_writer *w, struct framebus_import *import);

/* What to call for an import that was returned. */
struct import_return {
    void (*call)(void *user);
    void *user;
    bool destroyed; /* its owner had destroyed it, so it is freed now */
};

/* Takes the next one off the list. False: there is none. */
bool imports_next_return(struct framebus_writer *w, struct import_return *next);

/* Sends a reader all imports of the present pool, which it has to know before it is sent the pool; with
 * `exports` the DMA-BUFs of slots as well. */
int imports_send_all(const struct framebus_writer *w, int socket, bool exports);

/* Sends a reader that is in the pool already one more import. */
int imports_send_one(int socket, const struct framebus_import *import);

/* In a forked child: closes all fds. */
void imports_forget(const struct framebus_writer *w);

#endif
