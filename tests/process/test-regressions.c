/* SPDX-License-Identifier: MIT */
/* What once went wrong in the library and needed several processes or threads to show. */
#include "harness.h"

#include <pthread.h>
#include <sys/eventfd.h>

static const enum framebus_memory kinds[] = {FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX,
                                             FRAMEBUS_MEMORY_SYSV};

static struct framebus_writer *writer; /* of a child, for its threads */

static pthread_t thread(void *(*body)(void *), void *argument)
{
    pthread_t t;
    check(!pthread_create(&t, NULL, body, argument));
    return t;
}

static void join_thread(pthread_t t)
{
    check(!pthread_join(t, NULL));
}

/* ---- two threads change the pool ---- */

#define PAIRS 6

static const char first_caps[] = "application/x-first-kind-of-thing-that-has-a-long-name";
static const char second_caps[] = "application/x-second-kind-of-thing-that-has-a-long-name";

static struct framebus_format payload(const char *caps)
{
    struct framebus_format format;
    check_equal(framebus_format_init_opaque(&format, caps, 1000), 0);
    return format;
}

static void *grow(void *unused)
{
    struct framebus_frame *f;
    check_equal(framebus_writer_begin_size(writer, 100000, &f), 0);
    check(f->capacity >= 100000);
    check(!strcmp(f->format->caps, first_caps) || !strcmp(f->format->caps, second_caps));
    framebus_writer_release(writer, f);
    return unused;
}

static void *change(void *unused)
{
    struct framebus_format format = payload(second_caps);
    check_equal(framebus_writer_set_format(writer, &format), 0);
    return unused;
}

static void grow_and_change(const void *argument)
{
    (void)argument;
    const struct framebus_writer_options options = {.lossless = true, .lossless_timeout_ns = 30 * S};
    struct framebus_format format = payload(first_caps);
    struct framebus_frame *f;
    check_equal(framebus_writer_open(&writer, "bus", NULL, &options), 0);
    for (int i = 0; i < PAIRS; i++) {
        struct framebus_format old = payload(second_caps);
        old.size = 500;
        check_equal(framebus_writer_set_format(writer, &old), 0);
        step(writer); /* the reader comes ... */
        check_equal(framebus_writer_set_format(writer, &format), 0);
        pthread_t a = thread(i % 2 ? grow : change, NULL);
        sleep_ns(10 * MS);
        pthread_t b = thread(i % 2 ? change : grow, NULL);
        step(NULL); /* ... and stays in the old pool until it goes */
        join_thread(a);
        join_thread(b);
        check_equal(framebus_writer_begin(writer, &f), 0);
        check(!strcmp(f->format->caps, second_caps)); /* as was asked for last */
        framebus_writer_release(writer, f);
    }
    framebus_writer_close(writer);
}

static void a_format_changes_while_another_thread_waits_for_a_larger_pool(void)
{
    pid_t pid = start_script(grow_and_change, NULL);
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    for (int i = 0; i < PAIRS; i++) {
        struct framebus_reader *rd;
        struct framebus_frame *f;
        check_equal(framebus_reader_open(&rd, "bus", &options), 0);
        check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
        go_on();
        sleep_ns(40 * MS);
        framebus_reader_close(rd);
        if (i + 1 < PAIRS)
            go_on();
    }
    end_script(pid);
}

/* ---- what wakes a begin that waits ---- */

static _Atomic uint32_t begun, woken;

static void *begin_one(void *unused)
{
    struct framebus_frame *f;
    begun++;
    check_equal(framebus_writer_begin(writer, &f), 0);
    framebus_writer_release(writer, f);
    woken++;
    return unused;
}

static int change_picture(struct framebus_writer *w)
{
    struct framebus_format format = picture("NV12", 64, 64);
    return framebus_writer_set_format(w, &format);
}

static void begin_in_vain(const void *argument)
{
    int (*const *act)(struct framebus_writer *) = argument;
    const struct framebus_writer_options options = {
        .history = 2, .lossless = true, .lossless_timeout_ns = 20 * S};
    struct framebus_format format = small();
    check_equal(framebus_writer_open(&writer, "bus", &format, &options), 0);
    step(writer);
    for (uint64_t n = 0; n < 2; n++)
        check_equal(publish_one(writer, n), 0);
    pthread_t waiting[] = {thread(begin_one, NULL), thread(begin_one, NULL)};
    check_soon(begun == 2);
    sleep_ns(100 * MS);
    check_equal(woken, 0); /* the reader has taken nothing */
    int64_t then = now_ns();
    check_equal((*act)(writer), 0);
    for (int i = 0; i < 2; i++)
        join_thread(waiting[i]);
    check(now_ns() - then < 10 * S); /* not by the time limit */
    step(writer);
    framebus_writer_close(writer);
}

static void a_begin_that_waits_for_readers_is_woken_when_the_pool_ends(void)
{
    static int (*const acts[])(struct framebus_writer *) = {framebus_writer_end, change_picture};
    for (int i = 0; i < 2; i++) {
        pid_t pid = start_script(begin_in_vain, &acts[i]);
        struct framebus_reader *rd;
        const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
        check_equal(framebus_reader_open(&rd, "bus", &options), 0);
        go_on();
        expect_frame(rd, 0, 0);
        expect_frame(rd, 1, 0);
        framebus_reader_close(rd);
        end_script(pid);
    }
}

/* ---- an answer that was queued before the reader could look at it ---- */

struct late {
    enum framebus_memory memory;
    bool follows;
};

/* For a reader that is stopped whenever we look at our sockets. */
static struct framebus_writer *answer_one(enum framebus_memory memory)
{
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, &(struct framebus_writer_options){.memory = memory}),
                0);
    check_equal(publish_one(w, 7), 0);
    while (!shared->value[0]) {
        struct framebus_bus_info *info;
        step(NULL);
        serve(w, 5 * MS, NULL);
        check_equal(framebus_writer_get_info(w, &info), 0);
        shared->value[0] = info->readers;
        framebus_info_free(info, 1);
    }
    return w;
}

static pid_t start_and_stop(void (*role)(const void *), const struct late *late)
{
    pid_t pid = spawn(role, late);
    do {
        check(!kill(pid, SIGCONT));
        sleep_ns(20 * MS);
        stop_now(pid);
        go_on();
    } while (!shared->value[0]);
    return pid;
}

/* The next writer publishes number 50. */
static void let_go_on(pid_t reader, bool follows)
{
    check(!kill(reader, SIGCONT));
    if (!follows) {
        join(reader);
        return;
    }
    pid_t next = start_writer(&(struct writing){.first = 50, .frames = 1});
    join(reader);
    finish(next, &shared->writer);
}

static void expect_the_end(struct framebus_reader *rd, bool follows)
{
    struct framebus_frame *f;
    if (follows)
        expect_frame(rd, 50, 0);
    else
        check_equal(framebus_reader_next(rd, &f, 10 * S), -EPIPE);
    framebus_reader_close(rd);
}

static void answer_and_leave(const void *argument)
{
    const struct late *late = argument;
    struct framebus_writer *w = answer_one(late->memory);
    check_equal(publish_one(w, 8), 0);
    check_equal(framebus_writer_end(w), 0);
    framebus_writer_close(w);
    step(NULL);
}

static void read_all_that_was_left(const void *argument)
{
    const struct late *late = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = late->follows}),
                0);
    expect_frame(rd, 7, 0);
    expect_frame(rd, 8, 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), -ENODATA);
    expect_the_end(rd, late->follows);
}

static void frames_and_the_end_reach_a_reader_that_slept_through_all_of_it(void)
{
    for (int i = 0; i < 4; i++) {
        const struct late late = {.memory = kinds[i / 2], .follows = i % 2};
        memset(shared, 0, sizeof *shared);
        pid_t pid = start_script(answer_and_leave, &late);
        pid_t reader = start_and_stop(read_all_that_was_left, &late);
        end_script(pid);
        let_go_on(reader, late.follows);
    }
}

static void answer_and_be_killed(const void *argument)
{
    const struct late *late = argument;
    answer_one(late->memory);
    step(NULL);
}

static void read_what_the_dead_left(const void *argument)
{
    const struct late *late = argument;
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = late->follows}),
                0);
    if (late->memory != FRAMEBUS_MEMORY_SYSV) /* a segment goes with its writer */
        expect_frame(rd, 7, 0);
    expect_the_end(rd, late->follows);
}

static void a_writer_killed_before_its_pool_was_attached_is_gone_and_no_more(void)
{
    for (int i = 0; i < 6; i++) {
        const struct late late = {.memory = kinds[i / 2], .follows = i % 2};
        memset(shared, 0, sizeof *shared);
        pid_t pid = start_script(answer_and_be_killed, &late);
        pid_t reader = start_and_stop(read_what_the_dead_left, &late);
        kill_now(pid);
        let_go_on(reader, late.follows);
        if (!late.follows)
            check(framebus_remove("bus", NULL, NULL) >= 1);
    }
}

/* ---- a writer that does not look at its sockets ---- */

static void look_away(const void *argument)
{
    (void)argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check_equal(publish_one(w, 0), 0);
    step(w);
    step(NULL);
    check_equal(change_picture(w), 0);
    step(NULL);
    check_equal(publish_one(w, 1), 0);
    step(w);
    framebus_writer_close(w);
}

static void expect_quota(struct framebus_reader *rd, uint32_t quota)
{
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.quota, quota);
}

static void a_reader_moves_on_whatever_it_asked_before(void)
{
    pid_t pid = start_script(look_away, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int cancel = eventfd(0, EFD_CLOEXEC);
    check(cancel >= 0);
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.cancel_fd = cancel}), 0);
    expect_frame(rd, 0, 0);
    go_on();
    check(!eventfd_write(cancel, 1)); /* nobody waits for an answer */
    for (uint32_t i = 0; i < 400; i++)
        check(framebus_reader_set_quota(rd, 2 + i % 2) < 0);
    check(!eventfd_read(cancel, &(eventfd_t){0}));
    go_on();
    check_equal(framebus_reader_next(rd, &f, 50 * MS), -ETIMEDOUT);
    go_on();
    expect_frame(rd, 1, 0);
    check_equal(framebus_reader_set_quota(rd, 3), 0);
    expect_quota(rd, 3);
    framebus_reader_close(rd);
    close(cancel);
    end_script(pid);
}

static void a_late_answer_is_not_taken_for_the_next_one(void)
{
    pid_t pid = start_script(look_away, NULL);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 0, 0);
    go_on();
    check_fails(framebus_reader_set_quota(rd, 3), ETIMEDOUT, "does not answer");
    expect_quota(rd, 2);
    go_on();
    go_on();
    check_equal(framebus_reader_set_quota(rd, 5), 0);
    expect_quota(rd, 5);
    expect_frame(rd, 1, 0);
    framebus_reader_close(rd);
    end_script(pid);
}

/* ---- a lock file that was cleaned away ---- */

static void a_writer_whose_lock_file_was_deleted_keeps_its_bus(void)
{
    pid_t pid = start_writer(&(struct writing){.interval_ns = 10 * MS});
    pid_t reader = start_reader(&(struct reading){0});
    struct framebus_writer *w;
    struct framebus_reader *rd;
    struct framebus_format format = small();
    char who[32];
    snprintf(who, sizeof who, "process %d", (int)pid);
    check(!unlink(path_of(".bus.lock")));
    check_fails(framebus_writer_open(&w, "bus", &format, NULL), EADDRINUSE, who);
    check(!unlink(path_of(".bus.lock")));
    check_fails(framebus_remove("bus", NULL, NULL), EBUSY, who);
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0); /* the socket is still there */
    framebus_reader_close(rd);
    uint64_t now = shared->reader[0].frames;
    check_soon(shared->reader[0].frames > now + 2);
    finish(reader, &shared->reader[0]);
    finish(pid, &shared->writer);
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    framebus_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_format_changes_while_another_thread_waits_for_a_larger_pool),
        PROCESS_TEST(a_begin_that_waits_for_readers_is_woken_when_the_pool_ends),
        PROCESS_TEST(frames_and_the_end_reach_a_reader_that_slept_through_all_of_it),
        PROCESS_TEST(a_writer_killed_before_its_pool_was_attached_is_gone_and_no_more),
        PROCESS_TEST(a_reader_moves_on_whatever_it_asked_before),
        PROCESS_TEST(a_late_answer_is_not_taken_for_the_next_one),
        PROCESS_TEST(a_writer_whose_lock_file_was_deleted_keeps_its_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
