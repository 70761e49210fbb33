/* SPDX-License-Identifier: MIT */
#include "reader/anticipate.h"

#include <string.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_S  INT64_C(1000000000)

/* Streams that are faster need no help, since a reader that gets a frame that soon looks for the next one
 * anyway; those that are slower are no streams. */
#define INTERVAL_MIN (500 * NS_PER_US)
#define INTERVAL_MAX (2 * NS_PER_S)

/* How soon phase and interval follow: 1/4 and 1/64 of each error, which settles without swinging. */
#define PHASE_PART    4
#define INTERVAL_PART 64

/* An error of more than this part of the interval is no jitter, and after a few of them the phase is another.
 */
#define OUTLIER      4
#define OUTLIERS_MAX 3

#define SAMPLES_MIN     8                 /* before it plans */
#define TRIES_MAX       2                 /* for one frame; then it is not late but absent */
#define LATENESS_FIRST  (150 * NS_PER_US) /* of timers, before there are samples */
#define WAKE_COST_FIRST (25 * NS_PER_US)
#define GRACE           (10 * NS_PER_US) /* looked on after the latest of the samples */
#define ACCOUNT_TIME    NS_PER_S         /* the account holds what this time earns */
#define LOOKS_MIN       16               /* before it judges */
#define PAUSE_INTERVALS 32               /* the first pause, in frames */
#define PAUSES_MAX      6

/* ---- samples ---- */

static void samples_add(struct anticipate_samples *s, int64_t value)
{
    int32_t v = value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
    uint32_t at = 0;
    if (s->count == ANTICIPATE_SAMPLES) { /* the oldest one leaves the sorted ones */
        int32_t old = s->value[s->next];
        s->sum -= old;
        while (s->sorted[at] != old)
            at++;
        s->count--;
        memmove(&s->sorted[at], &s->sorted[at + 1], (s->count - at) * sizeof *s->sorted);
    }
    for (at = s->count; at && s->sorted[at - 1] > v; at--)
        s->sorted[at] = s->sorted[at - 1];
    s->sorted[at] = v;
    s->value[s->next] = v;
    s->next = (s->next + 1) % ANTICIPATE_SAMPLES;
    s->count++;
    s->sum += v;
}

/* The value that `percent` of the samples do not exceed. */
static int64_t samples_quantile(const struct anticipate_samples *s, uint32_t percent, int64_t otherwise)
{
    return s->count ? s->sorted[(s->count - 1) * percent / 100] : otherwise;
}

static int64_t samples_mean(const struct anticipate_samples *s, int64_t otherwise)
{
    return s->count ? s->sum / s->count : otherwise;
}

/* ---- the stream ---- */

void anticipate_init(struct anticipate *a, uint32_t percent)
{
    *a = (struct anticipate){.percent = percent, .wake_cost = WAKE_COST_FIRST};
}

static void stream_restart(struct anticipate *a, int64_t published)
{
    a->phase = a->published = published;
    a->interval = 0;
    a->distances = 0;
    a->outliers = 0;
    a->early = (struct anticipate_samples){.count = 0};
}

static int64_t stream_median_distance(const struct anticipate *a)
{
    int64_t sorted[ANTICIPATE_DISTANCES] = {0};
    uint32_t count = a->distances < ANTICIPATE_DISTANCES ? a->distances : ANTICIPATE_DISTANCES;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at && sorted[at - 1] > a->distance[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = a->distance[i];
    }
    return sorted[count / 2];
}

/* The interval is that of most frames. It is followed closely once it is known; another one needs a majority.
 */
static void stream_find_interval(struct anticipate *a, int64_t published)
{
    if (a->distances < ANTICIPATE_DISTANCES)
        return;
    int64_t median = stream_median_distance(a);
    int64_t off = median > a->interval ? median - a->interval : a->interval - median;
    if (a->interval && off <= a->interval / 8)
        return;
    a->interval = median;
    a->phase = published;
    a->early = (struct anticipate_samples){.count = 0};
}

void anticipate_learn(struct anticipate *a, int64_t published)
{
    if (!a->percent)
        return;
    int64_t distance = published - a->published;
    if (published <= 0 || published > INT64_MAX / 2 || !a->published || distance <= 0 ||
        distance > 4 * INTERVAL_MAX) {
        stream_restart(a, published > 0 && published <= INT64_MAX / 2 ? published : 0);
        return;
    }
    a->tried = 0;
    a->distance[a->distances++ % ANTICIPATE_DISTANCES] = distance;
    a->published = published;
    if (a->interval) {
        int64_t count = (published - a->phase + a->interval / 2) / a->interval;
        int64_t predicted = a->phase + (count > 0 ? count : 1) * a->interval;
        int64_t error = published - predicted;
        samples_add(&a->early, -error);
        bool outlier = (error < 0 ? -error : error) > a->interval / OUTLIER;
        a->outliers = outlier ? a->outliers + 1 : 0;
        if (a->outliers > OUTLIERS_MAX)
            a->phase = published;
        else if (!outlier)
            a->phase = predicted + error / PHASE_PART;
        else if (error > 0)
            a->phase = predicted; /* else it came in between, and the one predicted is still to come */
        if (!outlier)
            a->interval += error / INTERVAL_PART;
    }
    stream_find_interval(a, published);
}

/* ---- planning ---- */

static void account_fill(struct anticipate *a, int64_t now)
{
    int64_t passed = now - a->paid_at;
    if (!a->paid_at || passed < 0)
        passed = 0;
    if (passed > ACCOUNT_TIME)
        passed = ACCOUNT_TIME;
    a->paid_at = now;
    a->account += passed * a->percent / 100;
    int64_t most = ACCOUNT_TIME * a->percent / 100;
    if (a->account > most)
        a->account = most;
}

bool anticipate_hopes(const struct anticipate *a)
{
    return a->percent && a->interval >= INTERVAL_MIN && a->interval <= INTERVAL_MAX &&
           a->early.count >= SAMPLES_MIN && a->published >= a->paused_until;
}

/* Wakes early enough for `percent` of timers and frames, and looks until as many have come. The cost is what
 * that takes on the average. */
static int64_t plan_for(const struct anticipate *a, uint32_t percent, int64_t due,
                        struct anticipate_plan *plan)
{
    int64_t lateness = samples_quantile(&a->lateness, percent, LATENESS_FIRST);
    int64_t lead = lateness + samples_quantile(&a->early, percent, 0) + GRACE;
    plan->wake = due - lead;
    plan->until = due - samples_quantile(&a->early, 100 - percent, 0) + GRACE;
    int64_t look = lead - samples_mean(&a->lateness, LATENESS_FIRST) - samples_mean(&a->early, 0);
    return (look > 0 ? look : 0) + a->wake_cost;
}

bool anticipate_plan(struct anticipate *a, int64_t now, int64_t not_before, struct anticipate_plan *plan)
{
    static const uint32_t shares[] = {100, 97, 94, 90, 84, 75, 60};
    if (a->percent)
        account_fill(a, now);
    if (!anticipate_hopes(a) || a->tried >= TRIES_MAX)
        return false;
    int64_t from = not_before > now ? not_before : now;
    int64_t behind =
        from + samples_quantile(&a->early, 0, 0) - a->phase; /* the latest of them still counts */
    int64_t count = behind > a->interval ? (behind + a->interval - 1) / a->interval : 1;
    if (now - a->published > (TRIES_MAX + 1) * a->interval && from == now)
        return false; /* the stream pauses */
    int64_t due = a->phase + count * a->interval;
    int64_t earns = a->interval * a->percent / 100;
    for (uint32_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        int64_t cost = plan_for(a, shares[i], due, plan);
        if (cost > earns - earns / 16 || plan->until <= now)
            continue;
        plan->allowance = a->account - a->wake_cost;
        return plan->allowance >= cost;
    }
    return false;
}

void anticipate_woke(struct anticipate *a, const struct anticipate_plan *plan, int64_t now)
{
    samples_add(&a->lateness, now > plan->wake ? now - plan->wake : 0);
}

static void anticipate_pause(struct anticipate *a, int64_t now)
{
    a->paused_until = now + a->interval * (PAUSE_INTERVALS << a->pauses);
    if (a->pauses < PAUSES_MAX)
        a->pauses++;
    a->looks = a->vain = 0;
}

void anticipate_looked(struct anticipate *a, enum anticipate_outcome outcome, int64_t now, int64_t took,
                       int64_t cpu)
{
    if (cpu >= 0 && cpu < NS_PER_S)
        a->wake_cost += ((cpu > took ? cpu - took : 0) - a->wake_cost) / 4;
    a->account -= cpu >= 0 ? cpu : took + a->wake_cost;
    a->tried++;
    if (outcome == ANTICIPATE_PREEMPTED) {
        anticipate_pause(a, now);
        return;
    }
    a->looks++;
    a->vain += outcome == ANTICIPATE_VAIN;
    if (a->looks >= LOOKS_MIN && a->vain > a->looks / 2)
        anticipate_pause(a, now);
    else if (a->looks >=
             ANTICIPATE_SAMPLES) { /* what is long ago counts for less, and a good time makes good */
        a->pauses -= a->pauses && a->vain < a->looks / 4;
        a->looks /= 2;
        a->vain /= 2;
    }
}
