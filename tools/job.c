/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "arguments.h"

static struct parcel *next_parcel(struct job *job, size_t *at)
{
    if (!job->shared)
        return store_take(job->store);
    return *at < job->count ? job->shared[(*at)++] : NULL;
}

static void account(struct job *job, const struct shot *shot, int error)
{
    pthread_mutex_lock(&job->lock);
    job->error = error;
    if (!error) {
        if (!job->frames++)
            job->first_ns = shot->publish_ns;
        job->last_ns = shot->publish_ns;
        job->bytes = job->recording.sink->bytes;
    }
    pthread_mutex_unlock(&job->lock);
}

static void *write_file(void *argument)
{
    struct job *job = argument;
    struct sink *sink = job->recording.sink;
    struct parcel *parcel;
    int error = 0;
    size_t at = 0;

    while ((parcel = next_parcel(job, &at))) {
        if (!error) {
            error = sink->kind->write(sink, &parcel->shot);
            account(job, &parcel->shot, error);
        }
        store_release(job->store, parcel);
    }
    if (!error)
        error = sink->kind->finish(sink);
    pthread_mutex_lock(&job->lock);
    job->error = error;
    job->bytes = sink->bytes;
    job->done = true;
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

int job_start(struct job *job)
{
    int r;

    job->frames = job->bytes = 0;
    job->first_ns = job->last_ns = 0;
    job->done = false;
    job->error = 0;
    r = -pthread_create(&job->thread, NULL, write_file, job);
    if (r < 0) {
        complain("no thread can be started: %s", strerror(-r));
        recording_close(&job->recording);
        return r;
    }
    job->running = true;
    return 0;
}

bool job_failed(struct job *job)
{
    bool failed;

    pthread_mutex_lock(&job->lock);
    failed = job->running && job->error;
    pthread_mutex_unlock(&job->lock);
    return failed;
}

bool job_done(struct job *job)
{
    bool done;

    pthread_mutex_lock(&job->lock);
    done = job->done;
    pthread_mutex_unlock(&job->lock);
    return done;
}

int job_finish(struct job *job)
{
    int r;

    pthread_join(job->thread, NULL);
    job->running = false;
    free(job->shared);
    job->shared = NULL;
    r = recording_close(&job->recording);
    return job->error ? job->error : r;
}
