/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 200

struct service {
    GstFramebusLender *lender;
    const struct service_listener *listener;
    gpointer user;
    GThread *thread;
    int wake_fd;
    gint stop, publishing;

    struct framebus_bus_info *known; /* what was told last; NULL: nothing yet */
};

static gboolean is_same(const struct framebus_peer_info *a, const struct framebus_peer_info *b)
{
    return a->pid == b->pid && strcmp(a->label, b->label) == 0;
}

static guint count_of(const struct framebus_bus_info *info, guint until,
                      const struct framebus_peer_info *reader)
{
    guint count = 0;

    for (guint i = 0; info && i < MIN(until, info->readers); i++)
        count += is_same(&info->reader[i], reader);
    return count;
}

/* Calls `tell` for each reader of `info` that `other` does not have. One process may have several. */
static guint tell_of(const struct framebus_bus_info *info, const struct framebus_bus_info *other,
                     guint readers, void (*tell)(const struct framebus_peer_info *, guint, gpointer),
                     gpointer user)
{
    guint told = 0;

    for (guint i = 0; info && i < info->readers; i++) {
        if (count_of(info, i + 1, &info->reader[i]) > count_of(other, G_MAXUINT, &info->reader[i])) {
            tell(&info->reader[i], readers, user);
            told++;
        }
    }
    return told;
}

static guint64 missed_by_all(const struct framebus_bus_info *info)
{
    guint64 missed = 0;

    for (guint i = 0; info && i < info->readers; i++)
        missed += info->reader[i].missed;
    return missed;
}

static void look(struct service *service)
{
    const struct service_listener *listener = service->listener;
    struct framebus_bus_info *info = lender_info(service->lender);
    gboolean joined;

    if (!info)
        return;
    tell_of(service->known, info, info->readers, listener->reader_removed, service->user);
    joined = tell_of(info, service->known, info->readers, listener->reader_added, service->user) > 0;
    if (joined || missed_by_all(info) > missed_by_all(service->known))
        listener->key_frame_wanted(service->user);
    framebus_info_free(service->known, 1);
    service->known = info;
}

static gpointer serve(gpointer data)
{
    struct service *service = data;
    struct pollfd fds[] = {
        {.fd = lender_fd(service->lender), .events = POLLIN},
        {.fd = service->wake_fd, .events = POLLIN},
    };
    eventfd_t count;
    int r = 0;

    while (!g_atomic_int_get(&service->stop) && r >= 0) {
        int timeout = g_atomic_int_get(&service->publishing) ? LOOK_MS : -1;

        if (poll(fds, G_N_ELEMENTS(fds), timeout) < 0 && errno != EINTR)
            break;
        eventfd_read(service->wake_fd, &count);
        if (fds[0].revents)
            r = lender_dispatch(service->lender);
        if (r >= 0)
            look(service);
    }
    if (r < 0 && r != -ECANCELED)
        service->listener->failed(r, service->user);
    return NULL;
}

static void wake(struct service *service)
{
    eventfd_write(service->wake_fd, 1);
}

struct service *service_start(GstFramebusLender *lender, const struct service_listener *listener,
                              gpointer user)
{
    struct service *service = g_new0(struct service, 1);

    service->lender = gst_object_ref(lender);
    service->listener = listener;
    service->user = user;
    service->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service->wake_fd < 0)
        goto fail;
    service->thread = g_thread_try_new("framebus-serve", serve, service, NULL);
    if (!service->thread)
        goto fail;
    return service;

fail:
    service_stop(service);
    return NULL;
}

void service_set_publishing(struct service *service, gboolean publishing)
{
    g_atomic_int_set(&service->publishing, publishing);
    wake(service);
}

void service_stop(struct service *service)
{
    if (!service)
        return;
    if (service->thread) {
        g_atomic_int_set(&service->stop, TRUE);
        wake(service);
        g_thread_join(service->thread);
    }
    if (service->wake_fd >= 0)
        close(service->wake_fd);
    framebus_info_free(service->known, 1);
    gst_object_unref(service->lender);
    g_free(service);
}
