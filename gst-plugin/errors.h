/* SPDX-License-Identifier: MIT */
#ifndef GST_FRAMEBUS_ERRORS_H
#define GST_FRAMEBUS_ERRORS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Posts an error message: what the library said last in this thread, under the code that fits `error`. */
void post_library_error(GstElement *element, int error);

G_END_DECLS

#endif
