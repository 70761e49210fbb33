/* SPDX-License-Identifier: MIT */
/* Pointers that users keep with the memory of frames. They are taken off under locks, and destroyed without.
 */
#ifndef FRAMEBUS_USER_H
#define FRAMEBUS_USER_H

struct user {
    void *pointer;
    void (*destroy)(void *pointer); /* may be NULL */
    struct user *next;              /* on a list of those to be destroyed */
};

/* Takes the pointer of a frame, if it has one, to a list. */
void user_take(struct user **user, struct user **list);

/* Destroys all on a list, which may be NULL. It comes without locks, since it calls the users. */
void users_destroy(struct user *list);

#endif
