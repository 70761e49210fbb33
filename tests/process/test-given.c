/* SPDX-License-Identifier: MIT */
/* Readers whose socket somebody else has connected, and readers that are told when their writer goes. */
#include "harness.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- sockets ---- */

static int connect_to(const char *bus)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of(bus));
    check(fd >= 0);
    check_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int open_given(struct framebus_reader **rd, int fd)
{
    const struct framebus_reader_options options = {.fd = fd, .label = "given"};
    return framebus_reader_open(rd, NULL, &options);
}

static struct framebus_peer_info first_reader(unsigned *count)
{
    struct framebus_bus_info *info;
    struct framebus_peer_info first = {0};
    check_equal(framebus_query("bus", &info), 0);
    *count = info->readers;
    if (info->readers)
        first = info->reader[0];
    framebus_info_free(info, 1);
    return first;
}

static unsigned readers(void)
{
    unsigned count;
    first_reader(&count);
    return count;
}

static void a_socket_that_is_connected_leads_to_the_bus(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    unsigned fds = count_fds(), count;
    struct framebus_reader_stats stats;
    struct framebus_reader *rd;
    struct framebus_frame *frame;
    int fd = connect_to("bus");
    check_equal(open_given(&rd, fd), 0);
    close(fd); /* it has been duplicated */
    expect_frame(rd, 0, 0);
    framebus_reader_get_stats(rd, &stats);
    check_equal(stats.writer_pid, writer);
    check_equal(stats.connected, true);
    check(!strcmp(first_reader(&count).label, "given") && count == 1);
    kill_now(writer);
    check_fails(framebus_reader_next(rd, &frame, 10 * S), EPIPE, "\"fd ");
    check_equal(framebus_reader_next(rd, &frame, 0), -EPIPE);
    framebus_reader_close(rd);
    check_equal(count_fds(), fds);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

/* For the writer, that is; else it could not tell who may read. */
static void a_reader_is_who_has_connected_its_socket(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 2 * MS});
    unsigned count;
    int fd = connect_to("bus");
    pid_t reader = start_reader(&(struct reading){.bus = "", .options = {.fd = fd}});
    check(reader != getpid());
    check_soon(shared->reader[0].frames > 3);
    check_equal(first_reader(&count).pid, getpid());
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    close(fd);
    finish(writer, &shared->writer);
}

static void a_reader_ends_although_its_socket_is_open_elsewhere(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    struct framebus_frame *frame;
    int fd = connect_to("bus");
    check_equal(open_given(&rd, fd), 0);
    check_equal(framebus_reader_next(rd, &frame, 10 * S), 0);
    framebus_reader_close(rd);
    check_equal(readers(), 1); /* as long as there is a frame, which the writer must not touch */
    check_equal(frame_number(frame), 0);
    framebus_reader_release(rd, frame);
    check_soon(readers() == 0);
    check_fails(open_given(&rd, fd), EPIPE, "connect another one"); /* it is good for once */
    close(fd);
    finish(writer, &shared->writer);
}

static void a_socket_that_was_silent_for_long_is_refused(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 2 * MS});
    struct framebus_reader *rd;
    int fd = connect_to("bus");
    struct pollfd hang_up = {.fd = fd, .events = POLLRDHUP};
    check_soon(readers() == 0 && poll(&hang_up, 1, 0) == 1); /* it has made way for others */
    check_fails(open_given(&rd, fd), EPIPE, "did not wait");
    close(fd);
    finish(writer, &shared->writer);
}

static void a_socket_on_which_something_was_said_is_refused(void)
{
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd, *other;
    struct framebus_frame *frame;
    int fd = connect_to("bus");
    check_equal(open_given(&rd, fd), 0);
    check(open_given(&other, fd) < 0);
    check(!other && *framebus_last_error());
    while (framebus_reader_next(rd, &frame, 10 * S) == 0) /* the writer has thrown out whoever talks so */
        framebus_reader_release(rd, frame);
    framebus_reader_close(rd);
    close(fd);
    finish(writer, &shared->writer);
}

static void what_is_no_such_socket_is_refused(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct framebus_reader *rd;
    int pipes[2], listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    unsigned fds;
    check_equal(pipe(pipes), 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path_of("listener"));
    check_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    check_equal(listen(listener, 1), 0);
    const struct {
        int fd, error;
        const char *word;
    } wrong[] = {
        {-1, EINVAL, "fd -1"},
        {9999, EBADF, "fd 9999"},
        {pipes[0], EINVAL, "not a Unix socket"},
        {socket(AF_UNIX, SOCK_STREAM, 0), EINVAL, "SEQPACKET"},
        {socket(AF_UNIX, SOCK_DGRAM, 0), EINVAL, "SEQPACKET"},
        {socket(AF_INET, SOCK_STREAM, 0), EINVAL, "not a Unix socket"},
        {socket(AF_UNIX, SOCK_SEQPACKET, 0), EINVAL, "not connected"},
        {listener, EINVAL, "not connected"},
    };
    fds = count_fds();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_fails(open_given(&rd, wrong[i].fd), wrong[i].error, wrong[i].word);
        check(!rd);
        check_equal(count_fds(), fds); /* the caller's is the caller's */
    }
    const struct framebus_reader_options given = {.fd = listener}, follows = {.fd = listener, .follow = true};
    check_fails(framebus_reader_open(&rd, "bus", &given), EINVAL, "give one of the two");
    check_fails(framebus_reader_open(&rd, NULL, &follows), EINVAL, "follow");
    for (size_t i = 3; i < sizeof wrong / sizeof *wrong; i++)
        close(wrong[i].fd);
    close(pipes[0]);
    close(pipes[1]);
    unlink(address.sun_path);
}

static void a_peer_that_is_no_writer_is_refused(void)
{
    struct framebus_reader *rd;
    int fds[2];
    check_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    check_equal(send(fds[1], "nonsense", 8, 0), 8);
    check_equal(open_given(&rd, fds[0]), -EPROTO);
    check_equal(open_given(&rd, fds[0]), -EPIPE);
    close(fds[0]);
    close(fds[1]);
}

/* ---- being told ---- */

static void who_follows_is_told_once_if_it_asks_for_that(void)
{
    const struct framebus_reader_options options = {.follow = true, .tell_gone = true};
    struct framebus_reader_stats stats;
    struct framebus_reader *rd;
    struct framebus_frame *frame;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    check_equal(framebus_reader_next(rd, &frame, 0), -ETIMEDOUT); /* there was none to go */
    for (unsigned i = 1; i < 4; i++) {
        pid_t writer = start_writer(&(struct writing){.frames = 1});
        check_equal(framebus_reader_next(rd, &frame, 10 * S), 0);
        framebus_reader_release(rd, frame);
        kill_now(writer);
        check_fails(framebus_reader_next(rd, &frame, 10 * S), EPIPE, "is gone");
        framebus_reader_get_stats(rd, &stats);
        check_equal(stats.has_writer, false);
        check_equal(stats.writers, i);
        check_equal(framebus_reader_next(rd, &frame, 0), -ETIMEDOUT);
    }
    framebus_reader_close(rd);
    check_equal(framebus_remove("bus", NULL, NULL), 1);
}

static bool is_readable(int fd, int timeout)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout) == 1;
}

static void who_polls_is_told_too_and_finds_the_next_writer(void)
{
    const struct framebus_reader_options options = {.follow = true, .tell_gone = true};
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    struct framebus_reader *rd;
    struct framebus_frame *frame = NULL;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    int fd = framebus_reader_fd(rd);
    for (unsigned i = 0; i < 3; i++) {
        while ((r = framebus_reader_next(rd, &frame, 0)) == -ETIMEDOUT)
            check(is_readable(fd, 10000));
        check_equal(r, 0);
        framebus_reader_release(rd, frame);
        kill_now(writer);
        while ((r = framebus_reader_next(rd, &frame, 0)) == -ETIMEDOUT)
            check(is_readable(fd, 10000));
        check_equal(r, -EPIPE);
        check(is_readable(fd, 10000)); /* for one call, which watches for the next writer */
        check_equal(framebus_reader_next(rd, &frame, 0), -ETIMEDOUT);
        writer = start_writer(&(struct writing){.frames = 1});
    }
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_socket_that_is_connected_leads_to_the_bus),
        PROCESS_TEST(a_reader_is_who_has_connected_its_socket),
        PROCESS_TEST(a_reader_ends_although_its_socket_is_open_elsewhere),
        PROCESS_TEST(a_socket_that_was_silent_for_long_is_refused),
        PROCESS_TEST(a_socket_on_which_something_was_said_is_refused),
        PROCESS_TEST(what_is_no_such_socket_is_refused),
        PROCESS_TEST(a_peer_that_is_no_writer_is_refused),
        PROCESS_TEST(who_follows_is_told_once_if_it_asks_for_that),
        PROCESS_TEST(who_polls_is_told_too_and_finds_the_next_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
