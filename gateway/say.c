/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>

static bool everything;

static void put(const char *text, va_list arguments)
{
    g_autofree char *line = g_strdup_vprintf(text, arguments);

    /* In one piece, since every client has a thread of its own. */
    fprintf(stderr, "framebus-rtsp: %s\n", line);
}

void say_everything(void)
{
    everything = true;
}

void say(const char *text, ...)
{
    va_list arguments;

    va_start(arguments, text);
    put(text, arguments);
    va_end(arguments);
}

void say_more(const char *text, ...)
{
    va_list arguments;

    if (!everything)
        return;
    va_start(arguments, text);
    put(text, arguments);
    va_end(arguments);
}
