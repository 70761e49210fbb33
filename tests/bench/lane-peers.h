/* SPDX-License-Identifier: MIT */
/* Other ways to pass frames. */
#ifndef LANE_PEERS_H
#define LANE_PEERS_H

#include "lane.h"

extern const struct lane_kind lane_pipe, lane_socket, lane_fds;

#ifdef HAVE_ICEORYX
extern const struct lane_kind lane_iceoryx;

/* iceoryx's daemon, with memory for frames of this size. It ends when we do, not before: it would
 * take us with it. False if it does not start. */
bool roudi_start(size_t frame_size);
#endif

#endif
