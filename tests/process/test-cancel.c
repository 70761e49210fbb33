/* SPDX-License-Identifier: MIT */
/* Cancelling from signal handlers and other threads: at once, whatever goes on, and until it is ended. */
#include "harness.h"

#include "reader/reader.h"
#include "writer/writer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/time.h>

static struct framebus_reader *reader_to_cancel;
static struct framebus_writer *writer_to_cancel;

static void cancel_all(int signal)
{
    (void)signal;
    int before = errno;
    errno = EXFULL;
    if (reader_to_cancel)
        framebus_reader_cancel(reader_to_cancel);
    if (writer_to_cancel)
        framebus_writer_cancel(writer_to_cancel);
    if (errno != EXFULL)
        abort();
    errno = before;
}

/* Restarted or not, the call has to end. */
static void alarm_in(int64_t ns, int flags)
{
    const struct sigaction action = {.sa_handler = cancel_all, .sa_flags = flags};
    const struct itimerval timer = {.it_value = {.tv_sec = ns / S, .tv_usec = ns % S / 1000}};
    check(!sigaction(SIGALRM, &action, NULL));
    check(!setitimer(ITIMER_REAL, &timer, NULL));
}

static struct framebus_reader *open_to_cancel(const struct framebus_reader_options *options)
{
    check_equal(framebus_reader_open(&reader_to_cancel, "bus", options), 0);
    return reader_to_cancel;
}

static void close_cancelled(void)
{
    struct framebus_reader *rd = reader_to_cancel;
    reader_to_cancel = NULL;
    framebus_reader_close(rd);
}

static void a_signal_handler_ends_a_reader_that_waits(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_frame *f;
    check_soon(shared->writer.frames == 1);
    for (int i = 0; i < 2; i++) {
        struct framebus_reader *rd = open_to_cancel(NULL);
        expect_frame(rd, 0, 0);
        alarm_in(50 * MS, i ? SA_RESTART : 0);
        check_fails(framebus_reader_next(rd, &f, -1), ECANCELED, "cancelled");
        close_cancelled();
    }
    finish(writer, &shared->writer);
}

static void a_signal_handler_ends_a_reader_that_has_no_writer(void)
{
    struct framebus_frame *f;
    struct framebus_reader *rd = open_to_cancel(&(struct framebus_reader_options){.follow = true});
    alarm_in(50 * MS, SA_RESTART);
    check_equal(framebus_reader_next(rd, &f, -1), -ECANCELED);
    close_cancelled();
}

/* It makes no system call, and has no reason to look at a fd. */
static void a_reader_that_always_finds_a_frame_is_cancelled(void)
{
    pid_t writer = start_writer(&(struct writing){.options = {.history = 16}, .interval_ns = MS / 5});
    struct framebus_frame *f;
    struct framebus_reader *rd = open_to_cancel(&(struct framebus_reader_options){.spin_ns = 50 * MS});
    alarm_in(50 * MS, SA_RESTART);
    int64_t limit = now_ns() + 20 * S;
    int r;
    while (!(r = framebus_reader_next(rd, &f, -1)) && now_ns() < limit) {
        framebus_reader_release(rd, f);
        sleep_ns(MS); /* the next ones are there */
    }
    check_equal(r, -ECANCELED);
    close_cancelled();
    finish(writer, &shared->writer);
}

static void a_reader_stays_cancelled_until_it_is_resumed(void)
{
    for (int follow = 0; follow < 2; follow++) {
        pid_t writer = start_writer(&(struct writing){.interval_ns = 2 * MS});
        struct framebus_frame *f;
        struct framebus_reader *rd = open_to_cancel(&(struct framebus_reader_options){.follow = follow});
        struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
        framebus_reader_cancel(rd);
        framebus_reader_cancel(rd);
        for (int i = 0; i < 3; i++) {
            check_equal(poll(&wait, 1, 0), 1);
            check_equal(framebus_reader_next(rd, &f, i ? 0 : -1), -ECANCELED);
        }
        check_equal(framebus_reader_set_quota(rd, 3), -ECANCELED);
        framebus_reader_resume(rd);
        for (int i = 0; i < 20; i++) {
            check_equal(poll(&wait, 1, 20000), 1);
            if (!framebus_reader_next(rd, &f, 0))
                framebus_reader_release(rd, f);
        }
        check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
        framebus_reader_release(rd, f);
        framebus_reader_resume(rd); /* of nothing */
        close_cancelled();
        finish(writer, &shared->writer);
    }
}

static void *cancel_soon(void *argument)
{
    sleep_ns(20 * MS);
    framebus_reader_cancel(argument);
    return NULL;
}

static void another_thread_ends_a_reader_that_waits(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_frame *f;
    check_soon(shared->writer.frames == 1);
    struct framebus_reader *rd = open_to_cancel(NULL);
    expect_frame(rd, 0, 0);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        check(!pthread_create(&thread, NULL, cancel_soon, rd));
        check_equal(framebus_reader_next(rd, &f, -1), -ECANCELED);
        check(!pthread_join(thread, NULL));
        framebus_reader_resume(rd);
        check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    }
    close_cancelled();
    finish(writer, &shared->writer);
}

/* What is left when a resume in one thread comes between the two halves of a cancel in another. */
static void leave_half_cancelled(const struct cancel *cancel)
{
    check(!cancel_is_set(cancel));
    check(!eventfd_write(cancel->event, 1));
}

static void a_reader_that_is_resumed_while_it_is_cancelled_sleeps(void)
{
    struct framebus_frame *f;
    for (int state = 0; state < 4; state++) {
        bool attached = state & 1, polled = state & 2;
        pid_t writer = attached ? start_writer(&(struct writing){.frames = 1}) : 0;
        check_soon(!attached || shared->writer.frames == 1);
        struct framebus_reader *rd = open_to_cancel(&(struct framebus_reader_options){.follow = true});
        struct pollfd wait = {.fd = polled ? framebus_reader_fd(rd) : -1, .events = POLLIN};
        if (attached)
            expect_frame(rd, 0, 0);
        for (int i = 0; i < 3; i++) { /* looking 1000 times for nothing would be an error */
            leave_half_cancelled(&rd->cancel);
            check_equal(framebus_reader_next(rd, &f, 100 * MS), -ETIMEDOUT);
            check_equal(poll(&wait, 1, 0), 0);
        }
        leave_half_cancelled(&rd->cancel);
        framebus_reader_cancel(rd);
        check_equal(framebus_reader_next(rd, &f, -1), -ECANCELED);
        framebus_reader_resume(rd);
        close_cancelled();
        if (attached)
            finish(writer, &shared->writer);
    }
}

static void *cancel_often(void *argument)
{
    while (!shared->go)
        framebus_reader_cancel(argument);
    return NULL;
}

static void cancelling_beside_resuming_leaves_one_of_both(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_frame *f;
    pthread_t thread;
    check_soon(shared->writer.frames == 1);
    struct framebus_reader *rd = open_to_cancel(NULL);
    expect_frame(rd, 0, 0);
    check(!pthread_create(&thread, NULL, cancel_often, rd));
    for (int64_t end = now_ns() + 200 * MS; now_ns() < end;) {
        framebus_reader_resume(rd);
        int r = framebus_reader_next(rd, &f, MS / 10);
        check(r == -ETIMEDOUT || r == -ECANCELED);
    }
    shared->go = 1;
    check(!pthread_join(thread, NULL));
    framebus_reader_cancel(rd);
    check_equal(framebus_reader_next(rd, &f, -1), -ECANCELED);
    framebus_reader_resume(rd);
    check_equal(framebus_reader_next(rd, &f, 100 * MS), -ETIMEDOUT);
    close_cancelled();
    finish(writer, &shared->writer);
}

/* ---- writers ---- */

static void hold_still(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus",
                                     &(struct framebus_reader_options){.delivery = FRAMEBUS_DELIVERY_LOSSLESS,
                                                                       .wait_ns = 20 * S}),
                0);
    shared->reader[0].ready = 1;
    while (!shared->reader[0].stop)
        sleep_ns(MS);
    framebus_reader_close(rd);
}

static void *begin_one(void *result)
{
    struct framebus_frame *f;
    *(int *)result = framebus_writer_begin(writer_to_cancel, &f);
    return NULL;
}

static void a_writer_that_waits_for_readers_is_cancelled(void)
{
    struct framebus_format format = small();
    struct framebus_frame *f;
    const struct framebus_writer_options options = {.lossless = true, .lossless_timeout_ns = -1};
    check_equal(framebus_writer_open(&writer_to_cancel, "bus", &format, &options), 0);
    pid_t reader = spawn(hold_still, NULL);
    int64_t limit = now_ns() + 20 * S;
    while (!shared->reader[0].ready) {
        check(now_ns() < limit);
        check_equal(framebus_writer_dispatch(writer_to_cancel), 0);
        sleep_ns(MS);
    }
    for (int i = 0; i < 4; i++)
        check_equal(publish_one(writer_to_cancel, i), 0);
    pthread_t threads[3];
    int results[3];
    for (int i = 0; i < 3; i++)
        check(!pthread_create(&threads[i], NULL, begin_one, &results[i]));
    alarm_in(100 * MS, SA_RESTART);
    for (int i = 0; i < 3; i++) {
        check(!pthread_join(threads[i], NULL));
        check_equal(results[i], -ECANCELED);
    }
    check_fails(framebus_writer_begin(writer_to_cancel, &f), ECANCELED, "cancelled");
    framebus_writer_resume(writer_to_cancel);
    finish(reader, &shared->reader[0]);
    check_equal(publish_one(writer_to_cancel, 4), 0);
    framebus_writer_close(writer_to_cancel);
    writer_to_cancel = NULL;
}

static void a_writer_that_is_resumed_while_it_is_cancelled_sleeps(void)
{
    struct framebus_format format = small();
    struct framebus_frame *f;
    const struct framebus_writer_options options = {.lossless = true, .lossless_timeout_ns = 300 * MS};
    check_equal(framebus_writer_open(&writer_to_cancel, "bus", &format, &options), 0);
    pid_t reader = spawn(hold_still, NULL);
    while (!shared->reader[0].ready && !has_ended(reader))
        serve(writer_to_cancel, MS, NULL);
    for (int i = 0; i < 4; i++)
        check_equal(publish_one(writer_to_cancel, i), 0);
    leave_half_cancelled(&writer_to_cancel->server.cancel);
    uint64_t sleeps = sleeps_of(getpid());
    check_equal(framebus_writer_begin(writer_to_cancel, &f), 0); /* the reader was made live */
    check(sleeps_of(getpid()) - sleeps > 0);
    struct pollfd wait = {.fd = writer_to_cancel->server.cancel.event, .events = POLLIN};
    check_equal(poll(&wait, 1, 0), 0);
    framebus_writer_release(writer_to_cancel, f);
    finish(reader, &shared->reader[0]);
    framebus_writer_close(writer_to_cancel);
    writer_to_cancel = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_signal_handler_ends_a_reader_that_waits),
        PROCESS_TEST(a_signal_handler_ends_a_reader_that_has_no_writer),
        PROCESS_TEST(a_reader_that_always_finds_a_frame_is_cancelled),
        PROCESS_TEST(a_reader_stays_cancelled_until_it_is_resumed),
        PROCESS_TEST(another_thread_ends_a_reader_that_waits),
        PROCESS_TEST(a_reader_that_is_resumed_while_it_is_cancelled_sleeps),
        PROCESS_TEST(cancelling_beside_resuming_leaves_one_of_both),
        PROCESS_TEST(a_writer_that_waits_for_readers_is_cancelled),
        PROCESS_TEST(a_writer_that_is_resumed_while_it_is_cancelled_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
