/* SPDX-License-Identifier: MIT */
/* The RTSP server: from the address that a client asks for to a bus. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "options.h"

struct gateway;

/* Listens, in the default main context. The options must live as long. Returns NULL, and has said why, if it
 * cannot. */
struct gateway *gateway_open(const struct options *options);

/* The port on which it listens. */
int gateway_port(const struct gateway *gateway);

/* Takes leave of all clients and runs the default main context until they are gone, for a few seconds at the
 * most. NULL is fine. */
void gateway_close(struct gateway *gateway);

#endif
