/* SPDX-License-Identifier: MIT */
/*
 * Every call that can fail does, each once and each with all that follow it: in a writer that opens, lets
 * a reader in, publishes and changes its format, and in a reader that attaches and reads. Whatever fails
 * is told in words or does not matter; nothing stays open, mapped or claimed; the bus goes on.
 */
#include "faults.h"
#include "harness.h"

#include "reader/reader.h"
#include "writer/writer.h"

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

/* Until a reader is in, or the time is over. */
static void let_in(struct framebus_writer *w, int64_t ns)
{
    for (int64_t until = now_ns() + ns; now_ns() < until && !w->server.quotas;) {
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
    faults_begin(failure, lasting);
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
    const char *victim = faults_victim();
    faults_end();
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
    setenv("FRAMEBUS_LOG", "none", 1); /* the log would be long */
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
        if (!faults_hit(all[i]))
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
    faults_begin(failure, lasting);
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
    const char *victim = faults_victim();
    faults_end();
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
        if (!faults_hit(all[i]) && *memory != FRAMEBUS_MEMORY_SYSV)
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

static char warning[512];

static void keep_warning(enum framebus_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == FRAMEBUS_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", line);
}

/* What fails, and the limit that the warning names. */
static const char *const without_inotify[][2] = {{"inotify_init1", "max_user_instances"},
                                                 {"inotify_add_watch", "max_user_watches"}};

/* Reads what comes, in a poll loop; `ready` tells of how many writers it has waited for. */
static void follow_without_inotify(const void *argument)
{
    const char *const *row = argument; /* what is missing, what helps */
    struct framebus_reader *rd;
    struct framebus_frame *f;
    struct framebus_reader_stats stats;
    unsigned fds = count_fds();
    framebus_set_log_handler(keep_warning, NULL);
    faults_of(row[0], strstr(row[0], "add_watch") ? ENOSPC : EMFILE);
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.follow = true}), 0);
    struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
    while (!shared->reader[0].stop) {
        int r = framebus_reader_next(rd, &f, 0);
        framebus_reader_get_stats(rd, &stats);
        if (!r) {
            framebus_reader_release(rd, f);
            shared->reader[0].frames++;
            continue;
        }
        check_equal(r, -ETIMEDOUT);
        if (!stats.connected)
            shared->reader[0].ready = (int)stats.writers + 1;
        check_equal(poll(&wait, 1, 20000), 1);
    }
    check(strstr(warning, row[1]));
    framebus_reader_close(rd);
    check_equal(count_fds(), fds);
}

static void a_reader_without_inotify_finds_its_writer_all_the_same(void)
{
    for (size_t i = 0; i < 2; i++) {
        memset(shared, 0, sizeof *shared);
        pid_t reader = spawn(follow_without_inotify, without_inotify[i]);
        for (int n = 1; n <= 2; n++) {
            check_soon(shared->reader[0].ready == n);
            uint64_t before = shared->reader[0].frames;
            pid_t writer = start_writer(&(struct writing){.interval_ns = 10 * MS});
            check_soon(shared->reader[0].frames > before);
            shared->reader[0].stop = n == 2;
            finish(writer, &shared->writer);
        }
        join(reader);
    }
}

static void watch_without_inotify(const void *argument)
{
    const char *const *row = argument;
    struct framebus_monitor *monitor;
    struct framebus_event event;
    unsigned fds = count_fds();
    framebus_set_log_handler(keep_warning, NULL);
    faults_of(row[0], strstr(row[0], "add_watch") ? ENOSPC : EMFILE);
    check_equal(framebus_monitor_open(&monitor, NULL), 0);
    check(strstr(warning, row[1]));
    shared->reader[0].ready = 1;
    do
        check_equal(framebus_monitor_next(monitor, &event, 20 * S), 0);
    while (event.bus->state != FRAMEBUS_BUS_LIVE);
    shared->reader[0].ready = 2;
    do
        check_equal(framebus_monitor_next(monitor, &event, 20 * S), 0);
    while (event.type != FRAMEBUS_EVENT_BUS_REMOVED);
    framebus_monitor_close(monitor);
    check_equal(count_fds(), fds);
}

static void a_monitor_without_inotify_tells_of_buses_all_the_same(void)
{
    for (size_t i = 0; i < 2; i++) {
        memset(shared, 0, sizeof *shared);
        pid_t watcher = spawn(watch_without_inotify, without_inotify[i]);
        check_soon(shared->reader[0].ready == 1);
        pid_t writer = start_writer(&(struct writing){.interval_ns = 10 * MS});
        check_soon(shared->reader[0].ready == 2);
        finish(writer, &shared->writer);
        join(watcher);
    }
}

static void watch_in_vain(const void *argument)
{
    struct framebus_monitor *monitor;
    unsigned fds = count_fds();
    faults_of(argument, EMFILE);
    check_equal(framebus_monitor_open(&monitor, NULL), -EMFILE);
    check(!monitor && *framebus_last_error());
    check_equal(count_fds(), fds);
}

static void a_monitor_that_gets_no_descriptors_is_not_opened(void)
{
    static const char *const calls[] = {"epoll_create1", "timerfd_create", "eventfd"};
    for (size_t i = 0; i < 3; i++)
        join(spawn(watch_in_vain, calls[i]));
}

static void read_without_inotify(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    framebus_set_log_handler(keep_warning, NULL);
    faults_of("inotify_init1 timerfd_create", EMFILE);
    check_fails(framebus_reader_open(&rd, "other", &(struct framebus_reader_options){.wait_ns = S}), EMFILE,
                "ulimit -n");
    check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    check(!*warning);
}

static void a_reader_needs_no_inotify_while_its_writer_is_there(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 10 * MS});
    join(spawn(read_without_inotify, NULL));
    finish(writer, &shared->writer);
}

static void open_without_memfds(const void *argument)
{
    (void)argument;
    struct framebus_writer *w;
    struct framebus_format format = small();
    unsigned fds = count_fds();
    for (int memory = 0; memory < 3; memory++) {
        const struct framebus_writer_options options = {.memory = (enum framebus_memory)memory};
        faults_of("memfd_create", ENOSYS);
        check_fails(framebus_writer_open(&w, "bus", &format, &options), ENOSYS, "memfd");
        faults_end();
        check(access(path_of("bus"), F_OK));
        check_equal(count_fds(), fds);
    }
}

static void a_writer_that_could_let_no_reader_in_does_not_open(void)
{
    join(spawn(open_without_memfds, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_writer_survives_the_failure_of_every_call),
        PROCESS_TEST(a_reader_survives_the_failure_of_every_call),
        PROCESS_TEST(a_reader_without_inotify_finds_its_writer_all_the_same),
        PROCESS_TEST(a_monitor_without_inotify_tells_of_buses_all_the_same),
        PROCESS_TEST(a_monitor_that_gets_no_descriptors_is_not_opened),
        PROCESS_TEST(a_reader_needs_no_inotify_while_its_writer_is_there),
        PROCESS_TEST(a_writer_that_could_let_no_reader_in_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
