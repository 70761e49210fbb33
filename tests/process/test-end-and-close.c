/* SPDX-License-Identifier: MIT */
/* Streams that end, and handles that are closed while frames are held. */
#include "harness.h"

static const enum framebus_memory *const kind_of_pool =
    (const enum framebus_memory[]){FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX, FRAMEBUS_MEMORY_SYSV};

/* ---- the end of a stream ---- */

static void end_streams(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    uint64_t n = 0;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    step(w);
    for (int stream = 0; stream < 3; stream++) {
        for (int i = 0; i < 3; i++)
            check_equal(publish_one(w, n++), 0);
        check_equal(framebus_writer_end(w), 0);
        step(w);
    }
    check_equal(publish_one(w, n++), 0);
    step(w);
    kill(getpid(), SIGKILL);
}

static void the_end_of_a_stream_is_told_once_and_is_not_the_writers_death(void)
{
    static const struct framebus_writer_options ways[] = {{.history = 4}, {.lossless = true}};
    for (int way = 0; way < 2; way++) {
        pid_t writer = start_script(end_streams, &ways[way]);
        struct framebus_reader *rd;
        struct framebus_frame *f;
        const struct framebus_reader_options options = {.delivery = way ? FRAMEBUS_DELIVERY_LOSSLESS
                                                                        : FRAMEBUS_DELIVERY_LIVE};
        check_equal(framebus_reader_open(&rd, "bus", &options), 0);
        for (uint64_t stream = 0; stream < 3; stream++) {
            go_on();
            for (uint64_t i = 0; i < 3; i++)
                expect_frame(rd, 3 * stream + i, 0);
            check_fails(framebus_reader_next(rd, &f, 10 * S), ENODATA, "ended");
            check_equal(framebus_reader_next(rd, &f, 20 * MS), -ETIMEDOUT); /* the next has not begun */
            struct framebus_reader_stats stats;
            framebus_reader_get_stats(rd, &stats);
            check(stats.connected);
        }
        /* One that comes between two streams waits for the second. */
        struct framebus_reader *late;
        check_equal(framebus_reader_open(&late, "bus", NULL), 0);
        check_equal(framebus_reader_next(late, &f, 20 * MS), -ETIMEDOUT);
        go_on();
        expect_frame(rd, 9, 0);
        expect_frame(late, 9, 0);
        shared->go++;
        status_of(writer);
        check_equal(framebus_reader_next(rd, &f, 10 * S), -EPIPE);
        check_equal(framebus_reader_next(late, &f, 10 * S), -EPIPE);
        framebus_reader_close(rd);
        framebus_reader_close(late);
        check_equal(framebus_remove("bus", NULL, NULL), 1);
    }
}

/* ---- closing while frames are held ---- */

static void close_with_a_frame_lent(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = small();
    struct framebus_writer *w, *next;
    struct framebus_frame *f, *g;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    check_equal(framebus_writer_begin(w, &f), 0);
    fill_frame(f, 0);
    check_equal(framebus_writer_publish(w, f), 0);
    check_equal(framebus_writer_begin(w, &g), 0);
    step(w);
    framebus_writer_close(w);
    check_equal(framebus_writer_open(&next, "bus", &format, NULL), 0); /* the name is free at once */
    framebus_writer_close(next);
    step(NULL);
    check_equal(frame_number(f), 0);
    fill_frame(g, 7); /* nobody will see it, but it may be written */
    check_fails(framebus_writer_publish(w, g), ESTALE, "closed");
    framebus_writer_release(w, f);
    framebus_writer_release(w, g);
    check_equal(count_mappings(), 0);
}

static void frames_stay_valid_after_close_until_they_are_released(void)
{
    for (int kind = 0; kind < 3; kind++) {
        pid_t writer = start_script(close_with_a_frame_lent,
                                    &(struct framebus_writer_options){.memory = kind_of_pool[kind]});
        struct framebus_reader *rd;
        struct framebus_frame *f, *none;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        go_on();
        check_equal(framebus_reader_next(rd, &none, 10 * S), -EPIPE);
        framebus_reader_close(rd);
        check_equal(frame_number(f), 0);
        end_script(writer);
        check_equal(frame_number(f), 0); /* the writer is not even there any more */
        check(count_mappings() > 0);
        framebus_reader_release(rd, f);
        check_equal(count_mappings(), 0);
    }
}

static void hand_the_name_over_with_a_frame_lent(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = small();
    struct framebus_writer *w, *next;
    struct framebus_frame *f;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    check_equal(framebus_writer_begin(w, &f), 0);
    framebus_writer_close(w);
    check_equal(count_posix(), 0);
    check_equal(framebus_writer_open(&next, "bus", &format, options), 0);
    check_equal(count_posix(), 1);
    framebus_writer_release(w, f);
    check_equal(count_posix(), 1);
    framebus_writer_close(next);
}

static void the_last_release_leaves_the_next_writers_memory_alone(void)
{
    join(spawn(hand_the_name_over_with_a_frame_lent,
               &(struct framebus_writer_options){.memory = FRAMEBUS_MEMORY_POSIX}));
}

static void a_closed_reader_keeps_its_claim_until_it_releases(void)
{
    pid_t writer = start_writer(
        &(struct writing){.options = {.history = 2, .max_slots = 8, .max_lends = 1}, .interval_ns = MS});
    struct framebus_reader *rd;
    struct framebus_frame *f[2];
    struct framebus_bus_info *info;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    for (int i = 0; i < 2; i++)
        check_equal(framebus_reader_next(rd, &f[i], 10 * S), 0);
    framebus_reader_close(rd);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 50);
    check_equal(frame_number(f[0]), f[0]->sequence); /* every other slot was used many times */
    check_equal(frame_number(f[1]), f[1]->sequence);
    framebus_reader_release(rd, f[0]);
    check_equal(frame_number(f[1]), f[1]->sequence);
    framebus_reader_release(rd, f[1]);
    uint32_t readers = 1;
    check_soon(
        (framebus_query("bus", &info), readers = info->readers, framebus_info_free(info, 1), readers == 0));
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(the_end_of_a_stream_is_told_once_and_is_not_the_writers_death),
        PROCESS_TEST(frames_stay_valid_after_close_until_they_are_released),
        PROCESS_TEST(the_last_release_leaves_the_next_writers_memory_alone),
        PROCESS_TEST(a_closed_reader_keeps_its_claim_until_it_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
