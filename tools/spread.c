/* SPDX-License-Identifier: MIT */
#include "spread.h"
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>

void spread_add(struct spread *spread, int64_t value)
{
    if (spread->count == spread->room) {
        size_t room = spread->room ? 2 * spread->room : 256;
        int64_t *more = realloc(spread->value, room * sizeof *more);
        if (!more)
            report_out_of_memory();
        spread->value = more;
        spread->room = room;
    }
    spread->value[spread->count++] = value;
}

static int compare_values(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t spread_at(struct spread *spread, double share)
{
    if (!spread->count)
        return 0;
    qsort(spread->value, spread->count, sizeof *spread->value, compare_values);
    size_t rank = (size_t)ceil(share * (double)spread->count);
    return spread->value[rank ? rank - 1 : 0];
}

double spread_mean(const struct spread *spread)
{
    double sum = 0;
    for (size_t i = 0; i < spread->count; i++)
        sum += (double)spread->value[i];
    return spread->count ? sum / (double)spread->count : 0;
}

double spread_deviation(const struct spread *spread)
{
    double mean = spread_mean(spread), sum = 0;
    for (size_t i = 0; i < spread->count; i++)
        sum += ((double)spread->value[i] - mean) * ((double)spread->value[i] - mean);
    return spread->count ? sqrt(sum / (double)spread->count) : 0;
}

void spread_clear(struct spread *spread)
{
    spread->count = 0;
}

void spread_finish(struct spread *spread)
{
    free(spread->value);
    *spread = (struct spread){0};
}
