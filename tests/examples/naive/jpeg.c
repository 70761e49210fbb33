/* SPDX-License-Identifier: MIT */
/* What somebody with a JPEG camera writes first: jpeg BUS FILE... Decodes each picture into a slot, whatever
 * its size is, with a capture time and its file's name as metadata; again and again, at 30 pictures a second.
 */
#include <framebus.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h> /* after stdio.h */

#define TAG_FILE ('f' | 'i' << 8 | 'l' << 16 | 'e' << 24)

static int publish(struct framebus_writer *writer, const char *path)
{
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct framebus_format format;
    struct framebus_frame *frame;
    FILE *file = fopen(path, "rb");
    int r;

    if (!file)
        return -1;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg);

    framebus_format_init_name(&format, "RGB", jpeg.output_width, jpeg.output_height);
    r = framebus_writer_set_format(writer, &format);
    if (r == 0)
        r = framebus_writer_begin(writer, &frame);
    if (r == 0) {
        frame->capture_ns = framebus_now();
        framebus_frame_add_meta(frame, TAG_FILE, path, strlen(path));
        while (jpeg.output_scanline < jpeg.output_height) {
            JSAMPROW row = (JSAMPROW)frame->plane[0].data + jpeg.output_scanline * frame->plane[0].stride;
            jpeg_read_scanlines(&jpeg, &row, 1);
        }
        r = framebus_writer_publish(writer, frame);
        framebus_writer_release(writer, frame);
    }
    jpeg_destroy_decompress(&jpeg);
    fclose(file);
    return r;
}

int main(int argc, char **argv)
{
    struct framebus_writer *writer;

    if (argc < 3 || framebus_writer_open(&writer, argv[1], NULL, NULL) < 0) {
        fprintf(stderr, "%s\n", framebus_last_error());
        return 1;
    }
    for (int i = 0;; i = (i + 1) % (argc - 2)) {
        if (publish(writer, argv[2 + i]) < 0) {
            fprintf(stderr, "%s: %s\n", argv[2 + i], framebus_last_error());
            return 1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000000 / 30}, NULL);
    }
}
