/* SPDX-License-Identifier: MIT */
/**
 * plugin-framebus:
 *
 * Since: 0.9
 */
#include "plugin.h"

#include "meta.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    gboolean registered = GST_ELEMENT_REGISTER(framebussink, plugin);

#if GST_CHECK_VERSION(1, 30, 0)
    gst_plugin_set_static_features_flag(plugin); /* they are the same everywhere: nothing to look for again */
#endif
    meta_register();
    registered &= GST_ELEMENT_REGISTER(framebussrc, plugin);
    registered &= GST_DEVICE_PROVIDER_REGISTER(framebusdeviceprovider, plugin);
    return registered;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, framebus,
                  "Video frames from one process into others, in place", plugin_init, VERSION, "MIT/X11",
                  "framebus", ORIGIN)
