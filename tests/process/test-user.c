/* SPDX-License-Identifier: MIT */
/* A pointer that a user keeps with the memory of a frame: how long it lives, and where it ends. */
#include "harness.h"

#include <pthread.h>

static _Atomic int made, destroyed, wrong_process;
static pid_t parent;

struct thing {
    uint32_t slot, serial;
    const struct framebus_frame *frame; /* held, and not to lose its thing meanwhile */
};

static void destroy_thing(void *pointer)
{
    struct thing *thing = pointer;
    if (getpid() != parent)
        wrong_process++;
    check(!thing->frame);
    destroyed++;
    free(thing);
}

static struct thing *thing_of(struct framebus_frame *f)
{
    struct thing *thing = framebus_frame_get_user(f);
    if (!thing) {
        thing = calloc(1, sizeof *thing);
        *thing = (struct thing){.slot = f->slot, .serial = f->format_serial};
        check_equal(framebus_frame_set_user(f, thing, destroy_thing), 0);
        made++;
    }
    check_equal(thing->slot, f->slot);
    check_equal(thing->serial, f->format_serial);
    check(framebus_frame_get_user(f) == thing);
    return thing;
}

static void begin_counting(void)
{
    parent = getpid();
    made = destroyed = wrong_process = 0;
}

static struct framebus_frame *next_frame(struct framebus_reader *rd)
{
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    return f;
}

/* Ten frames of one format, ten of another, and so on, a step between them. */
static void change_formats(const void *argument)
{
    (void)argument;
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", NULL, &(struct framebus_writer_options){.history = 16}), 0);
    for (uint32_t i = 0; i < 3; i++) {
        const struct framebus_format format = picture("GRAY8", 160 + 16 * i, 120);
        check_equal(framebus_writer_set_format(w, &format), 0);
        for (int n = 0; n < 10; n++) {
            step(w);
            check_equal(publish_one(w, 10 * i + n), 0);
        }
    }
    step(w);
    framebus_writer_close(w);
}

static void a_pointer_stays_with_its_slot_until_the_pool_goes(void)
{
    begin_counting();
    pid_t writer = start_script(change_formats, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f, *kept = NULL;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    for (int n = 0; n < 30; n++) {
        go_on();
        f = next_frame(rd);
        check_equal(destroyed, n < 10 ? 0 : 10); /* of the second pool a frame is held */
        struct thing *thing = thing_of(f);
        if (n != 15) {
            framebus_reader_release(rd, f);
            continue;
        }
        kept = f;
        thing->frame = f;
    }
    check_equal(made, 30); /* no slot came twice */
    thing_of(kept)->frame = NULL;
    framebus_reader_release(rd, kept);
    check_equal(destroyed, 20);
    framebus_reader_close(rd);
    check_equal(destroyed, 30);
    end_script(writer);
}

static void slots_that_come_again_bring_their_pointer(void)
{
    begin_counting();
    pid_t writer = start_writer(&(struct writing){.options = {.history = 1}, .interval_ns = MS});
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    for (int n = 0; n < 100; n++) {
        struct framebus_frame *f = next_frame(rd);
        thing_of(f);
        framebus_reader_release(rd, f);
    }
    check(made < 10); /* of a few slots */
    check_equal(destroyed, 0);
    framebus_reader_close(rd);
    check_equal(destroyed, made);
    finish(writer, &shared->writer);
}

static void a_pointer_can_be_replaced_and_taken_away(void)
{
    static int one, two;
    begin_counting();
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    struct framebus_frame *f = next_frame(rd);
    check(!framebus_frame_get_user(f));
    check_equal(framebus_frame_set_user(f, NULL, NULL), 0);
    thing_of(f);
    check_equal(framebus_frame_set_user(f, &one, NULL), 0);
    check_equal(destroyed, 1);
    check(framebus_frame_get_user(f) == &one);
    check_equal(framebus_frame_set_user(f, &two, NULL), 0);
    check_equal(framebus_frame_set_user(f, NULL, destroy_thing), 0);
    check(!framebus_frame_get_user(f));
    struct thing *thing = thing_of(f);
    check_equal(framebus_frame_set_user(f, thing, destroy_thing), 0); /* the same */
    check_equal(destroyed, 1);
    framebus_reader_release(rd, f);
    check_fails(framebus_frame_set_user(f, &one, NULL), EINVAL, "held");
    check_fails(framebus_frame_set_user(NULL, &one, NULL), EINVAL, "held");
    check(!framebus_frame_get_user(NULL));
    framebus_reader_close(rd);
    check_equal(destroyed, 2);
    finish(writer, &shared->writer);
}

static void *release_all(void *argument)
{
    void **all = argument;
    for (int i = 0; i < 2; i++)
        framebus_reader_release(all[2], all[i]);
    return NULL;
}

static void frames_that_are_held_keep_it_beyond_close(void)
{
    begin_counting();
    pid_t writer = start_writer(&(struct writing){.interval_ns = MS});
    struct framebus_reader *rd;
    pthread_t thread;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    struct framebus_frame *f[2] = {next_frame(rd), next_frame(rd)};
    for (int i = 0; i < 2; i++)
        thing_of(f[i]);
    framebus_reader_close(rd);
    check_equal(destroyed, 0);
    check(framebus_frame_get_user(f[1]));
    void *all[] = {f[0], f[1], rd};
    check(!pthread_create(&thread, NULL, release_all, all));
    check(!pthread_join(thread, NULL));
    check_equal(destroyed, 2);
    finish(writer, &shared->writer);
}

static void a_forked_child_destroys_nothing(void)
{
    begin_counting();
    struct framebus_format format = small(), other = picture("GRAY8", 320, 240);
    struct framebus_writer *w;
    struct framebus_reader *rd;
    struct framebus_frame *lent;
    check_equal(framebus_writer_open(&w, "other", &format, NULL), 0);
    check_equal(framebus_writer_begin(w, &lent), 0);
    thing_of(lent);
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    struct framebus_frame *f = next_frame(rd);
    struct thing *thing = thing_of(f);
    pid_t child = fork_child();
    if (!child) {
        check(framebus_frame_get_user(f) == thing);
        check_fails(framebus_frame_set_user(f, NULL, NULL), ECHILD, "parent");
        check_fails(framebus_frame_set_user(lent, &child, NULL), ECHILD, "parent");
        framebus_reader_release(rd, f);
        framebus_reader_close(rd);
        framebus_writer_release(w, lent);
        framebus_writer_close(w);
        _exit(destroyed ? 1 : 0);
    }
    check_equal(status_of(child), 0);
    check_equal(destroyed, 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    check_equal(destroyed, 1);
    framebus_writer_release(w, lent);
    check_equal(framebus_writer_set_format(w, &other), 0);
    check_equal(destroyed, 2);
    framebus_writer_close(w);
    check_equal(wrong_process, 0);
    finish(writer, &shared->writer);
}

/* ---- without locks ---- */

static struct framebus_writer *writer_of_things;

/* Each of these would wait for a lock of the library, if one was held. */
static void call_the_library(void *pointer)
{
    struct framebus_bus_info *info;
    if (framebus_writer_get_info(writer_of_things, &info) == 0)
        framebus_info_free(info, 1);
    pid_t child = fork_child();
    if (!child)
        _exit(0);
    check_equal(status_of(child), 0);
    destroy_thing(pointer);
}

static void what_is_destroyed_may_call_the_library(void)
{
    begin_counting();
    struct framebus_format format = small(), other = picture("GRAY8", 320, 240);
    struct framebus_frame *f;
    struct framebus_reader *rd;
    check_equal(framebus_writer_open(&writer_of_things, "bus", &format, NULL), 0);
    for (int i = 0; i < 3; i++) { /* set_format, release, close */
        check_equal(framebus_writer_begin(writer_of_things, &f), 0);
        check_equal(framebus_frame_set_user(f, thing_of(f), call_the_library), 0);
        if (i != 1)
            framebus_writer_release(writer_of_things, f);
        if (i < 2)
            check_equal(framebus_writer_set_format(writer_of_things, i ? &format : &other), 0);
        if (i == 1)
            framebus_writer_release(writer_of_things, f);
        check_equal(destroyed, i + (i < 2));
    }
    pid_t writer = start_writer(&(struct writing){.bus = "reads", .frames = 1});
    check_equal(framebus_reader_open(&rd, "reads", &(struct framebus_reader_options){.follow = true}), 0);
    f = next_frame(rd);
    check_equal(framebus_frame_set_user(f, thing_of(f), call_the_library), 0);
    framebus_reader_release(rd, f);
    finish(writer, &shared->writer);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT); /* it left the pool */
    check_equal(destroyed, 3);
    framebus_reader_close(rd);
    framebus_writer_close(writer_of_things);
    check_equal(destroyed, made);
}

/* ---- threads ---- */

#define HANDS 3

static struct framebus_reader *reader_of_all;
static _Atomic(struct framebus_frame *) in_hand[HANDS];

static void *use_and_release(void *argument)
{
    _Atomic(struct framebus_frame *) *hand = argument;
    while (!shared->go || *hand) {
        struct framebus_frame *f = atomic_exchange(hand, NULL);
        if (!f)
            continue;
        thing_of(f);
        framebus_reader_release(reader_of_all, f);
    }
    return NULL;
}

static void write_in_many_formats(const void *argument)
{
    (void)argument;
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", NULL, NULL), 0);
    shared->writer.ready = 1;
    for (uint32_t n = 0; !shared->writer.stop; n++) {
        const struct framebus_format format = picture("GRAY8", 160 + n / 10 % 8 * 16, 120);
        check_equal(framebus_writer_set_format(w, &format), 0);
        check_equal(publish_one(w, n), 0);
        serve(w, MS, NULL);
    }
    framebus_writer_close(w);
}

static void any_thread_may_set_use_and_end_it(void)
{
    begin_counting();
    pid_t writer = spawn(write_in_many_formats, NULL);
    check_soon(shared->writer.ready);
    pthread_t threads[HANDS];
    int64_t end = now_ns() + S;
    check_equal(
        framebus_reader_open(&reader_of_all, "bus", &(struct framebus_reader_options){.quota = HANDS + 1}),
        0);
    for (int i = 0; i < HANDS; i++)
        check(!pthread_create(&threads[i], NULL, use_and_release, (void *)&in_hand[i]));
    for (int i = 0; now_ns() < end; i++) {
        struct framebus_frame *f;
        int r = framebus_reader_next(reader_of_all, &f, 10 * S);
        if (r == -EBUSY)
            continue;
        check_equal(r, 0);
        thing_of(f);
        f = atomic_exchange(&in_hand[i % HANDS], f);
        if (f)
            framebus_reader_release(reader_of_all, f);
    }
    framebus_reader_close(reader_of_all); /* beside their releases */
    shared->go = 1;
    for (int i = 0; i < HANDS; i++)
        check(!pthread_join(threads[i], NULL));
    check(made > 10);
    check_equal(destroyed, made);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_pointer_stays_with_its_slot_until_the_pool_goes),
        PROCESS_TEST(slots_that_come_again_bring_their_pointer),
        PROCESS_TEST(a_pointer_can_be_replaced_and_taken_away),
        PROCESS_TEST(frames_that_are_held_keep_it_beyond_close),
        PROCESS_TEST(a_forked_child_destroys_nothing),
        PROCESS_TEST(what_is_destroyed_may_call_the_library),
        PROCESS_TEST(any_thread_may_set_use_and_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
