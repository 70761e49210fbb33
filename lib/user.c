/* SPDX-License-Identifier: MIT */
#include "user.h"

#include "base/log.h"
#include "frame.h"

#include <errno.h>
#include <stdlib.h>

void user_take(struct user **user, struct user **list)
{
    if (!*user)
        return;
    (*user)->next = *list;
    *list = *user;
    *user = NULL;
}

void users_destroy(struct user *list)
{
    while (list) {
        struct user *user = list;
        list = user->next;
        if (user->destroy)
            user->destroy(user->pointer);
        free(user);
    }
}

int framebus_frame_set_user(struct framebus_frame *frame, void *pointer, void (*destroy)(void *pointer))
{
    struct frame *f = (struct frame *)frame;
    if (!f || f->state == FRAME_FREE)
        return fail(-EINVAL, "a pointer can be kept with a frame that is held, and this one is not");
    if (f->handle->forked)
        return fail(-ECHILD, "this frame belongs to the parent process");
    if (f->user && f->user->pointer == pointer) {
        f->user->destroy = destroy;
        return 0;
    }
    struct user *user = NULL, *before = NULL;
    if (pointer) {
        user = malloc(sizeof *user);
        if (!user)
            return fail(-ENOMEM, "no memory to keep a pointer with a frame");
        *user = (struct user){.pointer = pointer, .destroy = destroy};
    }
    user_take(&f->user, &before);
    f->user = user;
    users_destroy(before);
    return 0;
}

void *framebus_frame_get_user(const struct framebus_frame *frame)
{
    const struct frame *f = (const struct frame *)frame;
    return f && f->user ? f->user->pointer : NULL;
}
