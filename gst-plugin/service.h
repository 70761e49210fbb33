/* SPDX-License-Identifier: MIT */
/* Serves the readers of a bus in a thread of its own, so that they come and go while the pipeline is paused
 * or gives nothing, and reports those that do. */
#ifndef GST_FRAMEBUS_SERVICE_H
#define GST_FRAMEBUS_SERVICE_H

#include "allocator.h"

G_BEGIN_DECLS

/* Called in the service's thread. */
struct service_listener {
    void (*reader_added)(const struct framebus_peer_info *reader, guint readers, gpointer user);
    void (*reader_removed)(const struct framebus_peer_info *reader, guint readers, gpointer user);
    /* A reader has joined, missed something or asked: see framebus_writer_wants_key_frame(). */
    void (*key_frame_wanted)(gpointer user);
    void (*failed)(int error, gpointer user);
};

struct service;

/* Returns NULL if a thread or a file descriptor cannot be had. */
struct service *service_start(GstFramebusAllocator *allocator, const struct service_listener *listener,
                              gpointer user);

void service_stop(struct service *service);

G_END_DECLS

#endif
