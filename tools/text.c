/* SPDX-License-Identifier: MIT */
#include "text.h"
#include "cli/clock.h"
#include "cli/report.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

char *text_of_va(const char *text, va_list arguments)
{
    char *result;
    if (vasprintf(&result, text, arguments) < 0)
        report_out_of_memory();
    return result;
}

char *text_of(const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    char *result = text_of_va(text, arguments);
    va_end(arguments);
    return result;
}

char *text_printable(const char *text)
{
    char *result = text_of("%s", text), *at = result;
    mbstate_t state = {0};
    while (*at) {
        wchar_t character;
        size_t length = mbrtowc(&character, at, strlen(at), &state);
        if (length > MB_LEN_MAX) {
            memset(&state, 0, sizeof state);
            length = 1;
            *at = '?';
        } else if (!iswprint((wint_t)character)) {
            memset(at, '?', length);
        }
        at += length;
    }
    return result;
}

char *text_time_of_day(const char *how, char text[TEXT_TIME_ROOM])
{
    struct timespec now;
    struct tm local;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    size_t length = strftime(text, TEXT_TIME_ROOM, how, &local);
    snprintf(text + length, TEXT_TIME_ROOM - length, ".%03u", (unsigned)(now.tv_nsec / NS_PER_MS) % 1000);
    return text;
}
