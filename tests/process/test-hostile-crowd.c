/* SPDX-License-Identifier: MIT */
/* Crowds of connections, and users who send too much through many of them: others get in, and readers that
 * are in notice nothing. */
#include "fake-reader.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct writing open_to_all = {.options = {.history = 100, .max_slots = 200, .access_mode = 0666},
                                           .interval_ns = 20 * MS};

/* ---- connections that say nothing ---- */

#define CROWD 500

/* Always some hundreds of connections, each new one in place of the oldest. */
static void crowd_the_door(const void *argument)
{
    const bool *as_nobody = argument;
    const struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    int fds[CROWD];
    check(!setrlimit(RLIMIT_NOFILE, &limit));
    if (*as_nobody)
        become_nobody();
    for (int i = 0; i < CROWD; i++)
        fds[i] = -1;
    for (unsigned n = 0; !shared->other.stop; n++) {
        int *fd = &fds[n % CROWD];
        if (*fd >= 0)
            close(*fd);
        *fd = fake_reader_connect();
        shared->other.frames = n + 1;
    }
}

static void newcomers_get_in_although(bool others)
{
    check(!chmod(directory, 0711));
    struct good good = begin_well(&open_to_all);
    pid_t crowd = spawn(crowd_the_door, &others);
    check_soon(shared->other.frames > 2 * CROWD || has_ended(crowd));
    struct framebus_reader *rd;
    unsigned opened = 0;
    /* Ten thousand, unless the machine is slow: a sanitizer, valgrind. */
    for (int64_t until = now_ns() + 15 * S; opened < 20 || (shared->other.frames < 10000 && now_ns() < until);
         opened++) {
        struct framebus_frame *f;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0); /* the first attempt */
        check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
        check_equal(frame_number(f), f->sequence);
        framebus_reader_release(rd, f);
        framebus_reader_close(rd);
    }
    note("figure: %u readers got in beside %llu silent connections", opened,
         (unsigned long long)shared->other.frames);
    check(count_fds_of(good.writer) < good.fds + 150); /* it does not keep them all */
    finish(crowd, &shared->other);
    check_equal(THROWN_OUT, 0);
    end_well(&good);
}

static void ten_thousand_silent_connections_keep_nobody_out(void)
{
    newcomers_get_in_although(false);
}

static void silent_connections_of_another_user_keep_nobody_out(void)
{
    if (!can_be_several_users())
        skip_because("needs root, to be several users");
    newcomers_get_in_although(true);
}

static void a_user_with_many_strangers_loses_only_its_own(void)
{
    if (!can_be_several_users())
        skip_because("needs root, to be several users");
    check(!chmod(directory, 0711));
    struct good good = begin_well(&open_to_all);
    int early = fake_reader_connect(); /* root's; the crowd comes after it */
    const bool as_nobody = true;
    pid_t crowd = spawn(crowd_the_door, &as_nobody);
    check_soon(shared->other.frames > 2 * CROWD || has_ended(crowd));
    struct message_hello m = fake_reader_hello(1, 0);
    union message *heard = malloc(sizeof *heard);
    int fds[MESSAGE_FDS_MAX];
    unsigned fd_count = 0;
    bool in_time = send(early, &m, sizeof m, MSG_NOSIGNAL) == sizeof m;
    int type = fake_reader_hear(early, heard, fds, &fd_count);
    for (unsigned i = 0; type > 0 && i < fd_count; i++)
        close(fds[i]);
    if (type == MESSAGE_WELCOME)
        note("in although it hesitated");
    else
        check(!in_time || type == 0); /* its two seconds were over; never told that there are too many */
    free(heard);
    close(early);
    finish(crowd, &shared->other);
    end_well(&good);
}

/* ---- a door that says "later" ---- */

static void listen_at(int *listener, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    *listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    check(*listener >= 0 && !bind(*listener, (struct sockaddr *)&address, sizeof address) &&
          !listen(*listener, 16));
}

/* Puts off this many connections, then serves as a writer. */
static void put_off(const void *argument)
{
    const int *times = argument;
    int listener;
    listen_at(&listener, path_of("bus"));
    shared->writer.ready = 1;
    for (int i = 0; i < *times || !*times; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        check(fd >= 0);
        socket_refuse(fd, -EAGAIN, "too many connections");
        close(fd);
        shared->value[1]++;
    }
    close(listener);
    check(!unlink(path_of("bus")));
    write_frames(&(struct writing){.interval_ns = 5 * MS});
}

static void who_is_put_off_tries_again(void)
{
    const int times = 5;
    pid_t door = spawn(put_off, &times);
    check_soon(shared->writer.ready == 1);
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.wait_ns = 20 * S}), 0);
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    check_equal(shared->value[1], times);
    finish(door, &shared->writer);
}

static void who_is_put_off_for_ever_is_told_so_and_does_not_spin(void)
{
    const int without_end = 0;
    pid_t door = spawn(put_off, &without_end);
    check_soon(shared->writer.ready == 1);
    struct framebus_reader *rd;
    int64_t begun = now_ns();
    check_fails(framebus_reader_open(&rd, "bus", NULL), EAGAIN, "crowded");
    check(now_ns() - begun >= 4 * S);
    check(shared->value[1] > 10 && shared->value[1] < 1000);
    struct framebus_bus_info *info;
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_SILENT);
    framebus_info_free(info, 1);
    kill_now(door);
    check(!unlink(path_of("bus")));
}

/* ---- floods ---- */

#define MOUTHS 40
#define WORDS  80 /* fewer than one reader may say in a second */

static void a_user_that_floods_with_many_readers_is_stopped(void)
{
    struct good good = begin_well(&calm);
    struct fake_reader v[MOUTHS];
    struct message_quota q;
    message_init(&q, MESSAGE_QUOTA, sizeof q);
    q.quota = 1;
    for (int i = 0; i < MOUTHS; i++)
        v[i] = fake_reader_attach(1, 0);
    int64_t until = now_ns() + 20 * S;
    while (!THROWN_OUT && now_ns() < until) {
        for (int word = 0; word < WORDS; word++)
            for (int i = 0; i < MOUTHS; i++) {
                send(v[i].socket, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT);
                char answer[sizeof q];
                while (recv(v[i].socket, answer, sizeof answer, MSG_DONTWAIT) > 0)
                    ;
            }
        sleep_ns(1100 * MS); /* none of them alone is too loud */
    }
    check(THROWN_OUT > 0);
    for (int i = 0; i < MOUTHS; i++) {
        close(v[i].socket);
        fake_reader_detach(&v[i]);
    }
    end_well(&good); /* of the same user, and it said no more than it had to */
}

static void strangers_that_talk_nonsense_without_end_do_not_fill_the_log(void)
{
    struct good good = begin_well(&calm);
    int64_t begun = now_ns();
    for (int i = 0; i < 1000; i++) {
        int fd = fake_reader_connect();
        send(fd, "nonsense", 8, MSG_NOSIGNAL);
        close(fd);
    }
    struct framebus_bus_info *info;
    uint64_t evicted = 0;
    check_soon((framebus_query("bus", &info), evicted = info->evicted, framebus_info_free(info, 1),
                evicted == 1000));
    int64_t seconds = (now_ns() - begun) / S;
    check(THROWN_OUT > 10 && THROWN_OUT <= 50 * (seconds + 2));
    end_well(&good);
}

/* ---- file descriptors under way ---- */

#define FEW  256  /* fds, of the writer: as many may be under way for its user */
#define MANY 4096 /* of the other one */

static void become_somebody(const bool *as_nobody, rlim_t fds)
{
    const struct rlimit limit = {.rlim_cur = fds, .rlim_max = fds};
    check(!setrlimit(RLIMIT_NOFILE, &limit));
    if (*as_nobody)
        become_nobody();
}

/* Changes its format when it is told to. */
static void write_two_formats(const void *argument)
{
    struct framebus_writer *w;
    struct framebus_format first = small(), second = picture("NV12", 64, 64);
    const struct framebus_writer_options options = {.history = 100, .max_slots = 200, .access_mode = 0666};
    become_somebody(argument, FEW);
    check_equal(framebus_writer_open(&w, "bus", &first, &options), 0);
    shared->writer.ready = 1;
    for (uint64_t n = 0; !shared->writer.stop; n++) {
        if (shared->go == 1) {
            check_equal(framebus_writer_set_format(w, &second), 0);
            shared->go = 2;
        }
        check_equal(publish_one(w, n), 0);
        shared->writer.frames = n + 1;
        serve(w, 10 * MS, NULL);
    }
    framebus_writer_close(w);
}

/* Sends fds to itself and never takes them out, until the kernel has enough of this user. */
static void keep_fds_under_way(const void *argument)
{
    become_somebody(argument, MANY);
    int ends[2], fds[200], sent = 0;
    for (;;) {
        check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
        for (int i = 0; i < 200; i++)
            fds[i] = ends[0];
        if (send_fds(ends[0], "", 1, fds, 200) < 0)
            break;
        sent += 200;
    }
    check_equal(errno, ETOOMANYREFS);
    note("%d file descriptors under way", sent);
    shared->other.ready = 1;
    for (;;)
        pause();
}

static void file_descriptors_under_way_run_out_and_nobody_is_lost(void)
{
    const bool as_nobody = can_be_several_users();
    check(!chmod(directory, 0711) && (!as_nobody || !chown(directory, NOBODY, NOBODY)));
    pid_t writer = spawn(write_two_formats, &as_nobody);
    check_soon(shared->writer.ready == 1);
    pid_t reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 2);
    pid_t greedy = spawn(keep_fds_under_way, &as_nobody);
    check_soon(shared->other.ready || has_ended(greedy));

    /* A new reader is put off. One that is in goes on, except that it does not get the next pool. */
    struct framebus_reader *rd;
    check_fails(framebus_reader_open(&rd, "bus", NULL), EAGAIN, "crowded");
    uint64_t now = shared->writer.frames;
    check_soon(shared->reader[0].last > now);
    check_equal(shared->reader[0].missed, 0);
    shared->go = 1;
    check_soon(shared->go == 2);
    now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 20);
    check(!has_ended(reader));

    kill_now(greedy);
    now = shared->writer.frames;
    check_soon(shared->reader[0].last > now || has_ended(reader));
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    struct framebus_frame *f;
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    check_equal(shared->reader[0].result, 0);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(ten_thousand_silent_connections_keep_nobody_out),
        PROCESS_TEST(silent_connections_of_another_user_keep_nobody_out),
        PROCESS_TEST(a_user_with_many_strangers_loses_only_its_own),
        PROCESS_TEST(who_is_put_off_tries_again),
        PROCESS_TEST(who_is_put_off_for_ever_is_told_so_and_does_not_spin),
        PROCESS_TEST(a_user_that_floods_with_many_readers_is_stopped),
        PROCESS_TEST(strangers_that_talk_nonsense_without_end_do_not_fill_the_log),
        PROCESS_TEST(file_descriptors_under_way_run_out_and_nobody_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
