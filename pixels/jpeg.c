/* SPDX-License-Identifier: MIT */
/* JPEG pictures, by libjpeg-turbo, whose errors become return values. */
#include "jpeg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "framebus.h"

struct jpeg {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
};

/* The library must not end the program, nor write to its standard error. */
static void jpeg_fail(j_common_ptr common)
{
    struct jpeg *jpeg = common->client_data;
    longjmp(jpeg->failed, 1);
}

static void jpeg_ignore_message(j_common_ptr common)
{
    (void)common;
}

int jpeg_open(struct jpeg **result, const uint8_t *data, size_t bytes, int *width, int *height)
{
    struct jpeg *jpeg = *result = calloc(1, sizeof *jpeg);
    if (!jpeg)
        return -ENOMEM;
    jpeg->decoder.err = jpeg_std_error(&jpeg->errors);
    jpeg->errors.error_exit = jpeg_fail;
    jpeg->errors.output_message = jpeg_ignore_message;
    jpeg->decoder.client_data = jpeg;
    if (setjmp(jpeg->failed))
        goto fail;
    jpeg_create_decompress(&jpeg->decoder);
    jpeg_mem_src(&jpeg->decoder, data, bytes);
    jpeg_read_header(&jpeg->decoder, TRUE);
    if (jpeg->decoder.image_width > FRAMEBUS_SIDE_MAX || jpeg->decoder.image_height > FRAMEBUS_SIDE_MAX)
        goto fail;
    *width = jpeg->decoder.image_width;
    *height = jpeg->decoder.image_height;
    return 0;
fail:
    jpeg_close(jpeg);
    *result = NULL;
    return -EBADMSG;
}

int jpeg_decode(struct jpeg *jpeg, uint8_t *pixels, int stride)
{
    struct jpeg_decompress_struct *decoder = &jpeg->decoder;
    if (setjmp(jpeg->failed))
        return -EBADMSG;
    decoder->out_color_space = JCS_EXT_BGRX;
    decoder->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(decoder);
    while (decoder->output_scanline < decoder->output_height) {
        JSAMPROW row = pixels + (size_t)stride * decoder->output_scanline;
        jpeg_read_scanlines(decoder, &row, 1);
    }
    jpeg_finish_decompress(decoder);
    return 0;
}

void jpeg_close(struct jpeg *jpeg)
{
    if (!jpeg)
        return;
    jpeg_destroy_decompress(&jpeg->decoder);
    free(jpeg);
}
