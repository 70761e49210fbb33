/* SPDX-License-Identifier: MIT */
#include "media/recording.h"
#include "cli/report.h"
#include "media/file.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_MAX 100000 /* in names of files */

static struct parcel *recording_next(struct recording *recording, size_t *at)
{
    if (!recording->shared)
        return store_pop(recording->store);
    return *at < recording->count ? recording->shared[(*at)++] : NULL;
}

static void recording_count(struct recording *recording, const struct framebus_frame *frame, int error)
{
    pthread_mutex_lock(&recording->lock);
    recording->error = error;
    if (!error) {
        if (!recording->frames++)
            recording->first_ns = frame->publish_ns;
        recording->last_ns = frame->publish_ns;
        recording->bytes = recording->sink->bytes;
    }
    pthread_mutex_unlock(&recording->lock);
}

static void *recording_thread(void *argument)
{
    struct recording *recording = argument;
    struct sink *sink = recording->sink;
    struct parcel *parcel;
    int error = 0;
    size_t at = 0;
    while ((parcel = recording_next(recording, &at))) {
        if (!error) {
            error = sink->kind->write(sink, &parcel->saved);
            recording_count(recording, &parcel->saved.frame, error);
        }
        store_return(recording->store, parcel);
    }
    if (!error && sink->kind->finish)
        error = sink->kind->finish(sink);
    pthread_mutex_lock(&recording->lock);
    recording->error = error;
    recording->bytes = sink->bytes;
    recording->done = true;
    pthread_mutex_unlock(&recording->lock);
    return NULL;
}

/* Makes the file, and sets path and fd. */
static int recording_create(struct recording *recording, const struct recording_options *options)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (options->force && !options->number ? O_TRUNC : O_EXCL);
    size_t stem = strlen(options->path) - FILE_ENDING;
    recording->path = text_of("%s", options->path);
    recording->fd = open(recording->path, flags, 0666);
    for (int i = 2; options->number && recording->fd < 0 && errno == EEXIST && i < NUMBER_MAX; i++) {
        free(recording->path);
        recording->path = text_of("%.*s-%d%s", (int)stem, options->path, i, options->path + stem);
        recording->fd = open(recording->path, flags, 0666);
    }
    if (recording->fd >= 0)
        return 0;
    int r = -errno;
    report_error("%s: %s%s", recording->path, strerror(-r), r == -EEXIST ? "; --force replaces it" : "");
    return r;
}

static int recording_close(struct recording *recording)
{
    if (recording->sink)
        recording->sink->kind->close(recording->sink);
    if (lseek(recording->fd, 0, SEEK_END) == 0)
        unlink(recording->path);
    if (close(recording->fd) == 0)
        return 0;
    int r = -errno;
    report_error("%s: %s", recording->path, strerror(-r));
    return r;
}

int recording_start(struct recording *recording, const struct recording_options *options)
{
    recording->frames = recording->bytes = 0;
    recording->first_ns = recording->last_ns = 0;
    recording->done = false;
    recording->error = 0;
    int r = recording_create(recording, options);
    if (r < 0)
        goto fail;
    recording->sink = file_sink_open(options->path, recording->fd, options->convert);
    r = recording->sink ? -pthread_create(&recording->thread, NULL, recording_thread, recording) : -ENOTSUP;
    recording->running = r == 0;
    if (r == 0)
        return 0;
    if (recording->sink)
        report_error("no thread can be started: %s", strerror(-r));
    recording_close(recording);
fail:
    free(recording->path);
    recording->path = NULL;
    return r;
}

bool recording_failed(struct recording *recording)
{
    pthread_mutex_lock(&recording->lock);
    bool failed = recording->running && recording->error;
    pthread_mutex_unlock(&recording->lock);
    return failed;
}

bool recording_done(struct recording *recording)
{
    pthread_mutex_lock(&recording->lock);
    bool done = recording->done;
    pthread_mutex_unlock(&recording->lock);
    return done;
}

int recording_finish(struct recording *recording)
{
    pthread_join(recording->thread, NULL);
    recording->running = false;
    free(recording->shared);
    recording->shared = NULL;
    int r = recording_close(recording);
    return recording->error ? recording->error : r;
}
