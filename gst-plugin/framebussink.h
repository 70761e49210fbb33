/* SPDX-License-Identifier: MIT */
#ifndef GST_FRAMEBUS_SINK_H
#define GST_FRAMEBUS_SINK_H

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAMEBUS_SINK gst_framebus_sink_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusSink, gst_framebus_sink, GST, FRAMEBUS_SINK, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE(framebussink)

G_END_DECLS

#endif
