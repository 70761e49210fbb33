/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct service {
    GstFramebusAllocator *allocator;
    const struct service_listener *listener;
    gpointer user;
    GThread *thread;
    int wake_fd;
    gint stop;
    guint64 changes; /* of readers and format, when they were looked at last */

    struct framebus_bus_info *known; /* the state that was reported last; NULL: there is none yet */
};

static const struct framebus_peer_info *info_find_reader(const struct framebus_bus_info *info, uint64_t id)
{
    for (guint i = 0; info && i < info->readers; i++) {
        if (info->reader[i].id == id)
            return &info->reader[i];
    }
    return NULL;
}

/* Calls `report` for each reader of `info` that `other` does not have. */
static void info_report_new(const struct framebus_bus_info *info, const struct framebus_bus_info *other,
                            guint readers, void (*report)(const struct framebus_peer_info *, guint, gpointer),
                            gpointer user)
{
    for (guint i = 0; info && i < info->readers; i++) {
        if (!info_find_reader(other, info->reader[i].id))
            report(&info->reader[i], readers, user);
    }
}

static void service_report(struct service *service)
{
    const struct service_listener *listener = service->listener;
    struct framebus_bus_info *info = allocator_info(service->allocator);

    if (!info)
        return;
    info_report_new(service->known, info, info->readers, listener->reader_removed, service->user);
    info_report_new(info, service->known, info->readers, listener->reader_added, service->user);
    framebus_info_free(service->known, 1);
    service->known = info;
}

/* Most wakes are of readers that gave something back. */
static void service_update(struct service *service)
{
    const struct service_listener *listener = service->listener;
    const guint64 changes = allocator_count_changes(service->allocator);

    if (changes != service->changes)
        service_report(service);
    service->changes = changes;
    if (allocator_wants_key_frame(service->allocator))
        listener->key_frame_wanted(service->user);
}

static gpointer service_run(gpointer data)
{
    struct service *service = data;
    struct pollfd fds[] = {
        {.fd = allocator_fd(service->allocator), .events = POLLIN},
        {.fd = service->wake_fd, .events = POLLIN},
    };
    eventfd_t count;
    int r = 0;

    while (!g_atomic_int_get(&service->stop) && r >= 0) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
            break;
        eventfd_read(service->wake_fd, &count);
        if (fds[0].revents)
            r = allocator_dispatch(service->allocator);
        if (r >= 0)
            service_update(service);
    }
    if (r < 0 && r != -ECANCELED)
        service->listener->failed(r, service->user);
    return NULL;
}

static void service_wake(struct service *service)
{
    eventfd_write(service->wake_fd, 1);
}

struct service *service_start(GstFramebusAllocator *allocator, const struct service_listener *listener,
                              gpointer user)
{
    struct service *service = g_new0(struct service, 1);

    service->allocator = gst_object_ref(allocator);
    service->listener = listener;
    service->user = user;
    service->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service->wake_fd < 0)
        goto fail;
    service->thread = g_thread_try_new("framebus-serve", service_run, service, NULL);
    if (!service->thread)
        goto fail;
    return service;

fail:
    service_stop(service);
    return NULL;
}

void service_stop(struct service *service)
{
    if (!service)
        return;
    if (service->thread) {
        g_atomic_int_set(&service->stop, TRUE);
        service_wake(service);
        g_thread_join(service->thread);
    }
    if (service->wake_fd >= 0)
        close(service->wake_fd);
    framebus_info_free(service->known, 1);
    gst_object_unref(service->allocator);
    g_free(service);
}
