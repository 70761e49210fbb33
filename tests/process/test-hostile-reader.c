/* SPDX-License-Identifier: MIT */
/* A writer against things that pretend to be readers: they are thrown out with a word, and neither
 * the writer nor any good reader notices. */
#include "villain.h"

#include <sys/resource.h>
#include <sys/socket.h>

/* ---- greetings ---- */

static void send_bytes(int fd, const void *bytes, size_t size)
{
    check(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

static void a_hello_that_makes_no_sense_is_refused_in_words(void)
{
    struct good good = begin_well(&calm);
    static const struct {
        uint32_t quota, delivery;
        const char *word;
    } wrong[] = {{0, 0, "quota 0"},
                 {257, 0, "quota 257"},
                 {UINT32_MAX, 0, "out of range"},
                 {2, 3, "delivery 3"},
                 {2, UINT32_MAX, "out of range"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int fd = villain_connect();
        struct message_hello m = villain_hello(wrong[i].quota, wrong[i].delivery);
        send_bytes(fd, &m, sizeof m);
        villain_expect_refusal(fd, EINVAL, wrong[i].word);
    }
    check_equal(THROWN_OUT, 0); /* it was never in */

    int fd = villain_connect(); /* one of another version, which may be of another size */
    struct message_hello m = villain_hello(2, 0);
    m.head.abi = 2;
    send_bytes(fd, &m, sizeof m);
    villain_expect_refusal(fd, EPROTONOSUPPORT, "you speak version 2");
    fd = villain_connect();
    m.head.size = 20;
    send_bytes(fd, &m, 20);
    villain_expect_refusal(fd, EPROTONOSUPPORT, "version 2");
    end_well(&good);
}

static void nonsense_is_thrown_out_with_one_line(void)
{
    struct good good = begin_well(&calm);
    static char many[80000];
    struct message_hello m = villain_hello(2, 0);
    struct message_plain plain;
    int fd, lines = 0;

    fd = villain_connect();
    send_bytes(fd, "GET / HTTP/1.1\r\n\r\n", 18);
    villain_expect_refusal(fd, EPROTO, "18 bytes");
    check_equal(THROWN_OUT, ++lines);
    fd = villain_connect();
    send_bytes(fd, "x", 1);
    villain_expect_refusal(fd, EPROTO, "1 bytes");
    check_equal(THROWN_OUT, ++lines);
    fd = villain_connect();
    send_bytes(fd, many, sizeof many);
    villain_expect_refusal(fd, EPROTO, "too long");
    check_equal(THROWN_OUT, ++lines);
    fd = villain_connect();
    send_bytes(fd, &m, sizeof m - 1);
    villain_expect_refusal(fd, EPROTO, "55 bytes");
    check_equal(THROWN_OUT, ++lines);
    for (int type = 0; type < MESSAGE_TYPES + 3; type++) { /* right in form, wrong at this point */
        union message *any = calloc(1, sizeof *any);
        static const size_t sizes[] = {[MESSAGE_WELCOME] = sizeof(struct message_welcome),
                                       [MESSAGE_POOL] = sizeof(struct message_pool),
                                       [MESSAGE_QUOTA] = sizeof(struct message_quota),
                                       [MESSAGE_DELIVERY] = sizeof(struct message_delivery),
                                       [MESSAGE_REFUSED] = sizeof(struct message_refused),
                                       [MESSAGE_INFO_REPLY] = sizeof(struct message_info_reply),
                                       [MESSAGE_TYPES + 2] = 0};
        if (type != MESSAGE_HELLO && type != MESSAGE_INFO) {
            size_t size = sizes[type] ? sizes[type] : sizeof(struct message_plain);
            message_init(any, (enum message_type)type, size);
            fd = villain_connect();
            send_bytes(fd, any, size);
            villain_expect_refusal(fd, EPROTO, "type");
            check_equal(THROWN_OUT, ++lines);
        }
        free(any);
    }
    fd = villain_connect();
    send_bytes(fd, "", 0); /* nothing at all: it goes as it came */
    close(fd);

    struct villain v = villain_attach(2, 0);
    send_bytes(v.socket, &m, sizeof m);
    villain_expect_refusal(v.socket, EPROTO, "type 1");
    check_equal(THROWN_OUT, ++lines);
    villain_detach(&v);
    v = villain_attach(2, 0);
    message_init(&plain, MESSAGE_INFO, sizeof plain);
    send_bytes(v.socket, &plain, sizeof plain);
    villain_expect_refusal(v.socket, EPROTO, "type 9");
    check_equal(THROWN_OUT, ++lines);
    villain_detach(&v);
    v = villain_attach(2, 0);
    message_init(&plain, MESSAGE_NEXT, sizeof plain);
    send_bytes(v.socket, &plain, sizeof plain);
    villain_expect_refusal(v.socket, EPROTO, "next pool");
    check_equal(THROWN_OUT, ++lines);
    villain_detach(&v);
    static const uint32_t quotas[] = {0, 257, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        struct message_quota q;
        v = villain_attach(2, 0);
        message_init(&q, MESSAGE_QUOTA, sizeof q);
        q.quota = quotas[i];
        send_bytes(v.socket, &q, sizeof q);
        villain_expect_refusal(v.socket, EINVAL, "quota");
        check_equal(THROWN_OUT, ++lines);
        villain_detach(&v);
    }
    end_well(&good);
}

static void send_fds(int fd, const void *bytes, size_t size, unsigned count)
{
    int fds[100];
    char control[CMSG_SPACE(sizeof fds)] = {0};
    for (unsigned i = 0; i < count; i++)
        fds[i] = fd;
    struct iovec part = {(void *)bytes, size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    ssize_t sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    check(sent == (ssize_t)size || errno == EPERM); /* where the kernel lets the writer say no to fds */
}

static void file_descriptors_from_readers_are_not_kept(void)
{
    struct good good = begin_well(&calm);
    static const unsigned counts[] = {1, 2, 3, 100};
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 4; i++) {
            int fd = villain_connect();
            struct message_hello m = villain_hello(2, 0);
            send_fds(fd, &m, sizeof m, counts[i]);
            send_fds(fd, "", 0, counts[i]);
            close(fd);
        }
    end_well(&good); /* looks at the writer's fds */
}

/* ---- those that say nothing, and those that say too much ---- */

static void strangers_that_say_nothing_keep_nobody_out_for_long(void)
{
    struct good good = begin_well(&calm);
    int fds[200];
    for (int i = 0; i < 200; i++)
        fds[i] = villain_connect();
    struct framebus_reader *rd;
    struct framebus_frame *f;
    int r;
    check_soon((r = framebus_reader_open(&rd, "bus", NULL)) == 0 || (sleep_ns(100 * MS), false));
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    check_equal(frame_number(f), f->sequence);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    for (int i = 0; i < 200; i++)
        close(fds[i]);
    check_equal(THROWN_OUT, 0);
    end_well(&good);
}

static void connections_closed_in_the_middle_of_everything_leave_nothing(void)
{
    struct good good = begin_well(&calm);
    for (int i = 0; i < 300; i++) {
        int fd = villain_connect();
        struct message_hello m = villain_hello(1, 0);
        if (i % 3)
            send_bytes(fd, &m, sizeof m);
        if (i % 3 == 2)
            sleep_ns(MS);
        close(fd);
    }
    uint32_t readers = 0;
    struct framebus_bus_info *info;
    check_soon(
        (framebus_query("bus", &info), readers = info->readers, framebus_info_free(info, 1), readers == 1));
    end_well(&good);
}

static void a_reader_that_never_reads_its_messages_does_not_block_the_writer(void)
{
    struct good good = begin_well(&calm);
    struct villain v = villain_attach(2, 0);
    struct message_quota q;
    message_init(&q, MESSAGE_QUOTA, sizeof q);
    q.quota = 2;
    int64_t until = now_ns() + S;
    int sent = 0;
    while (now_ns() < until && send(v.socket, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        sent++;
    check(sent > 100);
    int inquirer = villain_connect(); /* the same with long answers */
    struct message_plain question;
    message_init(&question, MESSAGE_INFO, sizeof question);
    until = now_ns() + S;
    while (now_ns() < until && send(inquirer, &question, sizeof question, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        ;
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 20);
    close(inquirer);
    close(v.socket);
    villain_detach(&v);
    end_well(&good);
}

static void a_reader_that_floods_the_bus_is_thrown_out(void)
{
    struct good good = begin_well(&calm);
    struct villain v = villain_attach(2, 0);
    struct message_plain bell;
    message_init(&bell, MESSAGE_BELL, sizeof bell);
    int64_t until = now_ns() + 5 * S;
    int r = 0;
    while (now_ns() < until && r >= 0) {
        r = (int)send(v.socket, &bell, sizeof bell, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r < 0 && errno == EAGAIN) {
            r = 0;
            sleep_ns(MS);
        }
    }
    check(r < 0 && (errno == EPIPE || errno == ECONNRESET));
    close(v.socket);
    villain_detach(&v);
    check_equal(THROWN_OUT, 1);
    end_well(&good);
}

/* ---- no file descriptors left ---- */

static void write_with_few_fds(const void *argument)
{
    const struct rlimit limit = {.rlim_cur = 32, .rlim_max = 32};
    check(!setrlimit(RLIMIT_NOFILE, &limit));
    write_and_count(argument);
}

static int64_t processor_time_of(pid_t pid)
{
    char path[64];
    long long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *stat = fopen(path, "re");
    check(stat);
    check(fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld", &user,
                 &kernel) == 2);
    fclose(stat);
    return (user + kernel) * (S / sysconf(_SC_CLK_TCK));
}

static void a_writer_without_file_descriptors_turns_readers_away_and_goes_on(void)
{
    pid_t writer = spawn(write_with_few_fds, &calm);
    check_soon(shared->writer.ready == 1);
    pid_t reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 2);
    int fds[60], refused = 0;
    union message *m = calloc(1, sizeof *m);
    for (int i = 0; i < 60; i++)
        fds[i] = villain_connect();
    for (int i = 0; i < 60; i++) {
        struct pollfd wait = {.fd = fds[i], .events = POLLIN};
        if (poll(&wait, 1, i < 40 ? 50 : 1000) == 1 &&
            villain_hear(fds[i], m, NULL, NULL) == MESSAGE_REFUSED && m->refused.error == EMFILE)
            refused++;
    }
    check(refused > 20);
    int64_t before = processor_time_of(writer), begun = now_ns();
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 25);
    check(processor_time_of(writer) - before < (now_ns() - begun) / 2); /* does not spin */
    for (int i = 0; i < 60; i++)
        close(fds[i]);
    struct framebus_reader *rd;
    int r;
    check_soon((r = framebus_reader_open(&rd, "bus", NULL)) == 0);
    framebus_reader_close(rd);
    free(m);
    finish(reader, &shared->reader[0]);
    check_equal(shared->reader[0].wrong, 0);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_hello_that_makes_no_sense_is_refused_in_words),
        PROCESS_TEST(nonsense_is_thrown_out_with_one_line),
        PROCESS_TEST(file_descriptors_from_readers_are_not_kept),
        PROCESS_TEST(strangers_that_say_nothing_keep_nobody_out_for_long),
        PROCESS_TEST(connections_closed_in_the_middle_of_everything_leave_nothing),
        PROCESS_TEST(a_reader_that_never_reads_its_messages_does_not_block_the_writer),
        PROCESS_TEST(a_reader_that_floods_the_bus_is_thrown_out),
        PROCESS_TEST(a_writer_without_file_descriptors_turns_readers_away_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
