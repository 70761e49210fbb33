/* SPDX-License-Identifier: MIT */
/* Memory that its owner takes back before the history has passed: it has few buffers. */
#include "harness.h"

#define BUFFERS 3

struct device {
    struct framebus_writer *writer;
    struct framebus_import *import[BUFFERS];
    int fd[BUFFERS];
    bool home[BUFFERS];
};

static void come_home(void *home)
{
    check(!*(bool *)home);
    *(bool *)home = true;
}

static void open_device(struct device *d, bool lossless)
{
    const struct framebus_writer_options options = {.history = 8, .lossless = lossless};
    const struct framebus_format format = small();
    check_equal(framebus_writer_open(&d->writer, "bus", &format, &options), 0);
    for (int i = 0; i < BUFFERS; i++) {
        d->fd[i] = memfd_create("device", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        check(d->fd[i] >= 0 && !ftruncate(d->fd[i], 1 << 16) && !fcntl(d->fd[i], F_ADD_SEALS, F_SEAL_SHRINK));
        const struct framebus_part part = {.fd = d->fd[i], .size = 1 << 16};
        d->home[i] = true;
        check_equal(framebus_import_create(&d->import[i], d->writer, &part, 1, come_home, &d->home[i]), 0);
    }
}

static void close_device(struct device *d)
{
    framebus_writer_close(d->writer);
    for (int i = 0; i < BUFFERS; i++) {
        check(d->home[i]);
        framebus_import_destroy(d->import[i]);
        close(d->fd[i]);
    }
}

/* The buffers are filled with their number in turn. */
static void publish(struct device *d, int i, uint8_t value)
{
    struct framebus_frame *f;
    check(d->home[i]);
    check_equal(framebus_writer_begin_import(d->writer, d->import[i], &f), 0);
    check_fails(framebus_import_recall(d->import[i]), EAGAIN, "lent");
    d->home[i] = false;
    check_equal(pwrite(d->fd[i], &value, 1, 0), 1);
    check_equal(framebus_writer_publish(d->writer, f), 0);
    framebus_writer_release(d->writer, f);
}

static void take_back(const void *unused)
{
    (void)unused;
    struct device d;
    open_device(&d, false);
    check_equal(framebus_import_recall(d.import[0]), 0); /* it is home */
    step(d.writer);
    publish(&d, 0, 0);
    check_fails(framebus_import_recall(d.import[0]), EAGAIN, "newest");
    step(d.writer); /* the reader takes it */
    publish(&d, 1, 1);
    check_fails(framebus_import_recall(d.import[0]), EBUSY, "being read");
    publish(&d, 2, 2);
    check_equal(framebus_import_recall(d.import[1]), 0); /* nobody has it */
    check(d.home[1] && !d.home[0] && !d.home[2]);
    step(d.writer); /* the reader lets go */
    check_equal(framebus_import_recall(d.import[0]), 0);
    check(d.home[0]);
    publish(&d, 0, 3);
    publish(&d, 1, 4);
    step(d.writer);
    close_device(&d);
}

static struct framebus_frame *take(struct framebus_reader *rd, uint8_t value, uint64_t missed)
{
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
    check_equal(*(const uint8_t *)f->data, value);
    check_equal(f->missed, missed);
    return f;
}

static void a_buffer_is_taken_back_before_the_history_has_passed(void)
{
    const pid_t writer = start_script(take_back, NULL);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    go_on();
    struct framebus_frame *held = take(rd, 0, 0);
    go_on();
    check_equal(*(const uint8_t *)held->data, 0);
    framebus_reader_release(rd, held);
    go_on();
    for (uint8_t value = 2; value <= 4; value++) /* 1 was taken back */
        framebus_reader_release(rd, take(rd, value, value == 2));
    end_script(writer);
    framebus_reader_close(rd);
}

static void keep_all(const void *unused)
{
    (void)unused;
    struct device d;
    open_device(&d, true);
    publish(&d, 0, 0);
    publish(&d, 1, 1);
    check_fails(framebus_import_recall(d.import[0]), EAGAIN, "all who are to have it");
    close_device(&d);
}

static void a_lossless_writer_keeps_its_promise(void)
{
    join(spawn(keep_all, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_buffer_is_taken_back_before_the_history_has_passed),
        PROCESS_TEST(a_lossless_writer_keeps_its_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
