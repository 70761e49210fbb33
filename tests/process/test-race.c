/* SPDX-License-Identifier: MIT */
/* Writer and reader as close together in time as they get: no slot is written that is being read, and
 * no wake-up is lost. */
#include "../emulated.h"
#include "harness.h"

#include <sched.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS 4000
#else
#define ROUNDS 30000
#endif

#define NEVER_YET (5 * S) /* a wake-up that takes this time was lost */

static const struct framebus_writer_options narrow = {.history = 1, .max_lends = 1};

static uint32_t random_below(uint32_t limit)
{
    static uint64_t seed = 1;
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % limit;
}

/* Passes about this many nanoseconds. */
static void dawdle(uint32_t turns)
{
    for (volatile uint32_t i = 0; i < turns; i++)
        ;
}

/*
 * Steers the pause before a call that sleeps if it comes too early, towards the moment at which the
 * other side acts: there wake-ups would be lost. Who had to wake somebody is later the next time, so
 * there are two such moments.
 */
struct aim {
    uint32_t turns[2];
    bool slept;
};

static void pause_before(const struct aim *aim)
{
    dawdle(aim->turns[aim->slept] + random_below(100));
}

static void learn(struct aim *aim, int64_t took_ns)
{
    uint32_t *turns = &aim->turns[aim->slept];
    aim->slept = took_ns > 2500;
    if (aim->slept && *turns < 20000)
        *turns += 30; /* that was early */
    else if (*turns > 30)
        *turns -= 30;
}

/* Two processors, one for each side: a scheduler likes to put the two of them on one. */
static void move_to_processor(unsigned which)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && which-- == 0)
            CPU_SET(i, &one);
    if (CPU_COUNT(&one))
        sched_setaffinity(0, sizeof one, &one);
}

/* Until the other side has come that far. */
static void spin_until(const _Atomic int64_t *counter, int64_t value)
{
    for (int i = 0; *counter < value && !shared->reader[0].stop; i++)
        if (i > 2000)
            sched_yield(); /* there may be one processor only */
}

/* ---- slots ---- */

static void race_to_write(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = picture("GRAY8", 32, 32);
    struct framebus_writer *w;
    move_to_processor(1);
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    shared->writer.ready = 1;
    for (uint64_t n = 0; !shared->writer.stop; n++) {
        check_equal(publish_one(w, n), 0);
        shared->writer.frames++;
    }
    framebus_writer_close(w);
}

static void race_to_read(const void *argument)
{
    const struct framebus_reader_options *options = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    uint64_t expected = 0;
    move_to_processor(0);
    check_equal(framebus_reader_open(&rd, "bus", options), 0);
    while (!shared->reader[0].stop) {
        int r = framebus_reader_next(rd, &f, 0);
        if (r == -ETIMEDOUT)
            continue;
        check_equal(r, 0);
        check_equal(frame_number(f), f->sequence);
        check(f->sequence >= expected);
        dawdle(random_below(600));
        check_equal(frame_number(f), f->sequence); /* still */
        expected = f->sequence + 1;
        framebus_reader_release(rd, f);
        shared->reader[0].frames++;
    }
    framebus_reader_close(rd);
}

static void no_slot_is_written_while_it_is_read(void)
{
    static const struct framebus_reader_options ways[] = {{.quota = 1},
                                                          {.quota = 2, .delivery = FRAMEBUS_DELIVERY_LATEST}};
    if (!orders_loads())
        skip_because("loads overtake ordered stores here");
    for (int i = 0; i < 2; i++) {
        memset(shared, 0, sizeof *shared);
        pid_t writer = spawn(race_to_write, &narrow);
        check_soon(shared->writer.ready);
        pid_t reader = spawn(race_to_read, &ways[i]);
        for (int k = 0; k < 1500 && !has_ended(reader); k++)
            sleep_ns(MS);
        check_soon(shared->reader[0].frames > 100 || has_ended(reader));
        note("%llu frames of %llu were read", (unsigned long long)shared->reader[0].frames,
             (unsigned long long)shared->writer.frames);
        finish(reader, &shared->reader[0]);
        finish(writer, &shared->writer);
    }
}

/* ---- wake-ups ---- */

/* value[0]: frames taken; value[1]: begins begun. */

static void publish_when_taken(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = picture("GRAY8", 8, 8);
    struct framebus_writer *w;
    move_to_processor(1);
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    shared->writer.ready = 1;
    serve(w, 60 * S, &shared->go);
    for (uint64_t n = 0; n < ROUNDS && !shared->reader[0].stop; n++) {
        spin_until(&shared->value[0], (int64_t)n);
        check_equal(publish_one(w, n), 0);
    }
    serve(w, 60 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

static int next_by_poll(struct framebus_reader *rd, struct framebus_frame **f)
{
    struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
    int r;
    while ((r = framebus_reader_next(rd, f, 0)) == -ETIMEDOUT)
        if (poll(&wait, 1, (int)(NEVER_YET / MS)) == 0)
            return r;
    return r;
}

static int next_by_waiting(struct framebus_reader *rd, struct framebus_frame **f)
{
    return framebus_reader_next(rd, f, NEVER_YET);
}

struct taking {
    int (*next)(struct framebus_reader *, struct framebus_frame **);
    struct framebus_reader_options options;
};

static void take_each(const void *argument)
{
    const struct taking *how = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    struct aim aim = {0};
    move_to_processor(0);
    check_equal(framebus_reader_open(&rd, "bus", &how->options), 0);
    shared->go = 1;
    for (int64_t n = 0; n < ROUNDS; n++) {
        pause_before(&aim);
        int64_t begun = now_ns();
        int r = how->next(rd, &f);
        learn(&aim, now_ns() - begun);
        if (r)
            shared->reader[0].stop = 1;
        check_equal(r, 0);
        check_equal(frame_number(f), n);
        framebus_reader_release(rd, f);
        shared->value[0] = n + 1;
    }
    framebus_reader_close(rd);
}

static void the_reader_is_woken_for_each(const struct taking *how)
{
    if (!orders_loads())
        skip_because("loads overtake ordered stores here");
    memset(shared, 0, sizeof *shared);
    pid_t writer = spawn(publish_when_taken, &narrow);
    check_soon(shared->writer.ready);
    join(spawn(take_each, how));
    finish(writer, &shared->writer);
}

static void no_wake_up_of_a_reader_is_lost(void)
{
    the_reader_is_woken_for_each(&(struct taking){.next = next_by_waiting});
}

static void no_wake_up_of_a_reader_driven_by_poll_is_lost(void)
{
    the_reader_is_woken_for_each(&(struct taking){.next = next_by_poll});
    the_reader_is_woken_for_each(&(struct taking){.next = next_by_poll, .options = {.follow = true}});
}

/* Says that it begins, and has to wait in begin for the reader to take the frame before. */
static void begin_and_wait(const void *argument)
{
    (void)argument;
    struct framebus_format format = picture("GRAY8", 8, 8);
    struct framebus_writer *w;
    struct aim aim = {0};
    move_to_processor(1);
    const struct framebus_writer_options options = {
        .history = 1, .max_lends = 1, .lossless = true, .lossless_timeout_ns = NEVER_YET};
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    shared->writer.ready = 1;
    serve(w, 60 * S, &shared->go);
    for (uint64_t n = 0; n < ROUNDS; n++) {
        shared->value[1] = (int64_t)n;
        pause_before(&aim);
        int64_t begun = now_ns();
        check_equal(publish_one(w, n), 0);
        int64_t took = now_ns() - begun;
        learn(&aim, took);
        if (took >= NEVER_YET)
            shared->reader[0].stop = 1;
        check(took < NEVER_YET); /* it was not the time limit that ended it */
    }
    serve(w, 60 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

/* Takes each frame when the writer is about to wait for that. Nothing is released until `hold` frames
 * are held. */
static void take_late(const void *argument)
{
    const uint32_t hold = *(const uint32_t *)argument;
    struct framebus_reader *rd;
    struct framebus_frame *held[16];
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS,
                                                    .quota = hold + 1};
    move_to_processor(0);
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    shared->go = 1;
    for (int64_t n = 0; n < ROUNDS; n++) {
        if (n + 1 < ROUNDS)
            spin_until(&shared->value[1], n + 1);
        uint32_t k = (uint32_t)n % hold;
        check_equal(framebus_reader_next(rd, &held[k], 2 * NEVER_YET), 0);
        check_equal(held[k]->sequence, n);
        check_equal(held[k]->missed, 0);
        if (k == hold - 1)
            for (uint32_t i = 0; i < hold; i++)
                framebus_reader_release(rd, held[i]);
    }
    for (uint32_t i = 0; i < ROUNDS % hold; i++)
        framebus_reader_release(rd, held[i]);
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.delivery, FRAMEBUS_DELIVERY_LOSSLESS);
    framebus_reader_close(rd);
}

static void the_writer_is_woken_for_each(uint32_t hold)
{
    if (!orders_loads())
        skip_because("loads overtake ordered stores here");
    memset(shared, 0, sizeof *shared);
    pid_t writer = spawn(begin_and_wait, NULL);
    check_soon(shared->writer.ready);
    join(spawn(take_late, &hold));
    finish(writer, &shared->writer);
}

static void no_wake_up_of_a_lossless_writer_is_lost(void)
{
    the_writer_is_woken_for_each(1);
}

static void a_lossless_writer_is_woken_by_taking_not_only_by_releasing(void)
{
    the_writer_is_woken_for_each(16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(no_slot_is_written_while_it_is_read),
        PROCESS_TEST(no_wake_up_of_a_reader_is_lost),
        PROCESS_TEST(no_wake_up_of_a_reader_driven_by_poll_is_lost),
        PROCESS_TEST(no_wake_up_of_a_lossless_writer_is_lost),
        PROCESS_TEST(a_lossless_writer_is_woken_by_taking_not_only_by_releasing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
