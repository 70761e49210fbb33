/* SPDX-License-Identifier: MIT */
/*
 * A monitor: what it knows of each bus, beside what its caller was told. An event is a difference between the
 * two, so however much happens, nothing queues. Each writer owes it one answer at a time.
 */
#include "base/clock.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/socket.h"
#include "bus/info.h"
#include "bus/name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FIRST_ANSWER  (250 * NS_PER_MS)
#define NEXT_ANSWER   NS_PER_S
#define PULSE         (2 * NS_PER_S)   /* between two looks whether all is as it seems */
#define ASK_PAUSE     (50 * NS_PER_MS) /* between two questions to one writer */
#define CONNECT_PAUSE (100 * NS_PER_MS)
#define OWED_MAX      2 /* answers: a question that wants one at once may cross one */
#define ANSWERS_MAX   4
#define EVENTS_A_STEP 64
#define BUSES_MAX     1024

/* A bus, and what is known of it. */
struct watched {
    struct watched *next;
    struct bus_path path;
    bool found; /* by the last scan */
    bool gone;
    dev_t device; /* of the socket's file; the same holds for the next two */
    ino_t inode;
    struct timespec changed;

    int socket; /* -1: not connected */
    uint64_t connection;
    int64_t connected_at, asked_at, heard_at;
    int64_t ask_at;    /* or connect, if it is not connected; 0: not now */
    int64_t answer_by; /* 0: there is no hurry */
    unsigned owed;     /* number of answers that may come */

    struct framebus_bus_info *known; /* NULL: nothing yet */
    uint64_t writer;                 /* connection that told its readers; 0: there are none */

    struct framebus_bus_info *told; /* what the caller knows; NULL: nothing. May be `known` itself */
    enum framebus_bus_state told_state;
    uint64_t told_writer;
    struct framebus_peer_info *reader; /* those that the caller knows of */
    uint32_t readers, reader_room;
};

struct framebus_monitor {
    struct fork_node fork;
    pthread_mutex_t lock; /* held while fds change, for the sake of fork() */
    struct bus_path path; /* of the one bus; of any bus, for the directory */
    bool is_one;          /* only that one is watched */
    bool is_crowded;      /* there are more than BUSES_MAX */
    int set, timer, ready;
    struct bus_watch directory;
    int64_t pulse_at;
    struct watched *buses;
    size_t count;
    uint64_t connections;                /* so far */
    struct framebus_bus_info *departed;  /* for the caller, until the next call */
    struct framebus_peer_info of_reader; /* the same */
    union message message;
};

/* ---- what is known ---- */

static void watched_learn(struct watched *bus, struct framebus_bus_info *info, uint64_t writer)
{
    if (bus->known != bus->told)
        framebus_info_free(bus->known, 1);
    bus->known = info;
    bus->writer = writer;
}

static struct framebus_bus_info *watched_describe(const struct watched *bus, enum framebus_bus_state state)
{
    struct socket_peer peer = {0};
    struct framebus_bus_info *info = calloc(1, sizeof *info);
    if (!info)
        return NULL;
    strcpy(info->name, bus->path.name);
    strcpy(info->path, bus->path.socket);
    if (bus->socket >= 0)
        socket_get_peer(bus->socket, &peer);
    info->state = state;
    info->has_writer = bus->socket >= 0 || state == FRAMEBUS_BUS_SILENT;
    info->pid = peer.pid;
    info->uid = peer.uid;
    return info;
}

/* Notes a state. What else was known stays so while the writer is only silent. */
static void watched_enter(struct watched *bus, enum framebus_bus_state state)
{
    if (bus->known && bus->known->state == state)
        return;
    if (bus->known && bus->socket >= 0 && bus->writer == bus->connection) {
        bus->known->state = state;
        return;
    }
    struct framebus_bus_info *info = watched_describe(bus, state);
    if (info)
        watched_learn(bus, info, 0);
}

/* ---- connections ---- */

static void watched_disconnect(struct framebus_monitor *m, struct watched *bus)
{
    if (bus->socket < 0)
        return;
    epoll_ctl(m->set, EPOLL_CTL_DEL, bus->socket, NULL);
    socket_close(bus->socket);
    bus->socket = -1;
    bus->ask_at = bus->answer_by = 0;
    bus->owed = 0;
}

/* What it sends is no good: it is tried again later. */
static void watched_give_up(struct framebus_monitor *m, struct watched *bus, enum framebus_bus_state state)
{
    watched_disconnect(m, bus);
    watched_enter(bus, state);
    bus->ask_at = clock_now() + PULSE;
}

static void watched_ask(struct watched *bus, uint32_t flags)
{
    struct message_plain question;
    message_init(&question, MESSAGE_WATCH, sizeof question);
    question.head.flags = flags;
    socket_send(bus->socket, &question, NULL, 0); /* if this fails the socket hangs up as well */
    bus->asked_at = clock_now();
    bus->owed += bus->owed < OWED_MAX;
}

/* Connects without waiting. 0, or a negative errno. */
static int watched_open(struct framebus_monitor *m, struct watched *bus)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = bus};
    int fd = socket_create();
    if (fd < 0)
        return fd;
    int r = fcntl(fd, F_SETFL, O_NONBLOCK) ? -errno : bus_path_connect(&bus->path, fd, 0);
    if (!r && epoll_ctl(m->set, EPOLL_CTL_ADD, fd, &interest))
        r = -errno;
    if (r)
        close(fd);
    else
        bus->socket = fd;
    return r;
}

static void watched_connect(struct framebus_monitor *m, struct watched *bus)
{
    int64_t now = clock_now();
    bus->ask_at = 0;
    if (bus->connected_at && now < bus->connected_at + CONNECT_PAUSE) {
        bus->ask_at = bus->connected_at + CONNECT_PAUSE;
        return;
    }
    bus->connected_at = now;
    switch (watched_open(m, bus)) {
    case 0:
        bus->connection = ++m->connections;
        bus->answer_by = now + FIRST_ANSWER;
        watched_ask(bus, WATCH_AT_ONCE);
        return;
    case -ENOENT:
    case -ENOTDIR:
    case -EPROTOTYPE: /* another program's socket */
        bus->gone = true;
        return;
    case -ECONNREFUSED:
        watched_enter(bus, FRAMEBUS_BUS_STALE);
        return;
    case -EACCES:
    case -EPERM:
        watched_enter(bus, FRAMEBUS_BUS_DENIED);
        return;
    default: /* a full backlog, or we are out of something */
        watched_give_up(m, bus, FRAMEBUS_BUS_SILENT);
    }
}

/* ---- answers ---- */

/* False: this is not an answer. */
static bool watched_on_reply(struct watched *bus, const struct message_info_reply *reply)
{
    struct framebus_bus_info *info = bus->owed ? watched_describe(bus, FRAMEBUS_BUS_LIVE) : NULL;
    if (!info || info_load(info, reply)) {
        framebus_info_free(info, 1);
        return false;
    }
    watched_learn(bus, info, bus->connection);
    bus->owed--;
    bus->answer_by = 0;
    bus->heard_at = clock_now();
    bus->ask_at = bus->asked_at + ASK_PAUSE;
    return true;
}

static void watched_receive(struct framebus_monitor *m, struct watched *bus)
{
    for (int i = 0; i < ANSWERS_MAX && bus->socket >= 0; i++) {
        int type = socket_receive(bus->socket, &m->message, NULL, NULL);
        if (type == -EAGAIN)
            return;
        if (type == -ECONNRESET) /* it left without reading everything; what it sent may follow */
            continue;
        if (type == MESSAGE_INFO_REPLY && watched_on_reply(bus, &m->message.info))
            continue;
        if (type == MESSAGE_REFUSED) {
            bool busy = m->message.refused.error == EAGAIN;
            watched_give_up(m, bus, busy ? FRAMEBUS_BUS_SILENT : FRAMEBUS_BUS_DENIED);
        } else if (type == -EPROTONOSUPPORT) {
            watched_enter(bus, FRAMEBUS_BUS_INCOMPATIBLE); /* while it can be seen whose the socket is */
            watched_give_up(m, bus, FRAMEBUS_BUS_INCOMPATIBLE);
        } else if (type == 0) { /* the writer is gone; is there another one? */
            watched_disconnect(m, bus);
            watched_connect(m, bus);
        } else {
            log_line(FRAMEBUS_LOG_WARNING, "bus \"%s\": its writer sends a monitor what it did not ask for",
                     bus->path.name);
            watched_give_up(m, bus, FRAMEBUS_BUS_SILENT);
        }
    }
}

/* ---- which buses there are ---- */

static struct watched *monitor_find(struct framebus_monitor *m, const char *name)
{
    for (struct watched *bus = m->buses; bus; bus = bus->next)
        if (strcmp(bus->path.name, name) == 0)
            return bus;
    return NULL;
}

static struct watched *monitor_add(struct framebus_monitor *m, const char *name)
{
    struct bus_path path;
    if (m->count >= BUSES_MAX && !m->is_crowded)
        log_line(FRAMEBUS_LOG_WARNING, "only %d of the buses in %s are watched", BUSES_MAX,
                 m->path.directory);
    m->is_crowded = m->count >= BUSES_MAX;
    if (m->is_crowded || bus_path_find(&path, name))
        return NULL;
    struct watched *bus = calloc(1, sizeof *bus);
    if (!bus)
        return NULL;
    bus->next = m->buses;
    bus->path = path;
    bus->socket = -1;
    m->buses = bus;
    m->count++;
    return bus;
}

static void monitor_remove(struct framebus_monitor *m, struct watched *bus)
{
    struct watched **at = &m->buses;
    while (*at != bus)
        at = &(*at)->next;
    *at = bus->next;
    m->count--;
    if (bus->known != bus->told)
        framebus_info_free(bus->known, 1);
    framebus_info_free(bus->told, 1);
    free(bus->reader);
    free(bus);
}

/* A scan has found this socket. */
static void monitor_note(struct framebus_monitor *m, const char *name, const struct stat *st)
{
    struct watched *bus = monitor_find(m, name);
    bool is_new = !bus;
    if (!bus)
        bus = monitor_add(m, name);
    if (!bus)
        return;
    bool same_file = !is_new && bus->device == st->st_dev && bus->inode == st->st_ino;
    bool same = same_file && bus->changed.tv_sec == st->st_ctim.tv_sec &&
                bus->changed.tv_nsec == st->st_ctim.tv_nsec && !bus->gone;
    bus->found = true;
    bus->gone = false;
    bus->device = st->st_dev;
    bus->inode = st->st_ino;
    bus->changed = st->st_ctim;
    if (!same_file)
        watched_disconnect(m, bus); /* another writer has the name now */
    if (!same && bus->socket < 0)
        watched_connect(m, bus);
}

static int monitor_scan_directory(struct framebus_monitor *m)
{
    DIR *directory = opendir(m->path.directory);
    if (!directory)
        return errno == ENOENT || errno == ENOTDIR ? 0
                                                   : fail(-errno, "cannot list the runtime directory %s: %s",
                                                          m->path.directory, strerror(errno));
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat st;
        if (bus_name_is_valid(entry->d_name) &&
            !fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
            monitor_note(m, entry->d_name, &st);
    }
    closedir(directory);
    return 0;
}

static int monitor_scan(struct framebus_monitor *m)
{
    struct stat st;
    int r = bus_watch_renew(&m->directory, &m->path);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &m->directory};
    if (!r && epoll_ctl(m->set, EPOLL_CTL_ADD, m->directory.fd, &interest) && errno != EEXIST)
        r = fail(-errno, "cannot watch the runtime directory: %s", strerror(errno));
    if (r)
        return r;
    for (struct watched *bus = m->buses; bus; bus = bus->next)
        bus->found = false;
    if (!m->is_one)
        r = monitor_scan_directory(m);
    else if (!stat(m->path.socket, &st) && S_ISSOCK(st.st_mode))
        monitor_note(m, m->path.name, &st);
    for (struct watched *bus = m->buses; bus; bus = bus->next) {
        if (bus->found)
            continue;
        watched_disconnect(m, bus);
        bus->ask_at = 0;
        bus->gone = true;
    }
    return r;
}

/* ---- a step ---- */

static void watched_look_at_clock(struct framebus_monitor *m, struct watched *bus, int64_t now, bool pulse)
{
    if (bus->ask_at && now >= bus->ask_at) {
        bus->ask_at = 0;
        if (bus->socket < 0)
            watched_connect(m, bus);
        else
            watched_ask(bus, 0);
    }
    if (bus->answer_by && now >= bus->answer_by) {
        bus->answer_by = 0;
        watched_enter(bus, FRAMEBUS_BUS_SILENT);
    }
    bool is_live = bus->known && bus->known->state == FRAMEBUS_BUS_LIVE;
    if (pulse && is_live && bus->socket >= 0 && !bus->answer_by && now - bus->heard_at >= PULSE / 2) {
        watched_ask(bus, WATCH_AT_ONCE);
        bus->answer_by = now + NEXT_ANSWER;
    }
}

static void monitor_set_timer(struct framebus_monitor *m)
{
    int64_t at = m->pulse_at;
    for (struct watched *bus = m->buses; bus; bus = bus->next) {
        if (bus->ask_at && bus->ask_at < at)
            at = bus->ask_at;
        if (bus->answer_by && bus->answer_by < at)
            at = bus->answer_by;
    }
    const struct itimerspec then = {
        .it_value = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)}};
    timerfd_settime(m->timer, TFD_TIMER_ABSTIME, &then, NULL);
}

/* Finds out what there is to be found out at once. */
static int monitor_step(struct framebus_monitor *m)
{
    struct epoll_event events[EVENTS_A_STEP];
    int64_t now = clock_now();
    bool pulse = now >= m->pulse_at;
    bool scan = pulse;
    int r = 0;
    int n = epoll_wait(m->set, events, EVENTS_A_STEP, 0);
    for (int i = 0; i < n; i++) {
        void *what = events[i].data.ptr;
        if (what == &m->directory)
            scan = true;
        else if (what != &m->timer && what != &m->ready)
            watched_receive(m, what);
    }
    if (pulse)
        m->pulse_at = now + PULSE;
    if (scan)
        r = monitor_scan(m);
    for (struct watched *bus = m->buses; bus; bus = bus->next)
        watched_look_at_clock(m, bus, now, pulse);
    monitor_set_timer(m);
    return r;
}

/* ---- events ---- */

static const struct framebus_peer_info *info_find_reader(const struct framebus_bus_info *info, uint64_t id)
{
    for (uint32_t i = 0; i < info->readers; i++)
        if (info->reader[i].id == id)
            return &info->reader[i];
    return NULL;
}

/* A reader that the caller knows of, and that is gone. */
static bool watched_lost_reader(struct framebus_monitor *m, struct watched *bus, struct framebus_event *event)
{
    bool all = bus->gone || bus->told_writer != bus->writer;
    for (uint32_t i = 0; i < bus->readers; i++) {
        if (!all && info_find_reader(bus->known, bus->reader[i].id))
            continue;
        m->of_reader = bus->reader[i];
        bus->reader[i] = bus->reader[--bus->readers];
        *event = (struct framebus_event){FRAMEBUS_EVENT_READER_REMOVED, all ? bus->told : bus->known,
                                         &m->of_reader};
        return true;
    }
    return false;
}

/* A reader that the caller does not know of. */
static bool watched_got_reader(struct framebus_monitor *m, struct watched *bus, struct framebus_event *event)
{
    for (uint32_t i = 0; i < bus->known->readers; i++) {
        const struct framebus_peer_info *reader = &bus->known->reader[i];
        uint32_t k = 0;
        while (k < bus->readers && bus->reader[k].id != reader->id)
            k++;
        if (k < bus->readers) {
            bus->reader[k] = *reader; /* with its counts */
            continue;
        }
        if (bus->readers == bus->reader_room) {
            uint32_t room = bus->reader_room ? 2 * bus->reader_room : 8;
            struct framebus_peer_info *more = realloc(bus->reader, room * sizeof *more);
            if (!more)
                return false;
            bus->reader = more;
            bus->reader_room = room;
        }
        bus->reader[bus->readers++] = m->of_reader = *reader;
        *event = (struct framebus_event){FRAMEBUS_EVENT_READER_ADDED, bus->known, &m->of_reader};
        return true;
    }
    return false;
}

static bool watched_has_changed(const struct watched *bus)
{
    const struct framebus_bus_info *a = bus->told, *b = bus->known;
    return bus->told_state != b->state || bus->told_writer != bus->writer || a->pid != b->pid ||
           a->has_format != b->has_format ||
           (a->has_format && !framebus_format_equal(&a->format, &b->format));
}

/* The next difference between what is known and what the caller was told. */
static bool watched_tell(struct framebus_monitor *m, struct watched *bus, struct framebus_event *event)
{
    if ((bus->gone || bus->known) && watched_lost_reader(m, bus, event))
        return true;
    if (bus->gone) {
        m->departed = bus->told;
        if (bus->known == bus->told)
            bus->known = NULL;
        bus->told = NULL;
        monitor_remove(m, bus);
        *event = (struct framebus_event){FRAMEBUS_EVENT_BUS_REMOVED, m->departed, NULL};
        return m->departed;
    }
    if (!bus->known)
        return false;
    bool is_new = !bus->told, changed = !is_new && watched_has_changed(bus);
    if (bus->told != bus->known)
        framebus_info_free(bus->told, 1);
    bus->told = bus->known;
    bus->told_state = bus->known->state;
    bus->told_writer = bus->writer;
    if (is_new || changed) {
        *event = (struct framebus_event){is_new ? FRAMEBUS_EVENT_BUS_ADDED : FRAMEBUS_EVENT_BUS_CHANGED,
                                         bus->known, NULL};
        return true;
    }
    return watched_got_reader(m, bus, event);
}

static bool monitor_tell(struct framebus_monitor *m, struct framebus_event *event)
{
    struct watched *next;
    framebus_info_free(m->departed, 1);
    m->departed = NULL;
    for (struct watched *bus = m->buses; bus; bus = next) {
        next = bus->next;
        if (watched_tell(m, bus, event))
            return true;
    }
    return false;
}

/* ---- the handle ---- */

static void monitor_forget(struct fork_node *node)
{
    struct framebus_monitor *m = (struct framebus_monitor *)node;
    const int fds[] = {m->set, m->timer, m->ready, m->directory.fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    for (struct watched *bus = m->buses; bus; bus = bus->next)
        if (bus->socket >= 0)
            close(bus->socket);
}

static bool monitor_add_fd(struct framebus_monitor *m, int *fd)
{
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = fd};
    return *fd >= 0 && !epoll_ctl(m->set, EPOLL_CTL_ADD, *fd, &interest);
}

int framebus_monitor_open(struct framebus_monitor **monitor, const char *name)
{
    *monitor = NULL;
    struct framebus_monitor *m = calloc(1, sizeof *m);
    if (!m)
        return fail(-ENOMEM, "no memory for a monitor");
    int r = bus_path_find(&m->path, name ? name : "any");
    if (r) {
        free(m);
        return r;
    }
    m->is_one = name;
    m->directory = (struct bus_watch)BUS_WATCH_NONE;
    m->directory.more = IN_DELETE | IN_MOVED_FROM | IN_ATTRIB;
    m->set = m->timer = m->ready = -1;
    pthread_mutex_init(&m->lock, NULL);
    fork_enter(&m->fork, &m->lock, monitor_forget);
    pthread_mutex_lock(&m->lock);
    m->set = epoll_create1(EPOLL_CLOEXEC);
    m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    m->ready = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->set < 0 || !monitor_add_fd(m, &m->timer) || !monitor_add_fd(m, &m->ready))
        r = fail(-errno, "cannot make a monitor: %s", strerror(errno));
    if (!r)
        r = monitor_step(m);
    pthread_mutex_unlock(&m->lock);
    if (r)
        framebus_monitor_close(m);
    else
        *monitor = m;
    return r;
}

int framebus_monitor_fd(struct framebus_monitor *m)
{
    return m->fork.forked ? fail(-ECHILD, "this monitor belongs to the parent process") : m->set;
}

int framebus_monitor_next(struct framebus_monitor *m, struct framebus_event *event, int64_t timeout_ns)
{
    int64_t deadline = deadline_in(timeout_ns);
    *event = (struct framebus_event){0};
    if (m->fork.forked)
        return fail(-ECHILD, "this monitor belongs to the parent process");
    for (;;) {
        eventfd_t ignored;
        pthread_mutex_lock(&m->lock);
        int r = monitor_step(m);
        bool told = monitor_tell(m, event);
        if (told)
            eventfd_write(m->ready, 1); /* there may be more */
        else
            eventfd_read(m->ready, &ignored);
        pthread_mutex_unlock(&m->lock);
        if (told || r)
            return told ? 0 : r;
        struct pollfd wait = {.fd = m->set, .events = POLLIN};
        struct timespec left = deadline_left(deadline);
        if (deadline_passed(deadline))
            return fail(-ETIMEDOUT, "nothing has happened to buses and readers");
        if (ppoll(&wait, 1, deadline == NEVER ? NULL : &left, NULL) < 0 && errno == EINTR)
            return fail(-EINTR, "a signal came while waiting for what happens to buses");
    }
}

void framebus_monitor_close(struct framebus_monitor *m)
{
    if (!m)
        return;
    bool forked = m->fork.forked;
    fork_leave(&m->fork);
    if (!forked)
        monitor_forget(&m->fork);
    while (m->buses)
        monitor_remove(m, m->buses);
    framebus_info_free(m->departed, 1);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
