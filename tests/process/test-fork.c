/* SPDX-License-Identifier: MIT */
/* Handles do not survive fork(), and a forked child does not keep a dead parent's bus alive. */
#include "harness.h"

static uint32_t readers_of(const char *bus)
{
    struct framebus_bus_info *info;
    check_equal(framebus_query(bus, &info), 0);
    uint32_t readers = info->readers;
    framebus_info_free(info, 1);
    return readers;
}

/* The idler is ours now that its parent is dead. */
static void end_idler(pid_t pid)
{
    check(!kill(pid, 0));
    kill_now(pid);
}

/* Takes six frames, forks, and waits to be killed. */
static void hold_and_fork(const void *argument)
{
    const bool *closes = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 6}), 0);
    framebus_reader_fd(rd);
    for (int i = 0; i < 6; i++)
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    if (*closes)
        framebus_reader_close(rd); /* the frames are still held */
    shared->other.pid = fork_idler();
    shared->other.ready = 1;
    for (;;)
        pause();
}

static void a_dead_reader_is_noticed(bool closed)
{
    const struct framebus_writer_options tight = {.history = 2, .max_slots = 10, .max_lends = 1};
    pid_t writer = start_writer(&(struct writing){.options = tight, .interval_ns = 2 * MS});
    pid_t reader = spawn(hold_and_fork, &closed);
    check_soon(shared->other.ready);
    check_equal(readers_of("bus"), 1);
    kill_now(reader);
    check_soon(readers_of("bus") == 0);
    struct framebus_reader *rd; /* there is room for six again */
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 6}), 0);
    framebus_reader_close(rd);
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 20);
    end_idler(shared->other.pid);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void a_dead_reader_is_noticed_although_its_child_lives_on(void)
{
    a_dead_reader_is_noticed(false);
}

static void a_dead_reader_that_had_closed_is_noticed_although_its_child_lives_on(void)
{
    a_dead_reader_is_noticed(true);
}

static void follow_and_fork(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    check(framebus_reader_fd(rd) >= 0);
    unsigned fds = count_fds();
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        check(count_fds() < fds); /* watch and epoll are closed in the child */
        framebus_reader_close(rd);
        _exit(0);
    }
    join(child);
    check_equal(count_fds(), fds);
    framebus_reader_close(rd);
}

static void a_child_of_a_waiting_reader_keeps_none_of_its_fds(void)
{
    join(spawn(follow_and_fork, NULL));
}

static void publish_and_fork(const void *argument)
{
    const struct framebus_writer_options *options = argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, options), 0);
    check_equal(publish_one(w, 5), 0);
    shared->writer.ready = 1;
    while (!shared->go)
        serve(w, MS, NULL);
    shared->other.pid = fork_idler();
    shared->other.ready = 1;
    serve(w, 60 * S, NULL);
}

static void a_dead_writer_is_noticed_although_its_child_lives_on(void)
{
    static const enum framebus_memory kinds[] = {FRAMEBUS_MEMORY_MEMFD, FRAMEBUS_MEMORY_POSIX,
                                                 FRAMEBUS_MEMORY_SYSV};
    for (int i = 0; i < 3; i++) {
        memset(shared, 0, sizeof *shared);
        pid_t writer = spawn(publish_and_fork, &(struct framebus_writer_options){.memory = kinds[i]});
        check_soon(shared->writer.ready);
        struct framebus_reader *rd;
        struct framebus_frame *f;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        shared->go = 1;
        check_soon(shared->other.ready);
        expect_frame(rd, 5, 0);
        kill_now(writer);
        int64_t killed = now_ns();
        check_equal(framebus_reader_next(rd, &f, 30 * S), -EPIPE);
        check(now_ns() - killed < 10 * S);
        framebus_reader_close(rd);
        struct framebus_writer *w;
        struct framebus_format format = small();
        check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
        framebus_writer_close(w);
        end_idler(shared->other.pid);
    }
}

/* ---- exec ---- */

#define FDS 200

static bool outlives_exec(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}

static void open_everything(const void *argument)
{
    bool before[FDS]; /* what the test itself was started with */
    for (int fd = 0; fd < FDS; fd++)
        before[fd] = outlives_exec(fd);
    for (int kind = 0; kind < 3; kind++) {
        struct framebus_format format = small();
        struct framebus_writer *w;
        struct framebus_reader *following, *rd;
        struct framebus_frame *f, *g;
        const struct framebus_writer_options options = {.memory = (enum framebus_memory)kind};
        check_equal(framebus_writer_open(&w, "own", &format, &options), 0);
        check_equal(framebus_writer_begin(w, &f), 0);
        check_equal(framebus_reader_open(&rd, "bus", argument), 0);
        check_equal(framebus_reader_next(rd, &g, 10 * S), 0);
        check_equal(
            framebus_reader_open(&following, "none", &(struct framebus_reader_options){.follow = true}), 0);
        check(framebus_reader_fd(following) >= 0);
        for (int fd = 0; fd < FDS; fd++)
            check(outlives_exec(fd) == before[fd]);
        framebus_reader_release(rd, g);
        framebus_reader_close(rd);
        framebus_reader_close(following);
        framebus_writer_release(w, f);
        framebus_writer_close(w);
    }
}

static void no_file_descriptor_survives_exec(void)
{
    for (int kind = 0; kind < 3; kind++) {
        const struct writing writing = {.options = {.memory = (enum framebus_memory)kind},
                                        .interval_ns = 5 * MS};
        pid_t writer = start_writer(&writing);
        join(spawn(open_everything, NULL));
        finish(writer, &shared->writer);
    }
}

/* Forks without the handler that closes our fds, as vfork() and posix_spawn() do for a while. */
static void serve_with_copies_elsewhere(const void *argument)
{
    (void)argument;
    struct framebus_format format = small();
    struct framebus_writer *w;
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check_equal(publish_one(w, 0), 0);
    shared->writer.ready = 1;
    for (int round = 0; round < 10; round++) {
        while ((int)shared->go <= round)
            serve(w, MS, NULL);
        pid_t copy = _Fork();
        check(copy >= 0);
        if (copy == 0) {
            alarm(120);
            for (;;)
                pause();
        }
        shared->done++;
        serve(w, 50 * MS, NULL); /* the readers leave, and copies of their sockets stay open */
        serve(w, 50 * MS, NULL);
        kill_now(copy);
    }
    serve(w, 60 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

static void copies_of_its_fds_in_another_process_do_not_confuse_a_writer(void)
{
    pid_t writer = spawn(serve_with_copies_elsewhere, NULL);
    check_soon(shared->writer.ready);
    for (uint32_t round = 0; round < 10; round++) {
        struct framebus_reader *rd[5];
        for (int i = 0; i < 5; i++) {
            check_equal(framebus_reader_open(&rd[i], "bus", NULL), 0);
            expect_frame(rd[i], 0, 0);
        }
        shared->go = round + 1;
        check_soon(shared->done > round || has_ended(writer));
        for (int i = 0; i < 5; i++)
            framebus_reader_close(rd[i]);
    }
    check_soon(readers_of("bus") == 0);
    finish(writer, &shared->writer);
}

/* ---- in the child ---- */

static void use_a_writer_of_the_parent(const void *argument)
{
    (void)argument;
    struct framebus_format format = small(), other = picture("NV12", 64, 64);
    struct framebus_writer *w;
    struct framebus_frame *lent, *f;
    struct framebus_bus_info *info;
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check_equal(framebus_writer_begin(w, &lent), 0);
    fill_frame(lent, 9);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        check_fails(framebus_writer_begin(w, &f), ECHILD, "parent");
        check(!f);
        check_equal(framebus_writer_begin_size(w, 5, &f), -ECHILD);
        check_equal(framebus_writer_publish(w, lent), -ECHILD);
        check_equal(framebus_writer_set_format(w, &other), -ECHILD);
        check_equal(framebus_writer_end(w), -ECHILD);
        check_equal(framebus_writer_dispatch(w), -ECHILD);
        check_equal(framebus_writer_get_info(w, &info), -ECHILD);
        check_equal(framebus_writer_fd(w), -ECHILD);
        framebus_writer_release(w, lent);
        framebus_writer_close(w);
        /* The name is the parent's still; the child may have a bus of its own. */
        check_equal(framebus_writer_open(&w, "bus", &format, NULL), -EADDRINUSE);
        check_equal(framebus_writer_open(&w, "childs", &format, NULL), 0);
        check_equal(publish_one(w, 1), 0);
        framebus_writer_close(w);
        _exit(0);
    }
    join(child);
    check_equal(framebus_writer_publish(w, lent), 0); /* the parent's is as it was */
    framebus_writer_release(w, lent);
    framebus_writer_close(w);
}

static void in_a_child_every_call_on_a_writer_fails(void)
{
    join(spawn(use_a_writer_of_the_parent, NULL));
}

static void use_a_reader_of_the_parent(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *held, *f;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &held, 10 * S), 0);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        check_fails(framebus_reader_next(rd, &f, 0), ECHILD, "parent");
        check_equal(framebus_reader_fd(rd), -ECHILD);
        check_equal(framebus_reader_set_quota(rd, 3), -ECHILD);
        framebus_reader_release(rd, held);
        framebus_reader_close(rd);
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check(frame_number(f) >= 0);
        framebus_reader_release(rd, f);
        framebus_reader_close(rd);
        _exit(0);
    }
    join(child);
    check(frame_number(held) >= 0);
    framebus_reader_release(rd, held);
    check_equal(framebus_reader_next(rd, &held, 10 * S), 0);
    framebus_reader_release(rd, held);
    framebus_reader_close(rd);
}

static void in_a_child_every_call_on_a_reader_fails(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    join(spawn(use_a_reader_of_the_parent, NULL));
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_dead_reader_is_noticed_although_its_child_lives_on),
        PROCESS_TEST(a_dead_reader_that_had_closed_is_noticed_although_its_child_lives_on),
        PROCESS_TEST(a_child_of_a_waiting_reader_keeps_none_of_its_fds),
        PROCESS_TEST(a_dead_writer_is_noticed_although_its_child_lives_on),
        PROCESS_TEST(no_file_descriptor_survives_exec),
        PROCESS_TEST(copies_of_its_fds_in_another_process_do_not_confuse_a_writer),
        PROCESS_TEST(in_a_child_every_call_on_a_writer_fails),
        PROCESS_TEST(in_a_child_every_call_on_a_reader_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
