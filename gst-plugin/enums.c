/* SPDX-License-Identifier: MIT */
#include "enums.h"

#include <framebus.h>

static GType register_once(gsize *type, const char *name, const GEnumValue *values)
{
    if (g_once_init_enter(type))
        g_once_init_leave(type, g_enum_register_static(name, values));
    return *type;
}

GType memory_type(void)
{
    static const GEnumValue values[] = {
        {FRAMEBUS_MEMORY_MEMFD, "Sealed memfd: readers cannot write to it, nothing is left behind", "memfd"},
        {FRAMEBUS_MEMORY_POSIX, "POSIX shared memory, visible in /dev/shm; not sealed", "posix"},
        {FRAMEBUS_MEMORY_SYSV, "System V shared memory, visible to ipcs; not sealed", "sysv"},
        {0, NULL, NULL},
    };
    static gsize type;

    return register_once(&type, "GstFramebusMemory", values);
}

GType dmabuf_use_type(void)
{
    static const GEnumValue values[] = {
        {DMABUF_NONE, "None: upstream's are copied into slots", "none"},
        {DMABUF_UPSTREAM, "Those in upstream's own DMA-BUFs, which are shared as they are", "upstream"},
        {DMABUF_SLOTS, "All: slots are DMA-BUFs too, for upstream to import (needs /dev/udmabuf)", "slots"},
        {0, NULL, NULL},
    };
    static gsize type;

    return register_once(&type, "GstFramebusDmabuf", values);
}

GType delivery_type(void)
{
    static const GEnumValue values[] = {
        {FRAMEBUS_DELIVERY_LIVE, "In order; whoever is slow misses the oldest", "live"},
        {FRAMEBUS_DELIVERY_LATEST, "Only the newest frame", "latest"},
        {FRAMEBUS_DELIVERY_LOSSLESS, "Every frame; the writer, lossless too, waits", "lossless"},
        {0, NULL, NULL},
    };
    static gsize type;

    return register_once(&type, "GstFramebusDelivery", values);
}

GType on_disconnect_type(void)
{
    static const GEnumValue values[] = {
        {ON_DISCONNECT_WAIT, "Wait for the next writer of that name", "wait"},
        {ON_DISCONNECT_EOS, "End the stream", "eos"},
        {ON_DISCONNECT_ERROR, "Post an error", "error"},
        {0, NULL, NULL},
    };
    static gsize type;

    return register_once(&type, "GstFramebusOnDisconnect", values);
}

GType on_timeout_type(void)
{
    static const GEnumValue values[] = {
        {ON_TIMEOUT_MESSAGE, "Post a framebussrc-timeout message, again and again", "message"},
        {ON_TIMEOUT_EOS, "Post it and end the stream", "eos"},
        {ON_TIMEOUT_ERROR, "Post an error", "error"},
        {0, NULL, NULL},
    };
    static gsize type;

    return register_once(&type, "GstFramebusOnTimeout", values);
}
