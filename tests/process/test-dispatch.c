/* SPDX-License-Identifier: MIT */
/* A writer whose sockets a thread of its program looks at: publish does not, and what it finds out in other
 * ways makes the thread's fd readable. */
#include "fake-reader.h"

static struct framebus_writer *open_writer(void)
{
    const struct framebus_writer_options options = {.poll_ns = -1};
    const struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    return w;
}

static bool is_readable(struct framebus_writer *w)
{
    return poll(&(struct pollfd){.fd = framebus_writer_fd(w), .events = POLLIN}, 1, 0) > 0;
}

static unsigned readers_of(struct framebus_writer *w)
{
    struct framebus_bus_info *info;
    check_equal(framebus_writer_get_info(w, &info), 0);
    const unsigned readers = info->readers;
    framebus_info_free(info, 1);
    return readers;
}

static void publish_alone(const void *unused)
{
    (void)unused;
    struct framebus_writer *w = open_writer();
    const uint64_t changes = framebus_writer_count_changes(w);
    uint64_t n = 0;
    shared->writer.ready = 1;
    check_soon(is_readable(w)); /* a reader knocks */
    for (const int64_t end = now_ns() + 20 * MS; now_ns() < end;)
        check_equal(publish_one(w, n++), 0);
    check_equal(readers_of(w), 0);
    check_equal(framebus_writer_count_changes(w), changes);
    check(is_readable(w));
    while (framebus_writer_count_changes(w) == changes) /* the reader may be gone again */
        check_equal(framebus_writer_dispatch(w), 0);
    serve(w, 60 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

static void publish_leaves_the_sockets_to_who_dispatches(void)
{
    const pid_t writer = spawn(publish_alone, NULL);
    check_soon(shared->writer.ready);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void evict(const void *unused)
{
    (void)unused;
    struct framebus_writer *w = open_writer();
    uint64_t n = 0;
    step(w);
    while (is_readable(w))
        check_equal(framebus_writer_dispatch(w), 0);
    const uint64_t changes = framebus_writer_count_changes(w);
    check_equal(readers_of(w), 1);
    while (readers_of(w))
        check_equal(publish_one(w, n++), 0);
    check(framebus_writer_count_changes(w) > changes);
    check_equal(publish_one(w, n), 0);
    check(is_readable(w));
    check_equal(framebus_writer_dispatch(w), 0);
    check(!is_readable(w));
    framebus_writer_close(w);
}

static void who_dispatches_hears_of_readers_that_publish_evicts(void)
{
    const pid_t writer = start_script(evict, NULL);
    struct fake_reader reader = fake_reader_attach(1, FRAMEBUS_DELIVERY_LIVE);
    for (unsigned i = 0; i < FRAMEBUS_SLOTS_MAX / 32; i++)
        set_bits_ordered(&reader.page->claims[i], ~0u);
    end_script(writer);
    fake_reader_detach(&reader);
    close(reader.socket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(publish_leaves_the_sockets_to_who_dispatches),
        PROCESS_TEST(who_dispatches_hears_of_readers_that_publish_evicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
