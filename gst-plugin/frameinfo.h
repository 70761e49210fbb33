/* SPDX-License-Identifier: MIT */
/* What travels beside the pixels: flags, crop, durations, metas. Times are the elements' own affair. */
#ifndef GST_FRAMEBUS_FRAMEINFO_H
#define GST_FRAMEBUS_FRAMEINFO_H

#include <framebus.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/* Tags of the blocks of metadata that the elements write and read; numbers in the machine's byte order. */
#define FRAMEBUS_TAG(a, b, c, d) ((guint32)(a) | (guint32)(b) << 8 | (guint32)(c) << 16 | (guint32)(d) << 24)
#define TAG_PTS_AFTER_DTS                                                                                    \
    FRAMEBUS_TAG('f', 'b', 'p', 'd')                   /* gint64: PTS - DTS; the capture time is the DTS */
#define TAG_REGION    FRAMEBUS_TAG('f', 'b', 'r', 'i') /* struct region_block */
#define TAG_REFERENCE FRAMEBUS_TAG('f', 'b', 'r', 't') /* struct reference_block */
#define TAG_META      FRAMEBUS_TAG('f', 'b', 'g', 'm') /* any other, as gst_meta_serialize() writes it */

/* GstVideoRegionOfInterestMeta */
struct region_block {
    gint32 id, parent_id;
    guint32 x, y, width, height;
    char text[]; /* the type, then each parameter's structure as text, each with its terminating zero */
};

/* GstReferenceTimestampMeta */
struct reference_block {
    guint64 timestamp, duration;
    char caps[]; /* with its terminating zero */
};

/*
 * An application's own block is a custom meta of this name, with the fields "tag" (a string of four
 * characters, not beginning with "fb") and "data" (GBytes). In C a reader finds it by
 * framebus_frame_get_meta() with that tag.
 */
#define FRAMEBUS_BLOCK_META "GstFramebusBlock"

/* Makes that meta known; once a process. */
void frameinfo_register(void);

/* Fills in a frame that is to be published. Metas for which there is no room are left out. */
void frame_from_buffer(struct framebus_frame *frame, GstBuffer *buffer);

/* And the other way round. */
void frame_to_buffer(const struct framebus_frame *frame, GstBuffer *buffer);

G_END_DECLS

#endif
