/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <err.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "command.h"

static const char *name_of(const char *const *names, size_t count, size_t index)
{
    return index < count ? names[index] : "unknown";
}

const char *state_name(enum framebus_bus_state state)
{
    static const char *const names[] = {
        [FRAMEBUS_BUS_LIVE] = "live",
        [FRAMEBUS_BUS_SILENT] = "silent",
        [FRAMEBUS_BUS_STALE] = "stale",
        [FRAMEBUS_BUS_DENIED] = "denied",
    };

    return name_of(names, sizeof(names) / sizeof(names[0]), state);
}

const char *memory_name(enum framebus_memory memory)
{
    static const char *const names[] = {
        [FRAMEBUS_MEMORY_MEMFD] = "memfd",
        [FRAMEBUS_MEMORY_POSIX] = "posix",
        [FRAMEBUS_MEMORY_SYSV] = "sysv",
    };

    return name_of(names, sizeof(names) / sizeof(names[0]), memory);
}

const char *delivery_name(enum framebus_delivery delivery)
{
    static const char *const names[] = {
        [FRAMEBUS_DELIVERY_LIVE] = "live",
        [FRAMEBUS_DELIVERY_LATEST] = "latest",
        [FRAMEBUS_DELIVERY_LOSSLESS] = "lossless",
    };

    return name_of(names, sizeof(names) / sizeof(names[0]), delivery);
}

char *text_of(const char *text, ...)
{
    va_list arguments;
    char *result;

    va_start(arguments, text);
    if (vasprintf(&result, text, arguments) < 0)
        errx(STATUS_FAILED, "out of memory");
    va_end(arguments);
    return result;
}

char *printable(const char *text)
{
    char *result = text_of("%s", text), *at = result;
    mbstate_t state = {0};

    while (*at) {
        wchar_t character;
        size_t length = mbrtowc(&character, at, strlen(at), &state);

        if (length > MB_LEN_MAX) {
            memset(&state, 0, sizeof(state));
            length = 1;
            *at = '?';
        } else if (!iswprint((wint_t)character)) {
            memset(at, '?', length);
        }
        at += length;
    }
    return result;
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

char *byte_text(uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    double amount = (double)bytes / 1024;
    size_t unit = 0;

    while (amount >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1024;
        unit++;
    }
    return text_of("%.1f %s", amount, units[unit]);
}
