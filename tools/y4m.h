/* SPDX-License-Identifier: MIT */
/* YUV4MPEG2, the stream of uncompressed pictures that video tools pass to one another. */
#ifndef Y4M_H
#define Y4M_H

#include <stdbool.h>

#include "shot.h"
#include "stream.h"

/* Reads a stream. `input` is the caller's and must outlive it. Reads the header: NULL if the reason why it
 * cannot be read is said, or a signal came. */
struct source *y4m_source(struct input *input);

/* Writes one to `fd`, the caller's. With `convert` what YUV4MPEG2 cannot hold becomes 8-bit 4:4:4. NULL: no
 * memory, which is said. */
struct sink *y4m_sink(int fd, int interrupts, bool convert);

/* Fills in a header line's format, and the flags that all of its frames have. Returns what is wrong with it
 * in words that may be followed by a value, or NULL. `line` is taken to pieces. */
const char *y4m_parse_header(char *line, struct framebus_format *format, uint32_t *flags);

#endif
