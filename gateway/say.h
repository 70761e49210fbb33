/* SPDX-License-Identifier: MIT */
/* What the program tells people, on standard error. Any thread. */
#ifndef GATEWAY_SAY_H
#define GATEWAY_SAY_H

#include <stdbool.h>

#include "framebus.h"

/* From now on say_more() is heard as well. */
void say_everything(void);

/* One line, after the name of the program. */
void say(const char *text, ...) FRAMEBUS_PRINTF(1, 2);

/* The same, with --verbose only. */
void say_more(const char *text, ...) FRAMEBUS_PRINTF(1, 2);

#endif
