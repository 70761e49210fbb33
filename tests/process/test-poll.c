/* SPDX-License-Identifier: MIT */
/* Readers and writers that are driven by poll: nothing is overlooked, and nothing spins. */
#include "../emulated.h"
#include "harness.h"

#include <pthread.h>
#include <sys/epoll.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 3000
#else
#define MANY 10000
#endif

/* Waits for the fd as poll, or as epoll if there is one. Nothing for twenty seconds is a frame overlooked. */
static void wait_readable(int fd, int epoll)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    struct epoll_event event;
    if (epoll < 0)
        check(poll(&wait, 1, 20000) == 1);
    else
        check(epoll_wait(epoll, &event, 1, 20000) == 1);
}

/* There is nothing to read, and once the messages under way have come, nothing to wake for either. */
static void settle(struct framebus_reader *rd)
{
    struct framebus_frame *f;
    struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
    int wakes = 0;
    do
        check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    while (poll(&wait, 1, 100) > 0 && ++wakes < 6);
    check(wakes < 6);
}

static void every_frame_is_seen(bool with_epoll, bool follow)
{
    const struct writing writing = {.format = picture("GRAY8", 16, 16),
                                    .options = {.lossless = true, .lossless_timeout_ns = 30 * S},
                                    .frames = MANY,
                                    .waits = true,
                                    .leaves = true};
    pid_t writer = start_writer(&writing);
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS, .follow = follow};
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    int fd = framebus_reader_fd(rd), epoll = -1, r = 0;
    check(fd >= 0);
    if (with_epoll) {
        epoll = epoll_create1(EPOLL_CLOEXEC);
        check(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}));
    }
    settle(rd);
    shared->go = 1;
    uint64_t n = 0, waits = 0;
    while (n < MANY) {
        wait_readable(fd, epoll);
        waits++;
        while (!(r = framebus_reader_next(rd, &f, 0))) {
            check_equal(frame_number(f), n);
            check_equal(f->missed, 0);
            n++;
            framebus_reader_release(rd, f);
        }
        check(r == -ETIMEDOUT || (r == -EPIPE && !follow && n == MANY));
    }
    note("%llu waits for %d frames", (unsigned long long)waits, MANY);
    join(writer);
    for (int i = 0; i < 10 && r == -ETIMEDOUT && !follow; i++) {
        wait_readable(fd, epoll); /* for the end */
        r = framebus_reader_next(rd, &f, 0);
    }
    check_equal(r, follow ? -ETIMEDOUT : -EPIPE);
    check_equal(framebus_reader_fd(rd), fd);
    if (epoll >= 0)
        close(epoll);
    framebus_reader_close(rd);
}

static void a_reader_driven_by_poll_overlooks_no_frame(void)
{
    every_frame_is_seen(false, false);
}

static void a_reader_driven_by_epoll_overlooks_no_frame(void)
{
    every_frame_is_seen(true, false);
}

static void a_following_reader_driven_by_poll_overlooks_no_frame(void)
{
    every_frame_is_seen(false, true);
}

static void a_following_reader_driven_by_epoll_overlooks_no_frame(void)
{
    every_frame_is_seen(true, true);
}

static void a_following_reader_driven_by_poll_goes_from_writer_to_writer(void)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    const struct framebus_reader_options options = {.delivery = FRAMEBUS_DELIVERY_LOSSLESS, .follow = true};
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    int fd = framebus_reader_fd(rd);
    settle(rd);
    for (uint64_t turn = 0; turn < 6; turn++) {
        const struct writing writing = {.options = {.lossless = true, .lossless_timeout_ns = 30 * S},
                                        .frames = 100,
                                        .first = 1000 * turn};
        pid_t writer = start_writer(&writing);
        bool begun = false;
        uint64_t expected = 0;
        while (expected < 1000 * turn + 100) {
            wait_readable(fd, -1);
            int r;
            while (!(r = framebus_reader_next(rd, &f, 0))) {
                uint64_t number = (uint64_t)frame_number(f);
                check(begun ? number == expected : number >= 1000 * turn); /* a newcomer begins somewhere */
                begun = true;
                expected = number + 1;
                framebus_reader_release(rd, f);
            }
            check_equal(r, -ETIMEDOUT);
        }
        if (turn % 2)
            kill_now(writer);
        else
            finish(writer, &shared->writer);
        wait_readable(fd, -1); /* its end */
        settle(rd);
        check_equal(framebus_reader_fd(rd), fd);
    }
    framebus_reader_close(rd);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

/* ---- one next a wake-up, as with any socket ---- */

/* The most naive of loops: wait, one next, and again; never a next before the first wait. With a history of
 * one the writer waits until a frame was taken: a wake-up that is lost is not made good by the next frame. */
static void one_next_a_wake_up_sees_every_frame(bool with_epoll, bool follow)
{
    const struct writing writing = {
        .format = picture("GRAY8", 16, 16),
        .options = {.lossless = true, .lossless_timeout_ns = 30 * S, .history = orders_loads() ? 1 : 4},
        .frames = MANY,
        .waits = true};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    struct framebus_reader_options options = {
        .delivery = FRAMEBUS_DELIVERY_LOSSLESS, .follow = follow, .wait_ns = 20 * S};
    pid_t writer = start_writer(&writing);
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    int fd = framebus_reader_fd(rd), epoll = -1;
    if (with_epoll) {
        epoll = epoll_create1(EPOLL_CLOEXEC);
        check(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN}));
    }
    shared->go = 1;
    uint64_t expected = 0, wakes = 0, empty = 0;
    while (expected < MANY) {
        wait_readable(fd, epoll);
        wakes++;
        int r = framebus_reader_next(rd, &f, 0);
        if (r == -ETIMEDOUT) {
            empty++;
            continue;
        }
        check_equal(r, 0);
        check_equal(frame_number(f), expected);
        expected++;
        framebus_reader_release(rd, f);
    }
    note("%llu wake-ups, %llu of them for nothing", (unsigned long long)wakes, (unsigned long long)empty);
    check(empty <= wakes / 2 + 100);
    if (epoll >= 0)
        close(epoll);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
    shared->go = 0;
}

static void one_next_after_each_poll_sees_every_frame(void)
{
    one_next_a_wake_up_sees_every_frame(false, false);
    one_next_a_wake_up_sees_every_frame(false, true);
}

static void one_next_after_each_epoll_sees_every_frame(void)
{
    one_next_a_wake_up_sees_every_frame(true, false);
    one_next_a_wake_up_sees_every_frame(true, true);
}

static bool is_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 50) > 0;
}

/* Frames of the history that are there already, before the fd is asked for or after. */
static void frames_that_wait_keep_the_fd_readable(void)
{
    struct framebus_format format = small();
    pid_t writer = start_writer(&(struct writing){.format = format, .frames = 1});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_soon(shared->writer.frames == 1);
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    int fd = framebus_reader_fd(rd);
    for (int i = 0; i < 3; i++)
        check(is_readable(fd));
    check_equal(framebus_reader_next(rd, &f, 0), 0);
    framebus_reader_release(rd, f);
    while (is_readable(fd))
        check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void *release_soon(void *argument)
{
    void **both = argument;
    sleep_ns(20 * MS);
    framebus_reader_release(both[0], both[1]);
    return NULL;
}

/* A loop that goes on polling with all its quota held must not spin; a release, in any thread, goes on. */
static void a_full_quota_silences_the_fd_until_a_release(void)
{
    for (int follow = 0; follow < 2; follow++) {
        pid_t writer = start_writer(&(struct writing){.interval_ns = 2 * MS});
        struct framebus_reader *rd;
        struct framebus_frame *f, *held[2];
        check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = follow}), 0);
        int fd = framebus_reader_fd(rd);
        for (int i = 0; i < 2;) {
            wait_readable(fd, -1);
            i += !framebus_reader_next(rd, &held[i], 0);
        }
        int wakes = 0;
        for (int64_t end = now_ns() + 300 * MS; now_ns() < end; wakes++) {
            if (!is_readable(fd))
                break;
            check_equal(framebus_reader_next(rd, &f, 0), -EBUSY);
        }
        check(wakes < 200); /* at most one for each frame that is published */
        pthread_t thread;
        void *both[] = {rd, held[0]};
        check(!pthread_create(&thread, NULL, release_soon, both));
        int r;
        do {
            wait_readable(fd, -1);
            r = framebus_reader_next(rd, &f, 0);
        } while (r == -ETIMEDOUT || r == -EBUSY);
        check_equal(r, 0);
        check(!pthread_join(thread, NULL));
        framebus_reader_release(rd, held[1]);
        framebus_reader_release(rd, f);
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
    }
}

/* What a writer's death leaves readable is silenced too, while nothing can be taken for it. */
static void a_full_quota_silences_the_fd_of_a_dead_writer_too(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    struct framebus_reader *rd;
    struct framebus_frame *f, *held[2];
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    int fd = framebus_reader_fd(rd), r;
    for (int i = 0; i < 2;) {
        wait_readable(fd, -1);
        i += !framebus_reader_next(rd, &held[i], 0);
    }
    kill_now(writer);
    int wakes = 0;
    while (wakes < 100 && is_readable(fd)) {
        check_equal(framebus_reader_next(rd, &f, 0), -EBUSY);
        wakes++;
    }
    check(wakes < 100);
    framebus_reader_release(rd, held[0]);
    do {
        wait_readable(fd, -1);
        r = framebus_reader_next(rd, &f, 0);
        if (!r)
            framebus_reader_release(rd, f);
    } while (!r);
    check_equal(r, -EPIPE);
    check(is_readable(fd)); /* it stays so: there is this error to return */
    framebus_reader_release(rd, held[1]);
    framebus_reader_close(rd);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static void a_larger_quota_makes_the_fd_readable_again(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 2 * MS});
    struct framebus_reader *rd;
    struct framebus_frame *f[3];
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    int fd = framebus_reader_fd(rd);
    for (int i = 0; i < 2;) {
        wait_readable(fd, -1);
        i += !framebus_reader_next(rd, &f[i], 0);
    }
    stop_now(writer);
    while (is_readable(fd))
        check_equal(framebus_reader_next(rd, &f[2], 0), -EBUSY);
    check(!kill(writer, SIGCONT));
    check_equal(framebus_reader_set_quota(rd, 3), 0);
    wait_readable(fd, -1);
    int r;
    while ((r = framebus_reader_next(rd, &f[2], 0)) == -ETIMEDOUT)
        wait_readable(fd, -1);
    check_equal(r, 0);
    for (int i = 0; i < 3; i++)
        framebus_reader_release(rd, f[i]);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

/* ---- what else there is to tell ---- */

static void tell_things(const void *argument)
{
    (void)argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", NULL, NULL), 0);
    step(w);
    check_equal(framebus_writer_set_format(w, &format), 0);
    step(w);
    check_equal(publish_one(w, 0), 0);
    step(w);
    format = picture("NV12", 64, 48);
    check_equal(framebus_writer_set_format(w, &format), 0);
    check_equal(publish_one(w, 1), 0);
    step(w);
    check_equal(framebus_writer_end(w), 0);
    step(w);
    check_equal(publish_one(w, 2), 0);
    step(w);
    framebus_writer_close(w);
}

/* Waits until next has something else to say than that there is nothing. */
static int next_by_poll(struct framebus_reader *rd, struct framebus_frame **f)
{
    int fd = framebus_reader_fd(rd), r;
    for (int i = 0; i < 100; i++) {
        wait_readable(fd, -1);
        r = framebus_reader_next(rd, f, 0);
        if (r != -ETIMEDOUT)
            return r;
    }
    check(!"the fd is readable and there is nothing");
    return 0;
}

static void changes_ends_and_death_wake_a_reader_driven_by_poll(void)
{
    for (int follow = 0; follow < 2; follow++) {
        pid_t writer = start_script(tell_things, NULL);
        struct framebus_reader *rd;
        struct framebus_frame *f;
        check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = follow}), 0);
        int fd = framebus_reader_fd(rd);
        settle(rd); /* there is no format */
        go_on();
        wait_readable(fd, -1); /* there is one */
        settle(rd);
        check(framebus_reader_format(rd));
        for (uint64_t n = 0; n < 3; n++) {
            go_on();
            check_equal(next_by_poll(rd, &f), 0);
            check_equal(frame_number(f), n);
            framebus_reader_release(rd, f);
            settle(rd);
            if (n == 1) {
                go_on();
                check_equal(next_by_poll(rd, &f), -ENODATA);
                settle(rd);
            }
        }
        end_script(writer);
        if (follow) {
            wait_readable(fd, -1);
            settle(rd);
        } else {
            check_equal(next_by_poll(rd, &f), -EPIPE);
        }
        framebus_reader_close(rd);
    }
}

static void a_frame_published_between_looking_and_waiting_wakes(void)
{
    /* Live, so that the writer never waits: at every moment of next and poll a frame comes once. */
    pid_t writer = start_writer(&(struct writing){
        .format = picture("GRAY8", 16, 16), .options = {.history = 1}, .interval_ns = MS / 5});
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    int fd = framebus_reader_fd(rd);
    for (int i = 0; i < 3000; i++) {
        int r;
        while (!(r = framebus_reader_next(rd, &f, 0)))
            framebus_reader_release(rd, f);
        check_equal(r, -ETIMEDOUT);
        wait_readable(fd, -1);
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void cancelling_wakes_a_reader_driven_by_poll(void)
{
    int cancel[2];
    check(!pipe(cancel));
    for (int follow = 0; follow < 2; follow++) {
        pid_t writer = start_writer(&(struct writing){.waits = true});
        struct framebus_reader *rd;
        struct framebus_frame *f;
        const struct framebus_reader_options options = {.cancel_fd = cancel[0], .follow = follow};
        check_equal(framebus_reader_open(&rd, "bus", &options), 0);
        int fd = framebus_reader_fd(rd);
        settle(rd);
        check(write(cancel[1], "x", 1) == 1);
        wait_readable(fd, -1);
        check_equal(framebus_reader_next(rd, &f, 0), -ECANCELED);
        char byte;
        check(read(cancel[0], &byte, 1) == 1);
        settle(rd);
        framebus_reader_close(rd);
        finish(writer, &shared->writer);
    }
    close(cancel[0]);
    close(cancel[1]);
}

/* ---- writers ---- */

static void serve_by_poll(const void *argument)
{
    (void)argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check_equal(publish_one(w, 0), 0);
    shared->writer.ready = 1;
    struct pollfd wait = {.fd = framebus_writer_fd(w), .events = POLLIN};
    while (!shared->writer.stop) {
        if (poll(&wait, 1, 20) == 0)
            continue;
        shared->value[0]++;
        check_equal(framebus_writer_dispatch(w), 0);
    }
    framebus_writer_close(w);
}

static void a_writer_driven_by_poll_serves_and_does_not_spin(void)
{
    pid_t writer = spawn(serve_by_poll, NULL);
    check_soon(shared->writer.ready);
    for (int i = 0; i < 20; i++) {
        struct framebus_reader *rd;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        expect_frame(rd, 0, 0);
        sleep_ns(10 * MS);
        framebus_reader_close(rd);
    }
    struct framebus_bus_info *info;
    check_equal(framebus_query("bus", &info), 0);
    framebus_info_free(info, 1);
    sleep_ns(50 * MS);
    int64_t dispatches = shared->value[0];
    note("%d dispatches for 20 readers", (int)dispatches);
    check(dispatches <= 200);
    sleep_ns(200 * MS);
    check_equal(shared->value[0], dispatches);
    finish(writer, &shared->writer);
}

static uint64_t sleeps_for_hundred_frames(int64_t spin)
{
    const struct writing writing = {.interval_ns = 4 * MS};
    pid_t writer = start_writer(&writing);
    pid_t reader = start_reader(&(struct reading){.options = {.spin_ns = spin}});
    check_soon(shared->reader[0].frames >= 10);
    uint64_t frames = shared->reader[0].frames, sleeps = sleeps_of(reader);
    check_soon(shared->reader[0].frames >= frames + 100);
    sleeps = sleeps_of(reader) - sleeps;
    frames = shared->reader[0].frames - frames;
    finish(reader, &shared->reader[0]);
    finish(writer, &shared->writer);
    note("%llu sleeps for %llu frames", (unsigned long long)sleeps, (unsigned long long)frames);
    return 100 * sleeps / frames;
}

/* Frames every 4 ms are nothing to spin for, unless the caller wants just that. */
static void a_reader_sleeps_between_frames_unless_it_is_told_to_spin(void)
{
    check(sleeps_for_hundred_frames(0) >= 50);
    check(sleeps_for_hundred_frames(50 * MS) <= 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_reader_driven_by_poll_overlooks_no_frame),
        PROCESS_TEST(a_reader_driven_by_epoll_overlooks_no_frame),
        PROCESS_TEST(a_following_reader_driven_by_poll_overlooks_no_frame),
        PROCESS_TEST(a_following_reader_driven_by_epoll_overlooks_no_frame),
        PROCESS_TEST(a_following_reader_driven_by_poll_goes_from_writer_to_writer),
        PROCESS_TEST(one_next_after_each_poll_sees_every_frame),
        PROCESS_TEST(one_next_after_each_epoll_sees_every_frame),
        PROCESS_TEST(frames_that_wait_keep_the_fd_readable),
        PROCESS_TEST(a_full_quota_silences_the_fd_until_a_release),
        PROCESS_TEST(a_full_quota_silences_the_fd_of_a_dead_writer_too),
        PROCESS_TEST(a_larger_quota_makes_the_fd_readable_again),
        PROCESS_TEST(changes_ends_and_death_wake_a_reader_driven_by_poll),
        PROCESS_TEST(a_frame_published_between_looking_and_waiting_wakes),
        PROCESS_TEST(cancelling_wakes_a_reader_driven_by_poll),
        PROCESS_TEST(a_reader_sleeps_between_frames_unless_it_is_told_to_spin),
        PROCESS_TEST(a_writer_driven_by_poll_serves_and_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
