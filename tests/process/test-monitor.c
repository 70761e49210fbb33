/* SPDX-License-Identifier: MIT */
/* What a monitor tells of buses and readers that come, change and go, and what it costs their writers. All of
 * it by its fd, with one next for each wake-up. */
#include "fake-reader.h"
#include "fake-writer.h"

#include <sys/socket.h>

static struct framebus_monitor *monitor;
static struct framebus_event event;
static unsigned wakes; /* times that its fd was readable */

/* ---- events ---- */

static void open_monitor(const char *name)
{
    check_equal(framebus_monitor_open(&monitor, name), 0);
#define DBG 1
}

/* Reads one event that comes within this time. False: none does. */
static bool hear_within(int64_t ns)
{
    int64_t limit = now_ns() + ns;
    for (;;) {
        int64_t left = limit - now_ns();
        struct pollfd wait = {.fd = framebus_monitor_fd(monitor), .events = POLLIN};
        if (poll(&wait, 1, left > 0 ? (int)(left / MS) + 1 : 0) <= 0)
            return false;
        wakes++;
        int r = framebus_monitor_next(monitor, &event, 0);
        if (!r)
            return true;
        check_equal(r, -ETIMEDOUT);
    }
}

/* Waits for this event. A busy machine's writer may seem silent meanwhile. */
static void expect(enum framebus_event_type type, const char *bus)
{
    do
        check(hear_within(20 * S));
    while (event.type == FRAMEBUS_EVENT_BUS_CHANGED && type != FRAMEBUS_EVENT_BUS_CHANGED);
    check_equal(event.type, type);
    check(!strcmp(event.bus->name, bus));
    check((event.reader != NULL) == (type >= FRAMEBUS_EVENT_READER_ADDED));
}

/* Waits until the bus is in this state. Only changes of it come before. */
static void expect_state(const char *bus, enum framebus_bus_state state)
{
    do {
        check(hear_within(20 * S));
        check(event.type <= FRAMEBUS_EVENT_BUS_CHANGED);
        check(!strcmp(event.bus->name, bus));
    } while (event.bus->state != state);
}

static void expect_nothing(void)
{
    while (hear_within(300 * MS))
        check(event.type == FRAMEBUS_EVENT_BUS_CHANGED && event.bus->state != FRAMEBUS_BUS_STALE);
}

/* ---- coming and going ---- */

static void buses_and_readers_are_told_as_they_come_and_go(void)
{
    open_monitor(NULL);
    expect_nothing();
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS, .options = {.label = "camera"}});
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    check(event.bus->pid == writer && event.bus->has_writer && event.bus->has_format);
    check(!strcmp(event.bus->label, "camera"));
    uint64_t ids[2];
    for (int i = 0; i < 2; i++) {
        pid_t reader = start_reader(&(struct reading){.options = {.label = "viewer", .quota = 3}});
        expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
        check(event.reader->pid == reader && event.reader->quota == 3);
        check(!strcmp(event.reader->label, "viewer"));
        ids[i] = event.reader->id;
        finish(reader, &shared->reader[0]);
        expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
        check(event.reader->pid == reader && event.reader->id == ids[i]);
        memset(&shared->reader[0], 0, sizeof shared->reader[0]);
    }
    check(ids[0] != ids[1]);
    finish(writer, &shared->writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    check_equal(event.bus->pid, writer);
    expect_nothing();
    framebus_monitor_close(monitor);
}

static void readers_are_told_by_their_writer_and_not_when_it_is_asked_again(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    int64_t begun = now_ns();
    for (int i = 0; i < 10; i++) {
        struct framebus_reader *rd;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
        framebus_reader_close(rd);
        expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    }
    check(now_ns() - begun < 15 * S); /* it is asked every 2 s, which would make 40 */
    framebus_monitor_close(monitor);
    finish(writer, &shared->writer);
}

static void what_is_there_already_is_told_first(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    pid_t one = start_reader(&(struct reading){.tally = &shared->reader[0]});
    pid_t two = start_reader(&(struct reading){.tally = &shared->reader[1]});
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
    check_equal(event.reader->pid, one);
    expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
    check_equal(event.reader->pid, two);
    finish(one, &shared->reader[0]);
    expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    check_equal(event.reader->pid, one);
    kill_now(two);
    expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    check_equal(event.reader->pid, two);
    finish(writer, &shared->writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    framebus_monitor_close(monitor);
}

static void change_format(const void *unused)
{
    (void)unused;
    struct framebus_writer *w;
    struct framebus_format format = picture("NV12", 320, 240);
    check_equal(framebus_writer_open(&w, "bus", NULL, NULL), 0);
    step(w);
    check_equal(framebus_writer_set_format(w, &format), 0);
    step(w);
    check_equal(framebus_writer_end(w), 0);
    step(w);
    framebus_writer_close(w);
}

static void a_format_that_changes_is_told(void)
{
    pid_t writer = start_script(change_format, NULL);
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    check(!event.bus->has_format);
    go_on();
    do
        expect(FRAMEBUS_EVENT_BUS_CHANGED, "bus");
    while (!event.bus->has_format);
    check_equal(event.bus->format.width, 320);
    go_on();
    do
        expect(FRAMEBUS_EVENT_BUS_CHANGED, "bus");
    while (event.bus->has_format);
    end_script(writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    framebus_monitor_close(monitor);
}

/* ---- writers that die, stop or never answer ---- */

static void a_killed_writer_and_the_next_one_are_told(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    pid_t reader = start_reader(&(struct reading){.options = {.follow = true}});
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
    kill_now(writer);
    expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    expect_state("bus", FRAMEBUS_BUS_STALE);
    check(!event.bus->has_writer && !event.bus->readers && !event.bus->has_format);
    memset(&shared->writer, 0, sizeof shared->writer);
    pid_t next = start_writer(&(struct writing){.interval_ns = 5 * MS});
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    check_equal(event.bus->pid, next);
    expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
    check_equal(event.reader->pid, reader);
    kill_now(next);
    expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    expect_state("bus", FRAMEBUS_BUS_STALE);
    check(framebus_remove("bus", NULL, NULL) > 0);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    framebus_monitor_close(monitor);
    finish(reader, &shared->reader[0]);
}

static void a_stopped_writer_is_silent_until_it_goes_on(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    pid_t reader = start_reader(&(struct reading){0});
    open_monitor("bus");
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    expect(FRAMEBUS_EVENT_READER_ADDED, "bus");
    stop_now(writer);
    expect_state("bus", FRAMEBUS_BUS_SILENT);
    check(event.bus->pid == writer && event.bus->has_writer);
    check(!kill(writer, SIGCONT));
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    finish(reader, &shared->reader[0]);
    expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    framebus_monitor_close(monitor);
    finish(writer, &shared->writer);
}

static void dispatch_late(const void *unused)
{
    (void)unused;
    struct framebus_writer *w;
    struct framebus_format format = small();
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    step(NULL);
    step(w);
    framebus_writer_close(w);
}

static void a_writer_that_does_not_dispatch_is_silent_until_it_does(void)
{
    pid_t writer = start_script(dispatch_late, NULL);
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_SILENT);
    check_equal(event.type, FRAMEBUS_EVENT_BUS_ADDED);
    check_equal(event.bus->pid, writer);
    shared->go++;
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    check(event.bus->has_format);
    end_script(writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    framebus_monitor_close(monitor);
}

/* ---- directories ---- */

static void a_directory_may_come_later_be_renamed_and_come_back(void)
{
    char home[128], inside[160], away[160];
    snprintf(home, sizeof home, "%s/a", directory);
    snprintf(inside, sizeof inside, "%s/a/b", directory);
    snprintf(away, sizeof away, "%s/a/c", directory);
    check(!setenv("FRAMEBUS_DIR", inside, 1));
    open_monitor(NULL);
    expect_nothing();
    check(!mkdir(home, 0700));
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    check(!rename(inside, away));
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    check(!rename(away, inside));
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    check_equal(event.type, FRAMEBUS_EVENT_BUS_ADDED);
    snprintf(away, sizeof away, "%s/other", directory);
    check(!rename(home, away)); /* of which nothing tells the directory itself */
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    check(!rename(away, home));
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    finish(writer, &shared->writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    framebus_monitor_close(monitor);
    check(!unlink(path_of("a/b/.bus.lock")) && !rmdir(inside) && !rmdir(home));
}

static void one_bus_can_be_watched_by_its_path(void)
{
    open_monitor(path_of("one"));
    pid_t other =
        start_writer(&(struct writing){.bus = "other", .interval_ns = 5 * MS, .tally = &shared->other});
    pid_t writer = start_writer(&(struct writing){.bus = "one", .interval_ns = 5 * MS});
    expect_state(path_of("one"), FRAMEBUS_BUS_LIVE);
    check_equal(event.bus->pid, writer);
    finish(other, &shared->other);
    finish(writer, &shared->writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, path_of("one"));
    expect_nothing();
    framebus_monitor_close(monitor);
    check_fails(framebus_monitor_open(&monitor, "not a name"), EINVAL, "not a name");
}

static void watch_as_nobody(const void *unused)
{
    (void)unused;
    become_nobody();
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_DENIED);
    shared->value[1] = 1;
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    shared->value[1] = 2;
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    framebus_monitor_close(monitor);
}

static void a_bus_that_others_may_not_read_is_told_as_such(void)
{
    if (!can_be_several_users()) {
        note("this test cannot be several users here");
        return;
    }
    check(!chmod(directory, 0755));
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    pid_t watcher = spawn(watch_as_nobody, NULL);
    check_soon(shared->value[1] == 1);
    finish(writer, &shared->writer);
    check_soon(shared->value[1] == 2);
    memset(&shared->writer, 0, sizeof shared->writer);
    writer = start_writer(&(struct writing){.interval_ns = 5 * MS, .options = {.access_mode = 0666}});
    join(watcher);
    finish(writer, &shared->writer);
}

/* ---- many ---- */

#define MANY 50

static void serve_many(const void *unused)
{
    (void)unused;
    struct framebus_writer *w[MANY];
    struct framebus_format format = small();
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "bus%02d", i);
        check_equal(framebus_writer_open(&w[i], name, &format, NULL), 0);
    }
    shared->writer.ready = 1;
    while (!shared->writer.stop) {
        struct pollfd wait[MANY];
        for (int i = 0; i < MANY; i++)
            wait[i] = (struct pollfd){.fd = framebus_writer_fd(w[i]), .events = POLLIN};
        poll(wait, MANY, 10);
        for (int i = 0; i < MANY; i++)
            if (wait[i].revents)
                check_equal(framebus_writer_dispatch(w[i]), 0);
    }
}

static void fifty_buses_are_told_and_their_deaths(void)
{
    bool live[MANY] = {false};
    int count = 0;
    open_monitor(NULL);
    pid_t writers = spawn(serve_many, NULL);
    while (count < MANY) {
        check(hear_within(20 * S));
        check(event.type <= FRAMEBUS_EVENT_BUS_CHANGED);
        int i = atoi(event.bus->name + 3);
        count += event.bus->state == FRAMEBUS_BUS_LIVE && !live[i];
        live[i] = live[i] || event.bus->state == FRAMEBUS_BUS_LIVE;
    }
    kill_now(writers);
    while (count) {
        check(hear_within(20 * S));
        check_equal(event.type, FRAMEBUS_EVENT_BUS_CHANGED);
        count -= event.bus->state == FRAMEBUS_BUS_STALE;
    }
    framebus_monitor_close(monitor);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "bus%02d", i);
        check_equal(framebus_remove(name, NULL, NULL), 1);
    }
}

static void a_monitor_that_does_not_listen_costs_nothing_and_hears_the_outcome(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 2 * MS});
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    for (int i = 0; i < 100; i++) {
        struct framebus_reader *rd;
        check_equal(framebus_reader_open(&rd, "bus", NULL), 0);
        framebus_reader_close(rd);
    }
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.label = "last"}), 0);
    int events = 0;
    do {
        check(hear_within(20 * S));
        events++;
    } while (event.type != FRAMEBUS_EVENT_READER_ADDED || strcmp(event.reader->label, "last"));
    check(events < 20);
    framebus_reader_close(rd);
    expect(FRAMEBUS_EVENT_READER_REMOVED, "bus");
    framebus_monitor_close(monitor);
    finish(writer, &shared->writer);
    check_equal(shared->writer.result, 0);
}

static void monitors_that_flood_a_writer_or_are_too_many_are_sent_away(void)
{
    struct good good = begin_well(&calm);
    struct message_plain watch;
    message_init(&watch, MESSAGE_WATCH, sizeof watch);
    watch.head.flags = WATCH_AT_ONCE;
    int flood = fake_reader_connect();
    for (int i = 0; i < 300; i++)
        send_fds(flood, &watch, sizeof watch, NULL, 0);
    union message *m = malloc(sizeof *m);
    int type;
    while ((type = fake_reader_hear(flood, m, NULL, NULL)) == MESSAGE_INFO_REPLY)
        ;
    check(type == MESSAGE_REFUSED || type <= 0);
    close(flood);
    sleep_ns(1100 * MS); /* the limit of messages is one a second, of all processes of this user */

    int fds[65], count = 0;
    for (type = MESSAGE_INFO_REPLY; type == MESSAGE_INFO_REPLY && count < 65; count++) {
        fds[count] = fake_reader_connect();
        send_fds(fds[count], &watch, sizeof watch, NULL, 0);
        type = fake_reader_hear(fds[count], m, NULL, NULL);
    }
    check_equal(type, MESSAGE_REFUSED);
    check_equal(m->refused.error, EAGAIN);
    while (count--)
        close(fds[count]);
    free(m);
    end_well(&good);
}

/* ---- writers that lie ---- */

static void fake_reply(int peer, size_t extra, uint32_t readers)
{
    char bytes[sizeof(struct message_info_reply) + 64] = {0};
    struct message_info_reply *m = (struct message_info_reply *)bytes;
    message_init(m, MESSAGE_INFO_REPLY, sizeof *m);
    m->head.size += (uint32_t)extra;
    m->readers_told = readers;
    send_fds(peer, bytes, sizeof *m + extra, NULL, 0);
}

enum lie { FLOOD, GARBAGE, NONSENSE, HANG_UP };

static void lie_to_a_monitor(const void *argument)
{
    enum lie lie = *(const enum lie *)argument;
    struct fake f;
    fake_listen(&f, "bus");
    shared->writer.ready = 1;
    while (!shared->writer.stop) {
        struct pollfd wait = {.fd = f.listener, .events = POLLIN};
        if (poll(&wait, 1, 10) <= 0)
            continue;
        int peer = accept4(f.listener, NULL, NULL, SOCK_CLOEXEC);
        shared->value[2]++;
        if (lie == GARBAGE)
            send_fds(peer, "garbage", 7, NULL, 0);
        else if (lie == NONSENSE)
            fake_reply(peer, 64, 7);
        else
            for (int i = 0; i < (lie == FLOOD ? 1000 : 1); i++)
                fake_reply(peer, 0, 0);
        if (lie != HANG_UP)
            sleep_ns(50 * MS);
        close(peer);
    }
}

static void a_writer_that_lies_or_floods_is_silent_and_does_not_keep_the_monitor_busy(void)
{
    for (enum lie lie = FLOOD; lie <= HANG_UP; lie++) {
        memset(shared, 0, sizeof *shared);
        pid_t fake = spawn(lie_to_a_monitor, &lie);
        check_soon(shared->writer.ready);
        open_monitor(NULL);
        check(hear_within(20 * S));
        check_equal(event.type, FRAMEBUS_EVENT_BUS_ADDED);
        bool silent = event.bus->state == FRAMEBUS_BUS_SILENT;
        wakes = 0;
        for (int64_t until = now_ns() + S; now_ns() < until;)
            if (hear_within(until - now_ns()))
                silent = event.bus->state == FRAMEBUS_BUS_SILENT;
        note("lie %d: %u wakes in a second, %d connections", lie, wakes, (int)shared->value[2]);
        check(wakes < 200 && shared->value[2] < 30);
        check(silent || lie == HANG_UP);
        pid_t writer =
            start_writer(&(struct writing){.bus = "good", .interval_ns = 5 * MS, .tally = &shared->other});
        do
            check(hear_within(20 * S));
        while (strcmp(event.bus->name, "good") || event.bus->state != FRAMEBUS_BUS_LIVE);
        finish(writer, &shared->other);
        finish(fake, &shared->writer);
        framebus_monitor_close(monitor);
        check(!unlink(path_of("bus")));
    }
}

/* ---- the handle ---- */

static void on_alarm(int signal)
{
    (void)signal;
}

static void next_waits_as_long_as_it_is_told_and_signals_end_it(void)
{
    open_monitor(NULL);
    int64_t begun = now_ns();
    check_fails(framebus_monitor_next(monitor, &event, 30 * MS), ETIMEDOUT, "nothing");
    check(now_ns() - begun >= 30 * MS);
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, before = {0};
    struct sigaction old = before;
    check(!sigaction(SIGUSR1, &action, &old));
    pid_t self = getpid(), child = fork_child();
    if (child == 0) {
        for (int i = 0; i < 1000 && !shared->done; i++) {
            kill(self, SIGUSR1);
            sleep_ns(10 * MS);
        }
        _exit(0);
    }
    check_equal(framebus_monitor_next(monitor, &event, 20 * S), -EINTR);
    shared->done = 1;
    int status;
    while (waitpid(child, &status, 0) < 0)
        ;
    check(!sigaction(SIGUSR1, &old, NULL));
    framebus_monitor_close(monitor);
    framebus_monitor_close(NULL);
}

static void look_in_a_child(const void *fds)
{
    check_fails(framebus_monitor_next(monitor, &event, 0), ECHILD, "parent");
    check_fails(framebus_monitor_fd(monitor), ECHILD, "parent");
    check(count_fds() < *(const unsigned *)fds);
    framebus_monitor_close(monitor);
}

static void a_monitor_does_not_survive_a_fork(void)
{
    pid_t writer = start_writer(&(struct writing){.interval_ns = 5 * MS});
    open_monitor(NULL);
    expect_state("bus", FRAMEBUS_BUS_LIVE);
    unsigned fds = count_fds();
    join(spawn(look_in_a_child, &fds));
    expect_nothing();
    finish(writer, &shared->writer);
    expect(FRAMEBUS_EVENT_BUS_REMOVED, "bus");
    framebus_monitor_close(monitor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(buses_and_readers_are_told_as_they_come_and_go),
        PROCESS_TEST(readers_are_told_by_their_writer_and_not_when_it_is_asked_again),
        PROCESS_TEST(what_is_there_already_is_told_first),
        PROCESS_TEST(a_format_that_changes_is_told),
        PROCESS_TEST(a_killed_writer_and_the_next_one_are_told),
        PROCESS_TEST(a_stopped_writer_is_silent_until_it_goes_on),
        PROCESS_TEST(a_writer_that_does_not_dispatch_is_silent_until_it_does),
        PROCESS_TEST(a_directory_may_come_later_be_renamed_and_come_back),
        PROCESS_TEST(one_bus_can_be_watched_by_its_path),
        PROCESS_TEST(a_bus_that_others_may_not_read_is_told_as_such),
        PROCESS_TEST(fifty_buses_are_told_and_their_deaths),
        PROCESS_TEST(a_monitor_that_does_not_listen_costs_nothing_and_hears_the_outcome),
        PROCESS_TEST(monitors_that_flood_a_writer_or_are_too_many_are_sent_away),
        PROCESS_TEST(a_writer_that_lies_or_floods_is_silent_and_does_not_keep_the_monitor_busy),
        PROCESS_TEST(next_waits_as_long_as_it_is_told_and_signals_end_it),
        PROCESS_TEST(a_monitor_does_not_survive_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
