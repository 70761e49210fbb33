/* SPDX-License-Identifier: MIT */
/* Colours on standard output if it is a terminal. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "framebus.h"

#define STYLE_BOLD   "1"
#define STYLE_FAINT  "2"
#define STYLE_RED    "31"
#define STYLE_GREEN  "32"
#define STYLE_YELLOW "33"

/* Prints text in a style, which may be NULL, if the terminal has colours and NO_COLOR is not set. */
void print_styled(const char *text, const char *style);

/* The style in which a state is printed. */
const char *state_style(enum framebus_bus_state state);

#endif
