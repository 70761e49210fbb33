/* SPDX-License-Identifier: MIT */
/* How a bus gets onto the network. */
#ifndef GATEWAY_PLAN_H
#define GATEWAY_PLAN_H

#include <gst/rtsp/rtsp.h>

#include "framebus.h"
#include "options.h"

/*
 * The elements from a source called "source" to RTP packets, for gst_rtsp_media_factory_set_launch(), in
 * *launch, to be freed. Anything but GST_RTSP_STS_OK is what to answer the client; then *launch is NULL, and
 * why it cannot be sent has been said.
 */
GstRTSPStatusCode plan_launch(const struct framebus_bus_info *info, const struct options *options,
                              char **launch);

#endif
