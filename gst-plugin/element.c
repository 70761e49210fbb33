/* SPDX-License-Identifier: MIT */
#include "element.h"

#include <errno.h>
#include <framebus.h>

/* ---- Properties ---------------------------------------------------------------------------- */

static GType property_enum_type(const struct property *row)
{
    GType type = g_enum_register_static(row->enum_name, row->values);

    gst_type_mark_as_plugin_api(type, 0);
    return type;
}

static GParamSpec *property_spec(const struct property *row)
{
    const GParamFlags flags =
        row->when | G_PARAM_STATIC_STRINGS | G_PARAM_READABLE | (row->when ? G_PARAM_WRITABLE : 0);

    switch (row->type) {
    case G_TYPE_STRING:
        return g_param_spec_string(row->name, row->nick, row->blurb, NULL, flags);
    case G_TYPE_ENUM:
        return g_param_spec_enum(row->name, row->nick, row->blurb, property_enum_type(row), row->initial,
                                 flags);
    case G_TYPE_BOOLEAN:
        return g_param_spec_boolean(row->name, row->nick, row->blurb, row->initial, flags);
    case G_TYPE_INT:
        return g_param_spec_int(row->name, row->nick, row->blurb, row->least, row->most, row->initial, flags);
    case G_TYPE_UINT:
        return g_param_spec_uint(row->name, row->nick, row->blurb, row->least, row->most, row->initial,
                                 flags);
    case G_TYPE_INT64:
        return g_param_spec_int64(row->name, row->nick, row->blurb, row->least, row->most, row->initial,
                                  flags);
    case G_TYPE_UINT64:
        return g_param_spec_uint64(row->name, row->nick, row->blurb, row->least, row->most, row->initial,
                                   flags);
    default:
        return g_param_spec_boxed(row->name, row->nick, row->blurb, GST_TYPE_STRUCTURE, flags);
    }
}

void properties_install(const struct property *table, GObjectClass *class)
{
    for (guint i = 0; table[i].name; i++)
        g_object_class_install_property(class, i + 1, property_spec(&table[i]));
}

static void property_set(const struct property *row, gpointer settings, const GValue *value)
{
    gpointer at = (char *)settings + row->offset;

    switch (row->type) {
    case G_TYPE_STRING:
        g_free(*(char **)at);
        *(char **)at = g_value_dup_string(value);
        break;
    case G_TYPE_ENUM:
        *(int *)at = g_value_get_enum(value);
        break;
    case G_TYPE_BOOLEAN:
        *(bool *)at = g_value_get_boolean(value);
        break;
    case G_TYPE_INT:
        *(gint *)at = g_value_get_int(value);
        break;
    case G_TYPE_UINT:
        *(guint *)at = g_value_get_uint(value);
        break;
    case G_TYPE_INT64:
        *(gint64 *)at = g_value_get_int64(value);
        break;
    case G_TYPE_UINT64:
        *(guint64 *)at = g_value_get_uint64(value);
        break;
    default:
        break;
    }
}

static void property_get(const struct property *row, gconstpointer settings, GValue *value)
{
    gconstpointer at = (const char *)settings + row->offset;

    switch (row->type) {
    case G_TYPE_STRING:
        g_value_set_string(value, *(char *const *)at);
        break;
    case G_TYPE_ENUM:
        g_value_set_enum(value, *(const int *)at);
        break;
    case G_TYPE_BOOLEAN:
        g_value_set_boolean(value, *(const bool *)at);
        break;
    case G_TYPE_INT:
        g_value_set_int(value, *(const gint *)at);
        break;
    case G_TYPE_UINT:
        g_value_set_uint(value, *(const guint *)at);
        break;
    case G_TYPE_INT64:
        g_value_set_int64(value, *(const gint64 *)at);
        break;
    case G_TYPE_UINT64:
        g_value_set_uint64(value, *(const guint64 *)at);
        break;
    default:
        break;
    }
}

void properties_init(const struct property *table, gpointer settings, GObject *element)
{
    for (const struct property *row = table; row->name; row++) {
        GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), row->name);

        if (row->when)
            property_set(row, settings, g_param_spec_get_default_value(spec));
    }
}

void properties_finish(const struct property *table, gpointer settings)
{
    for (const struct property *row = table; row->name; row++) {
        if (row->type == G_TYPE_STRING)
            g_free(*(char **)((char *)settings + row->offset));
    }
}

/* Says that a property stays what it is. */
static void property_refuse(const struct property *row, GstElement *element, const GValue *present)
{
    g_autofree char *text = gst_value_serialize(present);

    GST_ELEMENT_WARNING(element, LIBRARY, SETTINGS,
                        ("%s of %s stays %s: it can be changed in NULL and READY only, not while running.",
                         row->name, GST_OBJECT_NAME(element), text ? text : "unset"),
                        (NULL));
}

void properties_set(const struct property *table, gpointer settings, GObject *element, guint id,
                    const GValue *value)
{
    const struct property *row = &table[id - 1];
    GValue present = G_VALUE_INIT;
    gboolean is_late;

    g_value_init(&present, G_VALUE_TYPE(value));
    GST_OBJECT_LOCK(element);
    /* A sink that waits for its first buffer is on its way only, but has begun to use its settings. */
    is_late = row->when == GST_PARAM_MUTABLE_READY &&
              MAX(GST_STATE(element), GST_STATE_NEXT(element)) > GST_STATE_READY;
    if (!is_late)
        property_set(row, settings, value);
    GST_OBJECT_UNLOCK(element);
    if (is_late)
        properties_get(table, settings, element, id, &present);
    if (is_late && gst_value_compare(&present, value) != GST_VALUE_EQUAL)
        property_refuse(row, GST_ELEMENT(element), &present);
    g_value_unset(&present);
}

void properties_get(const struct property *table, gconstpointer settings, GObject *element, guint id,
                    GValue *value)
{
    const struct property *row = &table[id - 1];

    if (row->get) {
        row->get(element, value);
        return;
    }
    GST_OBJECT_LOCK(element);
    property_get(row, settings, value);
    GST_OBJECT_UNLOCK(element);
}

/* ---- Messages ------------------------------------------------------------------------------ */

gboolean element_names_bus(GstElement *element, const char *bus)
{
    if (bus && bus[0])
        return TRUE;
    GST_ELEMENT_ERROR(element, RESOURCE, SETTINGS, ("No bus is named. Set the property, e.g. bus=cam0."),
                      (NULL));
    return FALSE;
}

void element_post(GstElement *element, GstStructure *structure)
{
    gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
}

static const struct {
    int error;
    GstResourceError code;
} codes[] = {
    {EADDRINUSE, GST_RESOURCE_ERROR_BUSY},
    {EBUSY, GST_RESOURCE_ERROR_BUSY},
    {EINVAL, GST_RESOURCE_ERROR_SETTINGS},
    {EOPNOTSUPP, GST_RESOURCE_ERROR_SETTINGS},
    {ENOENT, GST_RESOURCE_ERROR_NOT_FOUND},
    {EPIPE, GST_RESOURCE_ERROR_NOT_FOUND},
    {EACCES, GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {EPERM, GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {ECONNREFUSED, GST_RESOURCE_ERROR_NOT_AUTHORIZED},
    {ENOSPC, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
    {ENOMEM, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
};

void element_post_error(GstElement *element, int error)
{
    const char *sentence = framebus_last_error();
    GstResourceError code = GST_RESOURCE_ERROR_FAILED;

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        if (codes[i].error == -error)
            code = codes[i].code;
    }
    gst_element_message_full(element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, code,
                             g_strdup(sentence[0] ? sentence : g_strerror(-error)),
                             g_strdup(g_strerror(-error)), __FILE__, G_STRFUNC, __LINE__);
}
