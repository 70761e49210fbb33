/* SPDX-License-Identifier: MIT */
/* Live, latest, lossless: who misses what, who waits for whom, and for how long. */
#include "harness.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 20000
#else
#define MANY 100000
#endif

/* ---- live and latest ---- */

static void publish_in_steps(const void *argument)
{
    const uint32_t *counts = argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    uint64_t n = 0;
    check_equal(framebus_writer_open(&w, "bus", &format, &(struct framebus_writer_options){.history = 4}), 0);
    step(w);
    for (; *counts; counts++) {
        for (uint32_t i = 0; i < *counts; i++)
            check_equal(publish_one(w, n++), 0);
        step(w);
    }
    framebus_writer_close(w);
}

static void a_live_reader_misses_the_oldest_and_is_told_how_many(void)
{
    pid_t writer = start_script(publish_in_steps, (uint32_t[]){1, 100, 4, 5, 0});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    go_on();
    expect_frame(rd, 0, 0);
    go_on();
    expect_frame(rd, 97, 96); /* of 1..100 the last four are left */
    for (uint64_t n = 98; n <= 100; n++)
        expect_frame(rd, n, 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    go_on();
    for (uint64_t n = 101; n <= 104; n++)
        expect_frame(rd, n, 0);
    go_on();
    expect_frame(rd, 106, 1);
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.missed, 97);
    check_equal(stats.delivered, 10);
    check_equal(stats.history, 4);
    end_script(writer);
    for (uint64_t n = 107; n <= 109; n++)
        expect_frame(rd, n, 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), -EPIPE);
    framebus_reader_close(rd);
}

static void a_latest_reader_gets_only_the_newest(void)
{
    pid_t writer = start_script(publish_in_steps, (uint32_t[]){1, 3, 50, 1, 2, 0});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct framebus_reader_options latest = {.delivery = FRAMEBUS_DELIVERY_LATEST};
    check_equal(framebus_reader_open(&rd, "bus", &latest), 0);
    go_on();
    expect_frame(rd, 0, 0);
    go_on();
    expect_frame(rd, 3, 2);
    go_on();
    expect_frame(rd, 53, 49);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    go_on();
    expect_frame(rd, 54, 0);
    go_on();
    end_script(writer);
    expect_frame(rd, 56, 1);
    check_equal(framebus_reader_next(rd, &f, 10 * S), -EPIPE);
    framebus_reader_close(rd);
}

static void what_live_readers_got_and_missed_is_what_was_published(void)
{
    const struct writing writing = {
        .options = {.history = 3}, .frames = 30000, .waits = true, .leaves = true};
    pid_t writer = start_writer(&writing);
    pid_t readers[4];
    for (int i = 0; i < 4; i++)
        readers[i] = start_reader(&(struct reading){
            .options = {.delivery = i == 3 ? FRAMEBUS_DELIVERY_LATEST : FRAMEBUS_DELIVERY_LIVE},
            .hold_ns = i * MS / 2,
            .tally = &shared->reader[i]});
    shared->go = 1;
    join(writer);
    for (int i = 0; i < 4; i++) {
        join(readers[i]);
        check_equal(shared->reader[i].result, -EPIPE);
        check_equal(shared->reader[i].wrong, 0);
        check_equal(shared->reader[i].last, 29999);
        note("reader %d: %llu delivered, %llu missed", i, (unsigned long long)shared->reader[i].frames,
             (unsigned long long)shared->reader[i].missed);
        check_equal(shared->reader[i].frames + shared->reader[i].missed, 30000);
    }
}

/* ---- lossless ---- */

static void a_lossless_reader_misses_nothing_in_very_many_frames(void)
{
    struct framebus_format tiny = picture("GRAY8", 16, 16);
    const struct writing writing = {.format = tiny,
                                    .options = {.lossless = true, .lossless_timeout_ns = 30 * S},
                                    .frames = MANY,
                                    .waits = true,
                                    .leaves = true};
    pid_t writer = start_writer(&writing);
    pid_t readers[2];
    for (int i = 0; i < 2; i++)
        readers[i] = start_reader(
            &(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS, .spin_ns = i * MS},
                              .tally = &shared->reader[i]});
    shared->go = 1;
    for (int i = 0; i < 2; i++) {
        join(readers[i]);
        check_equal(shared->reader[i].frames, MANY);
        check_equal(shared->reader[i].missed, 0);
        check_equal(shared->reader[i].wrong, 0);
    }
    join(writer);
}

static void a_lossless_writer_waits_for_a_slow_reader_without_polling(void)
{
    const struct writing writing = {
        .options = {.history = 2, .lossless = true, .lossless_timeout_ns = 60 * S},
        .frames = 200,
        .waits = true};
    pid_t writer = start_writer(&writing);
    pid_t reader = start_reader(
        &(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}, .hold_ns = 3 * MS});
    shared->go = 1;
    check_soon(shared->reader[0].frames >= 3);
    check(shared->writer.frames <= shared->reader[0].frames + 20);
    check_soon(shared->reader[0].frames == 200);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].missed, 0);
    finish(writer, &shared->writer);

    /* Now with one that has stopped for good: not a single wake-up until it goes on. */
    shared->go = 0;
    writer = start_writer(&writing);
    reader = start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}});
    stop_now(reader);
    shared->go = 1;
    check_soon(shared->writer.frames >= 2);
    sleep_ns(100 * MS);
    uint64_t stands_at = shared->writer.frames, sleeps = sleeps_of(writer);
    sleep_ns(500 * MS);
    check_equal(shared->writer.frames, stands_at);
    check_equal(sleeps_of(writer), sleeps);
    check(!kill(reader, SIGCONT));
    check_soon(shared->reader[0].frames == 200);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].missed, 0);
    finish(writer, &shared->writer);
}

static void a_lossless_reader_that_lets_the_limit_pass_is_made_live(void)
{
    const struct writing writing = {
        .options = {.history = 4, .lossless = true, .lossless_timeout_ns = 300 * MS}, .interval_ns = MS};
    pid_t writer = start_writer(&writing);
    pid_t reader = start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}});
    pid_t other = start_reader(
        &(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}, .tally = &shared->reader[1]});
    check_soon(shared->reader[0].frames > 5 && shared->reader[1].frames > 5);
    check_equal(shared->reader[0].delivery, FRAMEBUS_DELIVERY_LOSSLESS);
    stop_now(reader);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 200);
    check(shared->writer.longest_ns >= 300 * MS);
    struct framebus_bus_info *info;
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->readers, 2);
    for (int i = 0; i < 2; i++)
        check_equal(info->reader[i].delivery,
                    info->reader[i].pid == reader ? FRAMEBUS_DELIVERY_LIVE : FRAMEBUS_DELIVERY_LOSSLESS);
    framebus_info_free(info, 1);
    check(!kill(reader, SIGCONT));
    check_soon(shared->reader[0].last > now + 200);
    check_soon(shared->reader[0].delivery == FRAMEBUS_DELIVERY_LIVE);
    finish(reader, &shared->reader[0]);
    check(shared->reader[0].missed > 100);
    check_equal(shared->reader[0].wrong, 0);
    finish(other, &shared->reader[1]);
    check_equal(shared->reader[1].missed, 0); /* lossless it stays */
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void a_lossless_writer_goes_on_at_once_when_the_one_it_waits_for_is_killed(void)
{
    const struct writing writing = {.options = {.lossless = true, .lossless_timeout_ns = -1},
                                    .interval_ns = MS};
    pid_t writer = start_writer(&writing);
    for (int round = 0; round < 5; round++) {
        pid_t reader = start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}});
        check_soon(shared->reader[0].frames > 2);
        stop_now(reader);
        sleep_ns(50 * MS);
        uint64_t stands_at = shared->writer.frames;
        kill_now(reader);
        check_soon(shared->writer.frames > stands_at + 10);
    }
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void a_lossless_writer_does_not_wait_for_live_readers(void)
{
    pid_t writer = start_writer(
        &(struct writing){.options = {.lossless = true, .lossless_timeout_ns = -1}, .interval_ns = MS});
    pid_t reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 2);
    stop_now(reader);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 100);
    kill_now(reader);
    finish(writer, &shared->writer);
}

static void lossless_delivery_needs_a_lossless_writer(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = MS});
    struct framebus_reader *rd;
    const struct framebus_reader_options lossless = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    check_fails(framebus_reader_open(&rd, "bus", &lossless), EOPNOTSUPP, "not lossless");
    check(!rd);
    finish(writer, &shared->writer);
}

/* ---- cancelling ---- */

static void begin_until_cancelled(const void *argument)
{
    const int *cancel = argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    uint64_t n = 0;
    int r;
    const struct framebus_writer_options options = {
        .lossless = true, .lossless_timeout_ns = -1, .cancel_fd = cancel[0]};
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    step(w);
    while (!(r = publish_one(w, n)))
        shared->writer.frames = ++n;
    check_equal(r, -ECANCELED);
    check(strstr(framebus_last_error(), "cancelled"));
    check_equal(publish_one(w, n), -ECANCELED); /* as long as it is readable */
    step(w);
    char byte;
    check(read(cancel[0], &byte, 1) == 1);
    check_equal(publish_one(w, n), 0);
    step(w);
    framebus_writer_close(w);
}

static void begin_is_cancelled_by_a_file_descriptor(void)
{
    int cancel[2];
    check(!pipe(cancel));
    pid_t writer = start_script(begin_until_cancelled, cancel);
    pid_t reader = start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}});
    stop_now(reader);
    shared->go++;
    check_soon(shared->writer.frames >= 4);
    sleep_ns(50 * MS);
    uint64_t stands_at = shared->writer.frames;
    check(write(cancel[1], "x", 1) == 1);
    check_soon(shared->done > shared->go);
    check_equal(shared->writer.frames, stands_at);
    kill_now(reader);
    go_on();
    end_script(writer);
    close(cancel[0]);
    close(cancel[1]);
}

struct cancelling {
    struct framebus_reader_options options;
    bool in_open;
};

static void wait_until_cancelled(const void *argument)
{
    const struct cancelling *how = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    shared->reader[0].pid = getpid();
    int r = framebus_reader_open(&rd, "bus", &how->options);
    if (how->in_open) {
        check_equal(r, -ECANCELED);
        check(!rd);
    } else {
        check_equal(r, 0);
        shared->reader[0].ready = 1;
        check_fails(framebus_reader_next(rd, &f, -1), ECANCELED, "cancelled");
        check_equal(framebus_reader_next(rd, &f, -1), -ECANCELED);
        framebus_reader_close(rd);
    }
}

static void next_and_open_are_cancelled_by_a_file_descriptor(void)
{
    int cancel[2];
    check(!pipe(cancel));
    const struct cancelling ways[] = {
        {.options = {.cancel_fd = cancel[0]}},                 /* waits for a frame */
        {.options = {.cancel_fd = cancel[0], .follow = true}}, /* for a writer */
        {.options = {.cancel_fd = cancel[0], .wait_ns = -1}, .in_open = true},
        {.options = {.cancel_fd = cancel[0], .wait_ns = 60 * S, .follow = true}, .in_open = true},
    };
    for (int i = 0; i < 4; i++) {
        pid_t writer = 0;
        memset(shared, 0, sizeof *shared);
        if (i == 0)
            writer = start_writer(&(struct writing){.waits = true});
        pid_t reader = spawn(wait_until_cancelled, &ways[i]);
        check_soon(ways[i].in_open ? shared->reader[0].pid : shared->reader[0].ready);
        sleep_ns(30 * MS);
        check(!has_ended(reader));
        check(write(cancel[1], "x", 1) == 1);
        join(reader);
        char byte;
        check(read(cancel[0], &byte, 1) == 1);
        if (writer)
            finish(writer, &shared->writer);
    }
    close(cancel[0]);
    close(cancel[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_live_reader_misses_the_oldest_and_is_told_how_many),
        PROCESS_TEST(a_latest_reader_gets_only_the_newest),
        PROCESS_TEST(what_live_readers_got_and_missed_is_what_was_published),
        PROCESS_TEST(a_lossless_reader_misses_nothing_in_very_many_frames),
        PROCESS_TEST(a_lossless_writer_waits_for_a_slow_reader_without_polling),
        PROCESS_TEST(a_lossless_reader_that_lets_the_limit_pass_is_made_live),
        PROCESS_TEST(a_lossless_writer_goes_on_at_once_when_the_one_it_waits_for_is_killed),
        PROCESS_TEST(a_lossless_writer_does_not_wait_for_live_readers),
        PROCESS_TEST(lossless_delivery_needs_a_lossless_writer),
        PROCESS_TEST(begin_is_cancelled_by_a_file_descriptor),
        PROCESS_TEST(next_and_open_are_cancelled_by_a_file_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
