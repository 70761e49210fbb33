/* SPDX-License-Identifier: MIT */
/*
 * A reader dies after each instruction of its calls. Each is a fresh process that first takes whole
 * frames as any newcomer does. After each death the writer has the memory, mappings and descriptors that
 * it had before, nothing claimed, and slots to lend; another reader and the writer run on.
 */
#include "stepper.h"

#include <malloc.h>

#define HISTORY   4
#define MAX_LENDS 4
#define QUOTA     2

/* ---- the writer ---- */

static bool lossless;

enum request { NOTHING, LOOK_OVER, CHANGE, PUBLISH, PAUSE, RUN, CLOSE };
#define wanted  (shared->go)
#define granted (shared->done)
#define wide    (shared->value[0])

struct holdings {
    unsigned fds, mappings, lent;
    size_t heap;
};

static struct framebus_format format_now(void)
{
    return picture("GRAY8", wide ? 128 : 64, 16);
}

static struct framebus_bus_info info_of(struct framebus_writer *w)
{
    struct framebus_bus_info *info;
    check_equal(framebus_writer_get_info(w, &info), 0);
    struct framebus_bus_info copy = *info;
    if (info->readers == 1) /* the one that stays */
        check(info->reader[0].held <= QUOTA);
    framebus_info_free(info, 1);
    return copy;
}

static void publish_and_serve(struct framebus_writer *w)
{
    check_equal(publish_one(w, shared->writer.frames), 0);
    shared->writer.frames++;
    check_equal(framebus_writer_dispatch(w), 0);
}

static struct holdings holdings_of(struct framebus_writer *w)
{
    return (struct holdings){count_fds(), count_mappings(), info_of(w).lent, mallinfo2().uordblks};
}

/* The victim's hang-up is seen, and everything is as before it came. */
static void look_over(struct framebus_writer *w, struct holdings *before)
{
    int64_t limit = now_ns() + 20 * S;
    while (info_of(w).readers != 1 || (before->fds && count_mappings() != before->mappings)) {
        if (now_ns() > limit)
            check_failed(__FILE__, __LINE__, "%u readers, %u mappings in place of %u", info_of(w).readers,
                         count_mappings(), before->mappings);
        publish_and_serve(w); /* the other one moves along */
    }
    struct framebus_frame *f[MAX_LENDS];
    for (int i = 0; i < MAX_LENDS; i++)
        check_equal(framebus_writer_begin(w, &f[i]), 0);
    for (int i = 0; i < MAX_LENDS; i++)
        framebus_writer_release(w, f[i]);
    uint64_t frames = shared->reader[1].frames;
    while (shared->reader[1].frames < frames + 2) {
        check(now_ns() < limit);
        publish_and_serve(w);
    }
    struct holdings now = holdings_of(w);
    if (before->fds) {
        check_equal(now.fds, before->fds);
        check_equal(now.mappings, before->mappings);
        check_equal(now.lent, 0);
        check(now.heap <= before->heap + HEAP_NOISE);
    } else {
        *before = now;
    }
}

static void serve_victims(const void *argument)
{
    (void)argument;
    struct framebus_format format = format_now();
    struct framebus_writer *w;
    const struct framebus_writer_options options = {
        .history = HISTORY,
        .max_lends = MAX_LENDS,
        .max_slots = (lossless ? 2 : 1) * MAX_LENDS + HISTORY + 2 * QUOTA + 1, /* not one too many */
        .lossless = lossless,
        .lossless_timeout_ns = -1,
    };
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    shared->writer.ready = 1;
    struct holdings holdings = {0};
    bool running = true;
    while (wanted != CLOSE) {
        switch (atomic_load(&wanted)) {
        case LOOK_OVER:
            look_over(w, &holdings);
            break;
        case CHANGE:
            wide = !wide;
            format = format_now();
            check_equal(framebus_writer_set_format(w, &format), 0);
            publish_and_serve(w);
            break;
        case PUBLISH:
            publish_and_serve(w);
            break;
        case PAUSE:
        case RUN:
            running = wanted == RUN;
            break;
        default:
            if (running)
                publish_and_serve(w);
            serve(w, MS / 5, NULL);
            continue;
        }
        wanted = NOTHING;
        granted++;
    }
    framebus_writer_close(w);
}

static pid_t tester, writer;

static void ask(enum request what)
{
    uint32_t before = granted;
    wanted = what;
    int64_t limit = now_ns() + 30 * S;
    for (unsigned tries = 0; granted == before; tries++) {
        check(now_ns() < limit);
        check(getpid() != tester || !has_ended(writer));
        if (tries > 100)
            sleep_ns(MS / 20);
    }
}

static void look_after(void)
{
    ask(LOOK_OVER);
}

static void wake(void)
{
    if (wanted == NOTHING)
        wanted = PUBLISH;
}

/* ---- the victims ---- */

static uint64_t last_taken; /* number of the last frame of join_in() */

static struct framebus_reader *join_in(void)
{
    static const struct framebus_reader_options keen = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", lossless ? &keen : NULL), 0);
    for (uint64_t i = 0, number = 0; i < 3; i++) {
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check(frame_number(f) >= 0);
        check(!i || (uint64_t)frame_number(f) == number + f->missed + 1);
        number = last_taken = (uint64_t)frame_number(f);
        framebus_reader_release(rd, f);
    }
    return rd;
}

/* There are so many frames to take. A lossless writer that is `history` ahead publishes no more. */
static void wait_for_frames(uint64_t count)
{
    check_soon(shared->writer.frames > last_taken + count);
}

static void in_next(void)
{
    struct framebus_reader *rd = join_in();
    struct framebus_frame *f;
    wait_for_frames(lossless ? 1 : 2);
    victim_begin();
    framebus_reader_next(rd, &f, 10 * S);
    victim_end();
}

static void in_next_asleep(void)
{
    struct framebus_reader *rd = join_in();
    struct framebus_frame *f;
    ask(PAUSE);
    while (!framebus_reader_next(rd, &f, 0))
        framebus_reader_release(rd, f);
    victim_begin();
    framebus_reader_next(rd, &f, 10 * S);
    victim_end();
}

static void in_release(void)
{
    struct framebus_reader *rd = join_in();
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    if (lossless) { /* the next one has to wait for us, and is told */
        check_soon(shared->writer.frames > (uint64_t)frame_number(f) + HISTORY);
        sleep_ns(MS);
    }
    victim_begin();
    framebus_reader_release(rd, f);
    victim_end();
}

static void in_change(void)
{
    struct framebus_reader *rd = join_in();
    struct framebus_frame *f, *old;
    ask(PAUSE);
    while (!framebus_reader_next(rd, &f, 0))
        framebus_reader_release(rd, f);
    ask(PUBLISH);
    check_equal(framebus_reader_next(rd, &old, 10 * S), 0); /* and keeps it */
    ask(CHANGE);
    victim_begin();
    framebus_reader_next(rd, &f, 10 * S);
    victim_end();
}

static void in_open(void)
{
    struct framebus_reader *rd;
    ask(RUN);
    victim_begin();
    framebus_reader_open(&rd, "bus", NULL);
    victim_end();
}

static void in_close(void)
{
    struct framebus_reader *rd = join_in();
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    victim_begin();
    framebus_reader_close(rd);
    framebus_reader_release(rd, f);
    victim_end();
}

/* ---- the tests ---- */

static void look_after_and_run(void)
{
    ask(LOOK_OVER);
    ask(RUN);
}

static void kill_readers(const char *call, const struct killing *killing)
{
    const char *objection = stepper_objection();
    if (objection)
        skip_because("%s", objection);
    allow_seconds(600);
    tester = getpid();
    writer = spawn(serve_victims, NULL);
    check_soon(shared->writer.ready || has_ended(writer));
    pid_t other = start_reader(&(struct reading){.tally = &shared->reader[1], .timeout_ns = 100 * S});
    ask(LOOK_OVER);               /* has nothing to compare with yet */
    for (int i = 0; i < 3; i++) { /* everything that grows once has grown */
        pid_t victim = fork_child();
        if (!victim) {
            framebus_reader_close(join_in());
            _exit(0);
        }
        join(victim);
        ask(LOOK_OVER);
    }
    unsigned instructions;
    int64_t begun = now_ns();
    unsigned points = stepper_kill(killing, &instructions);
    note("figure: reader killed in %s%s: %u points in %u instructions, %.1f s", call,
         lossless ? " (lossless)" : "", points, instructions, (double)(now_ns() - begun) / (double)S);
    check(instructions > 50 && points >= (killing->sample ? killing->sample : instructions));
    ask(RUN);
    look_after();
    finish(other, &shared->reader[1]);
    check_equal(shared->reader[1].wrong, 0);
    check_equal(shared->reader[1].result, 0);
    wanted = CLOSE;
    join(writer);
}

static void a_reader_dies_anywhere_in_next(void)
{
    lossless = false;
    kill_readers("next", &(struct killing){.victim = in_next, .look_after = look_after});
}

static void a_reader_dies_anywhere_in_next_while_the_writer_waits(void)
{
    lossless = true;
    kill_readers("next", &(struct killing){.victim = in_next, .look_after = look_after});
}

static void a_reader_dies_anywhere_in_next_asleep(void)
{
    lossless = false;
    kill_readers("next, asleep",
                 &(struct killing){.victim = in_next_asleep, .look_after = look_after_and_run, .idle = wake});
}

static void a_reader_dies_anywhere_in_release(void)
{
    lossless = false;
    kill_readers("release", &(struct killing){.victim = in_release, .look_after = look_after});
}

static void a_reader_dies_anywhere_in_release_while_the_writer_waits(void)
{
    lossless = true;
    kill_readers("release", &(struct killing){.victim = in_release, .look_after = look_after});
}

static void a_reader_dies_all_over_open(void)
{
    lossless = false;
    kill_readers("open", &(struct killing){.victim = in_open, .look_after = look_after, .sample = 500});
}

static void a_reader_dies_all_over_close(void)
{
    lossless = false;
    kill_readers("close", &(struct killing){.victim = in_close, .look_after = look_after, .sample = 500});
}

static void a_reader_dies_all_over_a_change_of_pool(void)
{
    lossless = false;
    kill_readers("a change of pool",
                 &(struct killing){
                     .victim = in_change, .look_after = look_after_and_run, .idle = wake, .sample = 500});
}

int main(int argc, char **argv)
{
    (void)argc;
    stepper_start(argv);
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_reader_dies_anywhere_in_next),
        PROCESS_TEST(a_reader_dies_anywhere_in_next_while_the_writer_waits),
        PROCESS_TEST(a_reader_dies_anywhere_in_next_asleep),
        PROCESS_TEST(a_reader_dies_anywhere_in_release),
        PROCESS_TEST(a_reader_dies_anywhere_in_release_while_the_writer_waits),
        PROCESS_TEST(a_reader_dies_all_over_open),
        PROCESS_TEST(a_reader_dies_all_over_close),
        PROCESS_TEST(a_reader_dies_all_over_a_change_of_pool),
    };
    return cmocka_run_group_tests_name("killed readers", tests, NULL, NULL);
}
