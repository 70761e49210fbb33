/* SPDX-License-Identifier: MIT */
/* Recordings of a bus, byte for byte. docs/fbr.md describes the format. */
#ifndef FBR_H
#define FBR_H

#include "shot.h"

/* Writes one to `fd`, the caller's, which stands at the start of an empty file. NULL once the reason is said.
 */
struct sink *fbr_sink(int fd);

/* Reads one; `fd` becomes the source's. One without an end, because the recorder was killed or the disk full,
 * is read as far as it goes, and that is said. NULL once the reason is said. */
struct source *fbr_source(int fd);

#endif
