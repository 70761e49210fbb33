/* SPDX-License-Identifier: MIT */
/*
 * One half of a pair, built for another ABI together with the library: abi-peer write|read BUS MEMORY
 * FRAMES. Frames carry their number and a checksum of all their bytes; the reader must get all of them.
 */
#include "framebus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_SUM  0x4d5553u
#define TAG_LAST 0x4c4153u
#define PATIENCE INT64_C(20000000000)

static int failed(const char *what, int r)
{
    fprintf(stderr, "# abi-peer (%d bits): %s: %d (%s)\n", (int)(8 * sizeof(void *)), what, r,
            framebus_last_error());
    return 1;
}

static uint64_t sum_of(const struct framebus_frame *f, uint64_t number)
{
    const uint8_t *bytes = f->data;
    uint64_t sum = number ^ f->size;
    for (uint64_t i = 0; i < f->size; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

/* The second half has another format, so that both sides go through a change of pool. */
static int describe(struct framebus_format *format, unsigned half)
{
    int r = framebus_format_init(format, framebus_format_by_name(half ? "NV12" : "GRAY8")->fourcc, 130, 50);
    format->rate_num = 30;
    format->rate_den = 1;
    format->caps = half ? "video/x-raw, half=(int)2" : NULL;
    return r;
}

static int serve(struct framebus_writer *w, bool until_there_are_readers)
{
    for (int i = 0; i < 20000; i++) {
        struct framebus_bus_info *info;
        struct pollfd wait = {.fd = framebus_writer_fd(w), .events = POLLIN};
        poll(&wait, 1, 1);
        int r = framebus_writer_dispatch(w);
        if (!r)
            r = framebus_writer_get_info(w, &info);
        if (r)
            return r;
        bool readers = info->readers;
        framebus_info_free(info, 1);
        if (readers == until_there_are_readers)
            return 0;
    }
    return -ETIMEDOUT;
}

static int write_all(const char *bus, enum framebus_memory memory, uint64_t frames)
{
    const struct framebus_writer_options options = {
        .memory = memory, .lossless = true, .lossless_timeout_ns = PATIENCE};
    struct framebus_format format;
    struct framebus_writer *w;
    int r = describe(&format, 0);
    if (!r)
        r = framebus_writer_open(&w, bus, &format, &options);
    if (r)
        return failed("open", r);
    printf("ready\n");
    fflush(stdout);
    r = serve(w, true);
    for (uint64_t n = 0; !r && n < frames; n++) {
        struct framebus_frame *f;
        if (n == frames / 2 && !(r = describe(&format, 1)))
            r = framebus_writer_set_format(w, &format);
        if (!r)
            r = framebus_writer_begin(w, &f);
        if (r)
            break;
        f->capture_ns = (int64_t)(1000 + n);
        f->flags = FRAMEBUS_FRAME_MARKER;
        for (uint64_t i = 0; i < f->size; i++)
            ((uint8_t *)f->data)[i] = (uint8_t)(n * 31 + i * 7);
        uint64_t sum = sum_of(f, n);
        r = framebus_frame_add_meta(f, TAG_SUM, &sum, sizeof sum);
        if (!r)
            r = framebus_frame_add_meta(f, TAG_LAST, "last", 4);
        if (!r)
            r = framebus_writer_publish(w, f);
        framebus_writer_release(w, f);
    }
    if (!r)
        r = framebus_writer_end(w);
    if (!r)
        r = serve(w, false);
    framebus_writer_close(w);
    return r ? failed("write", r) : 0;
}

static int check(const struct framebus_frame *f, uint64_t n)
{
    uint64_t sum;
    size_t size, last;
    const void *meta = framebus_frame_get_meta(f, TAG_SUM, 0, &size);
    const void *end = framebus_frame_get_meta(f, TAG_LAST, 0, &last);
    if (!meta || size != sizeof sum || !end || last != 4 || memcmp(end, "last", 4) != 0)
        return failed("metadata", (int)n);
    memcpy(&sum, meta, sizeof sum);
    if (f->sequence != n || f->missed || sum != sum_of(f, n))
        return failed("frame", (int)n);
    if (f->capture_ns != (int64_t)(1000 + n) || f->flags != FRAMEBUS_FRAME_MARKER)
        return failed("record", (int)n);
    return 0;
}

static int read_all(const char *bus, uint64_t frames)
{
    const struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LOSSLESS, .wait_ns = PATIENCE, .quota = 3};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    uint64_t n = 0;
    int r = framebus_reader_open(&rd, bus, &options);
    if (r)
        return failed("open", r);
    while (!(r = framebus_reader_next(rd, &f, PATIENCE))) {
        int bad = check(f, n);
        framebus_reader_release(rd, f);
        if (bad)
            return bad;
        n++;
    }
    if (r != -ENODATA || n != frames)
        return failed("end", r);
    framebus_reader_close(rd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    uint64_t frames = strtoull(argv[4], NULL, 10);
    if (!strcmp(argv[1], "write"))
        return write_all(argv[2], (enum framebus_memory)atoi(argv[3]), frames);
    return read_all(argv[2], frames);
}
