/* SPDX-License-Identifier: MIT */
/* Publishes a moving pattern, 30 times a second: hello-writer [BUS] */
#include <framebus.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct framebus_writer *writer;

static void on_signal(int number)
{
    (void)number;
    framebus_writer_cancel(writer); /* may be called in a signal handler, unlike most functions */
}

/* Draws into the memory of the bus: readers see what is written here, in place. */
static void draw(struct framebus_frame *frame, unsigned time)
{
    for (unsigned y = 0; y < frame->format->height; y++) {
        uint8_t *pixel = (uint8_t *)frame->plane[0].data + (size_t)y * frame->plane[0].stride;

        for (unsigned x = 0; x < frame->format->width; x++, pixel += 4) {
            pixel[0] = (uint8_t)(x + time);
            pixel[1] = (uint8_t)(y - time);
            pixel[2] = (uint8_t)(x + y);
        }
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "hello";
    struct framebus_frame *frame;
    struct framebus_format format;
    int r;

    r = framebus_format_init_name(&format, "RGBx", 640, 480);
    if (r == 0)
        r = framebus_writer_open(&writer, name, &format, NULL);
    if (r == 0) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
    }
    for (unsigned time = 0; r == 0; time++) {
        r = framebus_writer_begin(writer, &frame);
        if (r == 0) {
            draw(frame, time);
            r = framebus_writer_publish(writer, frame);
            framebus_writer_release(writer, frame);
            usleep(1000000 / 30);
        }
    }
    if (r < 0 && r != -ECANCELED)
        fprintf(stderr, "hello-writer: %s\n", framebus_last_error());
    framebus_writer_close(writer);
    return r < 0 && r != -ECANCELED;
}
