/* SPDX-License-Identifier: MIT */
/* Measured values, of which percentiles, mean and deviation can be computed. */
#ifndef SPREAD_H
#define SPREAD_H

#include <stddef.h>
#include <stdint.h>

struct spread {
    int64_t *value;
    size_t count, room;
};

void spread_add(struct spread *spread, int64_t value);

/* The percentile that is a share of 1: 0 the lowest value, 0.5 the median, 1 the highest. Sorts the values.
 * 0 if there are none. */
int64_t spread_at(struct spread *spread, double share);

double spread_mean(const struct spread *spread);
double spread_deviation(const struct spread *spread);

/* Forgets the values; spread_finish() also frees the memory. */
void spread_clear(struct spread *spread);
void spread_finish(struct spread *spread);

#endif
