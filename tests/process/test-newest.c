/* SPDX-License-Identifier: MIT */
/* The newest frame, whether it was delivered before or not. */
#include "harness.h"

#include <pthread.h>

static void expect_newest(struct framebus_reader *rd, uint64_t number, uint64_t missed)
{
    struct framebus_frame *f;
    check_equal(framebus_reader_newest(rd, &f), 0);
    check_equal(frame_number(f), number);
    check_equal(f->sequence, number);
    check_equal(f->missed, missed);
    framebus_reader_release(rd, f);
}

/* A writer that publishes as many frames at each step as the test asks for, until it asks for -1. */
static void publish_as_asked(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    const struct framebus_format format = small();
    struct framebus_writer *w;
    int64_t published = 0;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    for (;;) {
        step(w);
        if (shared->value[0] < 0)
            break;
        for (int64_t end = published + shared->value[0]; published < end; published++)
            check_equal(publish_one(w, published), 0);
    }
    framebus_writer_close(w);
}

static void publish_more(int64_t frames)
{
    shared->value[0] = frames;
    go_on();
}

static pid_t start_asked(uint32_t history)
{
    return start_script(publish_as_asked, &(struct framebus_writer_options){.history = history});
}

static void end_asked(pid_t pid)
{
    shared->value[0] = -1;
    end_script(pid);
}

static void older_frames_are_left_out_and_the_newest_comes_again_and_again(void)
{
    pid_t writer = start_asked(8);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    struct framebus_reader_stats stats;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_newest(rd, &f), -ETIMEDOUT);
    check(!f);
    publish_more(1);
    expect_frame(rd, 0, 0);
    expect_newest(rd, 0, 0);
    publish_more(4);
    expect_newest(rd, 4, 3);
    expect_newest(rd, 4, 0);
    expect_newest(rd, 4, 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT); /* it was delivered */
    publish_more(3);
    expect_frame(rd, 5, 0);
    expect_newest(rd, 7, 1);
    publish_more(20);
    expect_newest(rd, 27, 19);
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.delivered, 5);
    check_equal(stats.missed, 23);
    check_equal(stats.held, 0);
    framebus_reader_close(rd);
    end_asked(writer);
}

static void there_is_always_one_however_fast_they_come(void)
{
    pid_t writer = start_writer(&(struct writing){.options = {.history = 1}, .interval_ns = MS / 10});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    uint64_t newest = 0, again = 0;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    for (int64_t end = now_ns() + 500 * MS; now_ns() < end;) {
        check_equal(framebus_reader_newest(rd, &f), 0);
        check_equal(frame_number(f), f->sequence);
        check(f->sequence >= newest);
        again += f->sequence == newest;
        newest = f->sequence;
        framebus_reader_release(rd, f);
    }
    check(again && newest > 10);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_frame_that_is_held_comes_again_and_counts_once(void)
{
    pid_t writer = start_asked(1);
    struct framebus_reader *rd;
    struct framebus_frame *f[4];
    struct framebus_reader_stats stats;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 1}), 0);
    publish_more(1);
    check_equal(framebus_reader_next(rd, &f[0], 10 * S), 0);
    for (int i = 1; i < 4; i++) {
        check_equal(framebus_reader_newest(rd, &f[i]), 0);
        check(f[i] == f[0]);
    }
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.held, 1);
    check_equal(stats.delivered, 1);
    publish_more(100); /* more than there are slots */
    for (int i = 0; i < 4; i++) {
        check_equal(frame_number(f[i]), 0);
        framebus_reader_release(rd, f[i]);
    }
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.held, 0);
    expect_newest(rd, 100, 99);
    framebus_reader_close(rd);
    end_asked(writer);
}

static void a_full_quota_leaves_nothing_out(void)
{
    pid_t writer = start_asked(8);
    struct framebus_reader *rd;
    struct framebus_frame *f, *held;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 1}), 0);
    int fd = framebus_reader_fd(rd);
    publish_more(1);
    check_equal(framebus_reader_newest(rd, &held), 0);
    publish_more(3);
    check_fails(framebus_reader_newest(rd, &f), EBUSY, "release one first");
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    check_equal(poll(&wait, 1, 0), 0);
    framebus_reader_release(rd, held);
    check_equal(poll(&wait, 1, 20000), 1);
    expect_frame(rd, 1, 0);
    expect_newest(rd, 3, 1);
    framebus_reader_close(rd);
    end_asked(writer);
}

static void the_end_and_the_death_of_a_writer_are_told_as_ever(void)
{
    for (int dies = 0; dies < 2; dies++) {
        pid_t writer = start_asked(4);
        struct framebus_reader *rd;
        struct framebus_frame *f, *kept;
        int r;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        publish_more(3);
        check_equal(framebus_reader_next(rd, &kept, 10 * S), 0);
        framebus_reader_release(rd, kept);
        check_equal(framebus_reader_newest(rd, &kept), 0);
        check_equal(frame_number(kept), 2);
        publish_more(1);
        if (dies)
            kill_now(writer);
        else
            end_asked(writer);
        expect_newest(rd, 3, 0);
        check_soon((r = framebus_reader_newest(rd, &f)) || (framebus_reader_release(rd, f), false));
        check_equal(r, -EPIPE);
        check_equal(frame_number(kept), 2);
        framebus_reader_close(rd);
        check_equal(frame_number(kept), 2);
        framebus_reader_release(rd, kept);
        if (dies)
            check_equal(framebus_remove("bus", NULL, NULL), 1);
    }
}

static void change_format(const void *argument)
{
    (void)argument;
    const struct framebus_format formats[] = {small(), picture("GRAY8", 320, 240)};
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &formats[0], NULL), 0);
    check_equal(publish_one(w, 0), 0);
    step(w);
    check_equal(framebus_writer_set_format(w, &formats[1]), 0);
    step(w);
    check_equal(publish_one(w, 1), 0);
    step(w);
    check_equal(framebus_writer_end(w), 0);
    step(w);
    framebus_writer_close(w);
}

static void a_change_of_format_leaves_the_old_frames_behind(void)
{
    pid_t writer = start_script(change_format, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 0, 0);
    expect_newest(rd, 0, 0);
    go_on();
    check_soon((r = framebus_reader_newest(rd, &f)) || (framebus_reader_release(rd, f), false));
    check_equal(r, -ETIMEDOUT); /* no frame of the new format yet */
    go_on();
    check_soon(!(r = framebus_reader_newest(rd, &f)) || r != -ETIMEDOUT);
    check_equal(r, 0);
    check_equal(f->format->width, 320);
    framebus_reader_release(rd, f);
    expect_newest(rd, 1, 0);
    go_on();
    check_soon((r = framebus_reader_newest(rd, &f)) || (framebus_reader_release(rd, f), false));
    check_equal(r, -ENODATA);
    check_equal(framebus_reader_newest(rd, &f), -ETIMEDOUT);
    framebus_reader_close(rd);
    end_script(writer);
}

static void frames_in_hand_outlive_the_reader(void)
{
    pid_t writer = start_asked(4);
    struct framebus_reader *rd;
    struct framebus_frame *f[2];
    publish_more(1);
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f[0], 10 * S), 0);
    check_equal(framebus_reader_newest(rd, &f[1]), 0);
    framebus_reader_close(rd);
    framebus_reader_release(rd, f[0]);
    check_equal(frame_number(f[1]), 0);
    framebus_reader_release(rd, f[1]);
    end_asked(writer);
}

static _Atomic(struct framebus_frame *) handed_over;

static void *release_what_is_handed_over(void *reader)
{
    while (!shared->go) {
        struct framebus_frame *f = atomic_exchange(&handed_over, NULL);
        if (f)
            framebus_reader_release(reader, f);
    }
    return NULL;
}

/* The same frame, over and over, comes while another thread gives it back. */
static void another_thread_may_release_while_the_frame_comes_again(void)
{
    pid_t writer = start_writer(&(struct writing){.options = {.history = 2}, .interval_ns = 2 * MS});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    pthread_t thread;
    uint64_t newest = 0, again = 0;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check(!pthread_create(&thread, NULL, release_what_is_handed_over, rd));
    for (int64_t end = now_ns() + 500 * MS; now_ns() < end;) {
        int r = framebus_reader_newest(rd, &f);
        check(!r || r == -ETIMEDOUT || r == -EBUSY);
        if (r)
            continue;
        check_equal(frame_number(f), f->sequence);
        check(f->sequence >= newest);
        again += f->sequence == newest;
        newest = f->sequence;
        f = atomic_exchange(&handed_over, f);
        if (f)
            framebus_reader_release(rd, f);
    }
    shared->go = 1;
    check(!pthread_join(thread, NULL));
    f = atomic_exchange(&handed_over, NULL);
    if (f)
        framebus_reader_release(rd, f);
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.held, 0);
    check(again && stats.delivered > 10);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(older_frames_are_left_out_and_the_newest_comes_again_and_again),
        PROCESS_TEST(there_is_always_one_however_fast_they_come),
        PROCESS_TEST(a_frame_that_is_held_comes_again_and_counts_once),
        PROCESS_TEST(a_full_quota_leaves_nothing_out),
        PROCESS_TEST(the_end_and_the_death_of_a_writer_are_told_as_ever),
        PROCESS_TEST(a_change_of_format_leaves_the_old_frames_behind),
        PROCESS_TEST(frames_in_hand_outlive_the_reader),
        PROCESS_TEST(another_thread_may_release_while_the_frame_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
