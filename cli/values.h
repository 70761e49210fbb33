/* SPDX-License-Identifier: MIT */
/*
 * Values of options as people write them. Each function stores the value in the field and returns NULL; or it
 * leaves the field alone and returns the end of a sentence that begins with the value: "is not a size".
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <stdbool.h>
#include <stdint.h>

const char *value_text(const char *text, void *field);     /* const char *, not empty; not copied */
const char *value_count(const char *text, void *field);    /* uint64_t from 1 */
const char *value_amount(const char *text, void *field);   /* double from 0 */
const char *value_factor(const char *text, void *field);   /* double above 0 */
const char *value_bytes(const char *text, void *field);    /* uint64_t from 1: 2G, 512M, 64k, 100 */
const char *value_duration(const char *text, void *field); /* int64_t in ns, from 1: 10s, 500ms, 2m, 10 */
const char *value_interval(const char *text, void *field); /* the same, from 1 ms */

struct value_pair {
    uint32_t first, second;
};

const char *value_size(const char *text, void *field); /* struct value_pair: 640x480 */
const char *value_rate(const char *text, void *field); /* struct value_pair: 30, 30000/1001, 29.97 */

/* False if the text is not a whole number from least to most. */
bool value_within(const char *text, uint32_t least, uint32_t most, uint32_t *number);

/* The place of the text in a list of `count` names; -1 if it is not there. */
int value_choice(const char *text, const char *const *names, int count);

#endif
