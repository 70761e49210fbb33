/* SPDX-License-Identifier: MIT */
/* Measures frames as they arrive, and the numbers of test pictures. */
#include "observer.h"
#include "cli/clock.h"
#include "pixels/testpicture.h"

#include <string.h>

/* Levels up to which a picture is black: an eighth of the range. */
#define BLACK_FULL    32
#define BLACK_LIMITED 43

static uint64_t observer_hash_row(uint64_t hash, const uint8_t *row, size_t bytes)
{
    uint64_t word;
    for (; bytes >= sizeof word; bytes -= sizeof word, row += sizeof word) {
        memcpy(&word, row, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (; bytes; bytes--, row++)
        hash = (hash ^ *row) * UINT64_C(0x100000001b3);
    return hash;
}

/* Covers only what a picture shows: padding may be anything. */
static uint64_t observer_hash_frame(const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    uint64_t hash = frame->size;
    if (!framebus_format_find(format->fourcc) || format->modifier)
        return observer_hash_row(hash, frame->data, frame->size);
    for (unsigned i = 0; i < format->planes; i++)
        for (uint32_t y = 0; y < framebus_format_rows(format, i); y++)
            hash = observer_hash_row(
                hash, (const uint8_t *)frame->plane[i].data + (size_t)y * frame->plane[i].stride,
                framebus_format_row_bytes(format, i));
    return hash;
}

static void observer_sample(struct observer *observer, const struct framebus_frame *frame, int64_t now)
{
    uint64_t hash = observer_hash_frame(frame);
    uint8_t brightest;
    if (!observer->samples || hash != observer->hash) {
        if (observer->samples && now - observer->changed_ns > observer->still_ns)
            observer->still_ns = now - observer->changed_ns;
        observer->changed_ns = now;
        observer->hash = hash;
    }
    observer->samples++;
    observer->sampled_ns = now;
    if (!observer->can_see)
        return;
    testpicture_checksum(&observer->luma, frame, &brightest);
    observer->black += brightest <= (observer->luma.full ? BLACK_FULL : BLACK_LIMITED);
}

static void observer_count_number(struct observer *observer, const struct framebus_frame *frame,
                                  uint32_t number)
{
    uint64_t ahead = number - observer->number, known = 1 + frame->missed + observer->unnumbered;
    if (!observer->has_number)
        ;
    else if (number == observer->number)
        observer->doubled++;
    else if (number < observer->number)
        observer->backward++;
    else if (ahead > known)
        observer->lost += ahead - known;
    observer->unnumbered = 0;
    observer->number = number;
    observer->has_number = true;
}

static void observer_read_code(struct observer *observer, const struct framebus_frame *frame)
{
    uint32_t number;
    switch (testpicture_read(&observer->luma, frame, &number)) {
    case TESTPICTURE_NONE:
        observer->unread++;
        return;
    case TESTPICTURE_TORN:
        observer->torn++;
        observer->unnumbered += 1 + frame->missed;
        break;
    case TESTPICTURE_ALTERED:
        observer->altered++;
        observer_count_number(observer, frame, number);
        break;
    case TESTPICTURE_WHOLE:
        observer->whole++;
        observer_count_number(observer, frame, number);
        break;
    }
    observer->is_test = true;
}

void observer_see(struct observer *observer, const struct framebus_frame *frame)
{
    int64_t now = clock_now();
    if (!observer->frames)
        observer->first_ns = now;
    else
        observer->missed += frame->missed; /* frames before the first one do not count */
    if (!observer->frames || observer->serial != frame->format_serial)
        observer->can_see = luma_init(&observer->luma, frame->format);
    observer->serial = frame->format_serial;
    observer->frames++;
    observer->last_ns = now;
    spread_add(&observer->ages, now - frame->capture_ns);
    if (!observer->samples || now - observer->sampled_ns >= observer->sample_every_ns)
        observer_sample(observer, frame, now);
    if (observer->can_see)
        observer_read_code(observer, frame);
}

void observer_end(struct observer *observer)
{
    int64_t still;
    observer->end_ns = clock_now();
    still = observer->samples ? observer->end_ns - observer->changed_ns : 0;
    if (still > observer->still_ns)
        observer->still_ns = still;
    if (observer->is_test)
        observer->torn += observer->unread; /* neither number could be read */
}

double observer_rate(const struct observer *observer)
{
    int64_t span = observer->last_ns - observer->first_ns;
    if (observer->frames < 2 || span <= 0)
        return 0;
    /* Between frames, unless they have stopped coming. */
    if (observer->end_ns - observer->last_ns > 2 * span / (int64_t)(observer->frames - 1))
        span = observer->end_ns - observer->first_ns;
    return (double)(observer->frames - 1) * 1e9 / (double)span;
}

void observer_finish(struct observer *observer)
{
    spread_finish(&observer->ages);
}
