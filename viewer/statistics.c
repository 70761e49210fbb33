/* SPDX-License-Identifier: MIT */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

#define RECENT_NS 3000000000ll
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

/* back = 0: the newest. */
static const struct statistics_sample *look(const struct statistics *statistics, unsigned back)
{
    return &statistics->sample[(statistics->next + STATISTICS_SAMPLES - 1 - back) % STATISTICS_SAMPLES];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double rate(uint64_t count, int64_t ns)
{
    return ns > 0 ? count * 1e9 / ns : 0;
}

static double deviation(const double *value, unsigned count)
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
    while (count < statistics->used && look(statistics, count)->shown_ns >= now_ns - RECENT_NS) {
        const struct statistics_sample *sample = look(statistics, count);
        value[count++] = (sample->shown_ns - sample->capture_ns) * MS;
    }
    if (!count)
        return;

    const struct statistics_sample *newest = look(statistics, 0), *oldest = look(statistics, count - 1);
    summary->publish_rate =
        rate(newest->sequence - oldest->sequence, newest->publish_ns - oldest->publish_ns);
    summary->shown_rate = rate(count - 1, newest->shown_ns - oldest->shown_ns);
    summary->age_now = value[0];
    for (unsigned i = 0; i < count; i++)
        summary->age_mean += value[i] / count;
    qsort(value, count, sizeof(*value), ascending);
    summary->age_p99 = value[(count - 1) * 99 / 100];
    summary->jitter = deviation(value, statistics_intervals(statistics, value, count - 1));
}

unsigned statistics_intervals(const struct statistics *statistics, double *ms, unsigned room)
{
    unsigned count = statistics->used ? statistics->used - 1 : 0;

    if (count > room)
        count = room;
    for (unsigned i = 0; i < count; i++)
        ms[count - 1 - i] = (look(statistics, i)->shown_ns - look(statistics, i + 1)->shown_ns) * MS;
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
