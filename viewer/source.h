/* SPDX-License-Identifier: MIT */
/*
 * A bus as the viewer sees it: attached or waiting, live or silent. No SDL. One thread.
 */
#ifndef VIEWER_SOURCE_H
#define VIEWER_SOURCE_H

#include "framebus.h"

#include <stdbool.h>
#include <stdint.h>

enum source_state {
    SOURCE_WAITING, /* there has been no writer, or it has not published yet */
    SOURCE_LIVE,
    SOURCE_ENDED,  /* the writer has ended the stream */
    SOURCE_LOST,   /* the writer is gone */
    SOURCE_FAILED, /* cannot be attached to, see `problem`; tried again every second */
};

struct source {
    const char *name;
    bool dmabuf;                    /* DMA-BUFs are asked for */
    struct framebus_reader *reader; /* NULL: failed */
    int fd;
    enum source_state state;
    uint64_t frames;       /* number of frames so far */
    uint64_t writers;      /* number of writers that they came from */
    bool has_writer;       /* there is one now */
    int32_t writer_pid;    /* 0: it cannot be seen from here */
    int64_t last_frame_ns; /* time when the last one came, 0: none did */
    int64_t expected_ns;   /* usual time between frames, 0: not known */
    int64_t retry_ns;      /* time of the next try, if failed */
    char problem[256];
};

/* Begins to follow a bus; it need not exist yet. -EINVAL: this is not a name of a bus; `problem`
 * says why. After any other error the state is SOURCE_FAILED. `name` is not copied. */
int source_open(struct source *source, const char *name, bool dmabuf);

/* The newest frame, to be released at once. -EAGAIN: no new one has come; the state may have changed. */
int source_next(struct source *source, struct framebus_frame **frame);

void source_release(struct source *source, struct framebus_frame *frame);

/* Tries again one second after a failure. True if it worked: `fd` is a new one. */
bool source_retry(struct source *source);

/* Time until the state may change by itself; below zero: it will not. */
int64_t source_next_change(const struct source *source);

/* Time without a frame, once it is longer than the writer's frame rate allows; otherwise 0. */
int64_t source_stalled(const struct source *source);

void source_close(struct source *source);

#endif
