/* SPDX-License-Identifier: MIT */
/*
 * Writers and readers of a few buses come, go, are killed and stopped, for as long as one likes; their
 * directory is moved away and back. Nobody may see a torn frame, one out of order or one too few, nobody may
 * get stuck, and when all have left nothing is left.
 */
#include "torture.h"

#include <dirent.h>
#include <sched.h>
#include <sys/random.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define ROUND    (10 * S) /* then everybody must get on */
#define PATIENCE (60 * S)

static unsigned seconds = 60;
static uint64_t seed;

static struct child {
    pid_t pid; /* 0: nobody */
    bool writes, killed, stopped;
    unsigned bus;
    uint64_t seed;
    int64_t resume_at, end_by; /* 0: not stopped, not asked to end */
    uint64_t progress;         /* as it was */
} children[PLACES];

static int ledger_fd;
struct ledger *ledger;
static struct {
    unsigned writers, readers, kills, stops, moves, shadows, asked, rests;
} blows;

static char run[128], away[128];
static int64_t back_at; /* the directory is away until then; 0: it is not */
static unsigned attics; /* directories that were made while it was */

/* ---- peers ---- */

/* After exec a steady clock of its own (before Linux 6.3 the same one). Needs rights; goes on without. */
static void enter_another_time(int64_t hours)
{
    char text[64];
    int length = snprintf(text, sizeof text, "monotonic %lld 0", (long long)hours * 3600);
    if (unshare(CLONE_NEWTIME))
        return;
    int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, text, (size_t)length) == length)
        ledger->figure[CLOCKS]++;
    if (fd >= 0)
        close(fd);
}

static void start(unsigned at, bool writes, unsigned bus, uint64_t its_seed, bool another_time)
{
    struct child *c = &children[at];
    struct place *place = &ledger->place[at];
    place->turn++;
    place->demoted_in = 0;
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    pid_t pid = fork_child();
    if (!pid) {
        char words[4][24];
        snprintf(words[0], sizeof words[0], "%" PRIu64, its_seed);
        snprintf(words[1], sizeof words[1], "%u", bus);
        snprintf(words[2], sizeof words[2], "%u", at);
        snprintf(words[3], sizeof words[3], "%d", ledger_fd);
        if (another_time)
            enter_another_time((int64_t)(its_seed % 1000));
        execl(TORTURE_PEER, "torture-peer", writes ? "writer" : "reader", words[0], words[1], words[2],
              words[3], (char *)NULL);
        _exit(127);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    *c = (struct child){
        .pid = pid, .writes = writes, .bus = bus, .seed = its_seed, .progress = place->progress};
    blows.writers += writes;
    blows.readers += !writes;
}

static void describe(unsigned at, const char *what)
{
    const struct child *c = &children[at];
    char path[64], where[64] = "";
    snprintf(path, sizeof path, "/proc/%d/wchan", (int)c->pid);
    FILE *f = fopen(path, "re");
    if (f && !fgets(where, sizeof where, f))
        where[0] = '\0';
    if (f)
        fclose(f);
    note("%s %d of %s, seed %" PRIu64 ", %s: %" PRIu64 " steps, last result %d, in %s",
         c->writes ? "writer" : "reader", (int)c->pid, bus_name(c->bus), c->seed, what,
         ledger->place[at].progress, ledger->place[at].result, where);
}

/* Whoever has ended did so because it was killed, or with success. */
static void reap(void)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct child *c = &children[i];
        int status;
        if (!c->pid || waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        if (status && !(c->killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
            describe(i, "has failed");
            check_failed(__FILE__, __LINE__, "a %s ended with status 0x%x; seed %" PRIu64,
                         c->writes ? "writer" : "reader", (unsigned)status, seed);
        }
        c->pid = 0;
    }
}

static void resume(struct child *c)
{
    if (c->pid && c->stopped)
        kill(c->pid, SIGCONT);
    if (c->end_by)
        c->end_by = now_ns() + PATIENCE;
    c->stopped = false;
}

static void ask_to_end(struct child *c)
{
    kill(c->pid, SIGTERM);
    if (!c->end_by)
        c->end_by = now_ns() + PATIENCE;
    blows.asked++;
}

static bool has_writer(unsigned bus)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (children[i].pid && children[i].writes && !children[i].killed && children[i].bus == bus)
            return true;
    return false;
}

/* ---- the directory ---- */

static void move_away(int64_t how_long)
{
    if (back_at || rename(run, away))
        return; /* not made yet */
    back_at = now_ns() + how_long;
    blows.moves++;
}

/* If somebody has made a new one meanwhile, that goes. Its writers are lost to all but their readers. */
static void move_back(void)
{
    back_at = 0;
    if (!renameat2(AT_FDCWD, away, AT_FDCWD, run, RENAME_NOREPLACE))
        return;
    check(errno == EEXIST);
    check(!renameat2(AT_FDCWD, away, AT_FDCWD, run, RENAME_EXCHANGE));
    char attic[160];
    snprintf(attic, sizeof attic, "%s.%u", away, attics++);
    check(!rename(away, attic));
}

/* ---- blows ---- */

static void strike(void)
{
    /* Always as many throws, whatever comes of them: what is next does not depend on it. */
    struct child *c = &children[below(PLACES)];
    unsigned kind = (unsigned)below(100);
    unsigned bus = (unsigned)below(BUSES);
    uint64_t its_seed = dice();
    int64_t length = (int64_t)below(kind % 4 ? 100 * MS : 1500 * MS);
    bool another_time = one_in(4);

    if (kind == 0) {
        move_away(length);
    } else if (!c->pid) {
        bool alone = !has_writer(bus);
        blows.shadows += !alone && kind < 4; /* is to be told that there is one */
        start((unsigned)(c - children), alone || kind < 4, bus, its_seed, another_time);
    } else if (kind < 15 && !c->stopped && !kill(c->pid, SIGSTOP)) {
        c->stopped = true;
        c->resume_at = now_ns() + length;
        blows.stops++;
    } else if (kind < 22 && !c->killed && !kill(c->pid, SIGKILL)) {
        c->killed = true;
        blows.kills++;
    } else if (kind < 25) {
        ask_to_end(c);
    }
}

static void look_around(void)
{
    int64_t now = now_ns();
    reap();
    if (back_at && now >= back_at)
        move_back();
    for (unsigned i = 0; i < PLACES; i++) {
        struct child *c = &children[i];
        if (c->stopped && now >= c->resume_at)
            resume(c);
        if (c->pid && c->end_by && !c->stopped && now > c->end_by) {
            describe(i, "does not end");
            check_failed(__FILE__, __LINE__, "a peer does not end when asked to; seed %" PRIu64, seed);
        }
    }
}

/* ---- rests ---- */

static bool is_served(unsigned bus)
{
    struct framebus_bus_info *info;
    if (framebus_query(bus_name(bus), &info))
        return false;
    bool live = info->state == FRAMEBUS_BUS_LIVE || info->state == FRAMEBUS_BUS_SILENT;
    framebus_info_free(info, 1);
    return live;
}

/* Where nobody is; if there is no such place, some reader has to go. */
static unsigned find_room(void)
{
    unsigned i = 0, leaves = 0;
    while (i < PLACES && children[i].pid)
        i++;
    while (i == PLACES && leaves < PLACES - 1 && children[leaves].writes)
        leaves++;
    if (i == PLACES)
        ask_to_end(&children[leaves]);
    return i;
}

/* Starts the writers that are missing. */
static bool all_are_served(void)
{
    static uint64_t extra;
    bool served = true;
    for (unsigned bus = 0; bus < BUSES; bus++) {
        if (is_served(bus))
            continue;
        served = false;
        unsigned room = find_room();
        if (room < PLACES)
            start(room, true, bus, mix(seed + ++extra), false);
    }
    return served;
}

/* Nobody is stopped or killed for a while: everybody gets on, or has left. */
static void rest(void)
{
    if (back_at)
        move_back();
    for (unsigned i = 0; i < PLACES; i++) {
        resume(&children[i]);
        children[i].progress = ledger->place[i].progress;
    }
    unsigned stuck;
    bool served;
    int64_t limit = now_ns() + PATIENCE;
    do {
        sleep_ns(50 * MS);
        look_around();
        served = all_are_served();
        stuck = PLACES;
        for (unsigned i = 0; i < PLACES; i++)
            if (children[i].pid && ledger->place[i].progress < children[i].progress + 3)
                stuck = i;
        if (now_ns() > limit) {
            if (stuck < PLACES)
                describe(stuck, "is stuck");
            check_failed(__FILE__, __LINE__, "not everybody gets on; seed %" PRIu64, seed);
        }
    } while (stuck < PLACES || !served);
    blows.rests++;
}

static void end_all(bool writers)
{
    bool left;
    for (unsigned i = 0; i < PLACES; i++)
        if (children[i].pid && children[i].writes == writers)
            ask_to_end(&children[i]);
    do {
        look_around();
        left = false;
        for (unsigned i = 0; i < PLACES; i++)
            left |= children[i].pid && children[i].writes == writers;
        sleep_ns(MS);
    } while (left);
}

/* ---- what is left ---- */

/* Made by one that has ended; a pid may be another's by now, who lives. */
static bool was_left(const struct segment *segment, void *unused)
{
    return is_ours(segment, unused) && kill(segment->maker, 0);
}

/* A new writer and a new reader find a bus as if nothing had been. */
static void try_out(unsigned bus)
{
    const struct framebus_writer_options options = {.memory = (enum framebus_memory)(bus % 3)};
    struct framebus_format format = small();
    struct framebus_writer *w;
    struct framebus_reader *rd;
    struct framebus_frame *f;
    check_equal(framebus_writer_open(&w, bus_name(bus), &format, &options), 0);
    pid_t pid = fork_child();
    if (!pid) {
        check_equal(framebus_reader_open(&rd, bus_name(bus), NULL), 0);
        for (uint64_t n = 0; n < 3; n++) {
            check_equal(framebus_reader_next(rd, &f, 20 * S), 0);
            check(frame_number(f) >= 0);
            framebus_reader_release(rd, f);
        }
        framebus_reader_close(rd);
        _exit(0);
    }
    for (uint64_t n = 0; !has_ended(pid); n++) {
        check_equal(publish_one(w, n), 0);
        serve(w, MS, NULL);
    }
    join(pid);
    framebus_writer_close(w);
}

/* Clears away what the killed left in a directory that nobody has come to since. */
static void clear(const char *attic)
{
    for (unsigned bus = 0; bus < BUSES; bus++) {
        char path[256];
        struct framebus_writer *w;
        snprintf(path, sizeof path, "%s/%s", attic, bus_name(bus));
        check_equal(framebus_writer_open(&w, path, NULL, NULL), 0);
        framebus_writer_close(w);
    }
}

/* Nothing is left but the locks, which stay; here they are removed as well. */
static void check_empty(const char *where)
{
    DIR *dir = opendir(where);
    check(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *end = strrchr(entry->d_name, '.');
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!end || strcmp(end, ".lock"))
            check_failed(__FILE__, __LINE__, "%s was left in %s; seed %" PRIu64, entry->d_name, where, seed);
        check(!unlinkat(dirfd(dir), entry->d_name, 0));
    }
    closedir(dir);
    check(!rmdir(where));
}

static void check_nothing_left(void)
{
    check_empty(run);
    check_equal(count_posix(), 0);
    check_equal(count_segments(was_left, NULL), 0);
}

static void look_over(void)
{
    check_nothing_left();
    for (unsigned bus = 0; bus < BUSES; bus++)
        try_out(bus);
    check_nothing_left();
    for (unsigned i = 0; i < attics; i++) {
        char attic[160];
        snprintf(attic, sizeof attic, "%s.%u", away, i);
        clear(attic);
        check_empty(attic);
    }
}

static void tell(void)
{
    const _Atomic uint64_t *f = ledger->figure;
    note("figure: torture %u s, seed %" PRIu64 ": %u writers and %u readers started, %u killed, %u stopped, "
         "%u asked to end",
         seconds, seed, blows.writers, blows.readers, blows.kills, blows.stops, blows.asked);
    note("figure: torture: the directory moved %u times, %u new ones meanwhile, %u writers too many, %" PRIu64
         " with another clock, %u rests",
         blows.moves, attics, blows.shadows, f[CLOCKS], blows.rests);
    note("figure: torture: %" PRIu64 " frames published, %" PRIu64 " checked (%" PRIu64 " MB), %" PRIu64
         " missed as told; torn %" PRIu64 ", out of order %" PRIu64 ", missed otherwise %" PRIu64,
         f[PUBLISHED], f[CHECKED], f[CHECKED_BYTES] / 1000000, f[MISSED], f[TORN], f[DISORDERED], f[UNTOLD]);
    note("figure: torture: %" PRIu64 " new pools, %" PRIu64 " ends of a stream seen, %" PRIu64
         " times followed to another writer, %" PRIu64 " made live, %" PRIu64 " refused, %" PRIu64
         " frames kept beyond close",
         f[POOLS], f[ENDED], f[FOLLOWED], f[DEMOTED], f[REFUSED], f[KEPT]);
}

static void everybody_at_once(void)
{
    allow_seconds(seconds + 300);
    snprintf(run, sizeof run, "%s/run", directory);
    snprintf(away, sizeof away, "%s/away", directory);
    setenv("FRAMEBUS_DIR", run, 1);
    ledger_fd = memfd_create("ledger", 0);
    check(ledger_fd >= 0 && !ftruncate(ledger_fd, sizeof *ledger));
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, ledger_fd, 0);
    check(ledger != MAP_FAILED);
    note("torture: seed %" PRIu64 "; to try it again: test-torture %u %" PRIu64, seed, seconds, seed);
    dice_seed(seed);

    int64_t begun = now_ns();
    for (int64_t now = begun, round = begun; now - begun < seconds * S; now = now_ns()) {
        look_around();
        strike();
        sleep_ns((int64_t)below(10 * MS));
        if (now - round > ROUND) {
            rest();
            round = now_ns();
        }
    }
    rest();
    end_all(false);
    end_all(true);
    rest(); /* one last writer of each bus, who finds what the killed left and leaves in order */
    end_all(true);
    tell();
    check_equal(ledger->figure[TORN] + ledger->figure[DISORDERED] + ledger->figure[UNTOLD], 0);
    check(ledger->figure[CHECKED] > 1000 && blows.kills > seconds / 2 && blows.stops > seconds / 2);
    look_over();
    munmap(ledger, sizeof *ledger);
    close(ledger_fd);
    setenv("FRAMEBUS_DIR", directory, 1);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seconds = (unsigned)strtoul(argv[1], NULL, 0);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    else if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        return 1;
    const struct CMUnitTest tests[] = {PROCESS_TEST(everybody_at_once)};
    return cmocka_run_group_tests_name("torture", tests, NULL, NULL);
}
