/* SPDX-License-Identifier: MIT */
#include "statistics.h"
#include "cli/clock.h"

#include <math.h>
#include <stdlib.h>

#define RECENT_NS (3 * NS_PER_S)
#define MS        1e-6

void statistics_add(struct statistics *statistics, const struct statistics_sample *sample, uint64_t missed)
{
    statistics->sample[statistics->next] = *sample;
    statistics->next = (statistics->next + 1) % STATISTICS_SAMPLES;
    if (statistics->used < STATISTICS_SAMPLES)
        statistics->used++;
    statistics->shown++;
    statistics->missed += missed;
}

void statistics_restart(struct statistics *statistics)
{
    statistics->next = 0;
    statistics->used = 0;
}

/* The newest sample is 0 back. */
static const struct statistics_sample *statistics_sample_at(const struct statistics *statistics,
                                                            unsigned back)
{
    return &statistics->sample[(statistics->next + STATISTICS_SAMPLES - 1 - back) % STATISTICS_SAMPLES];
}

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double rate_of(uint64_t count, int64_t ns)
{
    return ns > 0 ? count * 1e9 / ns : 0;
}

static double deviation_of(const double *value, unsigned count)
{
    double mean = 0, sum = 0;
    for (unsigned i = 0; i < count; i++)
        mean += value[i] / count;
    for (unsigned i = 0; i < count; i++)
        sum += (value[i] - mean) * (value[i] - mean);
    return count > 1 ? sqrt(sum / (count - 1)) : 0;
}

void statistics_summarise(const struct statistics *statistics, int64_t now_ns,
                          struct statistics_summary *summary)
{
    double value[STATISTICS_SAMPLES];
    unsigned count = 0;
    *summary = (struct statistics_summary){.shown = statistics->shown, .missed = statistics->missed};
    while (count < statistics->used &&
           statistics_sample_at(statistics, count)->shown_ns >= now_ns - RECENT_NS) {
        const struct statistics_sample *sample = statistics_sample_at(statistics, count);
        value[count++] = (sample->shown_ns - sample->capture_ns) * MS;
    }
    if (!count)
        return;

    const struct statistics_sample *newest = statistics_sample_at(statistics, 0),
                                   *oldest = statistics_sample_at(statistics, count - 1);
    summary->publish_rate =
        rate_of(newest->sequence - oldest->sequence, newest->publish_ns - oldest->publish_ns);
    summary->shown_rate = rate_of(count - 1, newest->shown_ns - oldest->shown_ns);
    summary->age_now = value[0];
    for (unsigned i = 0; i < count; i++)
        summary->age_mean += value[i] / count;
    qsort(value, count, sizeof *value, compare_values);
    summary->age_p99 = value[(count - 1) * 99 / 100];
    summary->jitter = deviation_of(value, statistics_intervals(statistics, value, count - 1));
}

unsigned statistics_intervals(const struct statistics *statistics, double *ms, unsigned room)
{
    unsigned count = statistics->used ? statistics->used - 1 : 0;
    if (count > room)
        count = room;
    for (unsigned i = 0; i < count; i++)
        ms[count - 1 - i] = (statistics_sample_at(statistics, i)->shown_ns -
                             statistics_sample_at(statistics, i + 1)->shown_ns) *
                            MS;
    return count;
}

int64_t pacer_wait(const struct pacer *pacer, int64_t now_ns)
{
    return pacer->period_ns > 0 && pacer->due_ns > now_ns ? pacer->due_ns - now_ns : 0;
}

void pacer_shown(struct pacer *pacer, int64_t now_ns)
{
    pacer->due_ns += pacer->period_ns;
    if (pacer->due_ns < now_ns)
        pacer->due_ns = now_ns;
}
