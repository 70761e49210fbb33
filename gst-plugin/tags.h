/* SPDX-License-Identifier: MIT */
/*
 * What is said once about a stream, its tags and its table of contents, for readers that come at any time:
 * each frame has them as blocks of metadata, and a reader tells downstream when they change. The orientation
 * of pictures is in the bus's format as well, where programs without GStreamer find it.
 */
#ifndef GST_FRAMEBUS_TAGS_H
#define GST_FRAMEBUS_TAGS_H

#include "metas/carrier.h"

#include <framebus.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* The blocks of metadata, in native byte order. */
#define TAG_TAGS FRAMEBUS_TAG('f', 'b', 't', 'g') /* struct tags_block */
#define TAG_TOC  FRAMEBUS_TAG('f', 'b', 't', 'c') /* struct toc_block */

/* A tag list of the stream, or the one of all streams of its source */
struct tags_block {
    guint32 kind; /* TAGS_STREAM, TAGS_GLOBAL */
    char text[];  /* of the list, with its terminating zero; "": it is empty */
};

/* A table of contents */
struct toc_block {
    guint32 scope; /* GstTocScope */
    char text[];   /* its tags, then a toc_entry_block for each entry, parents first, without padding */
};

struct toc_entry_block {
    gint64 start, stop;
    guint32 depth; /* number of entries that it is in */
    gint32 type;   /* GstTocEntryType */
    gint32 loop;   /* GstTocLoopType */
    gint32 repeat;
    guint32 has_times, has_loop;
    char text[]; /* its UID, then its tags, both with their terminating zeroes */
};

enum tags_kind { TAGS_STREAM, TAGS_GLOBAL, TAGS_TOC, TAGS_KINDS };

/* ---- The writer's side ---- */

/* Zeroes: nothing was said yet. */
struct tags_said {
    GByteArray *block[TAGS_KINDS];
    guint orientation[TAGS_KINDS]; /* 1 + enum framebus_orientation, as each says; 0: nothing */
};

/* Notes what an event says of the stream: STREAM_START, TAG or TOC. Others are fine. */
void tags_said_note(struct tags_said *said, GstEvent *event);

/* Returns the orientation that the tags tell; 0: none. */
guint tags_said_orientation(const struct tags_said *said);

/* Adds to a frame, after all else, what there is room for. */
void tags_said_to_frame(const struct tags_said *said, struct framebus_frame *frame);

void tags_said_finish(struct tags_said *said);

/* ---- A reader's side ---- */

/* Zeroes: nothing was heard yet. */
struct tags_heard {
    GBytes *block[TAGS_KINDS];
    guint orientation;
    guint64 writer; /* whose they are */
};

/* Returns the events (GstEvent) that tell downstream what this frame says and the last one did not. `writer`
 * numbers the bus's writers: what the last one said does not hold for the next. */
GSList *tags_heard_in(struct tags_heard *heard, const struct framebus_frame *frame, guint64 writer);

void tags_heard_finish(struct tags_heard *heard);

G_END_DECLS

#endif
