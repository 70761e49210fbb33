/* SPDX-License-Identifier: MIT */
/* Where frames come from and where they go: streams and files of every kind behind these functions. */
#ifndef MEDIA_H
#define MEDIA_H

#include "media/saved-frame.h"

struct source {
    const struct source_kind *kind;
    bool timed; /* frames have a publish_ns that says when they are due */
};

struct source_kind {
    /* Goes to the next frame and describes it; `format` is the source's. 1, 0 at the end, or a negative errno
     * once the reason is reported (-EINTR: a signal came). */
    int (*next)(struct source *source, struct saved_frame *saved);
    /* Reads the bytes of that frame. 0 or likewise. */
    int (*read)(struct source *source, const struct framebus_frame *frame);
    int (*rewind)(struct source *source); /* NULL: cannot be done */
    void (*close)(struct source *source);
};

/* Functions return 0, or a negative errno once the reason is reported; -EPIPE is not. */
struct sink {
    const struct sink_kind *kind;
    uint64_t bytes; /* written so far */
};

struct sink_kind {
    int (*write)(struct sink *sink, const struct saved_frame *saved);
    int (*finish)(struct sink *sink); /* completes what was written; NULL: there is nothing to do */
    void (*close)(struct sink *sink);
};

#endif
