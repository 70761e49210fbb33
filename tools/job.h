/* SPDX-License-Identifier: MIT */
/* A file that a thread of its own writes, so that a slow disk holds nobody up. */
#ifndef JOB_H
#define JOB_H

#include <pthread.h>

#include "file.h"
#include "store.h"

struct job {
    pthread_t thread;
    struct recording recording;
    struct store *store;
    struct parcel **shared; /* what is to be written; NULL: what comes into the store until it is closed */
    size_t count;
    pthread_mutex_t lock; /* of what follows; PTHREAD_MUTEX_INITIALIZER */
    bool running, done;
    int error;
    uint64_t frames, bytes;
    int64_t first_ns, last_ns; /* when they were published */
};

/* Begins to write to job->recording, which is open, what job->shared and job->store say. 0, or a negative
 * errno once the reason is said: the recording is closed then. */
int job_start(struct job *job);

/* Whether nothing more is written, because of an error; whether the thread has come to its end. */
bool job_failed(struct job *job);
bool job_done(struct job *job);

/* Waits for the thread and closes the file. 0, or what went wrong, which is said. */
int job_finish(struct job *job);

#endif
