/* SPDX-License-Identifier: MIT */
/* Lists the buses that are served, and follows their coming and going. */
#ifndef GST_FRAMEBUS_DEVICE_PROVIDER_H
#define GST_FRAMEBUS_DEVICE_PROVIDER_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_FRAMEBUS_DEVICE gst_framebus_device_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusDevice, gst_framebus_device, GST, FRAMEBUS_DEVICE, GstDevice)

#define GST_TYPE_FRAMEBUS_DEVICE_PROVIDER gst_framebus_device_provider_get_type()
G_DECLARE_FINAL_TYPE(GstFramebusDeviceProvider, gst_framebus_device_provider, GST, FRAMEBUS_DEVICE_PROVIDER,
                     GstDeviceProvider)

GST_DEVICE_PROVIDER_REGISTER_DECLARE(framebusdeviceprovider)

G_END_DECLS

#endif
