/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* Where the log goes: the one piece of state that belongs to the process and not to a handle. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static framebus_log_handler log_handler;
static void *log_user;

static _Thread_local char last_error[LINE_MAX_BYTES];

static int log_default_level(void)
{
    const char *wanted = getenv("FRAMEBUS_LOG");
    if (!wanted || !*wanted)
        return FRAMEBUS_LOG_WARNING;
    for (int i = 0; i < (int)(sizeof level_names / sizeof *level_names); i++)
        if (!strcmp(wanted, level_names[i]))
            return i;
    return strcmp(wanted, "none") ? FRAMEBUS_LOG_WARNING : -1;
}

/*
 * A writer's lock may be held while a line is written, and the process that reads our standard error may have
 * stopped. So a line that does not fit is left out and counted. It is not written through stdio: another
 * thread that is stuck in such a write may hold stdio's lock.
 */
static void log_write(enum framebus_log_level level, const char *line)
{
    static atomic_uint left_out;
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) {
        atomic_fetch_add(&left_out, 1);
        return;
    }
    char text[LINE_MAX_BYTES + 80];
    unsigned missing = atomic_exchange(&left_out, 0);
    int length = missing ? snprintf(text, sizeof text, "framebus: (%u lines were left out) ", missing)
                         : snprintf(text, sizeof text, "framebus: ");
    length += snprintf(text + length, sizeof text - (size_t)length, "%s: %s\n", level_names[level], line);
    ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    (void)written; /* there is nowhere to report it */
}

static void log_deliver(enum framebus_log_level level, const char *line)
{
    int saved = errno;
    pthread_mutex_lock(&log_lock);
    framebus_log_handler handler = log_handler;
    void *user = log_user;
    pthread_mutex_unlock(&log_lock);
    if (handler)
        handler(level, line, user);
    else if ((int)level <= log_default_level())
        log_write(level, line);
    errno = saved;
}

void log_line(enum framebus_log_level level, const char *text, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, text);
    vsnprintf(line, sizeof line, text, args);
    va_end(args);
    log_deliver(level, line);
}

int fail(int error, const char *text, ...)
{
    char line[LINE_MAX_BYTES]; /* not last_error, which the arguments may quote */
    va_list args;
    va_start(args, text);
    vsnprintf(line, sizeof line, text, args);
    va_end(args);
    memcpy(last_error, line, sizeof line);
    log_deliver(FRAMEBUS_LOG_DEBUG, line);
    return error;
}

void log_before_fork(void)
{
    pthread_mutex_lock(&log_lock);
}

void log_after_fork(void)
{
    pthread_mutex_unlock(&log_lock);
}

const char *framebus_last_error(void)
{
    return last_error;
}

void framebus_set_log_handler(framebus_log_handler handler, void *user)
{
    pthread_mutex_lock(&log_lock);
    log_handler = handler;
    log_user = user;
    pthread_mutex_unlock(&log_lock);
}

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

const char *framebus_version(void)
{
    return TEXT_OF(FRAMEBUS_VERSION_MAJOR) "." TEXT_OF(FRAMEBUS_VERSION_MINOR) "." TEXT_OF(
        FRAMEBUS_VERSION_PATCH);
}
