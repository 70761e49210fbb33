/* SPDX-License-Identifier: MIT */
/* A file that a thread of its own writes, so that a slow disk holds up nothing else. */
#ifndef RECORDING_H
#define RECORDING_H

#include "media/store.h"

#include <pthread.h>

struct recording {
    pthread_t thread;
    char *path;
    int fd;
    struct sink *sink;
    struct store *store;
    struct parcel **shared; /* parcels to write; NULL: all that come into the store until it is closed */
    size_t count;           /* number of them */
    pthread_mutex_t lock;   /* lock of the fields below; PTHREAD_MUTEX_INITIALIZER */
    bool running, done;
    int error;
    uint64_t frames, bytes;
    int64_t first_ns, last_ns; /* times of publication of the first and the last frame */
};

struct recording_options {
    const char *path; /* name of the file; its end says the kind: see file.h */
    bool force;       /* a file that exists is replaced, which is an error otherwise */
    bool number;      /* if the file exists a number is added to the name: out-2.mkv */
    bool convert;     /* see y4m_sink_open() */
};

/* Makes a new file and begins to write the parcels of recording->store or ->shared to it. 0, or a negative
 * errno once the reason is reported. */
int recording_start(struct recording *recording, const struct recording_options *options);

/* True if nothing more is written because of an error; true if the thread has come to its end. */
bool recording_failed(struct recording *recording);
bool recording_done(struct recording *recording);

/* Waits for the thread and closes the file; one without a byte is removed. 0, or the error, which is
 * reported. The path stays until the caller frees it. */
int recording_finish(struct recording *recording);

#endif
