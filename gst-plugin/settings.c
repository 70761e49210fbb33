/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include "properties.h"

/* Unless the property is set. With DMA-BUFs each slot has its memory from the beginning. */
#define MAX_SLOTS         128
#define MAX_SLOTS_DMABUFS 32

/* ---- framebussink -------------------------------------------------------------------------- */

void sink_settings_init(struct sink_settings *settings)
{
    *settings = (struct sink_settings){
        .options = {.access_mode = 0600, .history = 4, .lossless_timeout_ns = GST_SECOND},
        .dmabuf = DMABUF_UPSTREAM,
    };
}

void sink_settings_finish(struct sink_settings *settings)
{
    g_free(settings->bus);
    g_free(settings->group);
}

guint sink_settings_max_slots(const struct sink_settings *settings)
{
    if (settings->options.max_slots)
        return settings->options.max_slots;
    return settings->options.dmabuf ? MAX_SLOTS_DMABUFS : MAX_SLOTS;
}

gboolean sink_settings_set(struct sink_settings *settings, guint id, const GValue *value)
{
    switch (id) {
    case SINK_BUS:
        g_free(settings->bus);
        settings->bus = g_value_dup_string(value);
        break;
    case SINK_MEMORY:
        settings->options.memory = g_value_get_enum(value);
        break;
    case SINK_ACCESS_MODE:
        settings->options.access_mode = g_value_get_uint(value);
        break;
    case SINK_GROUP:
        g_free(settings->group);
        settings->group = g_value_dup_string(value);
        break;
    case SINK_HISTORY:
        settings->options.history = g_value_get_uint(value);
        break;
    case SINK_MAX_SLOTS:
        settings->options.max_slots = g_value_get_uint(value);
        break;
    case SINK_DMABUF:
        settings->dmabuf = g_value_get_enum(value);
        settings->options.dmabuf = settings->dmabuf == DMABUF_SLOTS;
        break;
    case SINK_DMABUF_FOR_ALL:
        settings->options.dmabuf_for_all = g_value_get_boolean(value);
        break;
    case SINK_LOSSLESS:
        settings->options.lossless = g_value_get_boolean(value);
        break;
    case SINK_LOSSLESS_TIMEOUT:
        settings->options.lossless_timeout_ns = g_value_get_int64(value);
        break;
    default:
        return FALSE;
    }
    return TRUE;
}

gboolean sink_settings_get(const struct sink_settings *settings, guint id, GValue *value)
{
    switch (id) {
    case SINK_BUS:
        g_value_set_string(value, settings->bus);
        break;
    case SINK_MEMORY:
        g_value_set_enum(value, settings->options.memory);
        break;
    case SINK_ACCESS_MODE:
        g_value_set_uint(value, settings->options.access_mode);
        break;
    case SINK_GROUP:
        g_value_set_string(value, settings->group);
        break;
    case SINK_HISTORY:
        g_value_set_uint(value, settings->options.history);
        break;
    case SINK_MAX_SLOTS:
        g_value_set_uint(value, sink_settings_max_slots(settings));
        break;
    case SINK_DMABUF:
        g_value_set_enum(value, settings->dmabuf);
        break;
    case SINK_DMABUF_FOR_ALL:
        g_value_set_boolean(value, settings->options.dmabuf_for_all);
        break;
    case SINK_LOSSLESS:
        g_value_set_boolean(value, settings->options.lossless);
        break;
    case SINK_LOSSLESS_TIMEOUT:
        g_value_set_int64(value, settings->options.lossless_timeout_ns);
        break;
    default:
        return FALSE;
    }
    return TRUE;
}

/* ---- framebussrc --------------------------------------------------------------------------- */

void src_settings_init(struct src_settings *settings)
{
    *settings = (struct src_settings){.forward_eos = TRUE};
}

void src_settings_finish(struct src_settings *settings)
{
    g_free(settings->bus);
}

gboolean src_settings_set(struct src_settings *settings, guint id, const GValue *value)
{
    switch (id) {
    case SRC_BUS:
        g_free(settings->bus);
        settings->bus = g_value_dup_string(value);
        break;
    case SRC_DELIVERY:
        settings->delivery = g_value_get_enum(value);
        break;
    case SRC_HOLD:
        settings->hold = g_value_get_uint(value);
        break;
    case SRC_ON_DISCONNECT:
        settings->on_disconnect = g_value_get_enum(value);
        break;
    case SRC_FORWARD_EOS:
        settings->forward_eos = g_value_get_boolean(value);
        break;
    case SRC_TIMEOUT:
        settings->timeout = MIN(g_value_get_uint64(value), (guint64)G_MAXINT64 / 2);
        break;
    case SRC_ON_TIMEOUT:
        settings->on_timeout = g_value_get_enum(value);
        break;
    case SRC_KEEP_LAST:
        settings->keep_last = g_value_get_boolean(value);
        break;
    default:
        return FALSE;
    }
    return TRUE;
}

gboolean src_settings_get(const struct src_settings *settings, guint id, GValue *value)
{
    switch (id) {
    case SRC_BUS:
        g_value_set_string(value, settings->bus);
        break;
    case SRC_DELIVERY:
        g_value_set_enum(value, settings->delivery);
        break;
    case SRC_HOLD:
        g_value_set_uint(value, settings->hold);
        break;
    case SRC_ON_DISCONNECT:
        g_value_set_enum(value, settings->on_disconnect);
        break;
    case SRC_FORWARD_EOS:
        g_value_set_boolean(value, settings->forward_eos);
        break;
    case SRC_TIMEOUT:
        g_value_set_uint64(value, settings->timeout);
        break;
    case SRC_ON_TIMEOUT:
        g_value_set_enum(value, settings->on_timeout);
        break;
    case SRC_KEEP_LAST:
        g_value_set_boolean(value, settings->keep_last);
        break;
    default:
        return FALSE;
    }
    return TRUE;
}
