/* SPDX-License-Identifier: MIT */
/* framebus://NAME?property=value&... and framebus:///path/of/a/socket?... */
#ifndef GST_FRAMEBUS_URI_H
#define GST_FRAMEBUS_URI_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Implements GstURIHandler for an element with the property `bus` and those that a URI may set. */
void uri_handler_init(gpointer data, gpointer user);

G_END_DECLS

#endif
