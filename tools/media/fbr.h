/* SPDX-License-Identifier: MIT */
/* Recordings of a bus, byte for byte. docs/using/fbr.md describes the format. */
#ifndef FBR_H
#define FBR_H

#include "media/media.h"

/* Writes a recording to `fd`, the caller's, which is at the start of an empty file. Ends the program if there
 * is no memory. */
struct sink *fbr_sink_open(int fd);

/* Reads a recording; `fd` becomes the source's. One without an end, because the recorder was killed or the
 * disk was full, is read as far as it goes, which is reported. NULL once the reason is reported. */
struct source *fbr_source_open(int fd);

#endif
