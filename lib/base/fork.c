/* SPDX-License-Identifier: MIT */
#include "base/fork.h"

#include "base/log.h"

#include <stddef.h>

/* All handles of the process: the handlers of fork() are called without a pointer. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fork_node *fork_list;

static void fork_before(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct fork_node *n = fork_list; n; n = n->next)
        if (n->lock)
            pthread_mutex_lock(n->lock);
    log_before_fork();
}

static void fork_in_parent(void)
{
    log_after_fork();
    for (struct fork_node *n = fork_list; n; n = n->next)
        if (n->lock)
            pthread_mutex_unlock(n->lock);
    pthread_mutex_unlock(&list_lock);
}

static void fork_in_child(void)
{
    log_after_fork();
    for (struct fork_node *n = fork_list; n; n = n->next) {
        if (n->lock)
            pthread_mutex_unlock(n->lock);
        n->forked = true;
        n->forget(n);
    }
    fork_list = NULL;
    pthread_mutex_unlock(&list_lock);
}

static void fork_install(void)
{
    pthread_atfork(fork_before, fork_in_parent, fork_in_child);
}

void fork_enter(struct fork_node *node, pthread_mutex_t *lock, void (*forget)(struct fork_node *node))
{
    pthread_once(&once, fork_install);
    pthread_mutex_lock(&list_lock);
    *node = (struct fork_node){.next = fork_list, .lock = lock, .forget = forget};
    if (fork_list)
        fork_list->previous = node;
    fork_list = node;
    pthread_mutex_unlock(&list_lock);
}

void fork_leave(struct fork_node *node)
{
    pthread_mutex_lock(&list_lock);
    if (!node->forked && node->forget) {
        if (node->previous)
            node->previous->next = node->next;
        else
            fork_list = node->next;
        if (node->next)
            node->next->previous = node->previous;
    }
    pthread_mutex_unlock(&list_lock);
}
