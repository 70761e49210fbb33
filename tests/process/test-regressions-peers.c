/* SPDX-License-Identifier: MIT */
/* What once went wrong in the library when somebody else held the other end: foreign sockets, forked
 * children, writers that lie. */
#include "../emulated.h"
#include "fake-writer.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

static uint32_t readers_of(const char *bus)
{
    struct framebus_bus_info *info;
    check_equal(framebus_query(bus, &info), 0);
    uint32_t readers = info->readers;
    framebus_info_free(info, 1);
    return readers;
}

static ino_t inode_of(const char *path)
{
    struct stat st;
    check(!lstat(path, &st));
    return st.st_ino;
}

/* ---- sockets that somebody else serves ---- */

static void a_socket_of_another_program_is_left_alone(void)
{
    for (int i = 0; i < 2; i++) {
        int type = i ? SOCK_DGRAM : SOCK_STREAM;
        const char *path = path_of("other");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), client = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        check(!bind(fd, (struct sockaddr *)&address, sizeof address));
        check(type != SOCK_STREAM || !listen(fd, 5));
        ino_t before = inode_of(path);
        struct framebus_writer *w;
        struct framebus_format format = small();
        check_fails(framebus_remove(path, NULL, NULL), EEXIST, "another program");
        check_fails(framebus_writer_open(&w, path, &format, NULL), EEXIST, "another program");
        check_fails(framebus_writer_open(&w, "other", &format, NULL), EEXIST, "another program");
        check(inode_of(path) == before);
        check(!connect(client, (struct sockaddr *)&address, sizeof address));
        close(client);
        close(fd);
        check_equal(framebus_writer_open(&w, "other", &format, NULL), 0); /* nobody's any more */
        framebus_writer_close(w);
    }
}

/* ---- relative paths ---- */

struct resident {
    const char *home;
    struct writing plan;
};

static void write_at_home(const void *argument)
{
    const struct resident *resident = argument;
    check(!chdir(resident->home));
    write_frames(&resident->plan);
}

static pid_t start_resident(const char *home, uint64_t number, struct tally *tally)
{
    struct resident resident = {.home = home,
                                .plan = {.bus = "./cam",
                                         .options.memory = FRAMEBUS_MEMORY_POSIX,
                                         .first = number,
                                         .frames = 1,
                                         .tally = tally}};
    check(!mkdir(home, 0700));
    pid_t pid = spawn(write_at_home, &resident);
    check_soon(tally->frames == 1 || has_ended(pid));
    check_equal(tally->ready, 1);
    return pid;
}

/* The file in /dev/shm that the process has mapped. */
static void find_pool(pid_t pid, char *name, size_t room)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    check(maps);
    *name = '\0';
    while (fgets(line, sizeof line, maps)) {
        char *found = strstr(line, "/dev/shm/framebus-");
        if (found)
            snprintf(name, room, "%.*s", (int)strcspn(found, "\n"), found);
    }
    fclose(maps);
    check(*name);
}

static void expect_number(const char *path, uint64_t number)
{
    struct framebus_reader *rd;
    check_equal(framebus_reader_open(&rd, path, NULL), 0);
    expect_frame(rd, number, 0);
    framebus_reader_close(rd);
}

static void one_relative_path_in_two_directories_is_two_buses(void)
{
    char first[256], second[256];
    pid_t a = start_resident(path_of("a"), 10, &shared->writer);
    pid_t b = start_resident(path_of("b"), 20, &shared->other);
    find_pool(a, first, sizeof first);
    find_pool(b, second, sizeof second);
    check(strcmp(first, second) != 0);
    check(!access(first, F_OK) && !access(second, F_OK));
    expect_number(path_of("a/cam"), 10);
    expect_number(path_of("b/cam"), 20);
    finish(a, &shared->writer);
    check(access(first, F_OK) && !access(second, F_OK));
    expect_number(path_of("b/cam"), 20);
    finish(b, &shared->other);
    check(access(second, F_OK));
    check(!unlink(path_of("a/.cam.lock")) && !rmdir(path_of("a")));
    check(!unlink(path_of("b/.cam.lock")) && !rmdir(path_of("b")));
}

/* ---- forks in the middle of something ---- */

static _Atomic uint32_t logging_ends;

static void listen_to_nothing(enum framebus_log_level level, const char *line, void *user)
{
    (void)level;
    (void)line;
    (void)user;
}

static void *log_always(void *unused)
{
    struct framebus_format format;
    while (!logging_ends) {
        framebus_set_log_handler(listen_to_nothing, NULL);
        framebus_format_init(&format, 1, 1, 1);
    }
    return unused;
}

static void fork_and_log(const void *argument)
{
    (void)argument;
    struct framebus_writer *w, *own;
    struct framebus_reader *rd;
    struct framebus_format format = small();
    pthread_t threads[2];
    check_equal(framebus_writer_open(&w, "bus", &format, NULL), 0);
    for (int i = 0; i < 2; i++)
        check(!pthread_create(&threads[i], NULL, log_always, NULL));
    int64_t until = now_ns() + S;
    int forks = 0;
    for (; forks < 20 || (forks < 2000 && now_ns() < until); forks++) {
        pid_t pid = fork();
        check(pid >= 0);
        if (pid == 0) {
            check_equal(framebus_writer_fd(w), -ECHILD);
            check_equal(framebus_reader_open(&rd, "none", NULL), -ENOENT);
            check_equal(framebus_writer_open(&own, "childs", &format, NULL), 0);
            framebus_writer_close(own);
            _exit(0);
        }
        join(pid);
    }
    note("%d forks", forks);
    logging_ends = 1;
    for (int i = 0; i < 2; i++)
        check(!pthread_join(threads[i], NULL));
    framebus_writer_close(w);
}

static void a_child_may_call_the_library_although_other_threads_logged_at_the_fork(void)
{
    join(spawn(fork_and_log, NULL));
}

#define IDLERS 16

static void *open_late(void *reader)
{
    int r;
    do
        r = framebus_reader_open(reader, "bus", NULL);
    while (r == -ETIMEDOUT); /* a machine that stood still for seconds */
    check_equal(r, 0);
    shared->reader[0].ready = 1;
    return NULL;
}

/* Forks again and again while a thread connects to a backlog that is full. */
static void open_and_fork(const void *argument)
{
    (void)argument;
    struct framebus_reader *rd;
    pthread_t opening;
    check(!pthread_create(&opening, NULL, open_late, &rd));
    for (int i = 0; i < IDLERS && !shared->reader[0].ready; i++) {
        sleep_ns(10 * MS);
        shared->value[i] = fork_idler();
        if (i == 5)
            shared->go = 1;
    }
    check(!pthread_join(opening, NULL));
    shared->done = 1;
    for (;;)
        pause();
}

/* Connects until nobody else can. The writer is stopped. */
static void fill_backlog(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (int r = 0; !r;) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = connect(fd, (struct sockaddr *)&address, sizeof address);
        check(!r || errno == EAGAIN);
        close(fd); /* its place in the queue stays taken */
    }
}

static void a_dead_reader_that_forked_while_it_connected_is_noticed(void)
{
    pid_t pid = start_writer(&(struct writing){.frames = 1});
    stop_now(pid);
    fill_backlog(path_of("bus"));
    pid_t reader = spawn(open_and_fork, NULL);
    check_soon(shared->go || has_ended(reader));
    check(!kill(pid, SIGCONT));
    check_soon(shared->done || has_ended(reader));
    check_equal(readers_of("bus"), 1);
    kill_now(reader);
    check_soon(readers_of("bus") == 0);
    for (int i = 0; i < IDLERS && shared->value[i]; i++)
        kill_now((pid_t)shared->value[i]); /* ours now that their parent is dead */
    finish(pid, &shared->writer);
}

/* ---- writers that say too much ---- */

struct babble {
    int type;
    uint32_t value;
    unsigned times;    /* 0: without end */
    uint32_t delivery; /* that the reader asks for */
    bool asked;        /* it is the answer to a QUOTA */
};

static const struct babble *babble;

static void say_it(struct fake *f)
{
    struct message_quota m; /* a DELIVERY looks the same */
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    while (!shared->go && !shared->writer.stop)
        sleep_ns(MS);
    message_init(&m, babble->type, sizeof m);
    m.quota = babble->value;
    if (babble->asked) {
        union message *heard = malloc(sizeof *heard);
        struct pollfd wait = {.fd = f->peer, .events = POLLIN};
        check(poll(&wait, 1, 20000) == 1);
        check_equal(socket_receive(f->peer, heard, NULL, NULL), MESSAGE_QUOTA);
        free(heard);
    }
    for (unsigned i = 0; !babble->times || i < babble->times; i++)
        if (send(f->peer, &m, sizeof m, MSG_NOSIGNAL) < 0)
            break; /* it has hung up */
}

/* Somebody who writes a log slowly, for whom a flood is never over. */
static void write_slowly(enum framebus_log_level level, const char *line, void *user)
{
    (void)line;
    (void)user;
    if (level <= FRAMEBUS_LOG_WARNING)
        sleep_ns(MS);
}

static void hear_it(const void *argument)
{
    const struct babble *b = argument;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    alarm(40);
    framebus_set_log_handler(write_slowly, NULL);
    check_equal(
        framebus_reader_open(
            &rd, "bus", &(struct framebus_reader_options){.delivery = (enum framebus_delivery)b->delivery}),
        0);
    check_equal(framebus_reader_next(rd, &f, 10 * S), 0);
    framebus_reader_release(rd, f);
    shared->go = 1;
    if (b->asked) {
        check_fails(framebus_reader_set_quota(rd, 3), EPROTO, "quota");
        framebus_reader_close(rd);
        return;
    }
    int64_t then = now_ns();
    check_fails(framebus_reader_next(rd, &f, 10 * S), EPROTO,
                b->type == MESSAGE_QUOTA ? "quota" : "delivery");
    check(now_ns() - then < 15 * S);
    check_equal(framebus_reader_next(rd, &f, 10 * S), -EPROTO); /* it stays so */
    framebus_reader_close(rd);
}

static void a_writer_that_says_what_nobody_asked_is_given_up_in_time(void)
{
    static const struct babble all[] = {
        {.type = MESSAGE_DELIVERY},
        {.type = MESSAGE_DELIVERY, .times = 1},
        {.type = MESSAGE_DELIVERY, .times = 1, .delivery = FRAMEBUS_DELIVERY_LATEST},
        {.type = MESSAGE_DELIVERY, .times = 2, .delivery = FRAMEBUS_DELIVERY_LOSSLESS},
        {.type = MESSAGE_QUOTA, .value = 2},
        {.type = MESSAGE_QUOTA, .times = 1},
        {.type = MESSAGE_QUOTA, .times = 1, .value = 200},
        {.type = MESSAGE_QUOTA, .times = 1, .asked = true},
        {.type = MESSAGE_QUOTA, .times = 1, .value = 257, .asked = true},
    };
    static const struct trick trick = {.name = "babble", .play = say_it};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        memset(shared, 0, sizeof *shared);
        babble = &all[i];
        pid_t fake = spawn(play_one, &trick);
        check_soon(shared->writer.ready || has_ended(fake));
        join(spawn(hear_it, babble));
        finish(fake, &shared->writer);
        check(!unlink(path_of("bus")));
    }
}

/* ---- a watch that nobody reads ---- */

static void evict_soon(struct fake *f)
{
    struct message_refused m;
    fake_seal(f);
    fake_welcome(f);
    fake_offer(f);
    while (!shared->go && !shared->writer.stop)
        sleep_ns(MS);
    message_init(&m, MESSAGE_REFUSED, sizeof m);
    m.error = EDQUOT;
    strcpy(m.text, "for the test");
    fake_send(f, &m, sizeof m, NULL, 0);
    shared->done = 1;
}

/* It was evicted just after it had found its writer, so the watch for writers is open yet. */
static void a_follower_that_holds_its_quota_and_was_evicted_is_not_polled_without_end(void)
{
    static const struct trick trick = {.name = "evict", .play = evict_soon};
    const struct framebus_reader_options options = {.follow = true, .quota = 1};
    struct framebus_reader *rd;
    struct framebus_frame *f, *held;
    int r;
    check_equal(framebus_reader_open(&rd, "bus", &options), 0);
    check_equal(framebus_reader_next(rd, &f, 0), -ETIMEDOUT);
    struct pollfd wait = {.fd = framebus_reader_fd(rd), .events = POLLIN};
    pid_t fake = spawn(play_one, &trick);
    check_soon(shared->writer.ready || has_ended(fake));
    do
        r = framebus_reader_next(rd, &held, 0);
    while (r == -ETIMEDOUT && !has_ended(fake));
    check_equal(r, 0);
    shared->go = 1;
    check_soon(shared->done || has_ended(fake));
    for (int i = 0; i < 3; i++) {
        check_equal(framebus_reader_next(rd, &f, 0), -EBUSY);
        check_equal(poll(&wait, 1, 0), 0);
    }
    finish(fake, &shared->writer);
    check(!unlink(path_of("bus")));
    framebus_reader_release(rd, held);
    pid_t writer = start_writer(&(struct writing){.frames = 1});
    do {
        check_equal(poll(&wait, 1, 20000), 1);
        r = framebus_reader_next(rd, &f, 0);
    } while (r == -ETIMEDOUT);
    check_equal(r, 0);
    framebus_reader_release(rd, f);
    framebus_reader_close(rd);
    finish(writer, &shared->writer);
}

/* ---- huge pages that the writer never had ---- */

#define MFD_HUGE_2_MIB (21u << 26)

static int empty_huge_memfd(uint64_t size)
{
    int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2_MIB);
    if (fd >= 0 &&
        (ftruncate(fd, (off_t)size) ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | 0x0010 /* FUTURE_WRITE */ | F_SEAL_SEAL))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void offer_nothing(struct fake *f)
{
    f->pool.region_size = UINT64_C(4) << 20;
    f->fds[0] = empty_huge_memfd(f->pool.region_size);
    check(f->fds[0] >= 0);
    fake_welcome(f);
    fake_offer(f);
}

static void a_pool_of_huge_pages_that_do_not_exist_is_refused(void)
{
    int fd = empty_huge_memfd(UINT64_C(4) << 20);
    if (fd < 0) {
        note("not tested: no huge memfd can be made here (%s)", strerror(errno));
        return;
    }
    close(fd);
    if (!heeds_advice())
        skip_because("madvise() does nothing here, such as to look for pages");
    /* Where huge pages are free, reading makes some, full of zeros: no header either. */
    static const struct trick tricks[] = {
        {.name = "empty", .play = offer_nothing, .error = EBADMSG, .word = "writer"}};
    PLAY(tricks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(a_socket_of_another_program_is_left_alone),
        PROCESS_TEST(one_relative_path_in_two_directories_is_two_buses),
        PROCESS_TEST(a_child_may_call_the_library_although_other_threads_logged_at_the_fork),
        PROCESS_TEST(a_dead_reader_that_forked_while_it_connected_is_noticed),
        PROCESS_TEST(a_writer_that_says_what_nobody_asked_is_given_up_in_time),
        PROCESS_TEST(a_follower_that_holds_its_quota_and_was_evicted_is_not_polled_without_end),
        PROCESS_TEST(a_pool_of_huge_pages_that_do_not_exist_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
