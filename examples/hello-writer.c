/* SPDX-License-Identifier: MIT */
/* Publishes a moving pattern, 30 times a second: hello-writer [BUS] */
#include <framebus.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* The frame's memory is the bus itself: what is written here is what the readers see. */
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
    struct framebus_writer *writer = NULL;
    struct framebus_frame *frame;
    struct framebus_format format;
    int r;

    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    r = framebus_format_init(&format, framebus_format_by_name("RGBx")->fourcc, 640, 480);
    if (r == 0)
        r = framebus_writer_open(&writer, name, &format, NULL);
    for (unsigned time = 0; r == 0 && !stop; time++) {
        r = framebus_writer_begin(writer, &frame);
        if (r == 0) {
            draw(frame, time);
            r = framebus_writer_publish(writer, frame);
            framebus_writer_release(writer, frame);
            usleep(1000000 / 30);
        }
    }
    if (r < 0)
        fprintf(stderr, "hello-writer: %s\n", framebus_last_error());
    framebus_writer_close(writer);
    return r < 0;
}
