/* SPDX-License-Identifier: MIT */
/**
 * plugin-framebusanalytics:
 *
 * Since: 0.9
 */
/* A plugin without elements: framebussink and framebussrc look for it by its name. It is apart from them
 * because GStreamer's analytics library is one of gst-plugins-bad. */
#include "analytics.h"

static gboolean analytics_plugin_init(GstPlugin *plugin)
{
    g_object_set_data(G_OBJECT(plugin), META_CARRIERS_KEY, (gpointer)&analytics_carriers);
    return TRUE;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, framebusanalytics,
                  "Lets framebussink and framebussrc carry the metas of GStreamer's analytics library",
                  analytics_plugin_init, VERSION, "MIT/X11", "framebus", ORIGIN)
