/* SPDX-License-Identifier: MIT */
/* Words and figures for people. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

#include "framebus.h"

const char *state_name(enum framebus_bus_state state);
const char *memory_name(enum framebus_memory memory);
const char *delivery_name(enum framebus_delivery delivery);

/* A copy, to be freed, in which bytes that are no printable UTF-8 are question marks: what another program
 * calls itself must neither move the cursor nor break a JSON parser. */
char *printable(const char *text);

/* What the frames are: NV12, image/jpeg, ... To be freed. */
char *content_name(const struct framebus_format *format);

/* "17.8 MiB". To be freed. */
char *byte_text(uint64_t bytes);

/* As asprintf, but ends the program if there is no memory. To be freed. */
char *text_of(const char *text, ...) FRAMEBUS_PRINTF(1, 2);

#endif
