/* SPDX-License-Identifier: MIT */
/* Key frames that readers need or ask for, and what their writer hears of it. */
#include "fake-reader.h"

/* In shared->value */
#define TOLD     (shared->value[1]) /* how often the writer was told to make a key frame */
#define LEAST_NS (shared->value[2]) /* between two of these times */
#define ASKS     40

static struct framebus_writer *open_writer(uint64_t size)
{
    struct framebus_format format;
    struct framebus_writer *w;
    check_equal(framebus_format_init_opaque(&format, "video/x-h264", size), 0);
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    return w;
}

static struct framebus_reader *open_reader(void)
{
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    return rd;
}

static void publish(struct framebus_writer *w, uint64_t size, uint32_t flags)
{
    struct framebus_frame *f;
    check_equal(framebus_writer_begin_size(w, size, &f), 0);
    f->size = size;
    f->flags = flags;
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
}

static void take_one(struct framebus_reader *rd, uint32_t flags)
{
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
    check_equal(f->flags, flags);
    framebus_reader_release(rd, f);
}

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0;
}

/* ---- how often ---- */

/* An encoder that gives no key frame, whatever it is told. */
static void write_deltas(const void *unused)
{
    (void)unused;
    struct framebus_writer *w = open_writer(100);
    int64_t told_at = 0;
    shared->writer.ready = 1;
    while (!shared->writer.stop) {
        const int64_t before = now_ns();
        if (framebus_writer_wants_key_frame(w)) {
            const int64_t since = now_ns() - told_at;
            if (TOLD && (!LEAST_NS || since < LEAST_NS))
                LEAST_NS = since;
            told_at = before;
            TOLD++;
        }
        publish(w, 100, FRAMEBUS_FRAME_DELTA);
        serve(w, MS, NULL);
    }
    framebus_writer_close(w);
}

static pid_t start_deltas(void)
{
    const pid_t writer = spawn(write_deltas, NULL);
    check_soon(shared->writer.ready);
    return writer;
}

static void end_deltas(pid_t writer)
{
    finish(writer, &shared->writer);
    check(LEAST_NS == 0 || LEAST_NS >= S);
}

static void many_requests_are_told_once_a_second(void)
{
    const pid_t writer = start_deltas();
    check_equal(TOLD, 0);
    struct framebus_reader *rd = open_reader();
    check_soon(TOLD == 1); /* it has come */
    for (int i = 0; i < ASKS; i++) {
        framebus_reader_request_key_frame(rd);
        take_one(rd, FRAMEBUS_FRAME_DELTA);
    }
    check_soon(TOLD >= 2); /* what was asked within the second is not forgotten */
    framebus_reader_request_key_frame(rd);
    check_soon(TOLD >= 3);
    framebus_reader_close(rd);
    end_deltas(writer);
}

static void a_reader_that_misses_frames_need_not_ask(void)
{
    const pid_t writer = start_deltas();
    struct framebus_reader *rd = open_reader();
    struct framebus_frame *f;
    take_one(rd, FRAMEBUS_FRAME_DELTA);
    check_soon(TOLD == 1);
    do { /* it takes a frame now and then */
        check_equal(framebus_reader_newest(rd, &f), 0);
        framebus_reader_release(rd, f);
        sleep_ns(MS);
    } while (TOLD == 1);
    framebus_reader_close(rd);
    end_deltas(writer);
}

static void a_page_that_always_asks_is_told_no_more_often(void)
{
    const pid_t writer = start_deltas();
    struct fake_reader reader = fake_reader_attach(1, FRAMEBUS_DELIVERY_LIVE);
    while (TOLD < 3) {
        store_relaxed(&reader.page->key_requests, load_relaxed(&reader.page->key_requests) + 0x70000001);
        store_relaxed(&reader.page->missed.low, load_relaxed(&reader.page->missed.low) + 0x70000001);
        check(!has_ended(writer));
    }
    fake_reader_detach(&reader);
    close(reader.socket);
    end_deltas(writer);
}

/* ---- which ---- */

static void write_a_script(const void *unused)
{
    (void)unused;
    struct framebus_writer *w = open_writer(100);
    const int fd = framebus_writer_fd(w);
    check(!framebus_writer_wants_key_frame(w));
    step(w);
    publish(w, 100, FRAMEBUS_FRAME_HEADER); /* no picture yet */
    publish(w, 100, 0);
    check(!framebus_writer_wants_key_frame(w)); /* the one that has come has its key frame */
    step(w);
    publish(w, 100, FRAMEBUS_FRAME_DELTA);
    check(is_readable(fd));
    check_equal(framebus_writer_dispatch(w), 0);
    check(!is_readable(fd));
    check(framebus_writer_wants_key_frame(w)); /* the one that has asked has not */
    check(!framebus_writer_wants_key_frame(w));
    publish(w, 100, FRAMEBUS_FRAME_DELTA);
    check(!is_readable(fd));
    step(w);
    framebus_writer_close(w);
}

static void a_key_frame_answers_all_that_wait_for_one(void)
{
    const pid_t writer = start_script(write_a_script, NULL);
    struct framebus_reader *rd = open_reader();
    go_on();
    take_one(rd, FRAMEBUS_FRAME_HEADER);
    take_one(rd, 0);
    framebus_reader_request_key_frame(rd);
    go_on();
    take_one(rd, FRAMEBUS_FRAME_DELTA);
    end_script(writer);
    framebus_reader_request_key_frame(rd); /* nobody is there */
    framebus_reader_close(rd);
}

static void grow_a_pool(const void *unused)
{
    (void)unused;
    struct framebus_writer *w = open_writer(100);
    step(w);
    publish(w, 100, 0);
    step(w);
    publish(w, 1000000, 0); /* in another pool, to which the reader has not come yet */
    step(w);
    publish(w, 100, FRAMEBUS_FRAME_DELTA);
    check(framebus_writer_wants_key_frame(w));
    framebus_writer_close(w);
}

static void a_request_between_two_pools_is_not_lost(void)
{
    const pid_t writer = start_script(grow_a_pool, NULL);
    struct framebus_reader *rd = open_reader();
    go_on();
    take_one(rd, 0);
    go_on();
    framebus_reader_request_key_frame(rd);
    take_one(rd, 0);
    end_script(writer);
    framebus_reader_close(rd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(many_requests_are_told_once_a_second),
        PROCESS_TEST(a_reader_that_misses_frames_need_not_ask),
        PROCESS_TEST(a_page_that_always_asks_is_told_no_more_often),
        PROCESS_TEST(a_key_frame_answers_all_that_wait_for_one),
        PROCESS_TEST(a_request_between_two_pools_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
