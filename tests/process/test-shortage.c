/* SPDX-License-Identifier: MIT */
/*
 * Every call that can fail does, each once and each with all that follow it: in a writer that opens, lets
 * a reader in, publishes and changes its format, and in a reader that attaches and reads. Whatever fails
 * is told in words or does not matter; nothing stays open, mapped or claimed; the bus goes on.
 */
#include "harness.h"
#include "shortage.h"

#include "reader.h"
#include "writer.h"

/* The other side, which tries again for ever. */
static void read_whatever_comes(const void *argument)
{
    (void)argument;
    struct tally *tally = &shared->reader[0];
    const struct framebus_reader_options options = {.follow = true, .wait_ns = S};
    tally->ready = 1;
    while (!tally->stop) {
        struct framebus_reader *rd;
        struct framebus_frame *f;
        int r = framebus_reader_open(&rd, "bus", &options);
        while (!r && !tally->stop) {
            r = framebus_reader_next(rd, &f, 100 * MS);
            if (r == -ETIMEDOUT) {
                r = 0;
            } else if (!r) {
                int64_t number = frame_number(f);
                tally->wrong += number < 0;
                tally->last = (uint64_t)number;
                framebus_reader_release(rd, f);
            }
        }
        framebus_reader_close(rd);
        if (r)
            sleep_ns(MS);
    }
}

/* Each error has a sentence of its own. */
static void must_be_told(int r)
{
    if (r < 0)
        check(strlen(framebus_last_error()) > 10);
    else
        check_equal(r, 0);
    framebus_format_check(NULL);
}

static void try_to_publish(struct framebus_writer *w, uint64_t number)
{
    struct framebus_frame *f;
    int r = framebus_writer_begin(w, &f);
    must_be_told(r);
    check((r == 0) == (f != NULL));
    if (r)
        return;
    fill_frame(f, number);
    must_be_told(framebus_writer_publish(w, f));
    framebus_writer_release(w, f);
}

/* Until somebody is in, or for so long. */
static void let_in(struct framebus_writer *w, int64_t ns)
{
    for (int64_t until = now_ns() + ns; now_ns() < until && !w->quotas;) {
        struct pollfd wait = {.fd = framebus_writer_fd(w), .events = POLLIN};
        poll(&wait, 1, 5);
        must_be_told(framebus_writer_dispatch(w));
    }
}

/* Returns whether a call has failed: else all have had their turn. */
static bool live_as_writer(enum framebus_memory memory, unsigned failure, bool lasting, uint64_t number)
{
    const struct framebus_writer_options options = {.memory = memory};
    struct framebus_format first = small(), second = picture("NV12", 32, 32);
    struct framebus_writer *w;
    unsigned fds = count_fds(), mappings = count_mappings();
    framebus_format_check(NULL);
    shortage_begin(failure, lasting);
    int r = framebus_writer_open(&w, "bus", &first, &options);
    must_be_told(r);
    check((r == 0) == (w != NULL));
    if (w) {
        let_in(w, lasting ? 10 * MS : 100 * MS);
        try_to_publish(w, number);
        try_to_publish(w, number);
        must_be_told(framebus_writer_set_format(w, &second));
        try_to_publish(w, number);
        let_in(w, 2 * MS);
    }
    const char *victim = shortage_victim();
    shortage_end();
    if (!w)
        check_equal(framebus_writer_open(&w, "bus", &first, &options), 0);
    check_equal(framebus_writer_set_format(w, &second), 0);
    for (int64_t until = now_ns() + 20 * S; shared->reader[0].last != number;) {
        check_equal(publish_one(w, number), 0);
        serve(w, 2 * MS, NULL);
        if (now_ns() > until)
            check_failed(__FILE__, __LINE__, "no reader gets on after failure %u (%s)", failure, victim);
    }
    framebus_writer_close(w);
    if (count_fds() != fds || count_mappings() != mappings)
        check_failed(__FILE__, __LINE__, "something is left after failure %u (%s)", failure, victim);
    check_equal(shared->reader[0].wrong, 0);
    return victim;
}

static void suffer_as_writer(const void *argument)
{
    (void)argument;
    uint64_t number = 0;
    unsigned points = 0;
    setenv("FRAMEBUS_LOG", "none", 1); /* it would be long */
    for (int memory = 0; memory < 3; memory++)
        for (int lasting = 0; lasting < 2; lasting++)
            for (unsigned failure = 0;
                 live_as_writer((enum framebus_memory)memory, failure, lasting, ++number); failure++)
                points++;
    static const char *const all[] = {
        "calloc",    "strdup",    "mmap64",  "memfd_create", "ftruncate64", "fallocate64",
        "shm_open",  "shmget",    "shmat",   "socket",       "bind",        "listen",
        "renameat",  "accept4",   "sendmsg", "recvmsg",      "eventfd",     "epoll_create1",
        "epoll_ctl", "getrandom", "open64",  "openat64",     "fcntl64",
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!shortage_hit(all[i]))
            check_failed(__FILE__, __LINE__, "%s never failed", all[i]);
    shared->value[0] = points;
    shared->done = 1;
}

static void a_writer_survives_the_failure_of_every_call(void)
{
    pid_t reader = spawn(read_whatever_comes, NULL);
    check_soon(shared->reader[0].ready == 1);
    pid_t writer = spawn(suffer_as_writer, NULL);
    for (int i = 0; i < 8 && !shared->done; i++)
        for (int64_t until = now_ns() + 10 * S; now_ns() < until && !shared->done && !has_ended(writer);)
            sleep_ns(MS);
    join(writer);
    note("figure: %lld failures in a writer", (long long)shared->value[0]);
    check(shared->value[0] > 150);
    finish(reader, &shared->reader[0]);
}

/* Returns whether a call has failed. */
static bool live_as_reader(enum framebus_memory memory, unsigned failure, bool lasting)
{
    const struct framebus_reader_options options = {.follow = failure % 2, .wait_ns = S};
    struct framebus_reader *rd;
    struct framebus_frame *f;
    struct framebus_bus_info *info;
    unsigned fds = count_fds(), mappings = count_mappings();
    (void)memory;
    framebus_format_check(NULL);
    shortage_begin(failure, lasting);
    int r = framebus_reader_open(&rd, "bus", &options);
    must_be_told(r);
    check((r == 0) == (rd != NULL));
    if (rd) {
        framebus_reader_fd(rd);
        for (int i = 0; i < 3; i++) {
            r = framebus_reader_next(rd, &f, lasting ? 100 * MS : S);
            check((r == 0) == (f != NULL));
            if (r != -ETIMEDOUT)
                must_be_told(r);
            if (f)
                check(frame_number(f) >= 0);
            framebus_reader_release(rd, f);
        }
        must_be_told(framebus_reader_set_quota(rd, 3));
    }
    framebus_reader_close(rd);
    must_be_told(framebus_query("bus", &info));
    framebus_info_free(info, 1);
    const char *victim = shortage_victim();
    shortage_end();
    if (count_fds() != fds || count_mappings() != mappings)
        check_failed(__FILE__, __LINE__, "something is left after failure %u (%s)", failure, victim);
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    return victim;
}

static void suffer_as_reader(const void *argument)
{
    const enum framebus_memory *memory = argument;
    setenv("FRAMEBUS_LOG", "none", 1);
    for (int lasting = 0; lasting < 2; lasting++)
        for (unsigned failure = 0; live_as_reader(*memory, failure, lasting); failure++)
            shared->value[0]++;
    static const char *const all[] = {"calloc", "mmap64", "socket", "sendmsg", "recvmsg", "epoll_ctl"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!shortage_hit(all[i]) && *memory != FRAMEBUS_MEMORY_SYSV)
            check_failed(__FILE__, __LINE__, "%s never failed", all[i]);
}

static void a_reader_survives_the_failure_of_every_call(void)
{
    for (int kind = 0; kind < 3; kind++) {
        enum framebus_memory memory = (enum framebus_memory)kind;
        memset(shared, 0, sizeof shared->writer);
        pid_t writer = start_writer(&(struct writing){
            .options = {.memory = memory, .history = 100, .max_slots = 200}, .interval_ns = 5 * MS});
        pid_t good = start_reader(&(struct reading){0});
        join(spawn(suffer_as_reader, &memory));
        finish(good, &shared->reader[0]);
        check_equal(shared->reader[0].wrong, 0);
        check_equal(shared->reader[0].missed, 0);
        finish(writer, &shared->writer);
        check_equal(shared->writer.result, 0);
    }
    note("figure: %lld failures in a reader", (long long)shared->value[0]);
    check(shared->value[0] > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_writer_survives_the_failure_of_every_call),
        PROCESS_TEST(a_reader_survives_the_failure_of_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
