/* SPDX-License-Identifier: MIT */
/* YUV4MPEG2, the stream of uncompressed pictures that video tools pass to one another. */
#ifndef Y4M_H
#define Y4M_H

#include "media/media.h"
#include "media/stream.h"

/* Reads a stream from `input`, which must outlive the source, beginning with the header. NULL once the reason
 * is reported, or if a signal came. */
struct source *y4m_source_open(struct input *input);

/* Writes a stream to `fd`, the caller's. With `convert` pictures that YUV4MPEG2 cannot hold become
 * 8-bit 4:4:4.
 * Ends the program if there is no memory. */
struct sink *y4m_sink_open(int fd, int interrupts, bool convert);

#endif
