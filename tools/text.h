/* SPDX-License-Identifier: MIT */
/* Texts that are made for printing. Without memory for one the program ends. */
#ifndef TEXT_H
#define TEXT_H

#include "framebus.h"

#include <stdarg.h>

/* A formatted text, to be freed. */
char *text_of(const char *text, ...) FRAMEBUS_PRINTF(1, 2);
char *text_of_va(const char *text, va_list arguments) FRAMEBUS_PRINTF(1, 0);

/* A copy, to be freed, in which bytes that are not printable UTF-8 are question marks: what another program
 * calls itself must neither move the cursor nor break a JSON parser. */
char *text_printable(const char *text);

#define TEXT_TIME_ROOM 40

/* The local time of day as strftime writes it, with milliseconds; returns text. */
char *text_time_of_day(const char *how, char text[TEXT_TIME_ROOM]);

#endif
