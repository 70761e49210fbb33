/* SPDX-License-Identifier: MIT */
/* How many frames a reader may hold, and how many readers a bus has slots for. */
#include "harness.h"

/* Six slots for all readers together: 12 - (4 + 1 + 1). */
static const struct writing six = {.options = {.history = 4, .max_slots = 12, .max_lends = 1},
                                   .interval_ns = 2 * MS};

static void holding_more_than_the_quota_is_refused_until_one_is_released(void)
{
    pid_t writer = start_writer(&six);
    struct framebus_reader *rd;
    struct framebus_frame *f[5];
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 3}), 0);
    for (int i = 0; i < 3; i++)
        check_equal(framebus_reader_next(rd, &f[i], 10 * S), 0);
    check_fails(framebus_reader_next(rd, &f[3], 10 * S), EBUSY, "3 frames");
    check(!f[3]);
    framebus_reader_release(rd, f[1]);
    check_equal(framebus_reader_next(rd, &f[1], 10 * S), 0);
    check_equal(framebus_reader_next(rd, &f[3], 0), -EBUSY);
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.held, 3);
    check(f[0]->sequence < f[2]->sequence && f[2]->sequence < f[1]->sequence);
    for (int i = 0; i < 3; i++) {
        check_equal(frame_number(f[i]), f[i]->sequence);
        framebus_reader_release(rd, f[i]);
    }
    framebus_reader_close(rd);

    /* Two, if nothing is said. */
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f[0], 10 * S), 0);
    check_equal(framebus_reader_next(rd, &f[1], 10 * S), 0);
    check_equal(framebus_reader_next(rd, &f[2], 0), -EBUSY);
    framebus_reader_release(rd, f[0]);
    framebus_reader_release(rd, f[1]);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_reader_can_change_its_quota(void)
{
    pid_t writer = start_writer(&six);
    struct framebus_reader *rd;
    struct framebus_frame *f[6], *more;
    struct framebus_reader_stats stats;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_set_quota(rd, 6), 0);
    for (int i = 0; i < 6; i++)
        check_equal(framebus_reader_next(rd, &f[i], 10 * S), 0);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 30); /* and is not thrown out */
    check_equal(framebus_reader_next(rd, &more, 0), -EBUSY);
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.quota, 6);
    check_equal(stats.held, 6);
    check_fails(framebus_reader_set_quota(rd, 7), EBUSY, "7");
    check_fails(framebus_reader_set_quota(rd, 5), EINVAL, "6 frames held");
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.quota, 6);
    for (int i = 0; i < 6; i++)
        framebus_reader_release(rd, f[i]);
    check_equal(framebus_reader_set_quota(rd, 1), 0);
    check_equal(framebus_reader_next(rd, &f[0], 10 * S), 0);
    check_equal(framebus_reader_next(rd, &more, 10 * S), -EBUSY);
    framebus_reader_release(rd, f[0]);
    check_fails(framebus_reader_set_quota(rd, 0), EINVAL, "quota 0");
    check_fails(framebus_reader_set_quota(rd, 257), EINVAL, "257");
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_bus_without_room_refuses_readers_until_another_leaves(void)
{
    pid_t writer = start_writer(&six);
    struct framebus_reader *a, *b, *c;
    int r;
    check_equal(framebus_reader_open(&a, "bus", &(struct framebus_reader_options){.quota = 4}), 0);
    check_fails(framebus_reader_open(&b, "bus", &(struct framebus_reader_options){.quota = 3}), EBUSY,
                "full");
    check(strstr(framebus_last_error(), "max-slots 12"));
    check_equal(framebus_reader_open(&b, "bus", NULL), 0);
    check_fails(framebus_reader_open(&c, "bus", &(struct framebus_reader_options){.quota = 1}), EBUSY,
                "full");
    check_equal(framebus_reader_set_quota(a, 5), -EBUSY);
    framebus_reader_close(b);
    check_soon((r = framebus_reader_set_quota(a, 5)) != -EBUSY);
    check_equal(r, 0);
    check_equal(framebus_reader_open(&c, "bus", &(struct framebus_reader_options){.quota = 1}), 0);
    check_equal(framebus_reader_set_quota(a, 1), 0);
    check_equal(framebus_reader_open(&b, "bus", &(struct framebus_reader_options){.quota = 4}), 0);
    framebus_reader_close(a);
    framebus_reader_close(b);
    framebus_reader_close(c);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void all_readers_holding_all_they_may_never_starve_the_writer(void)
{
    pid_t writer = start_writer(&six);
    struct framebus_reader *rd[3];
    struct framebus_frame *f[3][2];
    for (int i = 0; i < 3; i++)
        check_equal(framebus_reader_open(&rd[i], "bus", NULL), 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 2; k++)
                check_equal(framebus_reader_next(rd[i], &f[i][k], 10 * S), 0);
        uint64_t now = shared->writer.frames;
        check_soon(shared->writer.frames > now + 13);
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 2; k++) {
                check_equal(frame_number(f[i][k]), f[i][k]->sequence);
                framebus_reader_release(rd[i], f[i][k]);
            }
    }
    for (int i = 0; i < 3; i++)
        framebus_reader_close(rd[i]);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void a_wish_for_a_quota_is_kept_for_the_next_writer(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    struct framebus_bus_info *info;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    check_fails(framebus_reader_set_quota(rd, 5), ENOTCONN, "no writer");
    pid_t writer = start_writer(&six);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->readers, 1);
    check_equal(info->reader[0].quota, 5);
    framebus_info_free(info, 1);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void lend_too_many(const void *argument)
{
    (void)argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    struct framebus_frame *f[4];
    const struct framebus_writer_options options = {.history = 2, .max_slots = 8, .max_lends = 3};
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++)
            check_equal(framebus_writer_begin(w, &f[i]), 0);
        check_fails(framebus_writer_begin(w, &f[3]), EBUSY, "3 frames");
        check(!f[3]);
        check_equal(framebus_writer_publish(w, f[1]), 0); /* published, and still lent */
        check_equal(framebus_writer_begin(w, &f[3]), -EBUSY);
        framebus_writer_release(w, f[1]);
        check_equal(framebus_writer_begin(w, &f[3]), 0);
        framebus_writer_release(w, f[3]);
        framebus_writer_release(w, f[0]);
        framebus_writer_release(w, f[2]);
    }
    framebus_writer_close(w);
}

static void change_pool_and_listen_no_more(const void *argument)
{
    (void)argument;
    struct framebus_format one = picture("GRAY8", 64, 16), other = picture("GRAY8", 128, 16);
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &one, NULL), 0);
    check_equal(publish_one(w, 0), 0);
    step(w);
    check_equal(framebus_writer_set_format(w, &other), 0);
    step(NULL);
    framebus_writer_close(w);
}

/* The kernel tells who sent something that was never read so with ECONNRESET. */
static void a_wish_to_a_writer_that_died_with_words_unread_meets_no_writer(void)
{
    pid_t writer = start_script(change_pool_and_listen_no_more, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 0, 0);
    go_on();
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT); /* and has asked for the next */
    kill_now(writer);
    check_fails(framebus_reader_set_quota(rd, 3), ENOTCONN, "gone");
    check_equal(framebus_reader_next(rd, &f, 10 * S), -EPIPE);
    framebus_reader_close(rd);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static void a_writer_that_lends_too_many_is_told_so(void)
{
    join(spawn(lend_too_many, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(holding_more_than_the_quota_is_refused_until_one_is_released),
        PROCESS_TEST(a_reader_can_change_its_quota),
        PROCESS_TEST(a_bus_without_room_refuses_readers_until_another_leaves),
        PROCESS_TEST(all_readers_holding_all_they_may_never_starve_the_writer),
        PROCESS_TEST(a_wish_for_a_quota_is_kept_for_the_next_writer),
        PROCESS_TEST(a_wish_to_a_writer_that_died_with_words_unread_meets_no_writer),
        PROCESS_TEST(a_writer_that_lends_too_many_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
