/* SPDX-License-Identifier: MIT */
/* A writer against things that pretend to be readers: they are thrown out with a word, and neither
 * the writer nor any good reader notices. */
#include "fake-reader.h"

#include <sys/resource.h>
#include <sys/socket.h>

/* ---- greetings ---- */

static void send_bytes(int fd, const void *bytes, size_t size)
{
    check(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
}

/* What is said to a writer and makes no sense. */
struct nonsense {
    const char *word; /* of the refusal */
    const void *bytes;
    size_t size;
    int error;   /* [EPROTO] */
    bool inside; /* said by a reader that stands in the pool, not by a stranger */
};

#define MESSAGE(type, what, ...)                                                                             \
    .bytes = &(struct what){{PROTOCOL_MAGIC, LAYOUT_ABI, type, sizeof(struct what)}, __VA_ARGS__},           \
    .size = sizeof(struct what)

/* The writer says no to each, and throws it out with so many lines in the log. */
static void say_all(const struct nonsense *all, size_t count, size_t lines)
{
    struct good good = begin_well(&calm);
    for (size_t i = 0; i < count; i++) {
        struct fake_reader v =
            all[i].inside ? fake_reader_attach(2, 0) : (struct fake_reader){.socket = fake_reader_connect()};
        send_bytes(v.socket, all[i].bytes, all[i].size);
        fake_reader_expect_refusal(v.socket, all[i].error ? all[i].error : EPROTO, all[i].word);
        check_equal(THROWN_OUT, lines * (i + 1));
        if (all[i].inside)
            fake_reader_detach(&v);
    }
    end_well(&good);
}

static void a_hello_that_makes_no_sense_is_refused_in_words(void)
{
    const struct message_hello newer = {
        {PROTOCOL_MAGIC, LAYOUT_ABI + 1, MESSAGE_HELLO, sizeof newer}, 2, 0, "newer"};
    const struct message_head shorter = {PROTOCOL_MAGIC, LAYOUT_ABI + 1, MESSAGE_HELLO, sizeof shorter};
    const struct nonsense all[] = {
        {"quota 0", MESSAGE(MESSAGE_HELLO, message_hello, 0, 0), EINVAL},
        {"quota 257", MESSAGE(MESSAGE_HELLO, message_hello, 257, 0), EINVAL},
        {"out of range", MESSAGE(MESSAGE_HELLO, message_hello, UINT32_MAX, 0), EINVAL},
        {"delivery 3", MESSAGE(MESSAGE_HELLO, message_hello, 2, 3), EINVAL},
        {"out of range", MESSAGE(MESSAGE_HELLO, message_hello, 2, UINT32_MAX), EINVAL},
        {"you speak version 3", &newer, sizeof newer, EPROTONOSUPPORT},
        {"version 3", &shorter, sizeof shorter, EPROTONOSUPPORT},
    };
    say_all(all, sizeof all / sizeof *all, 0); /* it was never in */
}

static void nonsense_is_thrown_out_with_one_line(void)
{
    static const char zeros[MESSAGE_SIZE_MAX + 1];
    const struct message_hello hello = fake_reader_hello(2, 0);
    const struct nonsense all[] = {
        {"18 bytes", "GET / HTTP/1.1\r\n\r\n", 18},
        {"1 bytes", "x", 1},
        {"too long", zeros, sizeof zeros},
        {"55 bytes", &hello, sizeof hello - 1},
        /* Right in form, or unknown, and wrong at this point. */
        {"type 0", MESSAGE(0, message_plain)},
        {"type 2", MESSAGE(MESSAGE_WELCOME, message_welcome)},
        {"type 3", MESSAGE(MESSAGE_POOL, message_pool)},
        {"type 4", MESSAGE(MESSAGE_NEXT, message_plain)},
        {"type 5", MESSAGE(MESSAGE_QUOTA, message_quota)},
        {"type 6", MESSAGE(MESSAGE_BELL, message_plain)},
        {"type 7", MESSAGE(MESSAGE_DELIVERY, message_delivery)},
        {"type 8", MESSAGE(MESSAGE_REFUSED, message_refused)},
        {"type 10", MESSAGE(MESSAGE_INFO_REPLY, message_info_reply)},
        {"type 11", MESSAGE(MESSAGE_MEMORY, message_memory)},
        {"type 13", MESSAGE(MESSAGE_TYPES, message_plain)},
        {"type 14", MESSAGE(MESSAGE_TYPES + 1, message_plain)},
        {"type 15", MESSAGE(MESSAGE_TYPES + 2, message_plain)},
        {"type 1", MESSAGE(MESSAGE_HELLO, message_hello, 2), .inside = true},
        {"type 9", MESSAGE(MESSAGE_INFO, message_plain), .inside = true},
        {"type 12", MESSAGE(MESSAGE_WATCH, message_plain), .inside = true},
        {"next pool", MESSAGE(MESSAGE_NEXT, message_plain), .inside = true},
        {"quota", MESSAGE(MESSAGE_QUOTA, message_quota, 0), EINVAL, true},
        {"quota", MESSAGE(MESSAGE_QUOTA, message_quota, 257), EINVAL, true},
        {"quota", MESSAGE(MESSAGE_QUOTA, message_quota, UINT32_MAX), EINVAL, true},
    };
    _Static_assert(MESSAGE_TYPES == 13, "a row for each type");
    say_all(all, sizeof all / sizeof *all, 1);
}

static void file_descriptors_from_readers_are_not_kept(void)
{
    struct good good = begin_well(&calm);
    static const unsigned counts[] = {1, 2, 3, 100};
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 4; i++) {
            int fd = fake_reader_connect(), fds[100];
            struct message_hello m = fake_reader_hello(2, 0);
            for (int k = 0; k < 100; k++)
                fds[k] = fd;
            ssize_t sent = send_fds(fd, &m, sizeof m, fds, counts[i]);
            check(sent == sizeof m || errno == EPERM); /* where the kernel lets the writer say no to fds */
            sent = send_fds(fd, "", 0, fds, counts[i]);
            check(sent == 0 || errno == EPERM || errno == EPIPE); /* or the writer has hung up already */
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
        fds[i] = fake_reader_connect();
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
        int fd = fake_reader_connect();
        struct message_hello m = fake_reader_hello(1, 0);
        if (i % 3)
            send_bytes(fd, &m, sizeof m);
        else if (i % 2)
            send_bytes(fd, "", 0);
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
    struct fake_reader v = fake_reader_attach(2, 0);
    struct message_quota q;
    message_init(&q, MESSAGE_QUOTA, sizeof q);
    q.quota = 2;
    int64_t until = now_ns() + S;
    int sent = 0;
    while (now_ns() < until && send(v.socket, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        sent++;
    check(sent > 100);
    int inquirer = fake_reader_connect(); /* the same with long answers */
    struct message_plain question;
    message_init(&question, MESSAGE_INFO, sizeof question);
    until = now_ns() + S;
    while (now_ns() < until && send(inquirer, &question, sizeof question, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        ;
    uint64_t now = shared->writer.frames;
    check_soon(shared->writer.frames > now + 20);
    close(inquirer);
    close(v.socket);
    fake_reader_detach(&v);
    end_well(&good);
}

static void a_reader_that_floods_the_bus_is_thrown_out(void)
{
    struct good good = begin_well(&calm);
    struct fake_reader v = fake_reader_attach(2, 0);
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
    fake_reader_detach(&v);
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
        fds[i] = fake_reader_connect();
    for (int i = 0; i < 60; i++) {
        struct pollfd wait = {.fd = fds[i], .events = POLLIN};
        if (poll(&wait, 1, i < 40 ? 50 : 1000) == 1 &&
            fake_reader_hear(fds[i], m, NULL, NULL) == MESSAGE_REFUSED && m->refused.error == EMFILE)
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
