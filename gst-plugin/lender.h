/* SPDX-License-Identifier: MIT */
/*
 * The writer of one bus, as the sink, its pools and the memories that are out in the pipeline share it.
 *
 * It is a GstAllocator whose memories are slots: a memory's life is the slot's lend, so a slot comes back
 * when the last user of the memory is gone, whatever became of the buffer that brought it. Memories keep
 * the lender alive, and the lender keeps whoever still calls into the library apart from close. On a bus
 * with DMA-BUFs its memories are of frame_memories_new() instead, and otherwise the same.
 */
#ifndef GST_FRAMEBUS_LENDER_H
#define GST_FRAMEBUS_LENDER_H

#include <framebus.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAMEBUS_LENDER gst_framebus_lender_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusLender, gst_framebus_lender, GST, FRAMEBUS_LENDER, GstAllocator)

/* Slots that may be out in the pipeline at once, those included that the sink keeps for its own copies. */
#define LENDER_MAX_LENDS 16

enum lender_use {
    LENDER_FOR_UPSTREAM, /* waits on while the sink is merely paused; leaves the sink's own slots alone */
    LENDER_FOR_RENDER,   /* also ends when the sink is unlocked */
};

/* Opens the bus's writer, without a format. max_lends, cancel_fd and label in the options are filled in here.
 * NULL and a negative errno on failure; framebus_last_error() says why. */
GstFramebusLender *lender_open(const char *name, struct framebus_writer_options options, int *error);

/* Leaves the bus. Memories that are still out stay valid; everything else fails with -ECANCELED. */
void lender_close(GstFramebusLender *lender);

/* While on, waiting ends: for the sink alone (unlock), or for everyone (flushing). */
void lender_set_unlocked(GstFramebusLender *lender, gboolean on);
void lender_set_flushing(GstFramebusLender *lender, gboolean on);

/* Makes everybody who waits look at the flag again that he gave to lender_lend(). */
void lender_wake(GstFramebusLender *lender);

/* framebus_writer_set_format(); slots lent before can still be written to, and published no more. */
int lender_set_format(GstFramebusLender *lender, enum lender_use use, const struct framebus_format *format);

/* A free slot as memory, of at least `size` bytes (0: a picture of the bus's format), or NULL and a
 * negative errno. Gives up with -ECANCELED when *flushing (may be NULL) is set. */
GstMemory *lender_lend(GstFramebusLender *lender, enum lender_use use, guint64 size, const gint *flushing,
                       int *error);

/* Gives back the slot of such a memory, which stays as an empty shell. False if somebody else has it too. */
gboolean lender_empty(GstFramebusLender *lender, GstMemory *memory);

/* As lender_lend() of a picture for upstream, but into such a shell. */
gboolean lender_refill(GstFramebusLender *lender, GstMemory *memory, const gint *flushing, int *error);

/* True for slots of this lender, and parts of them. */
gboolean lender_has(GstFramebusLender *lender, GstMemory *memory);

/* The frame behind a memory that is a whole slot of this lender, as it was lent; else NULL. */
struct framebus_frame *lender_frame(GstFramebusLender *lender, GstMemory *memory);

/* True once the slot behind lender_frame()'s memory has been published. */
gboolean lender_is_published(GstFramebusLender *lender, GstMemory *memory);

/* Publishes such a memory. -EBUSY: somebody still writes to it. Else as framebus_writer_publish(). */
int lender_publish(GstFramebusLender *lender, GstMemory *memory);

/* Calls the library about something that this header knows nothing of. */
int lender_call(GstFramebusLender *lender, int (*call)(struct framebus_writer *writer, gpointer user),
                gpointer user);

/* framebus_buffer_destroy(), at any time. */
void lender_forget(GstFramebusLender *lender, struct framebus_buffer *buffer);

/* For what the library calls back: unrefs a buffer once that call is over. */
void lender_return(GstFramebusLender *lender, GstBuffer *buffer);

int lender_end(GstFramebusLender *lender);
int lender_fd(GstFramebusLender *lender);
int lender_dispatch(GstFramebusLender *lender);
struct framebus_bus_info *lender_info(GstFramebusLender *lender);

G_END_DECLS

#endif
