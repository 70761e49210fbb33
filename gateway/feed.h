/* SPDX-License-Identifier: MIT */
/*
 * A feed: the pipeline of one bus, for as long as somebody watches it; what gst-rtsp-server calls a media.
 * Its signal "ended" is emitted once, from a thread of its own, when nothing more will come of it.
 */
#ifndef GATEWAY_FEED_H
#define GATEWAY_FEED_H

#include <gst/rtsp-server/rtsp-server.h>

#define FEED_TYPE (feed_get_type())
G_DECLARE_FINAL_TYPE(Feed, feed, GATEWAY, FEED, GstRTSPMedia)

/* Tells a feed, before it starts, which bus it is of, and how that is called on the network. */
void feed_set_bus(Feed *feed, const char *name, const char *bus);

const char *feed_name(Feed *feed);

/* Asks the encoder for a key frame, so that a new client need not wait for the next one. */
void feed_ask_for_key_frame(Feed *feed);

#endif
