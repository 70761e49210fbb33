/* SPDX-License-Identifier: MIT */
/* Attempts to make somebody wait or spin: bells, sockets that are slow to close, a log that nobody
 * reads, file descriptors that run out. */
#include "fake-reader.h"
#include "fake-writer.h"

#include "reader/reader.h"
#include "shared/semaphore.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int64_t processor_time(int who)
{
    struct rusage usage;
    check(!getrusage(who, &usage));
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * S +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* ---- bells ---- */

#define LISTENERS 32
#define EARS      19000 /* of each */

static struct fake_reader deaf_aid;
static unsigned ear_count;
static _Atomic unsigned listening, silences;

static void *poll_often(void *ears)
{
    for (unsigned rings = 1;; rings++) {
        listening++;
        poll(ears, ear_count, -1);
        listening--;
        while (silences < rings)
            sched_yield();
    }
    return ears;
}

/* How many threads of this process sleep. */
static unsigned sleeping_threads(void)
{
    unsigned sleeping = 0;
    char command[64];
    for (int tid = getpid(); tid < getpid() + 4 * LISTENERS; tid++) {
        char line[256] = "";
        snprintf(command, sizeof command, "/proc/self/task/%d/stat", tid);
        FILE *f = fopen(command, "re");
        if (!f)
            continue;
        if (fgets(line, sizeof line, f) && strstr(line, ") S "))
            sleeping++;
        fclose(f);
    }
    return sleeping;
}

/* Waits on its own bell half a million times over, and sleeps twice. */
static void listen_with_many_ears(const void *argument)
{
    (void)argument;
    struct rlimit limit;
    pthread_t thread;
    check(!getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    check(!setrlimit(RLIMIT_NOFILE, &limit));
    ear_count = limit.rlim_cur < EARS ? (unsigned)limit.rlim_cur : EARS;
    deaf_aid = fake_reader_attach(1, 0);
    for (int i = 0; i < LISTENERS; i++) {
        struct pollfd *ears = calloc(ear_count, sizeof *ears);
        check(ears);
        for (unsigned j = 0; j < ear_count; j++)
            ears[j] = (struct pollfd){.fd = deaf_aid.bell, .events = POLLIN};
        check(!pthread_create(&thread, NULL, poll_often, ears) && !pthread_detach(thread));
    }
    note("figure: %u waiters on one bell", LISTENERS * ear_count);
    for (unsigned rings = 1; rings <= 2; rings++) {
        struct epoll_event event;
        check_soon(listening == LISTENERS && sleeping_threads() >= LISTENERS);
        semaphore_sleep(&deaf_aid.page->sleeps); /* it is rung for once */
        if (rings == 2)
            break;
        check_soon(listening == 0);
        check_equal(epoll_wait(deaf_aid.bell, &event, 1, 0), 1);
        silences = rings;
    }
    fake_reader_expect_refusal(deaf_aid.socket, EBUSY, "waking it takes too long");
    _exit(0); /* with all its threads */
}

static void a_bell_with_half_a_million_waiters_is_rung_twice_at_the_most(void)
{
    struct good good = begin_well(&calm);
    join(spawn(listen_with_many_ears, NULL));
    check_equal(THROWN_OUT, 1);
    note("the longest begin and publish took %.2f ms", (double)shared->writer.longest_ns / MS);
    end_well(&good);
}

static void ring_without_end(struct fake *f)
{
    struct epoll_event interest = {.events = EPOLLIN}; /* level-triggered */
    f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->bell = epoll_create1(EPOLL_CLOEXEC);
    check(f->event >= 0 && f->bell >= 0 && !epoll_ctl(f->bell, EPOLL_CTL_ADD, f->event, &interest));
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    check_soon(shared->go == 1);
    check(!eventfd_write(f->event, 1));
}

static void wait_for_ever(const void *argument)
{
    const bool *polls = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    alarm(40);
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    shared->go = 1;
    int r = -ETIMEDOUT;
    while (*polls && r == -ETIMEDOUT) {
        struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
        check_equal(poll(&wait, 1, 10000), 1);
        r = framebus_reader_next(rd, &f, 0);
    }
    if (!*polls)
        r = framebus_reader_next(rd, &f, -1);
    check_equal(r, -EBADMSG);
    check(strstr(framebus_last_error(), "rings without end"));
    check(processor_time(RUSAGE_SELF) < 5 * S);
    framebus_reader_close(rd);
}

static void a_bell_that_never_falls_silent_is_given_up(void)
{
    static const struct trick trick = {.name = "bell", .play = ring_without_end};
    for (int i = 0; i < 2; i++) {
        const bool polls = i;
        memset(shared, 0, sizeof *shared);
        pid_t fake = spawn(play_one, &trick);
        check_soon(shared->writer.ready || has_ended(fake));
        join(spawn(wait_for_ever, &polls));
        finish(fake, &shared->writer);
        check(!unlink(path_of("bus")));
    }
}

/* ---- readers that never have to wait ---- */

/* A good reader but for its claims, which cost it its place. There always is a frame for it. */
static void read_on_when_thrown_out(const void *argument)
{
    struct framebus_reader *rd;
    struct framebus_frame *f;
    (void)argument;
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    store_ordered(&rd->pool->page->claims[6], 0xff); /* of slots that nobody needs */
    int64_t until = now_ns() + 30 * S;
    int r = 0;
    uint64_t taken = 0;
    while (!r && now_ns() < until) {
        while (!slots_filled(&rd->pool->view, next_number(rd->pool)) && !rd->hung_up && now_ns() < until)
            ; /* it does not ask before there is one */
        check(now_ns() < until);
        r = framebus_reader_next(rd, &f, 10 * S);
        if (!r)
            framebus_reader_release(rd, f);
        taken += !r;
    }
    note("%llu frames taken before it heard", (unsigned long long)taken);
    check_equal(r, -ECONNABORTED);
    framebus_reader_close(rd);
}

static void a_reader_that_always_finds_a_frame_hears_that_it_was_thrown_out(void)
{
    const struct writing quick = {.options = {.history = 100, .max_slots = 200}, .interval_ns = MS};
    pid_t writer = spawn(write_and_count, &quick);
    check_soon(shared->writer.ready == 1);
    join(spawn(read_on_when_thrown_out, NULL));
    check_equal(THROWN_OUT, 1);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

/* ---- sockets that are slow to close ---- */

#define LINGER 60

/* A TCP socket whose last close waits for a peer that never reads. */
static int slow_socket(int *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    static char bytes[1 << 16];
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(*listener >= 0 && !bind(*listener, (struct sockaddr *)&address, size) && !listen(*listener, 4) &&
          !getsockname(*listener, (struct sockaddr *)&address, &size));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0 && !connect(fd, (struct sockaddr *)&address, size));
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    const struct linger linger = {.l_onoff = 1, .l_linger = LINGER};
    check(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    return fd;
}

/* What the fake sends slow sockets in place of. */
static void slow_bell(struct fake *f)
{
    int listener;
    f->bell = slow_socket(&listener);
    fake_seal(f);
    fake_welcome(f);
    close(f->bell);
}

static void slow_pool(struct fake *f)
{
    int listener;
    fake_welcome(f);
    f->fds[0] = slow_socket(&listener);
    f->fds[1] = slow_socket(&listener);
    fake_offer(f);
    close(f->fds[0]);
    close(f->fds[1]);
}

static void slow_extras(struct fake *f)
{
    int listener;
    fake_seal(f);
    fake_welcome(f);
    for (int i = 2; i < 6; i++)
        f->fds[i] = slow_socket(&listener);
    f->fd_count = 6;
    fake_offer(f);
    for (int i = 2; i < 6; i++)
        close(f->fds[i]);
}

/* In a message that the reader never gets to. */
static void slow_leftovers(struct fake *f)
{
    int listener;
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    check_soon(shared->go == 1);
    f->fds[0] = slow_socket(&listener);
    f->fd_count = 1;
    fake_offer(f);
    close(f->fds[0]);
    shared->go = 2;
}

static void leave_something_unread(void)
{
    static const struct trick trick = {.name = "leftovers", .play = slow_leftovers};
    struct framebus_reader *rd;
    memset(shared, 0, sizeof *shared);
    pid_t fake = spawn(play_one, &trick);
    check_soon(shared->writer.ready || has_ended(fake));
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    shared->go = 1;
    check_soon(shared->go == 2 || has_ended(fake));
    framebus_reader_close(rd);
    finish(fake, &shared->writer);
    check(!unlink(path_of("bus")));
}

static void sockets_that_are_slow_to_close_do_not_hold_up_a_reader(void)
{
    static const struct trick tricks[] = {
        {.name = "bell", .play = slow_bell, .error = EBADMSG, .word = "bell"},
        {.name = "pool", .play = slow_pool, .error = EBADMSG, .word = "writer"},
        {.name = "extras", .play = slow_extras, .error = EPROTO, .word = "file descriptors"},
    };
    int listener;
    int64_t begun = now_ns();
    PLAY(tricks);
    leave_something_unread();
    check(now_ns() - begun < LINGER / 2 * S);

    int fd = slow_socket(&listener); /* it would have been slow */
    const struct linger little = {.l_onoff = 1, .l_linger = 1};
    begun = now_ns();
    check(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &little, sizeof little));
    close(fd);
    check(now_ns() - begun >= S / 2);
    close(listener);
}

static void sockets_that_are_slow_to_close_do_not_hold_up_a_writer(void)
{
    struct good good = begin_well(&calm);
    for (int i = 0; i < 4; i++) {
        int listener, slow = slow_socket(&listener), fd = fake_reader_connect();
        struct message_hello m = fake_reader_hello(2, 0);
        if (send_fds(fd, &m, sizeof m, &slow, 1) < 0) {
            check_equal(errno, EPERM); /* since Linux 6.16 it does not even come through */
            check(!setsockopt(slow, SOL_SOCKET, SO_LINGER, &(struct linger){0}, sizeof(struct linger)));
        }
        close(slow);
        sleep_ns(50 * MS);
        close(fd);
        close(listener);
    }
    end_well(&good); /* looks at the longest that publish took */
}

/* ---- a log that nobody reads ---- */

static void write_to_a_full_pipe(const void *argument)
{
    int ends[2];
    char byte = '.';
    check(!pipe2(ends, O_CLOEXEC) && !fcntl(ends[1], F_SETFL, O_NONBLOCK));
    while (write(ends[1], &byte, 1) == 1)
        ;
    check(!fcntl(ends[1], F_SETFL, 0) && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    setenv("FRAMEBUS_LOG", "debug", 1);
    write_frames(argument);
    shared->value[2] = 1;

    /* When somebody reads again, what was left out is counted. */
    static char text[1 << 17];
    struct framebus_format format;
    ssize_t n = read(ends[0], text, sizeof text);
    check(n > 0);
    check(framebus_format_init(&format, 1, 1, 1) < 0); /* any failed call is a line */
    n = read(ends[0], text, sizeof text - 1);
    check(n > 0 && strstr(text, "lines were left out"));
}

static void a_full_standard_error_holds_nobody_up(void)
{
    const struct writing plan = {.options = {.history = 100, .max_slots = 200}, .interval_ns = 20 * MS};
    pid_t writer = spawn(write_to_a_full_pipe, &plan);
    check_soon(shared->writer.ready == 1);
    pid_t reader = start_reader(&(struct reading){0});
    for (int i = 0; i < 20; i++) { /* each a line of warning, and lines of information */
        struct fake_reader v = fake_reader_attach(2, 0);
        store_ordered(&v.page->claims[0], 0xff);
        fake_reader_expect_refusal(v.socket, EDQUOT, "more than");
        fake_reader_detach(&v);
    }
    uint64_t now = shared->writer.frames;
    check_soon(shared->reader[0].last > now + 3);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].missed, 0);
    finish(writer, &shared->writer);
    check_equal(shared->value[2], 1);
}

/* ---- no file descriptors at all ---- */

/* From now on the writer cannot even get back the spare one that it gives up. */
static void write_without_any_fds(const void *argument)
{
    (void)argument;
    struct framebus_writer *w;
    struct framebus_format format = small();
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = 1024}, some = {.rlim_cur = 1024, .rlim_max = 1024};
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    check(!setrlimit(RLIMIT_NOFILE, &none));
    shared->writer.ready = 1;
    check_soon(shared->go == 1);
    int64_t before = processor_time(RUSAGE_SELF), begun = now_ns();
    for (uint64_t n = 0; now_ns() < begun + 2 * S; n++) {
        check_equal(publish_one(w, n), 0);
        serve(w, 200 * MS, NULL);
    }
    int64_t used = processor_time(RUSAGE_SELF) - before;
    note("%.3f s of processor time in 2 s", (double)used / S);
    check(used < S / 2);
    check(!setrlimit(RLIMIT_NOFILE, &some));
    shared->go = 2;
    serve(w, 60 * S, &shared->writer.stop);
    framebus_writer_close(w);
}

static void a_writer_that_lost_its_last_file_descriptor_does_not_spin(void)
{
    pid_t writer = spawn(write_without_any_fds, NULL);
    check_soon(shared->writer.ready == 1);
    int fd = fake_reader_connect();
    shared->go = 1;
    check_soon(shared->go == 2 || has_ended(writer));
    struct framebus_reader *rd;
    int r;
    check_soon((r = framebus_reader_open(&rd, "bus", NULL)) == 0 || has_ended(writer));
    check_equal(r, 0);
    framebus_reader_close(rd);
    close(fd);
    finish(writer, &shared->writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_bell_with_half_a_million_waiters_is_rung_twice_at_the_most),
        PROCESS_TEST(a_bell_that_never_falls_silent_is_given_up),
        PROCESS_TEST(a_reader_that_always_finds_a_frame_hears_that_it_was_thrown_out),
        PROCESS_TEST(sockets_that_are_slow_to_close_do_not_hold_up_a_reader),
        PROCESS_TEST(sockets_that_are_slow_to_close_do_not_hold_up_a_writer),
        PROCESS_TEST(a_full_standard_error_holds_nobody_up),
        PROCESS_TEST(a_writer_that_lost_its_last_file_descriptor_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
