/* SPDX-License-Identifier: MIT */
/*
 * A forked child inherits our sockets and locks. While it keeps them open, nobody notices that the
 * parent has died. So every handle is entered here, and in a forked child all of them close their
 * fds at once.
 */
#ifndef FRAMEBUS_FORK_H
#define FRAMEBUS_FORK_H

#include <pthread.h>
#include <stdbool.h>

struct fork_node {
    struct fork_node *next, *previous;
    pthread_mutex_t *lock; /* held over the fork, so that the child sees a whole handle; may be NULL */
    void (*forget)(struct fork_node *node); /* in the child: close fds, async-signal-safe */
    bool forked;                            /* this is the child: the handle is dead */
};

/* Neither may be called with the node's lock held. fork_leave does nothing in the child. */
void fork_enter(struct fork_node *node, pthread_mutex_t *lock, void (*forget)(struct fork_node *node));
void fork_leave(struct fork_node *node);

#endif
