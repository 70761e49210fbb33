/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS_MAX 32

static const char *running = ""; /* name of the command, for complain() */

int complain(const char *text, ...)
{
    bool progress = isatty(STDERR_FILENO);
    va_list arguments;

    /* A line of progress may stand there. */
    fprintf(stderr, "%sframebus %s: ", progress ? "\r\033[K" : "", running);
    va_start(arguments, text);
    vfprintf(stderr, text, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return STATUS_FAILED;
}

/* The table as getopt wants it. Values of options without a letter are above those of letters. */
static void fill_options(const struct argument *arguments, struct option *options, char *letters)
{
    int count = 0;

    *letters++ = 'h';
    options[count++] = (struct option){"help", no_argument, NULL, 'h'};
    for (const struct argument *a = arguments; a->name; a++) {
        options[count++] = (struct option){a->name, a->parse ? required_argument : no_argument, NULL,
                                           a->letter ? a->letter : 256 + (int)(a - arguments)};
        if (a->letter)
            *letters++ = a->letter;
        if (a->letter && a->parse)
            *letters++ = ':';
    }
    *letters = 0;
    options[count] = (struct option){0};
}

static const struct argument *find_argument(const struct argument *arguments, int option)
{
    const struct argument *a = arguments;

    if (option >= 256)
        return arguments + (option - 256);
    while (a->letter != option)
        a++;
    return a;
}

bool read_arguments(const struct command *command, int argc, char **argv, const struct argument *arguments,
                    const char *const *operands, int count, int *status)
{
    struct option options[OPTIONS_MAX];
    char letters[2 * OPTIONS_MAX];
    int option;

    running = command->name;
    fill_options(arguments, options, letters);
    while ((option = next_option(command, argc, argv, letters, options, status)) > 0) {
        const struct argument *argument;
        const char *wrong;

        argument = find_argument(arguments, option);
        if (!argument->parse) {
            *(bool *)argument->value = true;
            continue;
        }
        wrong = argument->parse(optarg, argument->value);
        if (wrong) {
            *status = usage_error(command, "--%s %s: %s", argument->name, optarg, wrong);
            return false;
        }
    }
    if (option == 0)
        return false;
    if (argc - optind < count) {
        *status = usage_error(command, "%s is missing", operands[argc - optind]);
        return false;
    }
    return check_operands(command, argc, argv, count, count, status);
}

const char *parse_text(const char *text, void *value)
{
    *(const char **)value = text;
    return *text ? NULL : "must not be empty";
}

/* Digits only: strtoull would take signs and blanks. Returns what follows them, NULL if there are none. */
static const char *parse_number(const char *text, uint64_t *number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno ? NULL : end;
}

const char *parse_count(const char *text, void *value)
{
    uint64_t *count = value;
    const char *end = parse_number(text, count);

    return end && !*end && *count ? NULL : "must be a number from 1";
}

/* A number above zero, perhaps with a fraction, and what follows it; NULL if it is none. */
static const char *parse_real(const char *text, double *number)
{
    char *end;

    if (*text != '.' && (*text < '0' || *text > '9'))
        return NULL;
    *number = strtod(text, &end);
    return isfinite(*number) && *number > 0 ? end : NULL;
}

const char *parse_factor(const char *text, void *value)
{
    const char *end = parse_real(text, value);

    return end && !*end ? NULL : "must be a number above 0";
}

struct unit {
    const char *name;
    double factor;
};

static bool scale(const char *unit, const struct unit *units, double *number)
{
    for (; units->name; units++)
        if (strcmp(unit, units->name) == 0) {
            *number *= units->factor;
            return *number < 9e18;
        }
    return false;
}

const char *parse_duration(const char *text, void *value)
{
    static const struct unit units[] = {{"", 1e9}, {"s", 1e9},  {"ms", 1e6},   {"us", 1e3},
                                        {"ns", 1}, {"m", 60e9}, {"h", 3600e9}, {NULL, 0}};
    double number;
    const char *unit = parse_real(text, &number);

    if (!unit || !scale(unit, units, &number))
        return "must be a time such as 10s, 500ms or 2m";
    *(int64_t *)value = (int64_t)number;
    return NULL;
}

const char *parse_bytes(const char *text, void *value)
{
    static const struct unit units[] = {{"", 1},       {"k", 0x1p10},   {"K", 0x1p10}, {"KiB", 0x1p10},
                                        {"M", 0x1p20}, {"MiB", 0x1p20}, {"G", 0x1p30}, {"GiB", 0x1p30},
                                        {"T", 0x1p40}, {NULL, 0}};
    double number;
    const char *unit = parse_real(text, &number);

    if (!unit || !scale(unit, units, &number) || number < 1)
        return "must be a number of bytes such as 512M or 2G";
    *(uint64_t *)value = (uint64_t)number;
    return NULL;
}

static bool parse_pair(const char *text, char between, struct pair *pair)
{
    uint64_t first, second = 1;
    const char *at = parse_number(text, &first);

    if (at && *at == between)
        at = parse_number(at + 1, &second);
    else if (at && between == 'x')
        return false;
    if (!at || *at || !first || !second || first > INT32_MAX || second > INT32_MAX)
        return false;
    *pair = (struct pair){(uint32_t)first, (uint32_t)second};
    return true;
}

const char *parse_fraction(const char *text, void *value)
{
    struct pair *pair = value;
    double number;
    const char *end;

    if (parse_pair(text, '/', pair))
        return NULL;
    end = parse_real(text, &number);
    if (!end || *end || number > 1e6 || number < 1e-3)
        return "must be a number of frames a second such as 30, 30000/1001 or 29.97";
    /* 29.97 and its like are what broadcasters mean by n * 1000 / 1001. */
    if (fabs(number - ceil(number) * 1000 / 1001) < 0.005)
        *pair = (struct pair){(uint32_t)ceil(number) * 1000, 1001};
    else
        *pair = (struct pair){(uint32_t)lround(number * 1000), 1000};
    return NULL;
}

const char *parse_sides(const char *text, void *value)
{
    return parse_pair(text, 'x', value) ? NULL : "must be a width and a height such as 640x480";
}
