/* SPDX-License-Identifier: MIT */
#include "png-file.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int png_file_write(const char *path, const uint8_t *pixels, int width, int height, int stride)
{
    png_image image = {
        .version = PNG_IMAGE_VERSION,
        .width = width,
        .height = height,
        .format = PNG_FORMAT_RGB,
    };
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *file = to_stdout ? stdout : fopen(path, "wb");
    int r = 0;
    if (!file)
        return -errno;
    errno = 0;
    if (!png_image_write_to_stdio(&image, file, 0, pixels, stride, NULL) || fflush(file))
        r = errno ? -errno : -EIO;
    if (!to_stdout && fclose(file) && !r)
        r = -errno;
    if (r && !to_stdout)
        unlink(path);
    return r;
}
