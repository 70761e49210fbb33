/* SPDX-License-Identifier: MIT */
/* Waits for a bus and prints a line for each frame: hello-reader [BUS [FRAMES]] */
#include <framebus.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct framebus_reader *reader;

static void on_signal(int number)
{
    (void)number;
    framebus_reader_cancel(reader); /* may be called in a signal handler, unlike most functions */
}

/* The frame is not copied: its bytes are in the memory that the writer wrote them to. */
static void print(const struct framebus_frame *frame)
{
    const uint8_t *data = frame->data;
    char format[64];

    printf("frame %" PRIu64 ", %s, first bytes %02x %02x %02x, %" PRId64 " us old", frame->sequence,
           framebus_format_describe(frame->format, format, sizeof(format)), data[0], data[1], data[2],
           (framebus_now() - frame->publish_ns) / 1000);
    if (frame->missed)
        printf(", %" PRIu64 " missed before it", frame->missed);
    putchar('\n');
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "hello";
    long count = argc > 2 ? atol(argv[2]) : -1;
    struct framebus_reader_options options = {.wait_ns = -1}; /* no limit */
    struct framebus_frame *frame;
    int r;

    do
        r = framebus_reader_open(&reader, name, &options);
    while (r == -EINTR);
    if (r == 0) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
    }
    while (r == 0 && count-- != 0) {
        do
            r = framebus_reader_next(reader, &frame, -1);
        while (r == -EINTR); /* a signal: Ctrl-C has cancelled, so the next call says; fg has not */
        if (r == 0) {
            print(frame);
            framebus_reader_release(reader, frame);
        }
    }
    if (r == -ENODATA || r == -EPIPE)
        fprintf(stderr, "hello-reader: the writer is gone\n");
    else if (r < 0 && r != -ECANCELED)
        fprintf(stderr, "hello-reader: %s\n", framebus_last_error());
    framebus_reader_close(reader);
    return r < 0 && r != -ECANCELED;
}
