/* SPDX-License-Identifier: MIT */
/* What standard output can do if it is a terminal. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

#include "framebus.h"

#define STYLE_BOLD   "1"
#define STYLE_FAINT  "2"
#define STYLE_RED    "31"
#define STYLE_GREEN  "32"
#define STYLE_YELLOW "33"

/* True if colours are wanted: on a terminal that has them, unless the environment has NO_COLOR. */
bool terminal_has_colors(void);

/* Prints text, in a style if that is not NULL and colours are wanted. */
void print_styled(const char *text, const char *style);

/* The style in which a state is told. */
const char *state_style(enum framebus_bus_state state);

#endif
