/* SPDX-License-Identifier: MIT */
#include "inquiry.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Rates and counts change all the time, and are asked for at this interval. */
#define REFRESH_MS 1000

struct inquiry {
    struct wake *wake;
    pthread_t thread;
    pthread_mutex_t mutex;
    int changed;                      /* eventfd */
    struct framebus_monitor *monitor; /* the thread's: it tells when to ask at once */
    char watched[FRAMEBUS_PATH_MAX + 1];
    bool running, stop, asking, answered;
    char name[FRAMEBUS_PATH_MAX + 1];
    struct framebus_bus_info *infos;
    size_t count;
};

static void inquiry_ask(struct inquiry *inquiry)
{
    struct framebus_bus_info *infos = NULL;
    char name[sizeof inquiry->name];
    size_t count = 0;
    memcpy(name, inquiry->name, sizeof name);
    pthread_mutex_unlock(&inquiry->mutex);
    if (!*name)
        framebus_list(&infos, &count);
    else if (framebus_query(name, &infos) == 0)
        count = 1;
    pthread_mutex_lock(&inquiry->mutex);

    /* The question may have changed meanwhile. */
    if (!inquiry->asking || strcmp(name, inquiry->name)) {
        framebus_info_free(infos, count);
        return;
    }
    framebus_info_free(inquiry->infos, inquiry->count);
    inquiry->infos = infos;
    inquiry->count = count;
    inquiry->answered = true;
    wake_push(inquiry->wake, WAKE_INQUIRY);
}

/* Watches what is asked about, nothing if nothing is. */
static void inquiry_watch(struct inquiry *inquiry)
{
    if (inquiry->asking && inquiry->monitor && strcmp(inquiry->watched, inquiry->name) == 0)
        return;
    framebus_monitor_close(inquiry->monitor);
    inquiry->monitor = NULL;
    memcpy(inquiry->watched, inquiry->name, sizeof inquiry->watched);
    if (inquiry->asking) /* if this fails, there is still the interval */
        framebus_monitor_open(&inquiry->monitor, *inquiry->watched ? inquiry->watched : NULL);
}

/* Waits until the question has changed, or the answer may have. */
static void inquiry_wait(struct inquiry *inquiry, bool asking)
{
    struct pollfd wait[] = {
        {.fd = inquiry->changed, .events = POLLIN},
        {.fd = inquiry->monitor ? framebus_monitor_fd(inquiry->monitor) : -1, .events = POLLIN},
    };
    struct framebus_event event;
    eventfd_t ignored;
    poll(wait, 2, asking ? REFRESH_MS : -1);
    eventfd_read(inquiry->changed, &ignored);
    while (inquiry->monitor && framebus_monitor_next(inquiry->monitor, &event, 0) == 0)
        ;
}

static void *run(void *data)
{
    struct inquiry *inquiry = data;
    pthread_mutex_lock(&inquiry->mutex);
    while (!inquiry->stop) {
        bool asking = inquiry->asking;
        inquiry_watch(inquiry);
        if (asking)
            inquiry_ask(inquiry);
        pthread_mutex_unlock(&inquiry->mutex);
        inquiry_wait(inquiry, asking);
        pthread_mutex_lock(&inquiry->mutex);
    }
    pthread_mutex_unlock(&inquiry->mutex);
    return NULL;
}

struct inquiry *inquiry_create(struct wake *wake)
{
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);
    sigset_t all, before;
    if (!inquiry)
        return NULL;
    inquiry->wake = wake;
    pthread_mutex_init(&inquiry->mutex, NULL);
    inquiry->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    /* Signals are for the thread that waits in SDL. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    inquiry->running = inquiry->changed >= 0 && pthread_create(&inquiry->thread, NULL, run, inquiry) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (inquiry->running)
        return inquiry;
    inquiry_destroy(inquiry);
    return NULL;
}

void inquiry_destroy(struct inquiry *inquiry)
{
    if (!inquiry)
        return;
    pthread_mutex_lock(&inquiry->mutex);
    inquiry->stop = true;
    eventfd_write(inquiry->changed, 1);
    pthread_mutex_unlock(&inquiry->mutex);
    if (inquiry->running)
        pthread_join(inquiry->thread, NULL);
    framebus_monitor_close(inquiry->monitor);
    if (inquiry->changed >= 0)
        close(inquiry->changed);
    pthread_mutex_destroy(&inquiry->mutex);
    framebus_info_free(inquiry->infos, inquiry->count);
    free(inquiry);
}

void inquiry_set(struct inquiry *inquiry, const char *name)
{
    pthread_mutex_lock(&inquiry->mutex);
    bool same = name ? inquiry->asking && strcmp(inquiry->name, name) == 0 : !inquiry->asking;
    inquiry->asking = name != NULL;
    if (name)
        snprintf(inquiry->name, sizeof inquiry->name, "%s", name);
    if (!same)
        eventfd_write(inquiry->changed, 1);
    pthread_mutex_unlock(&inquiry->mutex);
}

bool inquiry_collect(struct inquiry *inquiry, struct framebus_bus_info **infos, size_t *count)
{
    pthread_mutex_lock(&inquiry->mutex);
    bool answered = inquiry->answered;
    if (answered) {
        *infos = inquiry->infos;
        *count = inquiry->count;
        inquiry->infos = NULL;
        inquiry->count = 0;
        inquiry->answered = false;
    }
    pthread_mutex_unlock(&inquiry->mutex);
    return answered;
}
