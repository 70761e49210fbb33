/* SPDX-License-Identifier: MIT */
/* Other ways to pass frames. */
#ifndef LANE_PEERS_H
#define LANE_PEERS_H

#include "lane.h"

extern const struct lane_kind lane_pipe, lane_socket, lane_fds;

#ifdef HAVE_ICEORYX
extern const struct lane_kind lane_iceoryx;

/* iceoryx's daemon, with memory for frames of this size. False if it does not start. When it ends, it
 * ends its clients too. */
bool roudi_start(size_t frame_size);
void roudi_stop(void);
#endif

#endif
