/* SPDX-License-Identifier: MIT */
/*
 * What the plugin registers with GStreamer: framebussink (sink.c), framebussrc (src.c) and a device provider
 * (device.c). What they are made of:
 *
 *   sink  allocator  the bus's writer, whose slots are lent as memory
 *         pool       the buffer pool that upstream gets
 *         publish    a buffer goes onto the bus in place, as an import, or by a copy
 *         import     upstream's own memory
 *         service    the thread that serves the readers
 *   src   source-bus, source-frames
 *                    the bus that is read, and its frames: parts of the element
 *         buffer     a frame as a buffer, in place or copied
 *         dmabuf     frames in DMA-BUFs; the sink's slots too
 *         uri        framebus://NAME
 *   both  element    properties and messages
 *         caps       formats
 *         meta       what travels beside the pixels, each kind of which is a file of metas/
 *         tags       what is said once about a stream
 *         text       what others wrote, before it is parsed
 *         timing     capture times, timestamps, latency
 *         reference  the reference of properties, signals and enumerations, for hotdoc
 *
 * analytics/ is a plugin of its own, from which they take further kinds.
 */
#ifndef GST_FRAMEBUS_PLUGIN_H
#define GST_FRAMEBUS_PLUGIN_H

#include <gst/gst.h>

/* Who made the elements, as gst-inspect-1.0 shows it. */
#define PLUGIN_AUTHORS "The framebus authors <framebus@example.org>"

G_BEGIN_DECLS

GST_ELEMENT_REGISTER_DECLARE(framebussink)
GST_ELEMENT_REGISTER_DECLARE(framebussrc)
GST_DEVICE_PROVIDER_REGISTER_DECLARE(framebusdeviceprovider)

G_END_DECLS

#endif
