/* SPDX-License-Identifier: MIT */
/* The parts of a test picture: its background, what moves in front of it, and the code. */
#include "testpicture.h"
#include "formats.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHITE         255
#define GLYPH_COLUMNS 5
#define GLYPH_ROWS    7
#define TEXT_MAX      20 /* characters */
#define CODE_BANDS    3
#define GRID_COLUMNS  32 /* points of a checksum */
#define GRID_ROWS     18
#define HASH_BEGIN    UINT32_C(2166136261)

/* First rows of the parts, from top to bottom. All but the last are multiples of 4, the number of rows that
 * may share chroma. */
struct layout {
    bool fits;       /* false: the picture is too small for a code */
    uint32_t band;   /* rows of a band; the first one begins at 0 */
    uint32_t middle; /* the second band */
    uint32_t ramp, strip, text;
    uint32_t bottom; /* the third band */
};

static struct layout layout_of(uint32_t width, uint32_t height)
{
    struct layout layout = {.fits = width >= TESTPICTURE_CELLS && height >= 48};
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

static bool layout_in_band(const struct layout *layout, uint32_t y)
{
    return layout->fits &&
           (y < layout->band || (y >= layout->middle && y < layout->ramp) || y >= layout->bottom);
}

static uint8_t *frame_row(const struct framebus_frame *frame, uint32_t y)
{
    return (uint8_t *)frame->plane[0].data + (size_t)y * frame->plane[0].stride;
}

/* ---- The code ---- */

struct code {
    uint32_t number, checksum;
};

/* FNV-1a. */
static uint32_t hash_bytes(uint32_t hash, const void *data, size_t size)
{
    for (const uint8_t *at = data, *end = at + size; at < end; at++)
        hash = (hash ^ *at) * UINT32_C(16777619);
    return hash;
}

uint32_t testpicture_checksum(const struct luma *luma, const struct framebus_frame *frame, uint8_t *brightest)
{
    uint32_t width = frame->format->width, height = frame->format->height, hash = HASH_BEGIN;
    struct layout layout = layout_of(width, height);
    *brightest = 0;
    for (uint32_t j = 0; j < GRID_ROWS; j++) {
        uint32_t y = (2 * j + 1) * height / (2 * GRID_ROWS);
        for (uint32_t i = 0; i < GRID_COLUMNS && !layout_in_band(&layout, y); i++) {
            uint8_t level = luma_get(luma, frame_row(frame, y), (2 * i + 1) * width / (2 * GRID_COLUMNS));
            hash = hash_bytes(hash, &level, 1);
            if (level > *brightest)
                *brightest = level;
        }
    }
    return hash;
}

static uint32_t code_seal(struct code code)
{
    const uint32_t words[] = {htole32(code.number), htole32(code.checksum)}; /* on every machine the same */
    uint32_t hash = hash_bytes(HASH_BEGIN, words, sizeof words);
    return (hash ^ hash >> 16) & 0xffff;
}

static bool code_bit(const uint32_t word[3], unsigned cell)
{
    return cell < 64 ? word[cell / 32] >> (31 - cell % 32) & 1 : word[2] >> (79 - cell) & 1;
}

void testpicture_write_code(const struct luma *luma, const struct framebus_frame *frame, uint32_t number)
{
    uint32_t width = frame->format->width;
    struct layout layout = layout_of(width, frame->format->height);
    const uint32_t band[CODE_BANDS] = {0, layout.middle, layout.bottom};
    uint8_t brightest, *first = frame_row(frame, 0);
    struct code code = {number, testpicture_checksum(luma, frame, &brightest)};
    const uint32_t word[3] = {code.number, code.checksum, code_seal(code)};
    if (!layout.fits)
        return;
    for (uint32_t x = 0; x < width; x++)
        luma_set(luma, first, x, code_bit(word, (2 * x + 1) * TESTPICTURE_CELLS / (2 * width)) ? 255 : 0);
    for (unsigned i = 0; i < CODE_BANDS; i++)
        for (uint32_t y = 0; y < layout.band; y++)
            if (i || y)
                memcpy(frame_row(frame, band[i] + y), first, framebus_format_row_bytes(frame->format, 0));
}

static bool code_read_band(const struct luma *luma, const struct framebus_frame *frame, uint32_t y,
                           struct code *code)
{
    uint32_t width = frame->format->width, word[3] = {0};
    for (unsigned cell = 0; cell < TESTPICTURE_CELLS; cell++) {
        uint32_t *to = &word[cell / 32];
        *to = *to << 1 |
              (luma_get(luma, frame_row(frame, y), (2 * cell + 1) * width / (2 * TESTPICTURE_CELLS)) >= 128);
    }
    *code = (struct code){word[0], word[1]};
    return code_seal(*code) == word[2];
}

enum testpicture_verdict testpicture_read(const struct luma *luma, const struct framebus_frame *frame,
                                          uint32_t *number)
{
    struct layout layout = layout_of(frame->format->width, frame->format->height);
    const uint32_t band[CODE_BANDS] = {0, layout.middle, layout.bottom};
    struct code code, first = {0};
    unsigned good = 0, same = 0;
    uint8_t brightest;
    for (unsigned i = 0; i < CODE_BANDS && layout.fits; i++) {
        if (!code_read_band(luma, frame, band[i] + layout.band / 2, &code))
            continue;
        if (!good++)
            first = code;
        same += code.number == first.number && code.checksum == first.checksum;
    }
    *number = first.number;
    if (!good)
        return TESTPICTURE_NONE;
    if (same < CODE_BANDS)
        return TESTPICTURE_TORN;
    return testpicture_checksum(luma, frame, &brightest) == first.checksum ? TESTPICTURE_WHOLE
                                                                           : TESTPICTURE_ALTERED;
}

struct rgb {
    double r, g, b;
};

struct testpicture {
    struct framebus_format format;
    const struct framebus_format_info *info;
    struct luma luma;
    struct layout layout;
    uint8_t *background;
    bool drawn[FRAMEBUS_SLOTS_MAX]; /* slots that contain the background */
};

/* ---- The background ---- */

static double color_luma(const struct testpicture *picture, struct rgb c, double *kr, double *kb)
{
    bool bt709 = picture->format.color.matrix == 1;
    *kr = bt709 ? 0.2126 : 0.299;
    *kb = bt709 ? 0.0722 : 0.114;
    return *kr * c.r + (1 - *kr - *kb) * c.g + *kb * c.b;
}

static uint32_t color_component(const struct testpicture *picture, const struct format_field *field,
                                struct rgb c)
{
    double kr, kb, y = color_luma(picture, c, &kr, &kb), scale = (double)(1u << field->bits) / 256;
    switch (field->name) {
    case 'Y':
        return luma_level(y, field->bits, picture->luma.full);
    case 'U':
        return (uint32_t)((128 + 112 * (c.b - y) / (1 - kb)) * scale + 0.5);
    case 'V':
        return (uint32_t)((128 + 112 * (c.r - y) / (1 - kr)) * scale + 0.5);
    case 'R':
        return luma_level(c.r, field->bits, true);
    case 'G':
        return luma_level(c.g, field->bits, true);
    case 'B':
        return luma_level(c.b, field->bits, true);
    default: /* opaque; padding is zero */
        return field->name == 'A' ? (1u << field->bits) - 1 : 0;
    }
}

static struct rgb background_color(const struct testpicture *picture, uint32_t x, uint32_t y)
{
    static const struct rgb bars[] = {{.75, .75, .75}, {.75, .75, 0}, {0, .75, .75}, {0, .75, 0},
                                      {.75, 0, .75},   {.75, 0, 0},   {0, 0, .75},   {0, 0, 0}};
    const struct layout *layout = &picture->layout;
    uint32_t width = picture->format.width;
    double ramp = width > 1 ? (double)x / (width - 1) : 0;
    if (x >= width)
        x = width - 1;
    if (layout->fits && y >= layout->band && y < layout->middle)
        return bars[(uint64_t)x * 8 / width];
    if (layout->fits && y >= layout->ramp && y < layout->strip)
        return ramp > 1 ? (struct rgb){1, 1, 1} : (struct rgb){ramp, ramp, ramp};
    return (struct rgb){0, 0, 0};
}

static void background_row(const struct testpicture *picture, unsigned plane,
                           const struct format_group *group, uint32_t y, uint8_t *to)
{
    const struct framebus_plane_layout *at = &picture->info->plane[plane];
    for (uint32_t x = 0; x < picture->format.width; x += at->pixels * at->sub_x, to += group->bytes) {
        uint64_t word = 0;
        for (unsigned i = 0; i < group->fields; i++) {
            const struct format_field *field = &group->field[i];
            word |= (uint64_t)color_component(picture, field,
                                              background_color(picture, x + field->pixel * at->sub_x, y))
                    << field->shift;
        }
        format_group_store(group, to, word);
    }
}

/* True if a row looks like the one above it. */
static bool background_repeats(const struct testpicture *picture, uint32_t y, uint32_t step)
{
    const struct layout *layout = &picture->layout;
    const uint32_t edges[] = {layout->band, layout->middle, layout->ramp, layout->strip};
    if (y < step)
        return false;
    for (unsigned i = 0; i < sizeof edges / sizeof *edges; i++)
        if (y >= edges[i] && y - step < edges[i])
            return false;
    return true;
}

static void background_draw(struct testpicture *picture)
{
    const struct framebus_format *format = &picture->format;
    for (unsigned plane = 0; plane < format->planes; plane++) {
        uint32_t step = picture->info->plane[plane].sub_y, stride = format->stride[plane];
        struct format_group group;
        uint8_t *row = picture->background + format->offset[plane];
        format_group(format->fourcc, plane, &group);
        for (uint32_t i = 0; i < framebus_format_rows(format, plane); i++, row += stride) {
            if (background_repeats(picture, i * step, step))
                memcpy(row, row - stride, stride);
            else
                background_row(picture, plane, &group, i * step, row);
        }
    }
}

/* ---- The moving parts ---- */

/* Five columns a row, the leftmost is the highest bit. */
static const uint8_t *glyph_of(char character)
{
    static const uint8_t digits[10][GLYPH_ROWS] = {
        {14, 17, 19, 21, 25, 17, 14}, {4, 12, 4, 4, 4, 4, 14},  {14, 17, 1, 2, 4, 8, 31},
        {31, 2, 4, 2, 1, 17, 14},     {2, 6, 10, 18, 31, 2, 2}, {31, 16, 30, 1, 1, 17, 14},
        {6, 8, 16, 30, 17, 17, 14},   {31, 1, 2, 4, 8, 8, 8},   {14, 17, 17, 14, 17, 17, 14},
        {14, 17, 17, 15, 1, 2, 12},
    };
    static const uint8_t colon[GLYPH_ROWS] = {0, 4, 4, 0, 4, 4, 0}, dot[GLYPH_ROWS] = {0, 0, 0, 0, 0, 4, 4};
    static const uint8_t blank[GLYPH_ROWS] = {0};
    if (character >= '0' && character <= '9')
        return digits[character - '0'];
    return character == ':' ? colon : character == '.' ? dot : blank;
}

/* Draws each row of dots once, and copies it to the height of a dot. */
static void text_draw(const struct testpicture *picture, struct framebus_frame *frame, const char *text)
{
    const struct layout *layout = &picture->layout;
    uint32_t length = (uint32_t)strlen(text), wide = length * (GLYPH_COLUMNS + 1) - 1;
    uint32_t dot = picture->format.width / (wide + 2), room = layout->bottom - layout->text;
    uint32_t bytes = framebus_format_row_bytes(&picture->format, 0);
    if (dot > room / (GLYPH_ROWS + 2))
        dot = room / (GLYPH_ROWS + 2);
    uint32_t left = (picture->format.width - wide * dot) / 2;
    uint32_t top = layout->text + (room - GLYPH_ROWS * dot) / 2;

    for (uint32_t j = 0; j < GLYPH_ROWS && dot; j++) {
        uint8_t *row = frame_row(frame, top + j * dot);
        for (uint32_t i = 0; i < length * (GLYPH_COLUMNS + 1); i++) {
            uint32_t column = i % (GLYPH_COLUMNS + 1);
            if (column == GLYPH_COLUMNS || !(glyph_of(text[i / (GLYPH_COLUMNS + 1)])[j] >> (4 - column) & 1))
                continue;
            for (uint32_t x = 0; x < dot; x++)
                luma_set(&picture->luma, row, left + i * dot + x, WHITE);
        }
        for (uint32_t y = 1; y < dot; y++)
            memcpy(frame_row(frame, top + j * dot + y), row, bytes);
    }
}

static void bar_draw(const struct testpicture *picture, struct framebus_frame *frame, uint32_t number,
                     uint32_t top, uint32_t end)
{
    uint32_t width = picture->format.width, bytes = framebus_format_row_bytes(&picture->format, 0);
    uint32_t wide = width / 40 + 1, left = (uint32_t)((uint64_t)number * (width / 160 + 1) % width);
    uint8_t *row = frame_row(frame, top);
    for (uint32_t x = left; x < left + wide && x < width; x++)
        luma_set(&picture->luma, row, x, WHITE);
    for (uint32_t y = top + 1; y < end; y++)
        memcpy(frame_row(frame, y), row, bytes);
}

static void background_restore(const struct testpicture *picture, struct framebus_frame *frame, uint32_t top,
                               uint32_t end)
{
    uint32_t stride = picture->format.stride[0];
    memcpy(frame_row(frame, top), picture->background + picture->format.offset[0] + (size_t)top * stride,
           (size_t)(end - top - 1) * stride + framebus_format_row_bytes(&picture->format, 0));
}

void testpicture_paint(struct testpicture *picture, struct framebus_frame *frame, uint32_t number,
                       const char *clock)
{
    const struct layout *layout = &picture->layout;
    uint32_t top = layout->fits ? layout->strip : 0;
    char text[TEXT_MAX + 1];
    if (!picture->drawn[frame->slot])
        memcpy(frame->data, picture->background, picture->format.size);
    else
        background_restore(picture, frame, top, layout->fits ? layout->bottom : picture->format.height);
    picture->drawn[frame->slot] = true;
    bar_draw(picture, frame, number, top, layout->fits ? layout->text : picture->format.height);
    if (!layout->fits)
        return;
    snprintf(text, sizeof text, "%06u %s", number % 1000000, clock);
    text_draw(picture, frame, text);
    testpicture_write_code(&picture->luma, frame, number);
}

int testpicture_create(struct testpicture **result, const struct framebus_format *format)
{
    struct testpicture *picture = *result = calloc(1, sizeof *picture);
    if (!picture)
        return -ENOMEM;
    picture->format = *format;
    picture->info = framebus_format_find(format->fourcc);
    picture->layout = layout_of(format->width, format->height);
    picture->background = calloc(1, format->size);
    if (picture->background && luma_init(&picture->luma, format)) {
        background_draw(picture);
        return 0;
    }
    int r = picture->background ? -EINVAL : -ENOMEM;
    testpicture_destroy(picture);
    *result = NULL;
    return r;
}

void testpicture_destroy(struct testpicture *picture)
{
    if (picture)
        free(picture->background);
    free(picture);
}
