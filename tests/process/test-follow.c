/* SPDX-License-Identifier: MIT */
/* Readers that wait for a writer, and readers that go on from one writer to the next. */
#include "harness.h"

#include <dirent.h>

/* ---- following ---- */

static void a_following_reader_goes_on_with_the_next_writer(void)
{
    pid_t reader = 0;
    const struct framebus_format formats[] = {small(), small(), picture("NV12", 64, 48),
                                              picture("BGRx", 33, 21)};
    for (int i = 0; i < 8; i++) {
        pid_t writer = start_writer(
            &(struct writing){.format = formats[i % 4], .first = 1000u * (unsigned)i, .interval_ns = 2 * MS});
        if (!reader)
            reader = start_reader(&(struct reading){.options = {.follow = true}});
        check_soon(shared->reader[0].last >= 1000u * (unsigned)i + 5);
        if (i % 2)
            kill_now(writer);
        else
            finish(writer, &shared->writer);
    }
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->reader[0].result, 0);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static void a_following_reader_keeps_frames_of_the_earlier_writer(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct framebus_reader_options follow = {.follow = true, .quota = 2};
    check_equal(framebus_reader_open(&rd, "bus", &follow), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    uint32_t serial = f->format_serial;
    kill_now(writer);
    writer = start_writer(&(struct writing){.format = picture("NV12", 64, 48), .first = 50, .frames = 1});
    struct framebus_frame *next;
    check_equal(framebus_reader_next(rd, &next, 10 * S), 0);
    check_equal(frame_number(next), 50);
    check_equal(next->missed, 0);
    check(next->format_serial != serial);
    check_equal(frame_number(f), 0);
    check_equal(f->format->width, 160);
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.writers, 2);
    check_equal(stats.held, 2);
    check_equal(stats.writer_pid, writer);
    framebus_reader_release(rd, f);
    framebus_reader_release(rd, next);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_following_reader_survives_being_refused(void)
{
    const struct writing lossless = {.options = {.lossless = true}, .frames = 1};
    const struct writing plain = {.frames = 1};
    const struct writing tiny = {.options = {.lossless = true, .history = 1, .max_lends = 1, .max_slots = 5},
                                 .frames = 1};
    const struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LOSSLESS, .follow = true, .quota = 4};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    pid_t writer = start_writer(&lossless);
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    expect_frame(rd, 0, 0);
    kill_now(writer);
    writer = start_writer(&plain);
    check_fails(framebus_reader_next(rd, &f, 10 * S), ECONNREFUSED, "not lossless");
    check_fails(framebus_reader_next(rd, &f, 10 * S), ECONNREFUSED, "not lossless");
    finish(writer, &shared->writer);
    check_equal(framebus_reader_next(rd, &f, 10 * MS), -ETIMEDOUT);
    writer = start_writer(&tiny);
    check_fails(framebus_reader_next(rd, &f, 10 * S), ECONNREFUSED, "full");
    finish(writer, &shared->writer);
    writer = start_writer(&lossless);
    expect_frame(rd, 0, 0);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

/* ---- waiting for a writer ---- */

static void opening_a_bus_without_a_writer_fails_at_once_or_waits_as_told(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_fails(framebus_reader_open(&rd, "bus", NULL), ENOENT, "\"bus\" has no writer");
    check(!rd);
    int64_t begun = now_ns();
    check_fails(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.wait_ns = 100 * MS}),
                ENOENT, "no writer");
    check(now_ns() - begun >= 100 * MS);
    /* A following reader need not wait in open. */
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    begun = now_ns();
    check_equal(framebus_reader_next(rd, &f, 50 * MS), -ETIMEDOUT);
    check(now_ns() - begun >= 50 * MS);
    check(!framebus_reader_format(rd));
    framebus_reader_close(rd);
}

static void a_reader_waits_for_a_writer_in_a_directory_that_is_not_there_yet(void)
{
    char deep[96], middle[80];
    snprintf(middle, sizeof middle, "%s/a", directory);
    snprintf(deep, sizeof deep, "%s/b", middle);
    setenv("FRAMEBUS_DIR", deep, 1);
    pid_t reader = spawn(read_frames, &(struct reading){.options = {.wait_ns = 30 * S}, .frames = 3});
    check_soon(shared->reader[0].pid);
    sleep_ns(50 * MS);
    check(!mkdir(middle, 0700));
    sleep_ns(20 * MS);
    check(!mkdir(deep, 0700));
    check(!rmdir(deep)); /* gone again */
    sleep_ns(20 * MS);
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS}); /* makes it */
    join(reader);
    check_equal(shared->reader[0].ready, 1);
    check_equal(shared->reader[0].frames, 3);
    finish(writer, &shared->writer);
    check(!unlink(path_of("a/b/.bus.lock")));
    check(!rmdir(deep));
    check(!rmdir(middle));
    setenv("FRAMEBUS_DIR", directory, 1);
}

/* Directories that last 0 to 100 us, beside a reader that sets its watch anew for each. */
static void a_directory_that_comes_and_goes_while_it_is_looked_at_is_not_missed(void)
{
    char deep[96];
    snprintf(deep, sizeof deep, "%s/b", directory);
    setenv("FRAMEBUS_DIR", deep, 1);
    for (int round = 0; round < 20; round++) {
        memset(shared, 0, sizeof *shared);
        pid_t reader = spawn(read_frames, &(struct reading){.options = {.wait_ns = 30 * S}, .frames = 1});
        check_soon(shared->reader[0].pid);
        for (int i = 0; i < 50; i++) {
            check(!mkdir(deep, 0700));
            sleep_ns(i * 2000);
            check(!rmdir(deep));
        }
        pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
        join(reader);
        check_equal(shared->reader[0].ready, 1);
        finish(writer, &shared->writer);
        check(!unlink(path_of("b/.bus.lock")));
        check(!rmdir(deep));
    }
    setenv("FRAMEBUS_DIR", directory, 1);
}

static unsigned count_inotify(pid_t pid)
{
    char path[32];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    check(fds);
    for (struct dirent *entry; (entry = readdir(fds));) {
        char target[64] = "";
        count +=
            readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1) > 0 && strstr(target, "inotify");
    }
    closedir(fds);
    return count;
}

/* A process that waits sleeps: soon, half a second passes without a wake-up. */
static void check_sleeping(pid_t pid)
{
    uint64_t before;
    int64_t limit = now_ns() + 20 * S;
    do {
        check(now_ns() < limit);
        before = sleeps_of(pid);
        sleep_ns(500 * MS);
    } while (sleeps_of(pid) != before);
}

static void wait_without_limit(const void *argument)
{
    const struct framebus_reader_options *options = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", options), 0);
    shared->reader[0].ready = 1;
    for (uint64_t n = 0; n < 2; n++) {
        check_equal(framebus_reader_next(rd, &f, -1), 0);
        shared->reader[0].frames++;
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
}

static void nobody_who_waits_polls(void)
{
    static const struct framebus_reader_options ways[] = {{.follow = true}, {.wait_ns = -1}};
    for (int i = 0; i < 2; i++) {
        shared->reader[0].frames = 0;
        pid_t reader = spawn(wait_without_limit, &ways[i]);
        sleep_ns(100 * MS);
        check_sleeping(reader); /* for a writer, by inotify */
        pid_t writer = start_writer(&(struct writing){.frames = 1});
        check_soon(shared->reader[0].frames == 1);
        check_soon(!count_inotify(reader)); /* 50 ms after it came */
        check_sleeping(reader);             /* for a frame */
        check(ways[i].follow || !kill(reader, SIGKILL));
        finish(writer, &shared->writer);
        if (ways[i].follow) {
            check_sleeping(reader); /* for the next writer */
            writer = start_writer(&(struct writing){.frames = 1});
            join(reader);
            finish(writer, &shared->writer);
        } else {
            status_of(reader);
        }
    }
}

/* ---- inotify instances, of which a user has few ---- */

static void wait_for_frame(struct framebus_reader *rd)
{
    struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
    struct framebus_frame *f;
    int r;
    while ((r = framebus_reader_next(rd, &f, 0)) == -ETIMEDOUT)
        check_equal(poll(&wait, 1, 20000), 1);
    check_equal(r, 0);
    framebus_reader_release(rd, f);
}

/* After it has come, so without waiting. */
static void take_frame_late(struct framebus_reader *rd)
{
    struct framebus_frame *f;
    sleep_ns(30 * MS);
    check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
    framebus_reader_release(rd, f);
}

static void a_reader_has_an_inotify_instance_only_while_it_waits_for_a_writer(void)
{
    const struct writing plan = {.interval_ns = 10 * MS};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        check_equal(count_inotify(getpid()), 1);
        pid_t writer = start_writer(&plan);
        for (int frames = 0; count_inotify(getpid()); frames++) {
            if (i == 0)
                wait_for_frame(rd);
            else
                take_frame_late(rd);
            check(frames < 50);
        }
        if (i < 2)
            kill_now(writer);
        else
            finish(writer, &shared->writer);
        while ((r = framebus_reader_next(rd, &f, 0)) == 0)
            framebus_reader_release(rd, f);
        check_equal(r, -ETIMEDOUT);
    }
    framebus_reader_close(rd);

    pid_t writer = start_writer(&plan);
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(count_inotify(getpid()), 0);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_following_reader_goes_on_with_the_next_writer),
        PROCESS_TEST(a_following_reader_keeps_frames_of_the_earlier_writer),
        PROCESS_TEST(a_following_reader_survives_being_refused),
        PROCESS_TEST(opening_a_bus_without_a_writer_fails_at_once_or_waits_as_told),
        PROCESS_TEST(a_reader_waits_for_a_writer_in_a_directory_that_is_not_there_yet),
        PROCESS_TEST(a_directory_that_comes_and_goes_while_it_is_looked_at_is_not_missed),
        PROCESS_TEST(nobody_who_waits_polls),
        PROCESS_TEST(a_reader_has_an_inotify_instance_only_while_it_waits_for_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
