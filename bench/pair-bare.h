/* SPDX-License-Identifier: MIT */
/* The least that two elements in two processes can do: one rings an eventfd, the other waits for it. */
#ifndef PAIR_BARE_H
#define PAIR_BARE_H

#include <gst/gst.h>
#include <stdint.h>

/** Registers "baresink" and "baresrc", which share eventfd `fd`. `newest` is the number that the source puts
 * into its buffer of 8 bytes in place of a picture. */
void pair_bare_register(int fd, const _Atomic int64_t *newest);

#endif
