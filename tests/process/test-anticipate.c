/* SPDX-License-Identifier: MIT */
/* Readers that look for a frame before it is due, and readers that do not want them all. */
#include "harness.h"

#include <pthread.h>

#define INTERVAL (5 * MS)

/* A writer that begins when the test has opened its readers, with begin(). */
static pid_t start_rhythm(const struct writing *more)
{
    struct writing writing = *more;
    writing.interval_ns = INTERVAL;
    writing.catches_up = true;
    writing.waits = true;
    return start_writer(&writing);
}

static void begin(void)
{
    atomic_store(&shared->go, 1);
}

/* ---- anticipating ---- */

static void each_frame_comes_once_and_in_order(void)
{
    static const uint32_t percents[] = {1, 20, 100};
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS,
                                                        .anticipate = percents[i]};
        atomic_store(&shared->go, 0);
        pid_t writer = start_rhythm(&(struct writing){.frames = 300, .options = {.lossless = true}});
        struct framebus_reader *rd;
        check_equal(framebus_reader_open(&rd, "bus", &options), 0);
        begin();
        for (uint64_t n = 0; n < 300; n++)
            expect_frame(rd, n, 0);
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
    }
}

static void the_writers_death_is_noticed_while_it_looks(void)
{
    const struct framebus_reader_options options = {.anticipate = 100};
    pid_t writer = start_rhythm(&(struct writing){.frames = 0});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    begin();
    for (int i = 0; i < 100; i++) {
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        framebus_reader_release(rd, f);
    }
    kill_now(writer);
    int r;
    while (!(r = framebus_reader_next(rd, &f, 10 * S)))
        framebus_reader_release(rd, f);
    check_equal(r, -EPIPE);
    framebus_reader_close(rd);
    check(!unlink(path_of("bus")));
}

static void *cancel_later(void *reader)
{
    sleep_ns(300 * MS);
    framebus_reader_cancel(reader);
    return NULL;
}

static void cancelling_is_noticed_while_it_looks(void)
{
    const struct framebus_reader_options options = {.anticipate = 100};
    pid_t writer = start_rhythm(&(struct writing){.frames = 0});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    pthread_t thread;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    begin();
    check_equal(pthread_create(&thread, NULL, cancel_later, rd), 0);
    int r;
    while (!(r = framebus_reader_next(rd, &f, -1)))
        framebus_reader_release(rd, f);
    check_equal(r, -ECANCELED);
    pthread_join(thread, NULL);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_timeout_is_kept(void)
{
    const struct framebus_reader_options options = {.anticipate = 100};
    pid_t writer = start_rhythm(&(struct writing){.frames = 100, .leaves = true});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    begin();
    int r, timeouts = 0;
    while ((r = framebus_reader_next(rd, &f, MS)) != -EPIPE) {
        check(!r || r == -ETIMEDOUT);
        timeouts += r == -ETIMEDOUT;
        framebus_reader_release(rd, f);
    }
    check(timeouts > 0);
    framebus_reader_close(rd);
    join(writer);
}

static void the_next_writer_is_followed(void)
{
    const struct framebus_reader_options options = {.anticipate = 50, .follow = true};
    pid_t writer = start_rhythm(&(struct writing){.frames = 0});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    for (int round = 0; round < 3; round++) {
        begin();
        for (int i = 0; i < 60; i++) {
            check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
            framebus_reader_release(rd, f);
        }
        kill_now(writer);
        writer = start_rhythm(&(struct writing){.frames = 0});
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void more_lookers_than_processors_all_get_their_frames(void)
{
    pid_t readers[8], writer = start_rhythm(&(struct writing){.frames = 0});
    for (int i = 0; i < 8; i++)
        readers[i] = start_reader(
            &(struct reading){.options = {.anticipate = 10}, .frames = 200, .tally = &shared->reader[i]});
    begin();
    for (int i = 0; i < 8; i++) {
        join(readers[i]);
        check_equal(shared->reader[i].frames, 200);
        check_equal(shared->reader[i].wrong, 0);
    }
    finish(writer, &shared->writer);
}

/* ---- max_rate ---- */

static void no_more_come_than_are_wanted(void)
{
    const struct framebus_reader_options options = {.max_rate = 50000}; /* of 200 */
    pid_t writer = start_rhythm(&(struct writing){.frames = 400, .leaves = true});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    begin();
    uint64_t taken = 0, seen = 0;
    int64_t first = 0, last = 0;
    while (framebus_reader_next(rd, &f, 10 * S) != -EPIPE) {
        check(f);
        check_equal(f->sequence, seen + f->missed);
        seen = f->sequence + 1;
        first = first ? first : f->publish_ns;
        last = f->publish_ns;
        taken++;
        framebus_reader_release(rd, f);
    }
    note("%llu of 400 in %lld ms", (unsigned long long)taken, (long long)((last - first) / MS));
    check(taken <= (uint64_t)((last - first) / (20 * MS)) + 2);
    check(taken >= 20); /* the machine may be slow, but some there were */
    framebus_reader_close(rd);
    join(writer);
}

/* Publishes so many frames at each step. */
static void publish_as_asked(const void *argument)
{
    (void)argument;
    const struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    uint64_t number = 0;
    for (;;) {
        step(w);
        if (shared->value[0] < 0)
            break;
        for (int64_t i = 0; i < shared->value[0]; i++)
            check_equal(publish_one(w, number++), 0);
        if (shared->value[1])
            check_equal(framebus_writer_end(w), 0);
    }
    framebus_writer_close(w);
}

static bool is_readable(struct framebus_reader *rd)
{
    struct pollfd p = {.fd = framebus_reader_fd(rd), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void who_polls_is_not_woken_for_frames_it_does_not_want(void)
{
    const struct framebus_reader_options options = {.max_rate = 10}; /* one in 100 s */
    pid_t writer = start_script(publish_as_asked, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    shared->value[0] = 1;
    go_on();
    expect_frame(rd, 0, 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    shared->value[0] = 3; /* directly after it: not a gap of a second */
    go_on();
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    if (is_readable(rd)) /* on a machine so slow that there was a gap */
        check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    for (int i = 0; i < 5; i++) {
        go_on();
        check(!is_readable(rd) || !framebus_reader_next(rd, &f, 0) || !is_readable(rd));
    }
    check_equal(framebus_reader_newest(rd, &f), 0); /* who asks for it gets it */
    check_equal(frame_number(f), 18);
    framebus_reader_release(rd, f);
    shared->value[0] = -1;
    end_script(writer);
    framebus_reader_close(rd);
}

static void the_last_frame_comes_although_it_came_too_early(void)
{
    const struct framebus_reader_options options = {.max_rate = 5000}; /* one in 200 ms */
    pid_t writer = start_script(publish_as_asked, NULL);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    shared->value[0] = 3;
    go_on();
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    uint64_t first = frame_number(f);
    framebus_reader_release(rd, f);
    if (first < 2)
        expect_frame(rd, 2, 1 - first);
    shared->value[0] = -1;
    end_script(writer);
    framebus_reader_close(rd);
}

/* It sleeps, and the frame that it does not want yet does not wake it. */
static void one_frame_that_came_too_early_comes_to_who_sleeps(void)
{
    const struct framebus_reader_options options = {.max_rate = 2000}; /* one in 500 ms */
    pid_t writer = start_rhythm(&(struct writing){.frames = 3});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    begin();
    for (uint64_t last = 0; last < 2;) {
        check_equal(framebus_reader_next(rd, &f, -1), 0); /* the test has a limit */
        last = f->sequence;
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void the_last_frame_and_the_end_are_told_whatever_was_left_out(void)
{
    const struct framebus_reader_options options = {.max_rate = 1}; /* one in 1000 s */
    pid_t writer = start_script(publish_as_asked, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    shared->value[0] = 1;
    go_on();
    expect_frame(rd, 0, 0);
    shared->value[0] = 3;
    shared->value[1] = 1;
    go_on();
    expect_frame(rd, 3, 2); /* the last one is wanted, as none follows it */
    check_equal(framebus_reader_next(rd, &f, 10 * S), -ENODATA);
    framebus_reader_close(rd);
    shared->value[0] = -1;
    end_script(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(each_frame_comes_once_and_in_order),
        PROCESS_TEST(the_writers_death_is_noticed_while_it_looks),
        PROCESS_TEST(cancelling_is_noticed_while_it_looks),
        PROCESS_TEST(a_timeout_is_kept),
        PROCESS_TEST(the_next_writer_is_followed),
        PROCESS_TEST(more_lookers_than_processors_all_get_their_frames),
        PROCESS_TEST(no_more_come_than_are_wanted),
        PROCESS_TEST(who_polls_is_not_woken_for_frames_it_does_not_want),
        PROCESS_TEST(the_last_frame_comes_although_it_came_too_early),
        PROCESS_TEST(one_frame_that_came_too_early_comes_to_who_sleeps),
        PROCESS_TEST(the_last_frame_and_the_end_are_told_whatever_was_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
