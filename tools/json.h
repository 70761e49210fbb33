/* SPDX-License-Identifier: MIT */
/* JSON for scripts: values of objects, and everything that is known about a bus. */
#ifndef JSON_H
#define JSON_H

#include "framebus.h"

struct json_object;

/* Everything that is known about a bus. The same keys in every state; what is not known is null. */
struct json_object *json_of_bus(const struct framebus_bus_info *bus);

/* Add a value to an object. A text may be NULL, and what is not printable in it becomes question marks; a
 * rate has three decimals. */
void json_add_text(struct json_object *object, const char *key, const char *text);
void json_add_number(struct json_object *object, const char *key, uint64_t number);
void json_add_pid(struct json_object *object, const char *key, int32_t pid); /* null: it cannot be seen */
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_rate(struct json_object *object, const char *key, double rate);

/* Prints a value to standard output and frees it. */
void json_print(struct json_object *value);

/* The same on one line, at once: for values that come one after another. */
void json_print_line(struct json_object *value);

#endif
