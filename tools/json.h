/* SPDX-License-Identifier: MIT */
#ifndef JSON_H
#define JSON_H

#include "framebus.h"

struct json_object;

/* Everything that is known about a bus. The same keys in every state; what is not known is null. */
struct json_object *json_of_bus(const struct framebus_bus_info *bus);

/* A value of an object; what of `text` is not printable becomes question marks, a rate has three decimals. */
void add_text(struct json_object *object, const char *key, const char *text);
void add_number(struct json_object *object, const char *key, uint64_t number);
void add_bool(struct json_object *object, const char *key, bool value);
void add_rate(struct json_object *object, const char *key, double rate);

/* Prints a value to standard output and frees it. */
void print_json(struct json_object *value);

/* The same on one line, at once: for values that come one after another. */
void print_json_line(struct json_object *value);

#endif
