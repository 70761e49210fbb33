/* SPDX-License-Identifier: MIT */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
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
bool parse_real(const char *text, double *value)
{
    char *end;
    double real = strtod(text, &end);

    if ((!isdigit((unsigned char)*text) && *text != '.') || end == text || *end || !isfinite(real))
        return false;
    *value = real;
    return true;
}

bool parse_time(const char *text, int64_t *ns)
{
    return !parse_duration(text, ns);
}

bool parse_rate(const char *text, uint32_t *num, uint32_t *den)
{
    struct pair rate = {0, 1};

    if (strcmp(text, "0") != 0 && parse_fraction(text, &rate))
        return false;
    *num = rate.first;
    *den = rate.second;
    return true;
}

bool parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    struct pair sides;

    if (parse_sides(text, &sides) || sides.first > FRAMEBUS_SIDE_MAX || sides.second > FRAMEBUS_SIDE_MAX)
        return false;
    *width = sides.first;
    *height = sides.second;
    return true;
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
