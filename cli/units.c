/* SPDX-License-Identifier: MIT */
#include "units.h"
#include "clock.h"

#include <inttypes.h>
#include <stdio.h>

char *units_bytes(uint64_t bytes, char text[UNITS_ROOM])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned i = 0;
    for (; value >= 1024 && i + 1 < sizeof unit / sizeof *unit; i++)
        value /= 1024;
    snprintf(text, UNITS_ROOM, i && value < 100 ? "%.1f %s" : "%.0f %s", value, unit[i]);
    return text;
}

char *units_duration(int64_t ns, char text[UNITS_ROOM])
{
    int64_t s = ns < 0 ? 0 : ns / NS_PER_S, tenths = ns / (NS_PER_S / 10);
    if (ns > 0 && s == 0)
        snprintf(text, UNITS_ROOM, "%" PRId64 " ms", ns / NS_PER_MS);
    else if (s && s < 10 && tenths % 10)
        snprintf(text, UNITS_ROOM, "%" PRId64 ".%" PRId64 " s", s, tenths % 10);
    else if (s < 60)
        snprintf(text, UNITS_ROOM, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(text, UNITS_ROOM, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
    else if (s < 2 * 86400)
        snprintf(text, UNITS_ROOM, "%" PRId64 " h %02" PRId64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(text, UNITS_ROOM, "%" PRId64 " days", s / 86400);
    return text;
}
