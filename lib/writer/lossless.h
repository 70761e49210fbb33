/* SPDX-License-Identifier: MIT */
/* How a lossless writer waits for its readers, and makes those live that are too slow. */
#ifndef FRAMEBUS_WRITER_LOSSLESS_H
#define FRAMEBUS_WRITER_LOSSLESS_H

#include <stdbool.h>
#include <stdint.h>

struct framebus_writer;

struct lossless {
    bool was_brief;   /* the last wait was over before a sleep would have been */
    int64_t deadline; /* of the last wait, if a signal ended it and the call will be made again; else 0 */
};

/* Both return 0 if there was nothing to wait for, and 1 if they waited: without the lock, so the caller
 * examines everything again. */

/* Waits until no lossless reader would miss a frame when the next one is published. */
int lossless_wait_for_frames(struct framebus_writer *w);

/* Waits until no lossless reader would miss a pool when the present one ends. */
int lossless_wait_for_pool(struct framebus_writer *w);

#endif
