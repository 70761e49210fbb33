/* SPDX-License-Identifier: MIT */
/*
 * A bus as the viewer sees it: attached or waiting, alive or silent. No SDL. One thread.
 */
#ifndef VIEWER_SOURCE_H
#define VIEWER_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "framebus.h"

enum source_state {
    SOURCE_WAITING, /* no writer so far, or one that has not published yet */
    SOURCE_LIVE,
    SOURCE_ENDED,  /* the writer said that this was all */
    SOURCE_LOST,   /* the writer is gone */
    SOURCE_FAILED, /* cannot be attached to, see `problem`; tried again every second */
};

struct source {
    const char *name;
    bool dmabuf;                    /* DMA-BUFs are asked for */
    struct framebus_reader *reader; /* NULL: failed */
    int fd;
    enum source_state state;
    uint64_t frames;       /* taken so far */
    uint64_t writers;      /* writers they came from */
    int32_t writer_pid;    /* 0: none */
    int64_t last_frame_ns; /* when the last was taken, 0: never */
    int64_t expected_ns;   /* usual distance of frames, 0: not known */
    int64_t retry_ns;      /* failed: when to try again */
    char problem[256];
};

/** The present time, in ns of CLOCK_MONOTONIC. */
int64_t source_now(void);

/** Begins to follow a bus; it need not exist yet. -EINVAL: such a name cannot be; `problem` says
 *  why. Any other trouble becomes SOURCE_FAILED. `name` is not copied. */
int source_open(struct source *source, const char *name, bool dmabuf);

/** Takes the newest frame, if there is a new one: to be released at once. -EAGAIN: there is none;
 *  the state may have changed. */
int source_take(struct source *source, struct framebus_frame **frame);

void source_release(struct source *source, struct framebus_frame *frame);

/** After a failure, when its time has come: tries again. True if `fd` is another one now. */
bool source_retry(struct source *source);

/** How long until the state may change by the mere passing of time; below zero: it does not. */
int64_t source_next_change(const struct source *source);

/** How long no frame has come although the writer is there and is expected to send; 0: all is well. */
int64_t source_stalled(const struct source *source);

void source_close(struct source *source);

#endif
