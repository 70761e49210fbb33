/* SPDX-License-Identifier: MIT */
#ifndef PIXELS_PNG_FILE_H
#define PIXELS_PNG_FILE_H

#include <stdint.h>

/* Writes rows of 3 bytes (R, G, B) a pixel to a file, "-" being standard output. 0 or -errno;
 * nothing is left behind on failure. */
int png_file_write(const char *path, const uint8_t *pixels, int width, int height, int stride);

#endif
