/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool terminal_has_colors(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void print_styled(const char *text, const char *style)
{
    if (style && terminal_has_colors())
        printf("\033[%sm%s\033[0m", style, text);
    else
        fputs(text, stdout);
}

const char *state_style(enum framebus_bus_state state)
{
    switch (state) {
    case FRAMEBUS_BUS_LIVE:
        return STYLE_GREEN;
    case FRAMEBUS_BUS_SILENT:
        return STYLE_YELLOW;
    case FRAMEBUS_BUS_STALE:
    case FRAMEBUS_BUS_DENIED:
    case FRAMEBUS_BUS_INCOMPATIBLE:
        return STYLE_RED;
    }
    return NULL;
}
