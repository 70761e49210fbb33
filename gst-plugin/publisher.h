/* SPDX-License-Identifier: MIT */
/*
 * Puts buffers on the bus: in place if they are slots of it that lie as they should, or in memory that can
 * be shared itself, else by a copy.
 * For one thread, the streaming thread.
 */
#ifndef GST_FRAMEBUS_PUBLISHER_H
#define GST_FRAMEBUS_PUBLISHER_H

#include "foreign.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

struct publisher {
    char *text; /* the caps; NULL: none yet */
    GstVideoInfo info;
    gboolean is_picture; /* ... that info tells of */
};

enum published { PUBLISHED_IN_PLACE, PUBLISHED_FOREIGN, PUBLISHED_COPY };

/* Takes note of the caps of the buffers to come; the bus follows with the first of them. `text` is taken. */
void publisher_set_caps(struct publisher *publisher, GstCaps *caps, char *text);

/* How it was published, or a negative errno: -ECANCELED, -EBADMSG (the buffer is not what its caps say), and
 * those of the library. `foreign` NULL: upstream's memory is always copied. `capture_ns` 0: not known. */
int publisher_publish(struct publisher *publisher, GstFramebusLender *lender, struct foreign *foreign,
                      GstBuffer *buffer, gint64 capture_ns);

/* Frees what it has; it may be used again. */
void publisher_finish(struct publisher *publisher);

G_END_DECLS

#endif
