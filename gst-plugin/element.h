/* SPDX-License-Identifier: MIT */
/* What the elements framebussink and framebussrc share: properties that come from a table, and messages. */
#ifndef GST_FRAMEBUS_ELEMENT_H
#define GST_FRAMEBUS_ELEMENT_H

#include <gst/gst.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* One property: what gst-inspect-1.0 shows, and where its value is. A table ends with a row of zeroes. */
struct property {
    const char *name, *nick, *blurb;
    GType type;       /* G_TYPE_STRING, _ENUM, _BOOLEAN (a bool), _INT, _UINT, _INT64, _UINT64, _BOXED
                         (GstStructure) */
    GParamFlags when; /* GST_PARAM_MUTABLE_READY or _PLAYING; 0: it can only be read */
    gsize offset;     /* of its value in the element's settings */
    gint64 least, initial;
    guint64 most;
    const char *enum_name; /* the GType that is registered for an enum */
    const GEnumValue *values;

    /* Gets the value without the object lock; NULL: it is taken from the settings. */
    void (*get)(GObject *element, GValue *value);
};

/* Installs a table's properties with ids from 1 on. To be called once for each table, in class_init. */
void properties_install(const struct property *table, GObjectClass *class);

/* Gives each property in zeroed settings its initial value. */
void properties_init(const struct property *table, gpointer settings, GObject *element);

/* Frees the strings in the settings. */
void properties_finish(const struct property *table, gpointer settings);

/* What set_property and get_property of GObjectClass do. The settings are under the element's object lock.
 * What can be changed in READY only is left as it is in PAUSED and PLAYING, with a warning. */
void properties_set(const struct property *table, gpointer settings, GObject *element, guint id,
                    const GValue *value);
void properties_get(const struct property *table, gconstpointer settings, GObject *element, guint id,
                    GValue *value);

/* Returns TRUE if a bus is named; else posts an error. */
gboolean element_names_bus(GstElement *element, const char *bus);

/* Posts an element message. Takes ownership of the structure. */
void element_post(GstElement *element, GstStructure *structure);

/* Posts an error message: the library's last sentence in this thread, and the code that fits `error`. */
void element_post_error(GstElement *element, int error);

G_END_DECLS

#endif
