/* SPDX-License-Identifier: MIT */
/* What a user of libuv writes first: libuv BUS FRAMES. The fd from open on, one next for each callback. */
#include <framebus.h>

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static long left;

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct framebus_frame *frame;

    (void)status, (void)events;
    if (framebus_reader_next(poll->data, &frame, 0) < 0)
        return;
    printf("%llu %llu\n", (unsigned long long)frame->sequence, (unsigned long long)frame->missed);
    framebus_reader_release(poll->data, frame);
    if (--left == 0)
        uv_stop(poll->loop);
}

int main(int argc, char **argv)
{
    struct framebus_reader *reader;
    uv_poll_t poll;

    if (argc != 3 || framebus_reader_open(&reader, argv[1], NULL) < 0) {
        fprintf(stderr, "%s\n", framebus_last_error());
        return 1;
    }
    left = atol(argv[2]);
    poll.data = reader;
    uv_poll_init(uv_default_loop(), &poll, framebus_reader_fd(reader));
    uv_poll_start(&poll, UV_READABLE, on_readable);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    framebus_reader_close(reader);
    return 0;
}
