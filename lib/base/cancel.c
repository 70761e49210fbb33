/* SPDX-License-Identifier: MIT */
#include "base/cancel.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int cancel_init(struct cancel *cancel)
{
    cancel->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return cancel->event < 0 ? fail(-errno, "cannot make an eventfd for cancelling: %s", strerror(errno)) : 0;
}

void cancel_finish(struct cancel *cancel)
{
    if (cancel->event >= 0)
        close(cancel->event);
    cancel->event = -1;
}

void cancel_set(struct cancel *cancel)
{
    int error = errno;
    atomic_store(&cancel->set, true);
    eventfd_write(cancel->event, 1); /* fails only when the counter is full, and then it is readable */
    errno = error;
}

void cancel_clear(struct cancel *cancel)
{
    int error = errno;
    eventfd_t ignored;
    atomic_store(&cancel->set, false);
    eventfd_read(cancel->event, &ignored); /* fails if it was not set */
    errno = error;
}

void cancel_drain(struct cancel *cancel)
{
    eventfd_t ignored;
    if (cancel_is_set(cancel) || eventfd_read(cancel->event, &ignored))
        return;
    if (atomic_load(&cancel->set)) /* meanwhile: what was read may have been this one */
        eventfd_write(cancel->event, 1);
}
