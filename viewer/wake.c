/* SPDX-License-Identifier: MIT */
#include "wake.h"
#include "cli/clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STOP UINT64_MAX

/* Longest sleep in SDL. It can go to sleep although a signal has just come, or although Xlib has read an
 * event while another thread pushed one. Without a limit that would be noticed with the next event, which may
 * never come. */
#define POLL_MS 250

/* In some drivers SDL_WaitEventTimeout() sleeps in the kernel. In the others it polls every millisecond:
 * there the viewer waits for the thread's semaphore, and polls for keys every `poll_ms`. */
static const struct driver {
    const char *name;
    bool sleeps;
    int poll_ms;
} drivers[] = {
    {"x11", true, POLL_MS}, {"wayland", true, POLL_MS}, {"KMSDRM", false, 8},
    {"dummy", false, 100},  {"offscreen", false, 100},  {NULL, false, 8},
};

struct wake {
    int epoll, stop;
    int poll_ms;
    bool sleeps;
    Uint32 type;
    SDL_sem *pushed;
    pthread_t thread;
    bool running;
};

static const struct driver *driver_find(const char *name)
{
    unsigned i = 0;
    while (drivers[i].name && strcmp(drivers[i].name, name))
        i++;
    return &drivers[i];
}

void wake_push(struct wake *wake, int code)
{
    SDL_Event event = {.user = {.type = wake->type, .code = code}};
    SDL_PushEvent(&event);
    SDL_SemPost(wake->pushed);
}

static void *wake_run(void *data)
{
    struct wake *wake = data;
    struct epoll_event ready;
    for (;;) {
        int count = epoll_wait(wake->epoll, &ready, 1, -1);
        if (count < 0 && errno != EINTR)
            return NULL;
        if (count < 1)
            continue;
        if (ready.data.u64 == STOP)
            return NULL;
        wake_push(wake, (int)ready.data.u64);
    }
}

/* Signals are for the thread that waits in SDL. */
static int wake_start(struct wake *wake)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&wake->thread, NULL, wake_run, wake);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    wake->running = r == 0;
    return -r;
}

struct wake *wake_create(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = STOP};
    struct wake *wake = calloc(1, sizeof *wake);
    if (!wake)
        return NULL;
    const struct driver *driver = driver_find(SDL_GetCurrentVideoDriver());
    wake->poll_ms = driver->poll_ms;
    wake->sleeps = driver->sleeps;
    wake->type = SDL_RegisterEvents(1);
    wake->pushed = SDL_CreateSemaphore(0);
    wake->epoll = epoll_create1(EPOLL_CLOEXEC);
    wake->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!wake->pushed || wake->epoll < 0 || wake->stop < 0)
        goto fail;
    if (epoll_ctl(wake->epoll, EPOLL_CTL_ADD, wake->stop, &event) || wake_start(wake))
        goto fail;
    return wake;
fail:
    SDL_SetError("cannot watch the bus: %s", strerror(errno));
    wake_destroy(wake);
    return NULL;
}

void wake_destroy(struct wake *wake)
{
    if (!wake)
        return;
    if (wake->running) {
        eventfd_write(wake->stop, 1);
        pthread_join(wake->thread, NULL);
    }
    if (wake->stop >= 0)
        close(wake->stop);
    if (wake->epoll >= 0)
        close(wake->epoll);
    if (wake->pushed)
        SDL_DestroySemaphore(wake->pushed);
    free(wake);
}

int wake_watch(struct wake *wake, int fd, int code)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = (unsigned)code};
    if (epoll_ctl(wake->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    return errno == ENOENT && epoll_ctl(wake->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

Uint32 wake_event_type(const struct wake *wake)
{
    return wake->type;
}

static int ms_of(int64_t ns)
{
    return ns < 0 ? -1 : ns > 3600 * NS_PER_S ? 3600000 : (int)((ns + 999999) / 1000000);
}

bool wake_wait(struct wake *wake, int64_t timeout_ns, SDL_Event *event)
{
    int ms = ms_of(timeout_ns);
    if (ms < 0 || ms > wake->poll_ms)
        ms = wake->poll_ms;
    if (SDL_PollEvent(event))
        return true;
    if (wake->sleeps)
        return SDL_WaitEventTimeout(event, ms) == 1;
    SDL_SemWaitTimeout(wake->pushed, ms);
    while (SDL_SemTryWait(wake->pushed) == 0)
        ;
    return SDL_PollEvent(event) == 1;
}
