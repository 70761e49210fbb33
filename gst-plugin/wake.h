/* SPDX-License-Identifier: MIT */
/* What ends the waits of a streaming thread: that it is to stop waiting, or that something is asked of it. */
#ifndef GST_FRAMEBUS_WAKE_H
#define GST_FRAMEBUS_WAKE_H

#include <glib.h>

G_BEGIN_DECLS

struct wake {
    GMutex lock;
    int fd; /* an eventfd that is readable while one of the two is set; -1: there is none */
    gboolean unlocked;
    gint asked; /* written with the lock held; atomic */
};

/* `fd` is -1 if there are no more file descriptors. */
void wake_init(struct wake *wake);
void wake_finish(struct wake *wake);

/* Begins and ends the time in which nothing waits. Any thread. */
void wake_set_unlocked(struct wake *wake, gboolean unlocked);
gboolean wake_is_unlocked(struct wake *wake);

/* Asks the streaming thread to look at what it is to do. Any thread. */
void wake_ask(struct wake *wake);

/* Returns TRUE if it was asked since the last call. */
gboolean wake_take(struct wake *wake);

G_END_DECLS

#endif
