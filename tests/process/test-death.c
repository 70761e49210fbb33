/* SPDX-License-Identifier: MIT */
/* Writers die, and their name goes on to the next; readers notice at once. */
#include "../sanitized.h"
#include "harness.h"

/* ---- being noticed ---- */

/* Waits in next for a frame that never comes; tells when and how that ended. */
static void wait_for_the_end(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    shared->reader[0].ready = 1;
    while (!(r = framebus_reader_next(rd, &f, 30 * S))) {
        shared->reader[0].frames++;
        framebus_reader_release(rd, f);
    }
    shared->value[1] = now_ns();
    shared->reader[0].result = r;
    check(strstr(framebus_last_error(), "bus"));
    check_equal(framebus_reader_next(rd, &f, 30 * S), r); /* and again, at once */
    framebus_reader_close(rd);
}

static void a_waiting_reader_notices_its_writers_death_promptly(void)
{
    int64_t longest = 0;
    for (int round = 0; round < 10; round++) {
        shared->reader[0].ready = 0;
        shared->reader[0].frames = 0;
        pid_t writer = start_writer(&(struct writing){.frames = 1});
        pid_t reader = spawn(wait_for_the_end, NULL);
        check_soon(shared->reader[0].frames == 1);
        sleep_ns(10 * MS);
        int64_t killed = now_ns();
        check(!kill(writer, SIGKILL));
        join(reader);
        status_of(writer);
        check_equal(shared->reader[0].result, -EPIPE);
        if (shared->value[1] - killed > longest)
            longest = shared->value[1] - killed;
    }
    note("death was noticed after %.2f ms at most", (double)longest / MS);
    check(longest < S);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static void frames_left_by_a_killed_writer_are_still_taken(void)
{
    pid_t writer = start_writer(&(struct writing){.options = {.history = 8}, .frames = 6, .waits = true});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    shared->go = 1;
    check_soon(shared->writer.frames == 6);
    kill_now(writer);
    for (uint64_t n = 0; n < 6; n++)
        expect_frame(rd, n, 0);
    check_fails(framebus_reader_next(rd, &f, 10 * S), EPIPE, "gone");
    check_fails(framebus_reader_next(rd, &f, 0), EPIPE, "gone");
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check(!stats.connected);
    check_equal(stats.delivered, 6);
    framebus_reader_close(rd);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static void a_look_without_waiting_tells_of_death_too(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 0, 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    finish(writer, &shared->writer);
    check_equal(framebus_reader_next(rd, &f, 0), -EPIPE);
    framebus_reader_close(rd);
}

static void a_frame_held_over_its_writers_death_stays_whole(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    struct framebus_frame *f, *none;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    kill_now(writer);
    writer = start_writer(&(struct writing){.first = 1000, .interval_ns = MS});
    check_soon(shared->writer.frames > 30);
    check_equal(framebus_reader_next(rd, &none, 10 * S), -EPIPE);
    check_equal(frame_number(f), 0);
    framebus_reader_close(rd);
    check_equal(frame_number(f), 0);
    framebus_reader_release(rd, f);
    finish(writer, &shared->writer);
}

/* ---- one name, one writer ---- */

static void a_second_writer_is_refused_with_the_pid_of_the_first(void)
{
    char pid[32];
    pid_t writer = start_writer(&(struct writing){.interval_ns = MS});
    snprintf(pid, sizeof pid, "process %d", (int)writer);
    struct framebus_writer *w;
    struct framebus_format format = small();
    int64_t begun = now_ns();
    check_fails(framebus_writer_open(&w, "bus", &format, NULL), EADDRINUSE, pid);
    check(!w);
    check(now_ns() - begun < 10 * S);
    stop_now(writer); /* also when the first cannot answer */
    check_fails(framebus_writer_open(&w, "bus", &format, NULL), EADDRINUSE, pid);
    check(!kill(writer, SIGCONT));
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0); /* the first goes on */
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void the_name_is_free_at_once_after_close_and_after_sigkill(void)
{
    struct framebus_format format = small();
    struct framebus_writer *w;
    for (int round = 0; round < 20; round++) {
        pid_t writer = start_writer(&(struct writing){.interval_ns = MS});
        int64_t begun = now_ns();
        if (round % 2)
            kill(writer, SIGKILL); /* it may still be dying */
        else
            finish(writer, &shared->writer);
        check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
        check(now_ns() - begun < 5 * S);
        if (round % 2)
            status_of(writer);
        framebus_writer_close(w);
    }
}

#define LARGE (UINT64_C(64) << 20)

/* Takes a GiB, which the kernel frees before it unlocks the name. */
static void take_much_memory(const void *argument)
{
    (void)argument;
    struct framebus_format format;
    struct framebus_writer *w;
    struct framebus_frame *f;
    check_equal(framebus_format_init_opaque(&format, "application/x-large", LARGE), 0);
    check_equal(framebus_writer_open(&w, "bus", &format,
                                     &(struct framebus_writer_options){.max_lends = 16, .max_slots = 24}),
                0);
    for (int i = 0; i < 16; i++) {
        check_equal(framebus_writer_begin(w, &f), 0);
        memset(f->data, 1, LARGE);
    }
    shared->writer.ready = 1;
    serve(w, 60 * S, NULL);
}

static void a_killed_writer_of_much_memory_leaves_its_name_too(void)
{
    if (SANITIZED)
        skip_because("a sanitizer has memory of its own for each byte");
    if (sysconf(_SC_AVPHYS_PAGES) / 1024 * (sysconf(_SC_PAGESIZE) / 1024) < 3072)
        skip_because("less than 3 GiB of free memory");
    struct framebus_format format = small();
    struct framebus_writer *w;
    pid_t writer = spawn(take_much_memory, NULL);
    check_soon(shared->writer.ready || has_ended(writer));
    check(shared->writer.ready);
    check(!kill(writer, SIGKILL));
    int64_t killed = now_ns();
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    note("a GiB and its name were free after %.0f ms", (double)(now_ns() - killed) / MS);
    framebus_writer_close(w);
    status_of(writer);
}

static void of_many_writers_that_want_a_name_one_gets_it(void)
{
    pid_t writers[8];
    for (int i = 0; i < 8; i++)
        writers[i] =
            spawn(write_frames, &(struct writing){.interval_ns = MS, .tally = i ? &shared->reader[i] : NULL});
    int open = 0, refused = 0;
    check_soon(({
        open = refused = 0;
        for (int i = 0; i < 8; i++) {
            int ready = i ? shared->reader[i].ready : shared->writer.ready;
            open += ready == 1;
            refused += ready == -EADDRINUSE;
        }
        open + refused == 8;
    }));
    check_equal(open, 1);
    for (int i = 0; i < 8; i++)
        finish(writers[i], i ? &shared->reader[i] : &shared->writer);
}

/* ---- over and over ---- */

static void killing_either_side_in_any_order_leaves_everything_working(void)
{
    static const enum framebus_memory kinds[] = {FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX,
                                                 FRAMEBUS_MEMORY_SYSV};
    const struct reading a = {.options = {.follow = true, .quota = 4}, .hold_ns = MS};
    const struct reading b = {.options = {.wait_ns = 20 * S, .follow = true}, .tally = &shared->reader[1]};
    pid_t reader[2] = {spawn(read_frames, &a), spawn(read_frames, &b)};
    pid_t writer = 0;
    for (int round = 0; round < 20; round++) {
        const struct writing writing = {
            .options = {.memory = kinds[round % 3]}, .first = 100000u * (unsigned)round, .interval_ns = MS};
        if (!writer)
            writer = start_writer(&writing);
        uint64_t now = shared->writer.last;
        check_soon(shared->reader[0].last > now && shared->reader[1].last > now);
        bool kill_writer = round % 2, kill_first = round % 3 == 0, kill_second = round % 5 == 0;
        if (kill_first)
            kill_now(reader[0]);
        if (kill_writer || round == 19) {
            kill_now(writer);
            writer = 0;
        }
        if (kill_second)
            kill_now(reader[1]);
        check_equal(shared->reader[0].wrong + shared->reader[1].wrong, 0);
        if (kill_first)
            reader[0] = spawn(read_frames, &(struct reading){.options = a.options});
        if (kill_second)
            reader[1] = spawn(read_frames, &b);
        if (kill_first)
            shared->reader[0].frames = 0;
        if (kill_second)
            shared->reader[1].frames = 0;
    }
    kill_now(reader[0]);
    kill_now(reader[1]);
    check(framebus_remove("bus", NULL, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_waiting_reader_notices_its_writers_death_promptly),
        PROCESS_TEST(frames_left_by_a_killed_writer_are_still_taken),
        PROCESS_TEST(a_look_without_waiting_tells_of_death_too),
        PROCESS_TEST(a_frame_held_over_its_writers_death_stays_whole),
        PROCESS_TEST(a_second_writer_is_refused_with_the_pid_of_the_first),
        PROCESS_TEST(the_name_is_free_at_once_after_close_and_after_sigkill),
        PROCESS_TEST(a_killed_writer_of_much_memory_leaves_its_name_too),
        PROCESS_TEST(of_many_writers_that_want_a_name_one_gets_it),
        PROCESS_TEST(killing_either_side_in_any_order_leaves_everything_working),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
