/* SPDX-License-Identifier: MIT */
/* Serves the readers of a bus in a thread of its own, so that they are let in and out while the pipeline is
 * paused or gives nothing, and tells who comes and goes. */
#ifndef GST_FRAMEBUS_SERVICE_H
#define GST_FRAMEBUS_SERVICE_H

#include "lender.h"

G_BEGIN_DECLS

/* Called in the service's thread. */
struct service_listener {
    void (*reader_added)(const struct framebus_peer_info *reader, guint readers, gpointer user);
    void (*reader_removed)(const struct framebus_peer_info *reader, guint readers, gpointer user);
    /* A reader has joined or missed something: it cannot decode what comes before the next key frame. */
    void (*key_frame_wanted)(gpointer user);
    void (*failed)(int error, gpointer user);
};

struct service;

/* NULL if no thread or file descriptor is to be had. */
struct service *service_start(GstFramebusLender *lender, const struct service_listener *listener,
                              gpointer user);

/* While frames are published, publishing serves readers too and the service must look by itself. */
void service_set_publishing(struct service *service, gboolean publishing);

void service_stop(struct service *service);

G_END_DECLS

#endif
