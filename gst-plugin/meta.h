/* SPDX-License-Identifier: MIT */
/* What travels beside the pixels: flags, crop, duration and metas. Timestamps are in timing.h. */
#ifndef GST_FRAMEBUS_META_H
#define GST_FRAMEBUS_META_H

#include <framebus.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* Tags of the blocks of metadata that the elements write and read. Numbers have native byte order. */
#define FRAMEBUS_TAG(a, b, c, d) ((guint32)(a) | (guint32)(b) << 8 | (guint32)(c) << 16 | (guint32)(d) << 24)
#define TAG_PTS                  FRAMEBUS_TAG('f', 'b', 'p', 'd') /* gint64: how long after the capture time the PTS is, */
#define TAG_DTS                  FRAMEBUS_TAG('f', 'b', 'd', 'd') /* and the DTS, of a payload that has one */
#define TAG_REGION               FRAMEBUS_TAG('f', 'b', 'r', 'i') /* struct region_block */
#define TAG_REFERENCE            FRAMEBUS_TAG('f', 'b', 'r', 't') /* struct reference_block */
#define TAG_CAPTION              FRAMEBUS_TAG('f', 'b', 'c', 'c') /* struct caption_block */
#define TAG_META                 FRAMEBUS_TAG('f', 'b', 'g', 'm') /* a custom meta, as gst_meta_serialize() writes it */

/* GstVideoRegionOfInterestMeta */
struct region_block {
    gint32 id, parent_id;
    guint32 x, y, width, height;
    char text[]; /* the type, then the structure of each parameter, all as text with a terminating zero */
};

/* GstReferenceTimestampMeta */
struct reference_block {
    guint64 timestamp, duration;
    char caps[]; /* as text, with its terminating zero */
};

/* GstVideoCaptionMeta */
struct caption_block {
    guint32 type;
    guint8 data[];
};

/*
 * An application's own block is a custom meta of this name, with the fields "tag" (a string of four
 * characters, not beginning with "fb") and "data" (GBytes). In C a reader finds it by
 * framebus_frame_get_meta() with that tag.
 */
#define FRAMEBUS_BLOCK_META "GstFramebusBlock"

/* Registers that meta. To be called once in a process. */
void meta_register(void);

/* Describes a frame to be published as the buffer is described. Metas that do not fit are left out. */
void meta_to_frame(struct framebus_frame *frame, GstBuffer *buffer);

/* Describes a buffer as the frame is described. */
void meta_to_buffer(const struct framebus_frame *frame, GstBuffer *buffer);

G_END_DECLS

#endif
