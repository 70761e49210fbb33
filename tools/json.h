/* SPDX-License-Identifier: MIT */
#ifndef JSON_H
#define JSON_H

#include "framebus.h"

struct json_object;

/* Everything that is known about a bus. The same keys in every state; what is not known is null. */
struct json_object *json_of_bus(const struct framebus_bus_info *bus);

/* Prints a value to standard output and frees it. */
void print_json(struct json_object *value);

#endif
