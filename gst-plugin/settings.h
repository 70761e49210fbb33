/* SPDX-License-Identifier: MIT */
/* What users set of the elements, and how properties read and write it. All under the element's object lock.
 */
#ifndef GST_FRAMEBUS_SETTINGS_H
#define GST_FRAMEBUS_SETTINGS_H

#include "enums.h"

#include <framebus.h>
#include <glib-object.h>

G_BEGIN_DECLS

struct sink_settings {
    char *bus, *group;
    struct framebus_writer_options options; /* but for the group */
    enum dmabuf_use dmabuf;
};

struct src_settings {
    char *bus;
    enum framebus_delivery delivery;
    guint hold;
    enum on_disconnect on_disconnect;
    enum on_timeout on_timeout;
    gboolean forward_eos, keep_last;
    guint64 timeout;
};

void sink_settings_init(struct sink_settings *settings);
void sink_settings_finish(struct sink_settings *settings);

/* As set, or what is right for the kind of slots. */
guint sink_settings_max_slots(const struct sink_settings *settings);

/* `id` is of enum sink_property or src_property. FALSE: that one is none of these settings. */
gboolean sink_settings_set(struct sink_settings *settings, guint id, const GValue *value);
gboolean sink_settings_get(const struct sink_settings *settings, guint id, GValue *value);

void src_settings_init(struct src_settings *settings);
void src_settings_finish(struct src_settings *settings);
gboolean src_settings_set(struct src_settings *settings, guint id, const GValue *value);
gboolean src_settings_get(const struct src_settings *settings, guint id, GValue *value);

G_END_DECLS

#endif
