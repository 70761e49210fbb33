/* SPDX-License-Identifier: MIT */
/*
 * Puts buffers on the bus: in place if they are slots of it with the right layout, as imports if their own
 * memory can be shared, else by a copy. To be used in one thread, the streaming thread.
 */
#ifndef GST_FRAMEBUS_PUBLISH_H
#define GST_FRAMEBUS_PUBLISH_H

#include "import.h"
#include "tags.h"
#include "timing.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

struct publisher {
    GstFramebusAllocator *allocator; /* the sink's */
    enum allocator_use use;          /* ALLOCATOR_FOR_RENDER or _PREROLL */
    struct imports *imports;         /* NULL: upstream's memory is always copied */
    guint row_mask;                  /* of info_align_rows(), for copies */

    struct tags_said tags; /* of the stream */
    guint orientation;     /* that pictures of the bus have */
    char *text;            /* the caps; NULL: none yet */
    guint32 serial;        /* the format_serial of slots for them; 0: not known */
    gboolean is_picture;   /* the caps are those of a picture that the bus can describe */
    gboolean is_raw;       /* or of another one, which is a payload in GStreamer's default layout */
    GstVideoInfo info;     /* of that picture */
    guint64 modifier;      /* 0: it is linear; else it can be shared, but not be copied */

    GByteArray *scratch;  /* where metas become bytes */
    guint metas_left_out; /* of the buffer that was published last */
    char *why_left_out;   /* a sentence about the first since publisher_init(); NULL: there was none */
};

/* PUBLISHED_NOT: the picture would have to be copied, which it cannot. */
enum published { PUBLISHED_IN_PLACE, PUBLISHED_IMPORT, PUBLISHED_COPY, PUBLISHED_NOT };

/* Begins without caps. `imports`: upstream's memory is shared where that can be. */
void publisher_init(struct publisher *publisher, GstFramebusAllocator *allocator, gboolean imports,
                    guint row_mask);

/* Sets the caps of the next buffers, the first of which gives the bus its format. Takes over `text`. */
void publisher_set_caps(struct publisher *publisher, GstCaps *caps, char *text);

/* Returns how the buffer was published, or a negative errno: -ECANCELED, -EBADMSG (the buffer is not what its
 * caps say), and those of the library. */
int publisher_publish(struct publisher *publisher, GstBuffer *buffer, const struct departure_times *times);

/* To be called after allocator_close(). Zeroes are fine. */
void publisher_finish(struct publisher *publisher);

G_END_DECLS

#endif
