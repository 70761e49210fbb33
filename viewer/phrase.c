/* SPDX-License-Identifier: MIT */
#include "phrase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xf86drm.h>

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
    strftime(time, sizeof time, "%Y%m%d-%H%M%S", when);
    snprintf(text, room, "%s-%s-%06" PRIu64 ".png", slash ? slash + 1 : name, time, sequence);
    return text;
}
