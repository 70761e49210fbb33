/* SPDX-License-Identifier: MIT */
/* New formats and larger payloads in mid-stream, and what publish refuses. */
#include "harness.h"

#include <dirent.h>

static struct framebus_format jpeg(uint64_t size)
{
    struct framebus_format format;
    check_equal(framebus_format_init_opaque(&format, "image/jpeg", size), 0);
    return format;
}

/* Format number n of a few that differ in everything. */
static struct framebus_format format_number(unsigned n)
{
    switch (n % 4) {
    case 0:
        return small();
    case 1:
        return picture("NV12", 64, 48);
    case 2:
        return picture("BGRx", 33, 21);
    default:
        return picture("GRAY8", 640, 480);
    }
}

/* ---- a new format ---- */

static const enum framebus_memory *const kind_of_pool =
    (const enum framebus_memory[]){FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX, FRAMEBUS_MEMORY_SYSV};

static void change_format_each_step(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = format_number(0);
    struct framebus_writer *w;
    uint64_t n = 0;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    step(w);
    for (unsigned i = 0; i < 3; i++) {
        format = format_number(i);
        check_equal(framebus_writer_set_format(w, &format), 0);
        for (int k = 0; k < 4; k++)
            check_equal(publish_one(w, n++), 0);
        if (i > 0)
            step(w);
    }
    framebus_writer_close(w);
}

static void frames_keep_their_order_over_a_change_of_format(void)
{
    for (int kind = 0; kind < 3; kind++) {
        pid_t writer = start_script(change_format_each_step,
                                    &(struct framebus_writer_options){.memory = kind_of_pool[kind]});
        struct framebus_reader *rd;
        struct framebus_frame *f;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        uint32_t serial = 0;
        for (uint64_t n = 0; n < 12; n++) {
            if (n % 8 == 0)
                go_on(); /* eight frames of two formats, then four of another */
            check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
            check_equal(frame_number(f), n);
            check_equal(f->sequence, n);
            check_equal(f->missed, 0);
            struct framebus_format expected = format_number((unsigned)n / 4);
            check(framebus_format_equal(f->format, &expected));
            check(n % 4 == 0 ? f->format_serial != serial : f->format_serial == serial);
            serial = f->format_serial;
            framebus_reader_release(rd, f);
        }
        end_script(writer);
        check_equal(framebus_reader_next(rd, &f, 10 * S), -EPIPE);
        framebus_reader_close(rd);
    }
}

static void change_often(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = format_number(0);
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    step(w);
    for (unsigned n = 0; n < 1000; n++) {
        if (n % 10 == 0) {
            format = format_number(n / 10);
            check_equal(framebus_writer_set_format(w, &format), 0);
        }
        check_equal(publish_one(w, n), 0);
        if (n % 50 == 0)
            sleep_ns(MS);
    }
    shared->writer.frames = 1000;
    step(w);
    framebus_writer_close(w);
}

static void a_lossless_reader_misses_nothing_over_many_changes_of_format(void)
{
    for (int kind = 0; kind < 3; kind++) {
        memset(shared, 0, sizeof *shared);
        pid_t writer = start_script(
            change_often, &(struct framebus_writer_options){
                              .memory = kind_of_pool[kind], .lossless = true, .lossless_timeout_ns = 30 * S});
        pid_t readers[2];
        for (int i = 0; i < 2; i++)
            readers[i] = start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS},
                                                        .hold_ns = i * MS / 10,
                                                        .frames = 1000,
                                                        .tally = &shared->reader[i]});
        go_on();
        for (int i = 0; i < 2; i++) {
            join(readers[i]);
            check_equal(shared->reader[i].frames, 1000);
            check_equal(shared->reader[i].missed, 0);
            check_equal(shared->reader[i].wrong, 0);
        }
        end_script(writer);
    }
}

static void a_live_reader_counts_exactly_over_many_changes_of_format(void)
{
    pid_t writer = start_script(change_often, &(struct framebus_writer_options){.history = 4});
    pid_t readers[3];
    for (int i = 0; i < 3; i++)
        readers[i] = start_reader(&(struct reading){.options = {.delivery = (enum framebus_delivery)(i / 2)},
                                                    .hold_ns = i * MS / 2,
                                                    .tally = &shared->reader[i]});
    go_on();
    for (int i = 0; i < 3; i++) {
        check_soon(shared->reader[i].last == 999);
        finish(readers[i], &shared->reader[i]);
        check_equal(shared->reader[i].wrong, 0);
        check_equal(shared->reader[i].frames + shared->reader[i].missed, 1000);
    }
    end_script(writer);
}

static void change_behind_a_reader(const void *argument)
{
    (void)argument;
    struct framebus_format format = format_number(0);
    struct framebus_writer *w;
    uint64_t n = 0;
    check_equal(framebus_writer_open(&w, "bus", &format, &(struct framebus_writer_options){.history = 4}), 0);
    step(w);
    for (unsigned i = 0; i < 3; i++) {
        format = format_number(i);
        check_equal(framebus_writer_set_format(w, &format), 0);
        for (int k = 0; k < 10; k++)
            check_equal(publish_one(w, n++), 0);
    }
    check_equal(framebus_writer_set_format(w, &format), 0); /* the same: nothing happens */
    step(w);
    framebus_writer_close(w);
}

static void a_reader_that_slept_over_several_formats_gets_the_old_rest_and_the_new(void)
{
    pid_t writer = start_script(change_behind_a_reader, NULL);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    go_on();
    /* Of 0-9 the last four are left in the pool it stands in; 10-19 went by; then the history of now. */
    expect_frame(rd, 6, 6);
    for (uint64_t n = 7; n <= 9; n++)
        expect_frame(rd, n, 0);
    expect_frame(rd, 26, 16);
    for (uint64_t n = 27; n <= 29; n++)
        expect_frame(rd, n, 0);
    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.missed + stats.delivered, 30);
    check_equal(stats.writers, 1);
    framebus_reader_close(rd);
    end_script(writer);
}

static unsigned entries_of_dev_shm(pid_t pid)
{
    char path[64], line[512];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "/dev/shm/framebus-") && !strstr(line, "(deleted)");
    if (maps)
        fclose(maps);
    return count;
}

static void a_pool_that_ended_has_no_name_any_more(void)
{
    pid_t writer =
        start_script(change_often, &(struct framebus_writer_options){.memory = FRAMEBUS_MEMORY_POSIX});
    check_equal(entries_of_dev_shm(writer), 1);
    struct framebus_reader *rd; /* pins the first pool */
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    go_on();
    check_equal(entries_of_dev_shm(writer), 1);
    framebus_reader_close(rd);
    end_script(writer);
}

/* ---- payloads ---- */

static void grow_payloads(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = jpeg(1000);
    struct framebus_writer *w;
    struct framebus_frame *f;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    step(w);
    uint64_t before = 0, pools = 0;
    for (uint64_t n = 0; n < 300; n++) {
        uint64_t size = 100 + n * n * 10;
        check_equal(framebus_writer_begin_size(w, size, &f), 0);
        check(f->capacity >= size);
        check_equal(f->size, 0);
        pools += f->capacity != before;
        check(f->capacity == before || f->capacity > before + before / 2);
        before = f->capacity;
        f->size = size;
        fill_frame(f, n);
        check_equal(framebus_writer_publish(w, f), 0);
        framebus_writer_release(w, f);
    }
    check(pools <= 12); /* by doubling, from 1000 to 900 000 */
    step(w);
    framebus_writer_close(w);
}

static void payloads_that_grow_are_delivered_whole_and_in_order(void)
{
    pid_t writer = start_script(
        grow_payloads, &(struct framebus_writer_options){.lossless = true, .lossless_timeout_ns = 30 * S});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct framebus_reader_options lossless = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS};
    check_equal(framebus_reader_open(&rd, "bus", &lossless), 0);
    shared->go++;
    for (uint64_t n = 0; n < 300; n++) {
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check_equal(frame_number(f), n);
        check_equal(f->size, 100 + n * n * 10);
        check_equal(f->missed, 0);
        check_equal(f->format->fourcc, 0);
        check(!strcmp(f->format->caps, "image/jpeg"));
        framebus_reader_release(rd, f);
    }
    framebus_reader_close(rd);
    check_soon(shared->done > shared->go);
    end_script(writer);
}

static void ask_for_too_much(const void *argument)
{
    (void)argument;
    struct framebus_format gray = small(), opaque = jpeg(100);
    struct framebus_writer *w;
    struct framebus_frame *f;
    check_equal(framebus_writer_open(&w, "bus", &gray, NULL), 0);
    check_equal(framebus_writer_begin_size(w, gray.size, &f), 0);
    framebus_writer_release(w, f);
    check_fails(framebus_writer_begin_size(w, gray.size + 100000, &f), EMSGSIZE, "119200 bytes");
    check(!f);
    check_equal(framebus_writer_set_format(w, &opaque), 0);
    check(framebus_writer_begin_size(w, UINT64_MAX, &f) < 0);
    check(framebus_writer_begin_size(w, UINT64_MAX / 2, &f) < 0);
    check(framebus_writer_begin_size(w, UINT64_C(1) << 60, &f) < 0);
    check(!f);
    check_equal(framebus_writer_begin_size(w, 5000, &f), 0); /* and goes on */
    f->size = f->capacity + 1;
    check_fails(framebus_writer_publish(w, f), EINVAL, "bytes in a slot of");
    f->size = UINT64_MAX;
    check_equal(framebus_writer_publish(w, f), -EINVAL);
    f->size = 0;
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
    framebus_writer_close(w);
}

static void sizes_that_cannot_be_are_refused_and_the_bus_goes_on(void)
{
    join(spawn(ask_for_too_much, NULL));
}

/* ---- what publish refuses ---- */

static void publish_wrongly(const void *argument)
{
    (void)argument;
    struct framebus_format format = small(), other = picture("NV12", 64, 48);
    struct framebus_writer *w;
    struct framebus_frame *f, *g;
    check_equal(framebus_writer_open(&w, "bus", NULL, NULL), 0);
    check_fails(framebus_writer_begin(w, &f), ENODATA, "no format");
    step(w);
    check_equal(framebus_writer_set_format(w, &format), 0);

    check_equal(framebus_writer_begin(w, &f), 0);
    fill_frame(f, 1);
    check_equal(framebus_writer_publish(w, f), 0);
    check_fails(framebus_writer_publish(w, f), EALREADY, "published already");
    check_fails(framebus_frame_add_meta(f, 1, "x", 1), EALREADY, "published");
    framebus_writer_release(w, f);

    static const struct framebus_rect outside[] = {{0, 0, 161, 10}, {160, 0, 1, 1}, {0, 120, 1, 1},
                                                   {1, 1, 160, 1},  {5, 5, 0, 0},   {1, 1, UINT32_MAX, 1}};
    check_equal(framebus_writer_begin(w, &f), 0);
    for (int i = 0; i < 6; i++) {
        f->crop = outside[i];
        check_fails(framebus_writer_publish(w, f), EINVAL, "crop");
    }
    f->crop = (struct framebus_rect){159, 119, 1, 1};
    fill_frame(f, 2);
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);

    check_equal(framebus_writer_begin(w, &f), 0); /* lent over a change of format */
    fill_frame(f, 3);
    check_equal(framebus_writer_set_format(w, &other), 0);
    check_fails(framebus_writer_publish(w, f), ESTALE, "ended");
    check_equal(frame_number(f), 3);
    check_equal(framebus_writer_begin(w, &g), 0);
    check_equal(g->format->width, 64);
    fill_frame(g, 4);
    check_equal(framebus_writer_publish(w, g), 0);
    framebus_writer_release(w, g);
    framebus_writer_release(w, f);

    check_equal(framebus_writer_begin(w, &f), 0); /* and over the end of the stream */
    check_equal(framebus_writer_end(w), 0);
    check_equal(framebus_writer_publish(w, f), -ESTALE);
    framebus_writer_release(w, f);
    check_equal(framebus_writer_end(w), 0); /* twice is once */

    other.width = 0;
    check_equal(framebus_writer_set_format(w, &other), -EINVAL);
    check_equal(publish_one(w, 5), 0);
    step(w);
    framebus_writer_close(w);
}

static void what_cannot_be_published_is_refused_and_the_rest_arrives(void)
{
    pid_t writer = start_script(publish_wrongly, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0); /* there is no format yet */
    check(!framebus_reader_format(rd));
    check_equal(framebus_reader_next(rd, &f, 20 * MS), -ETIMEDOUT);
    go_on();
    expect_frame(rd, 1, 0);
    expect_frame(rd, 2, 0);
    /* While it stood there, 4 came and its stream ended: it is told of one end or none. */
    int r = framebus_reader_next(rd, &f, 10 * S);
    if (r == -ENODATA)
        r = framebus_reader_next(rd, &f, 10 * S);
    check_equal(r, 0);
    check_equal(frame_number(f), 5);
    check_equal(f->missed, 1);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    end_script(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(frames_keep_their_order_over_a_change_of_format),
        PROCESS_TEST(a_lossless_reader_misses_nothing_over_many_changes_of_format),
        PROCESS_TEST(a_live_reader_counts_exactly_over_many_changes_of_format),
        PROCESS_TEST(a_reader_that_slept_over_several_formats_gets_the_old_rest_and_the_new),
        PROCESS_TEST(a_pool_that_ended_has_no_name_any_more),
        PROCESS_TEST(payloads_that_grow_are_delivered_whole_and_in_order),
        PROCESS_TEST(sizes_that_cannot_be_are_refused_and_the_bus_goes_on),
        PROCESS_TEST(what_cannot_be_published_is_refused_and_the_rest_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
