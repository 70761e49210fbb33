/* SPDX-License-Identifier: MIT */
#include "torture.h"

#include <dlfcn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>

struct ledger *ledger;
unsigned my_bus;
struct place *my_place;
struct life *my_life;
_Atomic bool stopping;
int stop_fd;

static char whoami[96];

/*
 * The machine's clock belongs to all that runs on it and cannot be set for a test. But this program's
 * functions go before the C library's: whoever in this process asks for the time of day gets another one
 * every time, hours to and fro, as if the clock were set all the time. Steady clocks are left alone; some
 * peers are started in a time namespace of their own, where those differ from everybody else's.
 */
FRAMEBUS_API int clock_gettime(clockid_t id, struct timespec *t)
{
    static int (*real)(clockid_t, struct timespec *);
    static uint32_t steps;
    if (!real)
        *(void **)&real =
            dlsym(RTLD_NEXT, sizeof(time_t) > sizeof(long) ? "__clock_gettime64" : "clock_gettime");
    int r = real(id, t);
    if (!r && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += (time_t)(++steps * UINT32_C(2654435761) >> 12) - (1 << 19);
    return r;
}

void count(enum figure figure, uint64_t n)
{
    atomic_fetch_add_explicit(&ledger->figure[figure], n, memory_order_relaxed);
}

void wrong(enum figure figure, const char *format, ...)
{
    static const char *const names[FIGURES + 1] = {
        [TORN] = "torn", [DISORDERED] = "out of order", [UNTOLD] = "missed", [FIGURES] = "failed"};
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    note("%s: %s: %s", whoami, names[figure], text);
    if (figure < FIGURES)
        count(figure, 1);
    _exit(1);
}

static void on_term(int number)
{
    (void)number;
    int error = errno;
    stopping = true;
    eventfd_write(stop_fd, 1);
    errno = error;
}

static unsigned count_threads(void)
{
    struct stat st;
    return stat("/proc/self/task", &st) ? 0 : (unsigned)st.st_nlink - 2;
}

/* A writer's log tells which readers it made live, before they can miss anything, and that it threw none
 * out: all of them behave. */
static void on_log(enum framebus_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == FRAMEBUS_LOG_ERROR)
        note("%s: %s", whoami, line);
    unsigned place, turn;
    const char *label = strstr(line, "(reader ");
    if (!label || sscanf(label, "(reader %u.%u)", &place, &turn) != 2 || place >= PLACES)
        return;
    if (strstr(line, "thrown out"))
        wrong(FIGURES, "%s", line);
    if (!strstr(line, "is live now") || ledger->place[place].turn != turn)
        return;
    ledger->place[place].demoted_in = my_life->number;
    count(DEMOTED, 1);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "Usage: torture-peer writer|reader SEED BUS PLACE LEDGER-FD\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool writes = !strcmp(argv[1], "writer");
    unsigned place = (unsigned)atoi(argv[4]);
    int fd = atoi(argv[5]);
    my_bus = (unsigned)atoi(argv[3]);
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ledger == MAP_FAILED || stop_fd < 0)
        return 2;
    my_place = &ledger->place[place];
    snprintf(whoami, sizeof whoami, "%s %d of %s, seed %s", argv[1], (int)getpid(), bus_name(my_bus),
             argv[2]);
    dice_seed(strtoull(argv[2], NULL, 0));
    struct sigaction action = {.sa_handler = on_term, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* the supervisor holds SIGTERM back until we can bear it */

    if (writes) {
        uint32_t number = ++ledger->lives;
        my_life = life_at(ledger, number);
        *my_life = (struct life){.number = number};
    }
    framebus_set_log_handler(on_log, NULL);
    unsigned fds = count_fds(), threads = count_threads();
    if (writes)
        run_writer();
    else
        run_reader();
    if (count_fds() != fds || count_threads() != threads || count_mappings())
        wrong(FIGURES, "%u descriptors in place of %u, %u threads in place of %u, %u mappings in place of 0",
              count_fds(), fds, count_threads(), threads, count_mappings());
    return 0;
}
