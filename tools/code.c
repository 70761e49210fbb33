/* SPDX-License-Identifier: MIT */
#include "code.h"

#include <string.h>

#define BANDS        3
#define GRID_COLUMNS 32
#define GRID_ROWS    18

struct code {
    uint32_t number, checksum;
};

struct code_layout code_layout(uint32_t width, uint32_t height)
{
    struct code_layout layout = {.fits = width >= CODE_CELLS && height >= 48};

    if (!layout.fits)
        return layout;
    layout.band = height < 144 ? 4 : (height / 36) & ~3u;
    layout.middle = (height * 9 / 16) & ~3u;
    layout.ramp = layout.middle + layout.band;
    layout.strip = layout.ramp + ((height / 12) & ~3u);
    layout.text = layout.strip + ((height / 10) & ~3u);
    layout.bottom = height - layout.band;
    return layout;
}

/* FNV-1a */
uint32_t hash_bytes(uint32_t hash, const void *data, size_t size)
{
    for (const uint8_t *at = data, *end = at + size; at < end; at++)
        hash = (hash ^ *at) * UINT32_C(16777619);
    return hash;
}

static uint8_t *row_of(const struct framebus_frame *frame, uint32_t y)
{
    return (uint8_t *)frame->plane[0].data + (size_t)y * frame->plane[0].stride;
}

static bool in_band(const struct code_layout *layout, uint32_t y)
{
    return layout->fits &&
           (y < layout->band || (y >= layout->middle && y < layout->ramp) || y >= layout->bottom);
}

uint32_t code_checksum(const struct luma *luma, const struct framebus_frame *frame, uint8_t *brightest)
{
    uint32_t width = frame->format->width, height = frame->format->height, hash = HASH_BEGIN;
    struct code_layout layout = code_layout(width, height);

    *brightest = 0;
    for (uint32_t j = 0; j < GRID_ROWS; j++) {
        uint32_t y = (2 * j + 1) * height / (2 * GRID_ROWS);

        for (uint32_t i = 0; i < GRID_COLUMNS && !in_band(&layout, y); i++) {
            uint8_t level = luma_get(luma, row_of(frame, y), (2 * i + 1) * width / (2 * GRID_COLUMNS));

            hash = hash_bytes(hash, &level, 1);
            if (level > *brightest)
                *brightest = level;
        }
    }
    return hash;
}

static uint32_t seal_of(struct code code)
{
    uint32_t hash = hash_bytes(HASH_BEGIN, &code.number, sizeof(code.number));

    hash = hash_bytes(hash, &code.checksum, sizeof(code.checksum));
    return (hash ^ hash >> 16) & 0xffff;
}

static bool bit_of(const uint32_t word[3], unsigned cell)
{
    return cell < 64 ? word[cell / 32] >> (31 - cell % 32) & 1 : word[2] >> (79 - cell) & 1;
}

void code_write(const struct luma *luma, const struct framebus_frame *frame, uint32_t number)
{
    uint32_t width = frame->format->width;
    struct code_layout layout = code_layout(width, frame->format->height);
    const uint32_t band[BANDS] = {0, layout.middle, layout.bottom};
    uint8_t brightest, *first = row_of(frame, 0);
    struct code code = {number, code_checksum(luma, frame, &brightest)};
    const uint32_t word[3] = {code.number, code.checksum, seal_of(code)};

    if (!layout.fits)
        return;
    for (uint32_t x = 0; x < width; x++)
        luma_set(luma, first, x, bit_of(word, (2 * x + 1) * CODE_CELLS / (2 * width)) ? 255 : 0);
    for (unsigned i = 0; i < BANDS; i++)
        for (uint32_t y = 0; y < layout.band; y++)
            if (i || y)
                memcpy(row_of(frame, band[i] + y), first, framebus_format_row_bytes(frame->format, 0));
}

static bool read_band(const struct luma *luma, const struct framebus_frame *frame, uint32_t y,
                      struct code *code)
{
    uint32_t width = frame->format->width, word[3] = {0};

    for (unsigned cell = 0; cell < CODE_CELLS; cell++) {
        uint32_t *to = &word[cell / 32];

        *to = *to << 1 | (luma_get(luma, row_of(frame, y), (2 * cell + 1) * width / (2 * CODE_CELLS)) >= 128);
    }
    *code = (struct code){word[0], word[1]};
    return seal_of(*code) == word[2];
}

enum code_verdict code_read(const struct luma *luma, const struct framebus_frame *frame, uint32_t *number)
{
    struct code_layout layout = code_layout(frame->format->width, frame->format->height);
    const uint32_t band[BANDS] = {0, layout.middle, layout.bottom};
    struct code code, first = {0};
    unsigned good = 0, same = 0;
    uint8_t brightest;

    for (unsigned i = 0; i < BANDS && layout.fits; i++) {
        if (!read_band(luma, frame, band[i] + layout.band / 2, &code))
            continue;
        if (!good++)
            first = code;
        same += code.number == first.number && code.checksum == first.checksum;
    }
    *number = first.number;
    if (!good)
        return CODE_NONE;
    if (same < BANDS)
        return CODE_TORN;
    return code_checksum(luma, frame, &brightest) == first.checksum ? CODE_WHOLE : CODE_ALTERED;
}
