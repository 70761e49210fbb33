/* SPDX-License-Identifier: MIT */
/* Frames cross from one process to others whole, in order, with all their fields. */
#include "harness.h"

#include <sys/time.h>

static void frames_arrive_in_order(enum framebus_memory memory)
{
    const struct writing writing = {
        .options = {.memory = memory, .lossless = true, .lossless_timeout_ns = 20 * S},
        .frames = 2000,
        .waits = true,
        .leaves = true};
    const struct reading reading = {.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS}};
    pid_t writer = start_writer(&writing);
    pid_t reader = start_reader(&reading);
    shared->go = 1;
    join(writer);
    join(reader);
    check_equal(shared->writer.result, 0);
    check_equal(shared->reader[0].result, -EPIPE); /* after the last frame */
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->reader[0].frames, 2000);
    check_equal(shared->reader[0].last, 1999);
}

static void memfd_frames_arrive_in_order_and_whole(void)
{
    frames_arrive_in_order(FRAMEBUS_MEMORY_MEMFD);
}

static void posix_frames_arrive_in_order_and_whole(void)
{
    frames_arrive_in_order(FRAMEBUS_MEMORY_POSIX);
}

static void sysv_frames_arrive_in_order_and_whole(void)
{
    frames_arrive_in_order(FRAMEBUS_MEMORY_SYSV);
}

/* ---- signals ---- */

static void count_signal(int number)
{
    (void)number;
    shared->value[0]++;
}

/* A signal each millisecond, after which no system call is restarted. */
static void be_disturbed(void)
{
    const struct sigaction action = {.sa_handler = count_signal};
    const struct itimerval often = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    check(!sigaction(SIGALRM, &action, NULL));
    check(!setitimer(ITIMER_REAL, &often, NULL));
}

static void write_disturbed(const void *argument)
{
    be_disturbed();
    write_frames(argument);
}

static void read_disturbed(const void *argument)
{
    be_disturbed();
    read_frames(argument);
}

static void signals_disturb_nobody(void)
{
    const struct writing writing = {.options = {.lossless = true, .lossless_timeout_ns = 20 * S},
                                    .frames = 300,
                                    .waits = true,
                                    .leaves = true};
    const struct reading reading = {.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS, .wait_ns = 20 * S},
                                    .hold_ns = MS};
    pid_t reader = spawn(read_disturbed, &reading); /* waits for the writer first */
    sleep_ns(50 * MS);
    pid_t writer = spawn(write_disturbed, &writing);
    check_soon(shared->reader[0].ready == 1);
    shared->go = 1;
    join(writer);
    join(reader);
    check(shared->value[0] > 100);
    check_equal(shared->writer.result, 0);
    check_equal(shared->reader[0].result, -EPIPE);
    check_equal(shared->reader[0].frames, 300);
    check_equal(shared->reader[0].missed, 0);
    check_equal(shared->reader[0].wrong, 0);
}

/* ---- everything that is told about a frame ---- */

static void write_one_told_frame(const void *argument)
{
    (void)argument;
    struct framebus_format format = picture("NV12", 322, 242);
    format.rate_num = 30000;
    format.rate_den = 1001;
    format.orientation = FRAMEBUS_ORIENTATION_270;
    format.aspect_num = 16;
    format.aspect_den = 15;
    format.color = (struct framebus_color){1, 1, 1, 1};
    format.caps = "video/x-raw, views=(int)1";
    struct framebus_writer *w;
    struct framebus_frame *f;
    check_equal(
        framebus_writer_open(&w, "bus", &format, &(struct framebus_writer_options){.label = "teller"}), 0);
    check_equal(framebus_writer_begin(w, &f), 0);
    check_equal(f->size, format.size);
    check(f->capacity >= format.size);
    check(f->plane[1].data == (uint8_t *)f->data + format.offset[1]);
    check_equal((uintptr_t)f->data % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
    fill_frame(f, 77);
    f->capture_ns = 123456789;
    f->duration_ns = 33366666;
    f->flags = FRAMEBUS_FRAME_DISCONT | FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF;
    f->crop = (struct framebus_rect){2, 4, 320, 238};
    check_equal(framebus_frame_add_meta(f, 0x31313131, "first", 5), 0);
    check_equal(framebus_frame_add_meta(f, 0x31313131, "second", 6), 0);
    shared->value[0] = now_ns();
    check_equal(framebus_writer_publish(w, f), 0);
    framebus_writer_release(w, f);
    check_equal(publish_one(w, 78), 0);
    shared->writer.ready = 1;
    serve(w, 30 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

static void a_reader_learns_all_that_is_told_about_a_frame(void)
{
    pid_t writer = spawn(write_one_told_frame, NULL);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    /* Two frames were published, and a new reader begins with the newest: so wait for the first. */
    check_equal(
        framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.wait_ns = 20 * S, .quota = 3}),
        0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    if (f->sequence == 0) {
        check_equal(frame_number(f), 77);
        check_equal(f->capture_ns, 123456789);
        check_equal(f->duration_ns, 33366666);
        check_equal(f->flags, FRAMEBUS_FRAME_DISCONT | FRAMEBUS_FRAME_INTERLACED | FRAMEBUS_FRAME_TFF);
        check(f->crop.x == 2 && f->crop.y == 4 && f->crop.width == 320 && f->crop.height == 238);
        check(f->publish_ns >= shared->value[0] && f->publish_ns <= now_ns());
        size_t size;
        check(!memcmp(framebus_frame_get_meta(f, 0x31313131, 0, &size), "first", 5) && size == 5);
        check(!memcmp(framebus_frame_get_meta(f, 0x31313131, 1, &size), "second", 6) && size == 6);
        check(!framebus_frame_get_meta(f, 0x31313131, 2, &size));
        framebus_reader_release(rd, f);
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    }
    check_equal(frame_number(f), 78);
    check_equal(f->flags, 0);
    check_equal(f->duration_ns, 0);
    check_equal(f->capture_ns, f->publish_ns);
    check(!f->crop.width && !f->crop.height);
    const struct framebus_format *format = f->format;
    check_equal(format->width, 322);
    check_equal(format->rate_num, 30000);
    check_equal(format->orientation, FRAMEBUS_ORIENTATION_270);
    check_equal(format->aspect_num, 16);
    check_equal(format->color.matrix, 1);
    check(!strcmp(format->caps, "video/x-raw, views=(int)1"));
    check(framebus_format_equal(format, framebus_reader_format(rd)));
    check(f->plane[1].data == (uint8_t *)f->data + format->offset[1]);
    check_fails(framebus_frame_add_meta(f, 1, "x", 1), EINVAL, "writer's");
    framebus_reader_release(rd, f);

    struct framebus_reader_stats stats;
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.writer_pid, writer);
    check_equal(stats.writers, 1);
    check_equal(stats.quota, 3);
    check_equal(stats.held, 0);
    check(stats.connected);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

/* ---- formats ---- */

static void every_known_format_crosses_even_at_odd_sizes(void)
{
    static const uint32_t sizes[][2] = {{1, 1}, {17, 13}, {321, 241}};
    for (size_t i = 0; framebus_format_at(i); i++) {
        const char *name = framebus_format_at(i)->name;
        const uint32_t *size = sizes[i % 3];
        const struct writing writing = {.format = picture(name, size[0], size[1]), .frames = 1};
        pid_t writer = start_writer(&writing);
        struct framebus_reader *rd;
        struct framebus_frame *f;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check_equal(frame_number(f), 0);
        check(framebus_format_equal(f->format, &writing.format));
        check_equal(f->size, writing.format.size);
        framebus_reader_release(rd, f);
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
    }
}

static void the_largest_picture_crosses(void)
{
    /* A quarter of a GiB, which takes some machines a while to fill. */
    const struct writing writing = {.format = picture("GRAY8", 16384, 16384),
                                    .options = {.history = 1, .max_slots = 4, .max_lends = 1},
                                    .frames = 1};
    pid_t writer = start_writer(&writing);
    check_soon(shared->writer.frames == 1);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 1}), 0);
    expect_frame(rd, 0, 0);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

/* ---- many readers ---- */

static void a_late_joiner_gets_a_frame_at_once(void)
{
    /* Published once and never again: a frame can only come from the history. */
    const struct writing writing = {.frames = 7};
    pid_t writer = start_writer(&writing);
    check_soon(shared->writer.frames == 7);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 6, 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void eight_readers_at_once_each_see_every_frame_whole(void)
{
    const struct writing writing = {
        .format = picture("NV12", 320, 240),
        .options = {.history = 4, .lossless = true, .lossless_timeout_ns = 30 * S},
        .frames = 300,
        .waits = true,
        .leaves = true};
    pid_t writer = start_writer(&writing);
    pid_t readers[8];
    for (int i = 0; i < 8; i++)
        readers[i] = start_reader(&(struct reading){.options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS},
                                                    .tally = &shared->reader[i]});
    shared->go = 1;
    join(writer);
    for (int i = 0; i < 8; i++) {
        join(readers[i]);
        check_equal(shared->reader[i].frames, 300);
        check_equal(shared->reader[i].missed, 0);
        check_equal(shared->reader[i].wrong, 0);
    }
}

static void eight_live_readers_of_a_racing_writer_get_whole_frames_only(void)
{
    const struct writing writing = {.format = picture("GRAY8", 320, 240),
                                    .options = {.history = 2, .max_slots = 40}};
    pid_t writer = start_writer(&writing);
    pid_t readers[8];
    for (int i = 0; i < 8; i++)
        readers[i] = start_reader(&(struct reading){
            .options = {.delivery = i % 2 ? FRAMEBUS_DELIVERY_LATEST : FRAMEBUS_DELIVERY_LIVE},
            .tally = &shared->reader[i]});
    sleep_ns(2 * S);
    for (int i = 0; i < 8; i++) {
        check_soon(shared->reader[i].frames >= 20);
        finish(readers[i], &shared->reader[i]);
        check_equal(shared->reader[i].wrong, 0);
    }
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(memfd_frames_arrive_in_order_and_whole),
        PROCESS_TEST(posix_frames_arrive_in_order_and_whole),
        PROCESS_TEST(sysv_frames_arrive_in_order_and_whole),
        PROCESS_TEST(signals_disturb_nobody),
        PROCESS_TEST(a_reader_learns_all_that_is_told_about_a_frame),
        PROCESS_TEST(every_known_format_crosses_even_at_odd_sizes),
        PROCESS_TEST(the_largest_picture_crosses),
        PROCESS_TEST(a_late_joiner_gets_a_frame_at_once),
        PROCESS_TEST(eight_readers_at_once_each_see_every_frame_whole),
        PROCESS_TEST(eight_live_readers_of_a_racing_writer_get_whole_frames_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
