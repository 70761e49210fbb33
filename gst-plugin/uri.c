/* SPDX-License-Identifier: MIT */
#include "uri.h"

/* The properties that a URI may set. It can come from a playlist, and must not reach any other. */
static const char *const parameters[] = {
    "delivery",   "hold",      "max-rate", "anticipate", "on-disconnect", "forward-eos", "timeout",
    "on-timeout", "keep-last", "is-live",  "dmabuf",     "do-timestamp",  NULL};

/* Sets one property, or only checks whether it can be set. */
static gboolean uri_apply_parameter(GObject *object, const char *name, const char *text, gboolean set,
                                    GError **error)
{
    GParamSpec *property = g_object_class_find_property(G_OBJECT_GET_CLASS(object), name);
    GValue value = G_VALUE_INIT;
    gboolean valid;

    if (!property || !g_strv_contains(parameters, name)) {
        g_autofree char *known = g_strjoinv(", ", (char **)parameters);

        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_REFERENCE, "\"%s\" is not one of %s", name,
                    known);
        return FALSE;
    }
    g_value_init(&value, property->value_type);
    valid = text && gst_value_deserialize(&value, text) && !g_param_value_validate(property, &value);
    if (!valid)
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_REFERENCE, "\"%s\" is not a value for \"%s\"",
                    text ? text : "", name);
    else if (set)
        g_object_set_property(object, name, &value);
    g_value_unset(&value);
    return valid;
}

static gboolean uri_apply_parameters(GObject *object, GHashTable *table, gboolean set, GError **error)
{
    GHashTableIter iter;
    gpointer name, text;

    if (!table)
        return TRUE;
    g_hash_table_iter_init(&iter, table);
    while (g_hash_table_iter_next(&iter, &name, &text)) {
        if (!uri_apply_parameter(object, name, text, set, error))
            return FALSE;
    }
    return TRUE;
}

/* Sets everything that the URI names, or nothing. */
static gboolean uri_apply(GObject *object, const char *text, GError **error)
{
    GstUri *uri = gst_uri_from_string(text);
    const char *host = uri ? gst_uri_get_host(uri) : NULL;
    g_autofree char *path = uri ? gst_uri_get_path(uri) : NULL;
    GHashTable *table = uri ? gst_uri_get_query_table(uri) : NULL;
    gboolean has_host = host && host[0];
    gboolean has_path = path && path[0] && strcmp(path, "/") != 0;
    gboolean done = FALSE;

    if (!uri || has_host == has_path) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                    "\"%s\" names no bus: use framebus://NAME or framebus:///path/of/the/socket", text);
    } else if (uri_apply_parameters(object, table, FALSE, error) &&
               uri_apply_parameters(object, table, TRUE, error)) {
        g_object_set(object, "bus", has_host ? host : path, NULL);
        done = TRUE;
    }
    g_clear_pointer(&table, g_hash_table_unref);
    g_clear_pointer(&uri, gst_uri_unref);
    return done;
}

static GstURIType uri_type(GType type G_GNUC_UNUSED)
{
    return GST_URI_SRC;
}

static const char *const *uri_protocols(GType type G_GNUC_UNUSED)
{
    static const char *const protocols[] = {"framebus", NULL};

    return protocols;
}

static char *uri_get(GstURIHandler *handler)
{
    g_autofree char *bus = NULL, *escaped = NULL;

    g_object_get(handler, "bus", &bus, NULL);
    if (!bus)
        return NULL;
    escaped = g_uri_escape_string(bus, "/", FALSE);
    return g_strconcat("framebus://", escaped, NULL);
}

static gboolean uri_set(GstURIHandler *handler, const char *uri, GError **error)
{
    if (GST_STATE(handler) > GST_STATE_READY) {
        g_set_error(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                    "the URI can be changed in NULL and READY only, not while running");
        return FALSE;
    }
    return uri_apply(G_OBJECT(handler), uri, error);
}

void uri_handler_init(gpointer data, gpointer user G_GNUC_UNUSED)
{
    GstURIHandlerInterface *interface = data;

    interface->get_type = uri_type;
    interface->get_protocols = uri_protocols;
    interface->get_uri = uri_get;
    interface->set_uri = uri_set;
}
