/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the window and for file descriptors at once. SDL waits for its display server alone, so a small
 * thread waits for the descriptors and pushes SDL events. Each wake_watch() causes one event at most, so they
 * do not pile up while the viewer is busy.
 */
#ifndef VIEWER_WAKE_H
#define VIEWER_WAKE_H

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

struct wake;

/* Codes of events that do not come from a descriptor. */
enum {
    WAKE_INQUIRY = -1,
};

/* NULL with SDL_GetError() set on failure. SDL's video must be initialised. */
struct wake *wake_create(void);
void wake_destroy(struct wake *wake);

/* Pushes one event of wake_event_type() whose code is `code` when `fd` becomes readable. It
 * has to be called again for the next one. Closing the descriptor ends the watch. */
int wake_watch(struct wake *wake, int fd, int code);

/* Pushes such an event at once. Any thread. */
void wake_push(struct wake *wake, int code);

Uint32 wake_event_type(const struct wake *wake);

/* Waits for an SDL event of any kind, at most timeout_ns (below zero: without limit), but may return sooner.
 * True: *event is set. */
bool wake_wait(struct wake *wake, int64_t timeout_ns, SDL_Event *event);

#endif
