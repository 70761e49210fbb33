/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include "log.h"

#include <stddef.h>

/* All handles of the process: fork() asks none of us for a pointer. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fork_node *list;

static void before(void)
{
    pthread_mutex_lock(&list_lock);
    for (struct fork_node *n = list; n; n = n->next)
        if (n->lock)
            pthread_mutex_lock(n->lock);
    log_before_fork();
}

static void in_parent(void)
{
    log_after_fork();
    for (struct fork_node *n = list; n; n = n->next)
        if (n->lock)
            pthread_mutex_unlock(n->lock);
    pthread_mutex_unlock(&list_lock);
}

static void in_child(void)
{
    log_after_fork();
    for (struct fork_node *n = list; n; n = n->next) {
        if (n->lock)
            pthread_mutex_unlock(n->lock);
        n->forked = true;
        n->forget(n);
    }
    list = NULL;
    pthread_mutex_unlock(&list_lock);
}

static void install(void)
{
    pthread_atfork(before, in_parent, in_child);
}

void fork_enter(struct fork_node *node, pthread_mutex_t *lock, void (*forget)(struct fork_node *node))
{
    pthread_once(&once, install);
    pthread_mutex_lock(&list_lock);
    *node = (struct fork_node){.next = list, .lock = lock, .forget = forget};
    if (list)
        list->previous = node;
    list = node;
    pthread_mutex_unlock(&list_lock);
}

void fork_leave(struct fork_node *node)
{
    pthread_mutex_lock(&list_lock);
    if (!node->forked && node->forget) {
        if (node->previous)
            node->previous->next = node->next;
        else
            list = node->next;
        if (node->next)
            node->next->previous = node->previous;
    }
    pthread_mutex_unlock(&list_lock);
}
