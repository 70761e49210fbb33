/* SPDX-License-Identifier: MIT */
/* Signals that come while a call sleeps: it ends with -EINTR, loses nothing, and can be made again. */
#include "harness.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

static _Atomic int signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

/* Again and again, so that one comes during the sleep. SA_RESTART makes no difference. 0: no more. */
static void signal_every(int64_t ns)
{
    static timer_t timer; /* alarm() is the harness's */
    const struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec times = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};
    if (!ns) {
        check(!timer_delete(timer));
        return;
    }
    signals = 0;
    check(!sigaction(SIGUSR1, &action, NULL));
    check(!timer_create(CLOCK_MONOTONIC, &event, &timer));
    check(!timer_settime(timer, 0, &times, NULL));
}

static void no_frame_is_lost(bool polled)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int interrupted = 0, r;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check(!polled || framebus_reader_fd(rd) >= 0);
    signal_every(3 * MS);
    for (uint64_t n = 0, next = 0; n < 100; n++, next++) {
        while ((r = framebus_reader_next(rd, &f, -1)) == -EINTR)
            interrupted++;
        check_equal(r, 0);
        check_equal(frame_number(f), f->sequence);
        check(!n || (f->sequence == next + f->missed && !f->missed));
        next = f->sequence;
        framebus_reader_release(rd, f);
    }
    signal_every(0);
    check(interrupted);
    framebus_reader_close(rd);
}

static void a_reader_is_interrupted_and_loses_no_frame(void)
{
    pid_t writer =
        start_writer(&(struct writing){.options = {.history = 64, .max_slots = 128}, .interval_ns = 5 * MS});
    no_frame_is_lost(false);
    no_frame_is_lost(true);
    finish(writer, &shared->writer);
}

static void a_reader_without_a_writer_is_interrupted(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    signal_every(20 * MS);
    for (int i = 0; i < 3; i++)
        check_fails(framebus_reader_next(rd, &f, -1), EINTR, "call again");
    signal_every(0);
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    expect_frame(rd, 0, 0);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void opening_is_interrupted_while_there_is_no_writer(void)
{
    struct framebus_reader *rd;
    signal_every(20 * MS);
    check_fails(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.wait_ns = -1}), EINTR,
                "\"bus\"");
    check(!rd);
    signal_every(0);
}

/* Whoever does not wait for a writer to come has no reason to expect it. */
static void opening_without_a_wait_is_not_interrupted(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    check_soon(shared->writer.frames == 1);
    stop_now(writer);
    signal_every(20 * MS);
    pid_t waker = fork_child();
    if (!waker) {
        sleep_ns(300 * MS);
        kill(writer, SIGCONT);
        _exit(0);
    }
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check(signals);
    signal_every(0);
    expect_frame(rd, 0, 0);
    framebus_reader_close(rd);
    check_equal(status_of(waker), 0);
    finish(writer, &shared->writer);
}

/* connect() blocks, and not in a wait of ours. */
static void opening_is_interrupted_while_a_stopped_writer_has_a_full_backlog(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct framebus_reader *rd;
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fds[8], used = 0;
    strcpy(address.sun_path, path_of("bus"));
    check(!bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 1));
    do {
        check(used < 8);
        fds[used] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    } while (!connect(fds[used++], (struct sockaddr *)&address, sizeof address));
    check_equal(errno, EAGAIN);
    signal_every(20 * MS);
    check_fails(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.wait_ns = -1}), EINTR,
                "\"bus\"");
    signal_every(0);
    while (used)
        close(fds[--used]);
    close(listener);
    unlink(address.sun_path);
}

static void a_call_that_does_not_wait_is_not_interrupted(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    check_soon(shared->writer.frames == 1);
    for (int follow = 0; follow < 2; follow++) {
        struct framebus_reader *rd;
        struct framebus_frame *f;
        const char *name = follow ? "nobody" : "bus";
        const struct framebus_reader_options options = {.follow = follow};
        check_equal(framebus_reader_open(&rd, name, &options), 0);
        if (!follow)
            expect_frame(rd, 0, 0);
        signal_every(MS);
        for (int64_t end = now_ns() + 300 * MS; now_ns() < end;)
            check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
        for (int i = 0; i < 20 && !follow; i++)
            check_equal(framebus_reader_set_quota(rd, i % 2 + 1), 0);
        signal_every(0);
        framebus_reader_close(rd);
    }
    finish(writer, &shared->writer);
}

static void sleep_in_next(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    expect_frame(rd, 0, 0);
    shared->reader[0].ready = 1;
    while ((r = framebus_reader_next(rd, &f, -1)) == -EINTR)
        shared->reader[0].frames++;
    check_equal(r, 0);
    check_equal(frame_number(f), 1);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
}

/* It has no handler, and sees -EINTR from most kernels nevertheless. */
static void a_reader_that_was_stopped_and_goes_on_gets_the_next_frame(void)
{
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check_equal(publish_one(w, 0), 0);
    pid_t reader = spawn(sleep_in_next, NULL);
    while (!shared->reader[0].ready && !has_ended(reader))
        serve(w, MS, NULL);
    for (int i = 0; i < 3; i++) {
        sleep_ns(20 * MS);
        stop_now(reader);
        check(!kill(reader, SIGCONT));
    }
    sleep_ns(20 * MS);
    note("interrupted %d times by SIGCONT", (int)shared->reader[0].frames);
    check_equal(publish_one(w, 1), 0);
    join(reader);
    framebus_writer_close(w);
}

/* ---- writers ---- */

static void hold_still(const void *argument)
{
    (void)argument;
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS, .wait_ns = -1};
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    shared->reader[0].ready = 1;
    while (!shared->reader[0].stop)
        sleep_ns(MS);
    for (int i = 0; i < 4; i++)
        expect_frame(rd, i, 0);
    framebus_reader_close(rd);
}

/* A writer that has published four frames to a lossless reader that takes none. */
static struct framebus_writer *open_with_slow_reader(int64_t limit_ns, pid_t *reader)
{
    const struct framebus_format format = small();
    const struct framebus_writer_options options = {.lossless = true, .lossless_timeout_ns = limit_ns};
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, &options), 0);
    *reader = spawn(hold_still, NULL);
    while (!shared->reader[0].ready && !has_ended(*reader))
        serve(w, MS, NULL);
    for (int i = 0; i < 4; i++)
        check_equal(publish_one(w, i), 0);
    return w;
}

static void a_writer_that_waits_for_readers_is_interrupted(void)
{
    const struct framebus_format other = picture("GRAY8", 320, 240);
    struct framebus_frame *f;
    pid_t reader;
    struct framebus_writer *w = open_with_slow_reader(-1, &reader);
    signal_every(20 * MS);
    check_fails(framebus_writer_begin(w, &f), EINTR, "call again");
    check_equal(framebus_writer_begin(w, &f), -EINTR);
    check(!f);
    shared->reader[0].stop = 1;
    int r;
    while ((r = framebus_writer_begin(w, &f)) == -EINTR)
        continue;
    check_equal(r, 0);
    framebus_writer_release(w, f);
    while ((r = framebus_writer_set_format(w, &other)) == -EINTR)
        continue;
    check_equal(r, 0);
    signal_every(0);
    join(reader);
    framebus_writer_close(w);
}

/* Else a profiler's signals would let a stuck reader stop the writer for ever. */
static void signals_do_not_prolong_the_time_limit_of_lossless_readers(void)
{
    struct framebus_frame *f;
    pid_t reader;
    struct framebus_writer *w = open_with_slow_reader(200 * MS, &reader);
    int64_t began = now_ns();
    int interrupted = 0, r;
    signal_every(10 * MS);
    while ((r = framebus_writer_begin(w, &f)) == -EINTR && now_ns() - began < 20 * S)
        interrupted++;
    signal_every(0);
    check_equal(r, 0);
    check(interrupted);
    framebus_writer_release(w, f);
    kill_now(reader);
    framebus_writer_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_reader_is_interrupted_and_loses_no_frame),
        PROCESS_TEST(a_reader_without_a_writer_is_interrupted),
        PROCESS_TEST(opening_is_interrupted_while_there_is_no_writer),
        PROCESS_TEST(opening_without_a_wait_is_not_interrupted),
        PROCESS_TEST(opening_is_interrupted_while_a_stopped_writer_has_a_full_backlog),
        PROCESS_TEST(a_call_that_does_not_wait_is_not_interrupted),
        PROCESS_TEST(a_reader_that_was_stopped_and_goes_on_gets_the_next_frame),
        PROCESS_TEST(a_writer_that_waits_for_readers_is_interrupted),
        PROCESS_TEST(signals_do_not_prolong_the_time_limit_of_lossless_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
