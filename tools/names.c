/* SPDX-License-Identifier: MIT */
#include "names.h"
#include "text.h"

#include <string.h>

#define NAME_AT(names, index) ((size_t)(index) < sizeof(names) / sizeof *(names) ? (names)[index] : "unknown")

const char *state_name(enum framebus_bus_state state)
{
    static const char *const names[] = {
        [FRAMEBUS_BUS_LIVE] = "live",
        [FRAMEBUS_BUS_SILENT] = "silent",
        [FRAMEBUS_BUS_STALE] = "stale",
        [FRAMEBUS_BUS_DENIED] = "denied",
        [FRAMEBUS_BUS_INCOMPATIBLE] = "incompatible",
    };
    return NAME_AT(names, state);
}

const char *memory_name(enum framebus_memory memory)
{
    static const char *const names[] = {
        [FRAMEBUS_MEMORY_MEMFD] = "memfd",
        [FRAMEBUS_MEMORY_POSIX] = "posix",
        [FRAMEBUS_MEMORY_SYSV] = "sysv",
    };
    return NAME_AT(names, memory);
}

const char *delivery_name(enum framebus_delivery delivery)
{
    static const char *const names[] = {
        [FRAMEBUS_DELIVERY_LIVE] = "live",
        [FRAMEBUS_DELIVERY_LATEST] = "latest",
        [FRAMEBUS_DELIVERY_LOSSLESS] = "lossless",
    };
    return NAME_AT(names, delivery);
}

char *content_name(const struct framebus_format *format)
{
    const struct framebus_format_info *known = framebus_format_find(format->fourcc);
    if (known)
        return text_of("%s", known->name);
    if (format->fourcc)
        return text_of("0x%08x", format->fourcc);
    return text_of("%.*s", (int)strcspn(format->caps, ", ;("), format->caps);
}

const char *format_parse(const char *text, void *field)
{
    const struct framebus_format_info *info = framebus_format_by_name(text);
    if (!info)
        return "is not a pixel format such as NV12; 'framebus test --formats' lists them";
    *(const struct framebus_format_info **)field = info;
    return NULL;
}

const char *memory_parse(const char *text, void *field)
{
    for (int i = FRAMEBUS_MEMORY_MEMFD; i <= FRAMEBUS_MEMORY_SYSV; i++)
        if (strcmp(text, memory_name((enum framebus_memory)i)) == 0) {
            *(enum framebus_memory *)field = (enum framebus_memory)i;
            return NULL;
        }
    return "is not memfd, posix or sysv";
}
