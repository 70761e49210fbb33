/* SPDX-License-Identifier: MIT */
#include "phrase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xf86drm.h>

char *phrase_time(int64_t ns, char *text, size_t room)
{
    int64_t s = ns < 0 ? 0 : ns / 1000000000;

    if (s < 60)
        snprintf(text, room, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(text, room, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
    else if (s < 2 * 86400)
        snprintf(text, room, "%" PRId64 " h %02" PRId64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(text, room, "%" PRId64 " days", s / 86400);
    return text;
}

char *phrase_bytes(uint64_t bytes, char *text, size_t room)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = bytes;
    unsigned i = 0;

    while (value >= 1024 && i < sizeof(unit) / sizeof(*unit) - 1) {
        value /= 1024;
        i++;
    }
    snprintf(text, room, i && value < 100 ? "%.1f %s" : "%.0f %s", value, unit[i]);
    return text;
}

char *phrase_modifier(uint64_t modifier, char *text, size_t room)
{
    char *name, *vendor;

    if (!modifier) {
        snprintf(text, room, "linear");
        return text;
    }
    name = drmGetFormatModifierName(modifier);
    vendor = drmGetFormatModifierVendor(modifier);
    snprintf(text, room, "%s%s%s (0x%" PRIx64 ")", vendor ? vendor : "", vendor ? " " : "",
             name ? name : "unknown", modifier);
    free(name);
    free(vendor);
    return text;
}

char *phrase_file(const char *name, const struct tm *when, uint64_t sequence, char *text, size_t room)
{
    const char *slash = strrchr(name, '/');
    char time[32];

    strftime(time, sizeof(time), "%Y%m%d-%H%M%S", when);
    snprintf(text, room, "%s-%s-%06" PRIu64 ".png", slash ? slash + 1 : name, time, sequence);
    return text;
}
