/* SPDX-License-Identifier: MIT */
/* What keys, mouse and window manager ask for. */
#ifndef VIEWER_KEYS_H
#define VIEWER_KEYS_H

#include "viewer.h"

void keys_handle(struct viewer *viewer, const SDL_Event *event);

#endif
