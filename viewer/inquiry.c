/* SPDX-License-Identifier: MIT */
#include "inquiry.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct inquiry {
    struct wake *wake;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool running, stop, asking, answered;
    char name[FRAMEBUS_PATH_MAX + 1];
    struct framebus_bus_info *infos;
    size_t count;
};

static void ask(struct inquiry *inquiry)
{
    struct framebus_bus_info *infos = NULL;
    char name[sizeof(inquiry->name)];
    size_t count = 0;

    memcpy(name, inquiry->name, sizeof(name));
    pthread_mutex_unlock(&inquiry->mutex);
    if (!*name)
        framebus_list(&infos, &count);
    else if (framebus_query(name, &infos) == 0)
        count = 1;
    pthread_mutex_lock(&inquiry->mutex);

    /* In between somebody may have asked for something else. */
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

static void *run(void *data)
{
    struct inquiry *inquiry = data;
    struct timespec next;

    pthread_mutex_lock(&inquiry->mutex);
    while (!inquiry->stop) {
        if (!inquiry->asking) {
            pthread_cond_wait(&inquiry->changed, &inquiry->mutex);
            continue;
        }
        ask(inquiry);
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_sec++;
        if (!inquiry->stop)
            pthread_cond_timedwait(&inquiry->changed, &inquiry->mutex, &next);
    }
    pthread_mutex_unlock(&inquiry->mutex);
    return NULL;
}

struct inquiry *inquiry_create(struct wake *wake)
{
    struct inquiry *inquiry = calloc(1, sizeof(*inquiry));
    pthread_condattr_t monotonic;
    sigset_t all, before;

    if (!inquiry)
        return NULL;
    inquiry->wake = wake;
    pthread_mutex_init(&inquiry->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&inquiry->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);

    /* Signals are for the thread that waits in SDL. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    inquiry->running = pthread_create(&inquiry->thread, NULL, run, inquiry) == 0;
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
    pthread_cond_signal(&inquiry->changed);
    pthread_mutex_unlock(&inquiry->mutex);
    if (inquiry->running)
        pthread_join(inquiry->thread, NULL);
    pthread_cond_destroy(&inquiry->changed);
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
        snprintf(inquiry->name, sizeof(inquiry->name), "%s", name);
    if (!same)
        pthread_cond_signal(&inquiry->changed);
    pthread_mutex_unlock(&inquiry->mutex);
}

bool inquiry_take(struct inquiry *inquiry, struct framebus_bus_info **infos, size_t *count)
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
