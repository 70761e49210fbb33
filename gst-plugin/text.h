/* SPDX-License-Identifier: MIT */
/* Text that another process has written, looked at before GStreamer parses it. */
#ifndef GST_FRAMEBUS_TEXT_H
#define GST_FRAMEBUS_TEXT_H

#include <gst/gst.h>

G_BEGIN_DECLS

/*
 * Returns TRUE if a text may be given to gst_caps_from_string() or gst_structure_from_string(). The time that
 * they take is exponential in how deep brackets are nested, and they keep each name for good: TRUE is for
 * texts that are hardly nested, and for a limited number of new names in a process.
 */
gboolean text_is_harmless(const char *text);

/* Return the structure, and the caps of one structure, that such a text tells, or NULL; without a warning,
 * which ends some programs. */
GstStructure *text_to_structure(const char *text);
GstCaps *text_to_caps(const char *text);

/* Returns TRUE if a name may be given to g_quark_from_string(), which keeps it for good: see above. */
gboolean text_may_be_name(const char *name);

G_END_DECLS

#endif
