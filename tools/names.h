/* SPDX-License-Identifier: MIT */
/* Names of states, kinds of memory, ways of delivery and formats. */
#ifndef NAMES_H
#define NAMES_H

#include "framebus.h"

const char *state_name(enum framebus_bus_state state);
const char *memory_name(enum framebus_memory memory);
const char *delivery_name(enum framebus_delivery delivery);

/* The kind of frames of this format: NV12, image/jpeg, ... To be freed. */
char *content_name(const struct framebus_format *format);

/* The values of options that are such a name: see cli/values.h. */
const char *format_parse(const char *text, void *field); /* const struct framebus_format_info * */
const char *memory_parse(const char *text, void *field); /* enum framebus_memory */

#endif
