/* SPDX-License-Identifier: MIT */
/* What happens to one reader does not reach the others. */
#include "harness.h"

/* At this rate and history a reader may be kept from running for 2 s without missing anything. */
#define RATE    (20 * MS)
#define HISTORY 100

/* Holds as many frames as its quota allows, for ever. */
static void hold_frames(const void *argument)
{
    const struct framebus_reader_options *options = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", options), 0);
    for (uint32_t i = 0; i < options->quota; i++)
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_fails(framebus_reader_next(rd, &f, 0), EBUSY, "quota");
    shared->other.ready = 1;
    for (;;)
        pause();
}

/* Attaches, and never asks for anything. */
static void attach_only(const void *argument)
{
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", argument), 0);
    shared->other.ready = 1;
    for (;;)
        pause();
}

static pid_t start_other(void (*role)(const void *), const struct framebus_reader_options *options)
{
    shared->other.ready = 0;
    pid_t pid = spawn(role, options);
    check_soon(shared->other.ready || has_ended(pid));
    check(shared->other.ready);
    return pid;
}

/* A writer and two readers go on for 60 frames after something befell another reader. */
static void nobody_else_notices(void (*befall)(pid_t *victim))
{
    const struct framebus_writer_options patient = {.history = HISTORY, .max_slots = 2 * HISTORY};
    pid_t writer = start_writer(&(struct writing){.options = patient, .interval_ns = RATE});
    pid_t readers[2], victim = 0;
    for (int i = 0; i < 2; i++)
        readers[i] = start_reader(&(struct reading){.tally = &shared->reader[i]});
    befall(&victim);
    uint64_t now = shared->writer.frames;
    check_soon(shared->reader[0].frames && shared->reader[1].frames);
    check_soon(shared->writer.frames >= now + 60);
    for (int i = 0; i < 2; i++) {
        check_soon(shared->reader[i].last >= now + 50);
        finish(readers[i], &shared->reader[i]);
        check_equal(shared->reader[i].missed, 0);
        check_equal(shared->reader[i].wrong, 0);
    }
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
    note("the longest begin and publish took %.2f ms", (double)shared->writer.longest_ns / MS);
    check(shared->writer.longest_ns < 5 * S);
    if (victim)
        kill_now(victim);
}

static void stop_it(pid_t *victim)
{
    *victim = start_reader(&(struct reading){.tally = &shared->other});
    check_soon(shared->other.frames > 3);
    stop_now(*victim);
}

static void kill_it(pid_t *victim)
{
    pid_t pid = start_reader(&(struct reading){.tally = &shared->other});
    check_soon(shared->other.frames > 3);
    kill_now(pid);
    *victim = 0;
}

static void let_it_sleep(pid_t *victim)
{
    *victim = start_other(attach_only, &(struct framebus_reader_options){.quota = 2});
}

static void let_it_hoard(pid_t *victim)
{
    *victim = start_other(hold_frames, &(struct framebus_reader_options){.quota = 6});
}

static void a_stopped_reader_hurts_nobody(void)
{
    nobody_else_notices(stop_it);
}

static void a_killed_reader_hurts_nobody(void)
{
    nobody_else_notices(kill_it);
}

static void a_reader_that_never_asks_hurts_nobody(void)
{
    nobody_else_notices(let_it_sleep);
}

static void a_reader_that_holds_its_quota_for_ever_hurts_nobody(void)
{
    nobody_else_notices(let_it_hoard);
}

static void slots_of_a_killed_holder_are_used_again(void)
{
    /* Room for one reader of six frames and nothing else: 2 + 6 + 1 + 1 slots. */
    const struct framebus_writer_options tight = {.history = 2, .max_slots = 10, .max_lends = 1};
    const struct framebus_reader_options six = {.quota = 6};
    pid_t writer = start_writer(&(struct writing){.options = tight, .interval_ns = 2 * MS});
    for (int round = 0; round < 5; round++) {
        pid_t holder = start_other(hold_frames, &six);
        struct framebus_reader *rd;
        check_fails(framebus_reader_open(&rd, "bus", NULL), EBUSY, "full");
        uint64_t now = shared->writer.frames;
        check_soon(shared->writer.frames > now + 20);
        kill_now(holder);
        /* The next holder gets in as soon as the writer has noticed. */
        int r;
        check_soon((r = framebus_reader_open(&rd, "bus", &six)) != -EBUSY);
        check_equal(r, 0);
        framebus_reader_close(rd);
        check_soon((r = framebus_reader_open(&rd, "bus", &six)) != -EBUSY);
        framebus_reader_close(rd);
        now = shared->writer.frames;
        check_soon(shared->writer.frames > now + 20);
        struct framebus_bus_info *info;
        check_soon(!framebus_query("bus", &info) &&
                   (r = (int)info->readers, framebus_info_free(info, 1), !r));
    }
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void a_stopped_reader_goes_on_and_is_told_what_it_missed(void)
{
    pid_t writer = start_writer(&(struct writing){.options = {.history = 4}, .interval_ns = MS});
    pid_t reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 5);
    stop_now(reader);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 200);
    check(!kill(reader, SIGCONT));
    check_soon(shared->reader[0].last > now + 200);
    finish(reader, &shared->reader[0]);
    check(shared->reader[0].missed >= 150);
    check_equal(shared->reader[0].wrong, 0); /* the sequence jumps by exactly what was missed */
    finish(writer, &shared->writer);
}

static void memory_of_a_pool_is_freed_although_a_stopped_reader_was_in_it(void)
{
    const struct writing writing = {.format = picture("GRAY8", 1024, 1024), .interval_ns = 5 * MS};
    pid_t writer = start_writer(&writing);
    pid_t reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 3);
    stop_now(reader);
    finish(writer, &shared->writer); /* closing does not wait for it */
    check(!kill(reader, SIGCONT));
    join(reader);
    check_equal(shared->reader[0].result, -EPIPE);
}

static void a_stopped_writer_is_waited_for_and_goes_on(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    stop_now(writer);
    while (!(r = framebus_reader_next(rd, &f, 100 * MS)))
        framebus_reader_release(rd, f);
    check_equal(r, -ETIMEDOUT); /* it is not dead */
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check(stats.connected && stats.writer_pid == writer);
    check_equal(framebus_reader_set_quota(rd, 3), -ETIMEDOUT); /* nobody answers, and it ends */
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.quota, 2);
    check(!kill(writer, SIGCONT));
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_equal(frame_number(f), f->sequence);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_stopped_reader_hurts_nobody),
        PROCESS_TEST(a_killed_reader_hurts_nobody),
        PROCESS_TEST(a_reader_that_never_asks_hurts_nobody),
        PROCESS_TEST(a_reader_that_holds_its_quota_for_ever_hurts_nobody),
        PROCESS_TEST(slots_of_a_killed_holder_are_used_again),
        PROCESS_TEST(a_stopped_reader_goes_on_and_is_told_what_it_missed),
        PROCESS_TEST(a_stopped_writer_is_waited_for_and_goes_on),
        PROCESS_TEST(memory_of_a_pool_is_freed_although_a_stopped_reader_was_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
