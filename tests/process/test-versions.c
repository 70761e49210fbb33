/* SPDX-License-Identifier: MIT */
/* Libraries of two versions of the protocol on one bus: the whole library once more, as the next version will
 * call itself. They refuse each other in words, with both versions; nothing hangs, and those of one version
 * go on. */
#include "fake-reader.h"

#include <errno.h>
#include <sys/wait.h>

#define FRAMES "20"

/* A half of a pair of the next version; its words go to a file of this name. */
struct part {
    const char *role, *words;
};

static void become(const void *argument)
{
    const struct part *part = argument;
    int out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int err = open(path_of(part->words), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execl(ABI_PEER_NEXT, ABI_PEER_NEXT, part->role, "bus", "0", FRAMES, (char *)NULL);
    check_failed(__FILE__, __LINE__, "cannot run %s", ABI_PEER_NEXT);
}

/* An emulated program can start others of its kind only where the kernel knows them. */
static void skip_without_peer(void)
{
    pid_t pid = fork_child();
    if (!pid) {
        execl(ABI_PEER_NEXT, ABI_PEER_NEXT, (char *)NULL);
        _exit(errno == ENOEXEC ? 77 : 1);
    }
    if (WEXITSTATUS(status_of(pid)) == 77)
        skip_because("this machine does not start programs for this processor by itself");
}

static const struct part next_writer = {"write", ".writer"}, next_reader = {"read", ".reader"};

static void expect_words(const struct part *part, const char *words)
{
    char text[1024] = "";
    int fd = open(path_of(part->words), O_RDONLY | O_CLOEXEC);
    check(fd >= 0 && read(fd, text, sizeof text - 1) >= 0);
    close(fd);
    if (words ? !strstr(text, words) : *text)
        check_failed(__FILE__, __LINE__, "%s says \"%s\" and not \"%s\"", part->role, text,
                     words ? words : "");
    check(!unlink(path_of(part->words)));
}

#define REFUSALS (shared->value[0])

static void count_refusals(enum framebus_log_level level, const char *line, void *user)
{
    (void)user;
    (void)level;
    if (strstr(line, "was refused: this writer speaks version 2 of the protocol, you speak version 3"))
        REFUSALS++;
}

#define LINES (shared->value[1])

static void count_lines(enum framebus_log_level level, const char *line, void *user)
{
    (void)line;
    (void)user;
    LINES += level <= FRAMEBUS_LOG_WARNING;
}

static void write_and_listen(const void *plan)
{
    framebus_set_log_handler(count_refusals, NULL);
    write_frames(plan);
}

static void a_reader_of_another_version_is_refused_in_words_and_nobody_else_notices(void)
{
    skip_without_peer();
    struct good good = {.writer = spawn(write_and_listen, &calm)};
    check_soon(shared->writer.ready == 1);
    good.reader = start_reader(&(struct reading){0});
    check_soon(shared->reader[0].frames > 2);
    good.fds = count_fds_of(good.writer);
    for (int i = 0; i < 3; i++) {
        check_equal(status_of(spawn(become, &next_reader)), W_EXITCODE(1, 0));
        expect_words(&next_reader, "this writer speaks version 2 of the protocol, you speak version 3");
        check_equal(REFUSALS, i + 1);
    }
    end_well(&good);
}

static void a_writer_of_another_version_refuses_in_words_and_goes_on(void)
{
    skip_without_peer();
    struct framebus_reader *rd;
    pid_t writer = spawn(become, &next_writer);
    check_soon(!access(path_of("bus"), F_OK));
    for (int i = 0; i < 3; i++)
        check_fails(framebus_reader_open(&rd, "bus", NULL), EPROTONOSUPPORT,
                    "this writer speaks version 3 of the protocol, you speak version 2");
    join(spawn(become, &next_reader));
    join(writer);
    expect_words(&next_reader, NULL);
    expect_words(&next_writer, NULL);
}

static void a_reader_that_follows_waits_for_a_writer_of_its_own_version(void)
{
    skip_without_peer();
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    pid_t writer = spawn(become, &next_writer);
    check_fails(framebus_reader_next(rd, &f, 20 * S), ECONNREFUSED,
                "speaks version 3 of the protocol, you speak version 2");
    kill_now(writer);
    expect_words(&next_writer, NULL);
    writer = start_writer(&calm);
    int r;
    do
        r = framebus_reader_next(rd, &f, 20 * S);
    while (r == -ECONNREFUSED);
    check_equal(r, 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

static void a_writer_of_another_version_is_listed_as_one(void)
{
    skip_without_peer();
    struct framebus_monitor *monitor;
    struct framebus_event event;
    struct framebus_bus_info *info;
    framebus_set_log_handler(count_lines, NULL);
    pid_t writer = spawn(become, &next_writer);
    check_soon(!access(path_of("bus"), F_OK));
    check_equal(framebus_query("bus", &info), 0);
    check_equal(info->state, FRAMEBUS_BUS_INCOMPATIBLE);
    check_equal(info->pid, writer);
    framebus_info_free(info, 1);
    check_equal(framebus_monitor_open(&monitor, NULL), 0);
    check_equal(framebus_monitor_next(monitor, &event, 20 * S), 0);
    check_equal(event.type, FRAMEBUS_EVENT_BUS_ADDED);
    check_equal(event.bus->state, FRAMEBUS_BUS_INCOMPATIBLE);
    check_equal(event.bus->pid, writer);
    check_equal(framebus_monitor_next(monitor, &event, 3 * S),
                -ETIMEDOUT); /* it has asked once more by then */
    join(spawn(become, &next_reader));
    join(writer);
    check_equal(framebus_monitor_next(monitor, &event, 20 * S), 0);
    check_equal(event.type, FRAMEBUS_EVENT_BUS_REMOVED);
    framebus_monitor_close(monitor);
    framebus_set_log_handler(NULL, NULL);
    check_equal(LINES, 0);
    expect_words(&next_reader, NULL);
    expect_words(&next_writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_reader_of_another_version_is_refused_in_words_and_nobody_else_notices),
        PROCESS_TEST(a_writer_of_another_version_refuses_in_words_and_goes_on),
        PROCESS_TEST(a_writer_of_another_version_is_listed_as_one),
        PROCESS_TEST(a_reader_that_follows_waits_for_a_writer_of_its_own_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
