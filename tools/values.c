/* SPDX-License-Identifier: MIT */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

bool parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *number)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || value < min || value > max)
        return false;
    *number = (uint32_t)value;
    return true;
}

/* Numbers begin with a digit or a dot: neither a sign nor "inf" is meant. */
static bool read_real(const char *text, char **end, double *value)
{
    if (!isdigit((unsigned char)*text) && *text != '.')
        return false;
    *value = strtod(text, end);
    return *end != text && isfinite(*value);
}

bool parse_real(const char *text, double *value)
{
    double real;
    char *end;

    if (!read_real(text, &end, &real) || *end)
        return false;
    *value = real;
    return true;
}

bool parse_time(const char *text, int64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double value;
    char *end;

    if (!read_real(text, &end, &value))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(end, units[i].name) != 0 || value * units[i].ns > 1e18)
            continue;
        *ns = (int64_t)(value * units[i].ns);
        return true;
    }
    return false;
}

bool parse_rate(const char *text, uint32_t *num, uint32_t *den)
{
    const char *slash = strchr(text, '/');
    double value;
    uint32_t n;

    if (slash) {
        char *first = text_of("%.*s", (int)(slash - text), text);
        bool ok = parse_number(first, 0, INT32_MAX, &n) && parse_number(slash + 1, 1, INT32_MAX, den);

        free(first);
        if (ok)
            *num = n;
        return ok;
    }
    if (!parse_real(text, &value) || value > 1e6)
        return false;
    double ntsc = round(value) * 1000 / 1001; /* 23.976, 29.97, 59.94, ... */
    bool whole = value == floor(value), near = !whole && fabs(value - ntsc) < 0.006;
    *num = (uint32_t)(whole ? value : near ? round(value) * 1000 : round(value * 1000));
    *den = whole ? 1 : near ? 1001 : 1000;
    return true;
}

bool parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    const char *x = strchr(text, 'x');
    char *first = text_of("%.*s", x ? (int)(x - text) : 0, text);
    uint32_t w, h;
    bool ok =
        x && parse_number(first, 1, FRAMEBUS_SIDE_MAX, &w) && parse_number(x + 1, 1, FRAMEBUS_SIDE_MAX, &h);

    free(first);
    if (ok) {
        *width = w;
        *height = h;
    }
    return ok;
}

bool parse_memory(const char *text, enum framebus_memory *memory)
{
    for (unsigned i = FRAMEBUS_MEMORY_MEMFD; i <= FRAMEBUS_MEMORY_SYSV; i++) {
        if (strcmp(text, memory_name((enum framebus_memory)i)) != 0)
            continue;
        *memory = (enum framebus_memory)i;
        return true;
    }
    return false;
}
