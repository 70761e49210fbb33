/* SPDX-License-Identifier: MIT */
/*
 * A writer dies after each instruction of its calls. Each is a fresh process and the next writer of the
 * same name. Of one reader it is asked that it gets every frame that was published, whole, then -EPIPE,
 * and has its memory, mappings and descriptors back after close; another one follows from writer to writer.
 */
#include "stepper.h"

#include <malloc.h>

#define FRAMES           3 /* published before the call under test; fewer than the history ... */
#define HISTORY_LOSSLESS 2 /* ... unless the writer waits for all */

#define lives   (shared->go)       /* a writer that is to be read; 0: not yet */
#define read_up (shared->done)     /* the last life that the reader has seen the end of */
#define surely  (shared->value[0]) /* frames of this life that were published for certain */
#define perhaps (shared->value[1]) /* and one that may have been */
#define taken   (shared->value[2]) /* by the reader, in this life; -1: it is not there yet */
#define hold    (shared->value[3]) /* it is to leave the next frame alone ... */
#define holding (shared->value[4]) /* ... and does */
#define waits   (shared->value[5]) /* how often the one that follows found nothing, */
#define opened  (shared->value[6]) /* and its descriptors then */

static enum framebus_memory memory;
static bool lossless; /* writer and readers */
static pid_t reader, follower;
static unsigned follower_fds;

/* ---- the readers ---- */

struct holdings {
    unsigned fds, mappings;
    size_t heap;
};

static struct holdings holdings(void)
{
    return (struct holdings){count_fds(), count_mappings(), mallinfo2().uordblks};
}

static enum framebus_delivery delivery(void)
{
    return lossless ? FRAMEBUS_DELIVERY_LOSSLESS : FRAMEBUS_DELIVERY_LIVE;
}

static int next_frame(struct framebus_reader *rd, struct framebus_frame **f, int64_t count)
{
    taken = count;
    while (hold) {
        holding = 1;
        sleep_ns(MS / 20);
    }
    return framebus_reader_next(rd, f, 30 * S);
}

/* One life of a bus from its first frame to its end. */
static void read_a_life(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct framebus_reader_options options = {.wait_ns = 30 * S, .delivery = delivery()};
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    int64_t count = 0;
    int r;
    while (!(r = next_frame(rd, &f, count)) || r == -ENODATA) {
        if (r)
            continue;
        check_equal(frame_number(f), count);
        check_equal(f->missed, 0);
        count++;
        framebus_reader_release(rd, f);
    }
    check_equal(r, -EPIPE);
    framebus_reader_close(rd);
    if (count < surely || count > surely + perhaps)
        check_failed(__FILE__, __LINE__, "%d frames came of %d published and %d that may have been",
                     (int)count, (int)surely, (int)perhaps);
    shared->reader[0].frames += (uint64_t)count;
}

static void read_lives(const void *argument)
{
    (void)argument;
    struct holdings before = {0};
    for (int life = 0; !shared->reader[0].stop; life++) {
        check_soon(lives > read_up || shared->reader[0].stop);
        if (shared->reader[0].stop)
            break;
        read_a_life();
        struct holdings now = holdings();
        if (life > 3) { /* what grows once has grown */
            check_equal(now.fds, before.fds);
            check_equal(now.mappings, before.mappings);
            check(now.heap <= before.heap + HEAP_NOISE);
        } else {
            before = now;
        }
        read_up = lives;
    }
}

/* From writer to writer, whatever becomes of them. */
static void follow_lives(const void *argument)
{
    (void)argument;
    struct tally *tally = &shared->reader[1];
    const struct framebus_reader_options options = {.follow = true, .delivery = delivery()};
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    uint64_t expected = 0, writers = 0;
    while (!tally->stop) {
        struct framebus_frame *f;
        struct framebus_reader_stats stats;
        int r = framebus_reader_next(rd, &f, 5 * MS);
        if (r == -ETIMEDOUT) {
            opened = count_fds();
            waits++;
        }
        if (r == -ETIMEDOUT || r == -ENODATA)
            continue;
        check_equal(r, 0);
        framebus_reader_get_stats(rd, &stats);
        if (stats.writers != writers)
            expected = 0;
        writers = stats.writers;
        check_equal(frame_number(f), expected);
        check_equal(f->missed, 0);
        expected++;
        tally->frames++;
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
}

static void look_after(void)
{
    int64_t limit = now_ns() + 30 * S;
    hold = 0;
    for (unsigned tries = 0; read_up < lives; tries++) {
        check(now_ns() < limit);
        check(!has_ended(reader) && !has_ended(follower));
        if (tries > 100)
            sleep_ns(MS / 20);
    }
}

/* Between two writers, which is when the follower has nothing but what it watches with. */
static void look_after_the_follower(void)
{
    look_after();
    int64_t before = waits;
    check_soon(waits >= before + 2); /* the first may have begun before the writer's death */
    if (!follower_fds)
        follower_fds = (unsigned)opened;
    check_equal(opened, follower_fds);
}

/* ---- System V memory ---- */

/* Marked for removal it has lost its key. */
static bool is_shared_by_all(const struct segment *segment, void *unused)
{
    (void)unused;
    return segment->maker == getpid() && segment->attached == 3;
}

/* ---- the victims ---- */

static struct framebus_writer *open_bus(void)
{
    struct framebus_format format = picture("GRAY8", 64, 16);
    const struct framebus_writer_options options = {
        .memory = memory,
        .max_slots = 16,
        .max_lends = 2,
        .history = lossless ? HISTORY_LOSSLESS : 0,
        .lossless = lossless,
        .lossless_timeout_ns = -1,
    };
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    return w;
}

/* The next writer, once both readers are there and have whole frames to come. */
static struct framebus_writer *come_to_life(void)
{
    surely = perhaps = holding = 0;
    taken = -1;
    lives = read_up + 1;
    struct framebus_writer *w = open_bus();
    int64_t limit = now_ns() + 20 * S;
    for (uint32_t readers = 0; readers < 2;) {
        check(now_ns() < limit);
        serve(w, MS, NULL);
        struct framebus_bus_info *info;
        check_equal(framebus_writer_get_info(w, &info), 0);
        readers = info->readers;
        framebus_info_free(info, 1);
    }
    /* A segment ends with its last attachment; a reader that has only been told of it comes too late. */
    if (memory == FRAMEBUS_MEMORY_SYSV)
        check_soon(count_segments(is_shared_by_all, NULL) == 1);
    for (uint64_t i = 0; i < FRAMES; i++, surely++)
        check_equal(publish_one(w, i), 0);
    return w;
}

static struct framebus_frame *begin(struct framebus_writer *w)
{
    struct framebus_frame *f;
    check_equal(framebus_writer_begin(w, &f), 0);
    fill_frame(f, (uint64_t)surely);
    return f;
}

static void in_begin(void)
{
    struct framebus_writer *w = come_to_life();
    struct framebus_frame *f;
    victim_begin();
    framebus_writer_begin(w, &f);
    victim_end();
}

static void publish_surely(struct framebus_writer *w)
{
    check_equal(publish_one(w, (uint64_t)surely), 0);
    surely++;
}

/* Has to wait until the reader takes another frame, and then gets a slot that has held one. */
static void in_begin_waiting(void)
{
    struct framebus_writer *w = come_to_life();
    struct framebus_frame *f;
    check_soon(taken == surely);
    hold = 1;
    publish_surely(w); /* wakes the one that is to leave the next alone */
    check_soon(holding);
    while (surely - taken < HISTORY_LOSSLESS)
        publish_surely(w);
    victim_begin();
    framebus_writer_begin(w, &f);
    victim_end();
}

static void let_go(void)
{
    hold = 0;
}

static void in_publish(void)
{
    struct framebus_writer *w = come_to_life();
    struct framebus_frame *f = begin(w);
    perhaps = 1;
    victim_begin();
    framebus_writer_publish(w, f);
    victim_end();
}

static void in_publish_to_sleepers(void)
{
    struct framebus_writer *w = come_to_life();
    struct framebus_frame *f = begin(w);
    perhaps = 1;
    sleep_ns(2 * MS); /* both have taken all there is; if not, this is in_publish() */
    victim_begin();
    framebus_writer_publish(w, f);
    victim_end();
}

static void in_release(void)
{
    struct framebus_writer *w = come_to_life();
    struct framebus_frame *f = begin(w);
    perhaps = 1;
    check_equal(framebus_writer_publish(w, f), 0);
    surely += perhaps;
    perhaps = 0;
    victim_begin();
    framebus_writer_release(w, f);
    victim_end();
}

static void in_change(void)
{
    struct framebus_writer *w = come_to_life();
    struct framebus_format other = picture("GRAY8", 128, 16);
    victim_begin();
    framebus_writer_set_format(w, &other);
    victim_end();
}

static void in_end(void)
{
    struct framebus_writer *w = come_to_life();
    victim_begin();
    framebus_writer_end(w);
    victim_end();
}

static void in_close(void)
{
    struct framebus_writer *w = come_to_life();
    victim_begin();
    framebus_writer_close(w);
    victim_end();
}

static void in_open(void)
{
    struct framebus_format format = picture("GRAY8", 64, 16);
    const struct framebus_writer_options options = {.memory = memory, .max_slots = 16, .max_lends = 2};
    struct framebus_writer *w;
    victim_begin();
    framebus_writer_open(&w, "bus", &format, &options);
    victim_end();
}

/* A writer that lives to its proper end. */
static void live(const void *argument)
{
    (void)argument;
    struct framebus_writer *w = come_to_life();
    check_equal(count_posix(), memory == FRAMEBUS_MEMORY_POSIX); /* and none of a dead one */
    framebus_writer_close(w);
}

static void run_one(void)
{
    pid_t pid = fork_child();
    if (!pid) {
        live(NULL);
        _exit(0);
    }
    join(pid);
    look_after_the_follower();
}

/* ---- the tests ---- */

static void kill_writers(const char *call, const struct killing *killing)
{
    static const char *const kinds[] = {"memfd", "posix", "sysv"};
    const char *objection = stepper_objection();
    if (objection)
        skip_because("%s", objection);
    allow_seconds(600);
    follower_fds = 0;
    reader = spawn(read_lives, NULL);
    follower = spawn(follow_lives, NULL);
    for (int i = 0; i < 5; i++)
        run_one();
    unsigned instructions;
    int64_t begun = now_ns();
    unsigned points = stepper_kill(killing, &instructions);
    note("figure: writer killed in %s (%s): %u points in %u instructions, %.1f s", call, kinds[memory],
         points, instructions, (double)(now_ns() - begun) / (double)S);
    check(instructions > 40 && points >= (killing->sample ? killing->sample : instructions));
    run_one();
    shared->reader[0].stop = 1;
    join(reader);
    finish(follower, &shared->reader[1]);
    note("%llu frames were read by the one, %llu by the one that followed",
         (unsigned long long)shared->reader[0].frames, (unsigned long long)shared->reader[1].frames);
    check(shared->reader[1].frames > 0);
}

#define EVERYWHERE(function)                                                                                 \
    &(struct killing)                                                                                        \
    {                                                                                                        \
        .victim = function, .look_after = look_after                                                         \
    }

#define ALL_OVER(function, points)                                                                           \
    &(struct killing)                                                                                        \
    {                                                                                                        \
        .victim = function, .look_after = look_after, .sample = points                                       \
    }

static void a_writer_dies_anywhere_in_begin(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("begin", EVERYWHERE(in_begin));
}

static void a_writer_dies_all_over_begin_while_it_waits(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    lossless = true;
    kill_writers("begin, waiting",
                 &(struct killing){
                     .victim = in_begin_waiting, .look_after = look_after, .idle = let_go, .sample = 500});
    lossless = false;
}

static void a_writer_dies_anywhere_in_publish(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("publish", EVERYWHERE(in_publish));
}

static void a_writer_dies_all_over_publish_to_sleepers(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("publish to sleepers", ALL_OVER(in_publish_to_sleepers, 500));
}

static void a_writer_dies_anywhere_in_release(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("release", EVERYWHERE(in_release));
}

static void a_writer_dies_all_over_a_change_of_pool(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("a change of pool", ALL_OVER(in_change, 500));
}

static void a_writer_dies_all_over_a_change_of_posix_pool(void)
{
    memory = FRAMEBUS_MEMORY_POSIX;
    kill_writers("a change of pool", ALL_OVER(in_change, 100));
}

static void a_writer_dies_all_over_a_change_of_sysv_pool(void)
{
    memory = FRAMEBUS_MEMORY_SYSV;
    kill_writers("a change of pool", ALL_OVER(in_change, 100));
}

static void a_writer_dies_all_over_end(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("end", ALL_OVER(in_end, 100));
}

static void a_writer_dies_all_over_close(void)
{
    memory = FRAMEBUS_MEMORY_MEMFD;
    kill_writers("close", ALL_OVER(in_close, 500));
}

static void look_after_open(void)
{
    run_one();
}

static void open_in(enum framebus_memory kind, unsigned points)
{
    memory = kind;
    kill_writers("open",
                 &(struct killing){.victim = in_open, .look_after = look_after_open, .sample = points});
}

static void a_writer_dies_all_over_open(void)
{
    open_in(FRAMEBUS_MEMORY_MEMFD, 500);
}

static void a_writer_dies_all_over_open_with_posix_memory(void)
{
    open_in(FRAMEBUS_MEMORY_POSIX, 100);
}

static void a_writer_dies_all_over_open_with_sysv_memory(void)
{
    open_in(FRAMEBUS_MEMORY_SYSV, 100);
}

int main(int argc, char **argv)
{
    (void)argc;
    stepper_start(argv);
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_writer_dies_anywhere_in_begin),
        PROCESS_TEST(a_writer_dies_all_over_begin_while_it_waits),
        PROCESS_TEST(a_writer_dies_anywhere_in_publish),
        PROCESS_TEST(a_writer_dies_all_over_publish_to_sleepers),
        PROCESS_TEST(a_writer_dies_anywhere_in_release),
        PROCESS_TEST(a_writer_dies_all_over_a_change_of_pool),
        PROCESS_TEST(a_writer_dies_all_over_a_change_of_posix_pool),
        PROCESS_TEST(a_writer_dies_all_over_a_change_of_sysv_pool),
        PROCESS_TEST(a_writer_dies_all_over_end),
        PROCESS_TEST(a_writer_dies_all_over_close),
        PROCESS_TEST(a_writer_dies_all_over_open),
        PROCESS_TEST(a_writer_dies_all_over_open_with_posix_memory),
        PROCESS_TEST(a_writer_dies_all_over_open_with_sysv_memory),
    };
    return cmocka_run_group_tests_name("killed writers", tests, NULL, NULL);
}
