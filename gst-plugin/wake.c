/* SPDX-License-Identifier: MIT */
#include "wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

void wake_init(struct wake *wake)
{
    g_mutex_init(&wake->lock);
    wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    wake->unlocked = FALSE;
    wake->asked = FALSE;
}

void wake_finish(struct wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    g_mutex_clear(&wake->lock);
}

/* Makes the fd say what the two are, with the lock held. */
static void wake_update(struct wake *wake)
{
    eventfd_t count;

    if (wake->unlocked || wake->asked)
        eventfd_write(wake->fd, 1); /* fails only when the counter is full, and then it is readable */
    else
        eventfd_read(wake->fd, &count);
}

void wake_set_unlocked(struct wake *wake, gboolean unlocked)
{
    g_mutex_lock(&wake->lock);
    wake->unlocked = unlocked;
    wake_update(wake);
    g_mutex_unlock(&wake->lock);
}

gboolean wake_is_unlocked(struct wake *wake)
{
    gboolean unlocked;

    g_mutex_lock(&wake->lock);
    unlocked = wake->unlocked;
    g_mutex_unlock(&wake->lock);
    return unlocked;
}

void wake_ask(struct wake *wake)
{
    g_mutex_lock(&wake->lock);
    g_atomic_int_set(&wake->asked, TRUE);
    wake_update(wake);
    g_mutex_unlock(&wake->lock);
}

gboolean wake_take(struct wake *wake)
{
    if (!g_atomic_int_get(&wake->asked)) /* as it is before almost every frame */
        return FALSE;
    g_mutex_lock(&wake->lock);
    g_atomic_int_set(&wake->asked, FALSE);
    wake_update(wake);
    g_mutex_unlock(&wake->lock);
    return TRUE;
}
