/* SPDX-License-Identifier: MIT */
#include "values.h"
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *value_text(const char *text, void *field)
{
    if (!*text)
        return "is empty";
    *(const char **)field = text;
    return NULL;
}

/* Reads digits only: strtoull would take signs and blanks. Returns what follows them; NULL if there are none.
 */
static const char *read_whole(const char *text, uint64_t *number)
{
    if (*text < '0' || *text > '9')
        return NULL;
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno ? NULL : end;
}

/* Reads zero or more, perhaps with decimals, but neither a sign nor "inf". Returns what follows; NULL if the
 * text does not begin so. */
static const char *read_real(const char *text, double *number)
{
    if (*text != '.' && (*text < '0' || *text > '9'))
        return NULL;
    char *end;
    *number = strtod(text, &end);
    return end != text && isfinite(*number) ? end : NULL;
}

bool value_within(const char *text, uint32_t least, uint32_t most, uint32_t *number)
{
    uint64_t value;
    const char *end = read_whole(text, &value);
    if (!end || *end || value < least || value > most)
        return false;
    *number = (uint32_t)value;
    return true;
}

const char *value_count(const char *text, void *field)
{
    uint64_t count;
    const char *end = read_whole(text, &count);
    if (!end || *end || !count)
        return "is not a whole number from 1";
    *(uint64_t *)field = count;
    return NULL;
}

const char *value_amount(const char *text, void *field)
{
    double amount;
    const char *end = read_real(text, &amount);
    if (!end || *end)
        return "is not a number from 0";
    *(double *)field = amount;
    return NULL;
}

const char *value_factor(const char *text, void *field)
{
    double factor;
    const char *end = read_real(text, &factor);
    if (!end || *end || factor <= 0)
        return "is not a number above 0";
    *(double *)field = factor;
    return NULL;
}

struct unit {
    const char *name;
    double factor;
};

/* Reads a number and its unit. False if either is not there, or the product does not fit in 63 bits. */
static bool read_scaled(const char *text, const struct unit *unit, double *number)
{
    const char *name = read_real(text, number);
    for (; name && unit->name; unit++)
        if (strcmp(name, unit->name) == 0) {
            *number *= unit->factor;
            return *number >= 1 && *number < 9e18;
        }
    return false;
}

const char *value_duration(const char *text, void *field)
{
    static const struct unit units[] = {{"", 1e9}, {"s", 1e9},  {"ms", 1e6},   {"us", 1e3},
                                        {"ns", 1}, {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};
    double number;
    if (!read_scaled(text, units, &number))
        return "is not a time such as 10s, 500ms or 2m";
    *(int64_t *)field = (int64_t)number;
    return NULL;
}

const char *value_interval(const char *text, void *field)
{
    int64_t ns;
    if (value_duration(text, &ns) || ns < NS_PER_MS)
        return "is not a time of at least 1ms, such as 1s";
    *(int64_t *)field = ns;
    return NULL;
}

const char *value_bytes(const char *text, void *field)
{
    static const struct unit units[] = {{"", 1},       {"k", 0x1p10},   {"K", 0x1p10}, {"KiB", 0x1p10},
                                        {"M", 0x1p20}, {"MiB", 0x1p20}, {"G", 0x1p30}, {"GiB", 0x1p30},
                                        {"T", 0x1p40}, {NULL, 0}};
    double number;
    if (!read_scaled(text, units, &number))
        return "is not a number of bytes such as 512M or 2G";
    *(uint64_t *)field = (uint64_t)number;
    return NULL;
}

/* Reads two whole numbers above 0 with a character between them. */
static bool read_pair(const char *text, char between, struct value_pair *pair)
{
    uint64_t first, second;
    const char *end = read_whole(text, &first);
    end = end && *end == between ? read_whole(end + 1, &second) : NULL;
    if (!end || *end || !first || !second || first > INT32_MAX || second > INT32_MAX)
        return false;
    *pair = (struct value_pair){(uint32_t)first, (uint32_t)second};
    return true;
}

const char *value_size(const char *text, void *field)
{
    return read_pair(text, 'x', field) ? NULL : "is not a width and a height such as 640x480";
}

const char *value_rate(const char *text, void *field)
{
    struct value_pair *rate = field;
    if (read_pair(text, '/', rate))
        return NULL;
    double number;
    const char *end = read_real(text, &number);
    if (!end || *end || number > 1e6 || number < 1e-3)
        return "is not a number of frames a second such as 30, 30000/1001 or 29.97";
    /* 29.97 and its like are what broadcasters mean by n * 1000 / 1001. */
    if (number == rint(number))
        *rate = (struct value_pair){(uint32_t)number, 1};
    else if (fabs(number - ceil(number) * 1000 / 1001) < 0.005)
        *rate = (struct value_pair){(uint32_t)ceil(number) * 1000, 1001};
    else
        *rate = (struct value_pair){(uint32_t)lround(number * 1000), 1000};
    return NULL;
}

int value_choice(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}
