/* SPDX-License-Identifier: MIT */
/*
 * A bus of 60 frames a second with three honest readers, and beside them somebody who does all that a
 * reader can think of, one offence after the other and then all of them together. The honest ones miss no
 * frame, the writer keeps its pace, its memory and file descriptors stay within bounds, and who breaks the
 * protocol is thrown out with one line in the log.
 */
#include "fake-reader.h"

#include "../sanitized.h"
#include "shared/semaphore.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define HONEST   3
#define FPS      60
#define SPELL    (400 * MS) /* how long each offence goes on */
#define FDS_MORE 200        /* the writer's, at the most: strangers may stay for two seconds */
#define MEM_MORE (SANITIZED ? 256 << 20 : 32 << 20) /* a sanitizer keeps what was freed for a while */

/* Three honest readers of two frames each, and room for others; who is kept from running for four
 * seconds by a busy machine does not miss anything. */
static const struct writing sixty = {
    .options = {.history = 240, .max_slots = 320}, .interval_ns = S / FPS, .catches_up = true};

static bool told_to_stop(void)
{
    return shared->other.stop;
}

static void wait_to_be_stopped(void)
{
    while (!told_to_stop())
        sleep_ns(MS);
}

static bool has_hung_up(int socket)
{
    struct pollfd p = {.fd = socket};
    return poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

static uint32_t any_number(void)
{
    static uint64_t seed;
    if (!seed)
        seed = (uint64_t)now_ns() | 1;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

static bool say(int fd, const void *bytes, size_t size)
{
    if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return true;
    if (errno != EAGAIN)
        return false;
    sleep_ns(MS);
    return true;
}

/* ---- offences; each goes on until it is told to stop or thrown out ---- */

static void scribble(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    shared_u32 *words = (shared_u32 *)v.page;
    static const uint32_t crafted[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
    while (!told_to_stop() && !has_hung_up(v.socket))
        for (int i = 0; i < 10000; i++) {
            uint32_t any = any_number();
            store_ordered(&words[any % (READER_PAGE_SIZE / 4)], any & 1 << 20 ? any : crafted[any % 5]);
        }
}

static void claim_everything(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    for (int i = 0; i < FRAMEBUS_SLOTS_MAX / 32; i++)
        store_ordered(&v.page->claims[i], UINT32_MAX);
    wait_to_be_stopped();
}

static void hoard(void)
{
    struct fake_reader v = fake_reader_attach(8, 0);
    store_ordered(&v.page->claims[0], 0xff);
    wait_to_be_stopped();
}

/* Claims one slot after the other, as fast as it can, so that one that the writer would take is claimed. */
static void hop(void)
{
    struct fake_reader v = fake_reader_attach(1, 0);
    while (!told_to_stop() && !has_hung_up(v.socket))
        for (uint32_t i = 0; i < 320; i++) {
            store_ordered(&v.page->claims[i / 32], 1u << i % 32);
            store_ordered(&v.page->claims[i / 32], 0);
        }
}

static void say_without_end(int fd, enum message_type type, size_t size)
{
    struct message_quota m; /* the others are its beginning */
    message_init(&m, type, size);
    m.quota = 2;
    while (!told_to_stop() && say(fd, &m, size))
        ;
}

static void ring_without_end(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    say_without_end(v.socket, MESSAGE_BELL, sizeof(struct message_plain));
}

static void talk_without_end(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    say_without_end(v.socket, MESSAGE_QUOTA, sizeof(struct message_quota));
}

static void ask_without_end(void)
{
    say_without_end(fake_reader_connect(), MESSAGE_INFO, sizeof(struct message_plain));
}

static void talk_nonsense(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    uint32_t words[64];
    for (int i = 0; i < 64; i++)
        words[i] = any_number();
    say(v.socket, words, sizeof words);
    wait_to_be_stopped();
}

static void knock_without_end(void)
{
    while (!told_to_stop())
        close(fake_reader_connect());
}

static void stand_at_the_door(void)
{
    while (!told_to_stop()) {
        int fds[100];
        for (int i = 0; i < 100; i++)
            fds[i] = fake_reader_connect();
        for (int i = 0; i < 100; i++)
            close(fds[i]);
    }
}

static void come_and_go(void)
{
    while (!told_to_stop()) {
        int fd = fake_reader_connect();
        struct message_hello hello = fake_reader_hello(2, 0);
        say(fd, &hello, sizeof hello);
        close(fd);
    }
}

/* As many readers as fit. */
static void fill_the_bus(void)
{
    struct framebus_reader *rd;
    while (!framebus_reader_open(&rd, "bus", &(struct framebus_reader_options){.quota = 8}))
        ;
    wait_to_be_stopped();
}

/* Its wake-up is always due, and a crowd waits on its bell. What it was given of the bell it spoils as far
 * as that goes. */
static void jam_the_bell(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    struct epoll_event interest = {.events = EPOLLIN};
    uint64_t full = UINT64_MAX - 1;
    check(!fcntl(v.bell, F_SETFL, 0) && !fcntl(v.socket, F_SETFL, 0));
    check(write(v.bell, &full, sizeof full) == -1 && read(v.bell, &full, sizeof full) == -1);
    for (int i = 0; i < 200; i++) {
        int own = epoll_create1(EPOLL_CLOEXEC);
        check(own >= 0 && !epoll_ctl(own, EPOLL_CTL_ADD, v.bell, &interest));
    }
    while (!told_to_stop())
        semaphore_sleep(&v.page->sleeps);
}

/* Has the writer answer and reads nothing, with the smallest buffer there is; then stands still. */
static void stop_with_messages_queued(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    struct message_quota quota;
    check(!setsockopt(v.socket, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int)));
    message_init(&quota, MESSAGE_QUOTA, sizeof quota);
    quota.quota = 2;
    for (int i = 0; i < 90; i++)
        say(v.socket, &quota, sizeof quota);
    semaphore_sleep(&v.page->sleeps);
    raise(SIGSTOP);
}

/* Dies, and leaves children that have its socket, its bell and its page. */
static void leave_children(void)
{
    struct fake_reader v = fake_reader_attach(4, 0);
    store_ordered(&v.page->claims[0], 0xf);
    for (int i = 0; i < 8; i++)
        shared->value[1 + i] = fork_idler();
}

static void pass_fds(void)
{
    struct fake_reader v = fake_reader_attach(2, 0);
    struct message_plain bell;
    int fds[100];
    message_init(&bell, MESSAGE_BELL, sizeof bell);
    for (int i = 0; i < 100; i++)
        fds[i] = v.bell;
    send_fds(v.socket, &bell, sizeof bell, fds, 100); /* EPERM where the kernel lets the writer say no */
    wait_to_be_stopped();
}

static const struct offence {
    const char *name;
    void (*commit)(void);
    int lines, lines_max; /* how often the log says that somebody was thrown out */
} offences[] = {
    {"scribbles over its page", scribble, 1, 1},
    {"claims every slot", claim_everything, 1, 1},
    {"holds what it may for ever", hoard, 0, 0},
    {"hops from slot to slot", hop, 0, 1},
    {"rings without end", ring_without_end, 1, 1},
    {"talks without end", talk_without_end, 1, 1},
    {"asks without end", ask_without_end, 1, 1},
    {"talks nonsense", talk_nonsense, 1, 1},
    {"knocks without end", knock_without_end, 0, 0},
    {"stands at the door", stand_at_the_door, 0, 0},
    {"comes and goes", come_and_go, 0, 0},
    {"fills the bus", fill_the_bus, 0, 0},
    {"jams its bell", jam_the_bell, 0, 1},
    {"stops with messages queued", stop_with_messages_queued, 0, 1},
    {"leaves children with its fds", leave_children, 0, 0},
    {"passes file descriptors", pass_fds, 0, 1}, /* 0: the kernel refuses them */
};

#define OFFENCES (sizeof offences / sizeof *offences)

static void commit(const void *argument)
{
    const struct offence *offence = argument;
    const struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
    check(!setrlimit(RLIMIT_NOFILE, &limit));
    offence->commit();
    _exit(0); /* whatever it holds is the kernel's to close */
}

/* ---- those who must not notice ---- */

struct party {
    pid_t writer, readers[HONEST];
    int64_t begun;
    unsigned fds, fds_most;
    uint64_t memory, memory_most;
};

static uint64_t memory_of(pid_t pid)
{
    char path[64];
    unsigned long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *statm = fopen(path, "re");
    check(statm && fscanf(statm, "%*u %llu", &pages) == 1);
    fclose(statm);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void begin_party(struct party *party)
{
    *party = (struct party){.writer = spawn(write_and_count, &sixty)};
    check_soon(shared->writer.ready == 1);
    party->begun = now_ns();
    for (int i = 0; i < HONEST; i++)
        party->readers[i] = start_reader(&(struct reading){.tally = &shared->reader[i]});
    check_soon(shared->writer.frames > 30);
    party->fds = party->fds_most = count_fds_of(party->writer);
    party->memory = party->memory_most = memory_of(party->writer);
}

static void look_at(struct party *party)
{
    unsigned fds = count_fds_of(party->writer);
    uint64_t memory = memory_of(party->writer);
    party->fds_most = fds > party->fds_most ? fds : party->fds_most;
    party->memory_most = memory > party->memory_most ? memory : party->memory_most;
}

/* It keeps its pace, everybody follows, and nothing is too much. */
static void nobody_has_noticed(struct party *party, const char *offence)
{
    uint64_t due = (uint64_t)(now_ns() - party->begun) * FPS / S;
    check_soon(shared->writer.frames >= due);
    for (int i = 0; i < HONEST; i++) {
        check_soon(shared->reader[i].last + 1 >= due);
        if (shared->reader[i].missed || shared->reader[i].wrong || shared->reader[i].result)
            check_failed(__FILE__, __LINE__, "a neighbour that %s made an honest reader miss %llu", offence,
                         (unsigned long long)shared->reader[i].missed);
    }
    check(shared->writer.longest_ns < 5 * S);
    if (party->fds_most > party->fds + FDS_MORE || party->memory_most > party->memory + MEM_MORE)
        check_failed(__FILE__, __LINE__, "a neighbour that %s made the writer have %u fds and %llu MiB",
                     offence, party->fds_most, (unsigned long long)party->memory_most >> 20);
}

static void end_party(struct party *party)
{
    uint32_t readers = 0;
    struct framebus_bus_info *info;
    check_soon(!framebus_query("bus", &info) &&
               (readers = info->readers, framebus_info_free(info, 1), readers == HONEST));
    check_soon(count_fds_of(party->writer) == party->fds);
    for (int i = 0; i < HONEST; i++)
        finish(party->readers[i], &shared->reader[i]);
    uint64_t frames = shared->writer.frames;
    finish(party->writer, &shared->writer);
    check_equal(shared->writer.result, 0);
    for (int i = 0; i < HONEST; i++)
        check_equal(shared->reader[i].missed, 0);
    note("figure: %llu frames to each of %d readers; begin and publish took %.2f ms at the most; at most %u "
         "fds and "
         "%lld KiB more",
         (unsigned long long)frames, HONEST, (double)shared->writer.longest_ns / MS,
         party->fds_most - party->fds, (long long)(party->memory_most - party->memory) / 1024);
}

/* Whatever way it ends. */
static void end_offender(pid_t pid)
{
    if (!has_ended(pid))
        kill(pid, SIGKILL);
    int status = status_of(pid);
    if (WIFEXITED(status) && WEXITSTATUS(status))
        check_failed(__FILE__, __LINE__, "an offender could not offend: status 0x%x", (unsigned)status);
    for (int i = 1; i <= 8; i++)
        if (shared->value[i]) { /* its children are ours now */
            kill_now((pid_t)shared->value[i]);
            shared->value[i] = 0;
        }
}

static void beside_each_offence_sixty_frames_a_second_arrive(void)
{
    const char *level = getenv("FRAMEBUS_TESTS");
    int rounds = level && !strcmp(level, "soak") ? 12 : 1;
    struct party party;
    allow_seconds(100 + 30 * (unsigned)rounds);
    begin_party(&party);
    for (size_t i = 0; i < (size_t)rounds * OFFENCES; i++) {
        const struct offence *offence = &offences[i % OFFENCES];
        int lines = (int)THROWN_OUT;
        shared->other.stop = 0;
        pid_t pid = spawn(commit, offence);
        for (int64_t until = now_ns() + SPELL; now_ns() < until; sleep_ns(10 * MS))
            look_at(&party);
        check_soon(THROWN_OUT - lines >= offence->lines);
        shared->other.stop = 1;
        for (int64_t until = now_ns() + SPELL; !has_ended(pid) && now_ns() < until;)
            sleep_ns(MS);
        end_offender(pid);
        nobody_has_noticed(&party, offence->name);
        if (THROWN_OUT - lines > offence->lines_max)
            check_failed(__FILE__, __LINE__, "about one that %s the log has %d lines", offence->name,
                         (int)THROWN_OUT - lines);
    }
    end_party(&party);
}

static void beside_all_offences_together_sixty_frames_a_second_arrive(void)
{
    struct party party;
    pid_t pids[OFFENCES];
    begin_party(&party);
    for (size_t i = 0; i < OFFENCES; i++)
        pids[i] = spawn(commit, &offences[i]);
    for (int64_t until = now_ns() + 4 * SPELL; now_ns() < until; sleep_ns(10 * MS))
        look_at(&party);
    shared->other.stop = 1;
    for (size_t i = 0; i < OFFENCES; i++)
        end_offender(pids[i]);
    nobody_has_noticed(&party, "does everything at once");
    end_party(&party);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(beside_each_offence_sixty_frames_a_second_arrive),
        PROCESS_TEST(beside_all_offences_together_sixty_frames_a_second_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
