/* SPDX-License-Identifier: MIT */
/* The elements' properties as gst-inspect-1.0 shows them. */
#ifndef GST_FRAMEBUS_PROPERTIES_H
#define GST_FRAMEBUS_PROPERTIES_H

#include <gst/gst.h>

G_BEGIN_DECLS

enum sink_property {
    SINK_BUS = 1,
    SINK_MEMORY,
    SINK_ACCESS_MODE,
    SINK_GROUP,
    SINK_HISTORY,
    SINK_MAX_SLOTS,
    SINK_DMABUF,
    SINK_DMABUF_FOR_ALL,
    SINK_LOSSLESS,
    SINK_LOSSLESS_TIMEOUT,
    SINK_WAIT_FOR_CONNECTION,
    SINK_NUM_READERS,
    SINK_STATS,
    SINK_PROPERTIES
};

enum src_property {
    SRC_BUS = 1,
    SRC_DELIVERY,
    SRC_HOLD,
    SRC_ON_DISCONNECT,
    SRC_FORWARD_EOS,
    SRC_TIMEOUT,
    SRC_ON_TIMEOUT,
    SRC_KEEP_LAST,
    SRC_STATS,
    SRC_PROPERTIES
};

/* `props` gets the specifications, SINK_PROPERTIES of them. */
void sink_properties_install(GObjectClass *class, GParamSpec **props);
void src_properties_install(GObjectClass *class);

G_END_DECLS

#endif
