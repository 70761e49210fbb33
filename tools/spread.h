/* SPDX-License-Identifier: MIT */
/* Values, to know afterwards how they were spread. */
#ifndef SPREAD_H
#define SPREAD_H

#include <stddef.h>
#include <stdint.h>

struct spread {
    int64_t *value;
    size_t count, room;
};

void spread_add(struct spread *spread, int64_t value);

/* The value below or at which that share of all is: 0 the lowest, 0.99 the 99th percentile, 1 the highest.
 * Sorts them. 0 if there are none. */
int64_t spread_at(struct spread *spread, double share);

double spread_mean(const struct spread *spread);
double spread_deviation(const struct spread *spread);

/* Forgets the values; spread_finish() also frees the memory. */
void spread_clear(struct spread *spread);
void spread_finish(struct spread *spread);

#endif
