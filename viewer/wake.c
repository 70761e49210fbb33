/* SPDX-License-Identifier: MIT */
#include "wake.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STOP UINT64_MAX

/* SDL can go to sleep in spite of a signal that has come just before, or of an event that Xlib has read
 * while another thread pushed one: it would be noticed with the next event, which may never come. */
#define LOOK_AGAIN_MS 250

/* In some drivers SDL_WaitEventTimeout() sleeps in the kernel, in the others it looks every
 * millisecond; there the thread's semaphore is waited for, and keys are looked at now and then. */
static const struct driver {
    const char *name;
    bool sleeps;
    int look_ms;
} drivers[] = {
    {"x11", true, LOOK_AGAIN_MS}, {"wayland", true, LOOK_AGAIN_MS}, {"KMSDRM", false, 8},
    {"dummy", false, 100},        {"offscreen", false, 100},        {NULL, false, 8},
};

struct wake {
    int epoll, stop;
    int look_ms;
    bool sleeps;
    Uint32 type;
    SDL_sem *pushed;
    pthread_t thread;
    bool running;
};

static const struct driver *find_driver(const char *name)
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

static void *watch(void *data)
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
static int start(struct wake *wake)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&wake->thread, NULL, watch, wake);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    wake->running = r == 0;
    return -r;
}

struct wake *wake_create(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = STOP};
    struct wake *wake = calloc(1, sizeof(*wake));

    if (!wake)
        return NULL;
    const struct driver *driver = find_driver(SDL_GetCurrentVideoDriver());
    wake->look_ms = driver->look_ms;
    wake->sleeps = driver->sleeps;
    wake->type = SDL_RegisterEvents(1);
    wake->pushed = SDL_CreateSemaphore(0);
    wake->epoll = epoll_create1(EPOLL_CLOEXEC);
    wake->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!wake->pushed || wake->epoll < 0 || wake->stop < 0)
        goto fail;
    if (epoll_ctl(wake->epoll, EPOLL_CTL_ADD, wake->stop, &event) || start(wake))
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

int wake_arm(struct wake *wake, int fd, int code)
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

static int to_ms(int64_t ns)
{
    return ns < 0 ? -1 : ns > 3600000000000ll ? 3600000 : (int)((ns + 999999) / 1000000);
}

bool wake_wait(struct wake *wake, int64_t timeout_ns, SDL_Event *event)
{
    int ms = to_ms(timeout_ns);

    if (ms < 0 || ms > wake->look_ms)
        ms = wake->look_ms;
    if (SDL_PollEvent(event))
        return true;
    if (wake->sleeps)
        return SDL_WaitEventTimeout(event, ms) == 1;
    SDL_SemWaitTimeout(wake->pushed, ms);
    while (SDL_SemTryWait(wake->pushed) == 0)
        ;
    return SDL_PollEvent(event) == 1;
}
