/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *speaker_name;
static bool verbose;

void report_init(const char *speaker)
{
    speaker_name = speaker;
}

const char *report_speaker(void)
{
    return speaker_name;
}

/* Prints in one piece, whatever other threads print at the same time. */
static void print_line(const char *text, va_list arguments)
{
    flockfile(stderr);
    /* A line of progress may be there. */
    fprintf(stderr, "%s%s: ", isatty(STDERR_FILENO) ? "\r\033[K" : "", speaker_name);
    vfprintf(stderr, text, arguments);
    fputc('\n', stderr);
    funlockfile(stderr);
}

int report_error(const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    print_line(text, arguments);
    va_end(arguments);
    return STATUS_FAILED;
}

void report_set_verbose(void)
{
    verbose = true;
}

void report_detail(const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    if (verbose)
        print_line(text, arguments);
    va_end(arguments);
}

int report_usage(const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    print_line(text, arguments);
    va_end(arguments);
    fprintf(stderr, "Try '%s --help'.\n", speaker_name);
    return STATUS_USAGE;
}

void report_out_of_memory(void)
{
    exit(report_error("out of memory"));
}
