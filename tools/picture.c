/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"

#define WHITE         255
#define GLYPH_COLUMNS 5
#define GLYPH_ROWS    7
#define TEXT_MAX      20 /* characters */

struct rgb {
    double r, g, b;
};

struct picture {
    struct framebus_format format;
    const struct framebus_format_info *info;
    struct luma luma;
    struct code_layout layout;
    uint8_t *background;
    bool drawn[FRAMEBUS_SLOTS_MAX]; /* slots that have the background */
};

/* ---- What does not move ---- */

static double luma_of(const struct picture *picture, struct rgb c, double *kr, double *kb)
{
    bool bt709 = picture->format.color.matrix == 1;

    *kr = bt709 ? 0.2126 : 0.299;
    *kb = bt709 ? 0.0722 : 0.114;
    return *kr * c.r + (1 - *kr - *kb) * c.g + *kb * c.b;
}

static uint32_t component(const struct picture *picture, const struct samples_field *field, struct rgb c)
{
    double kr, kb, y = luma_of(picture, c, &kr, &kb), scale = (double)(1u << field->bits) / 256;

    switch (field->name) {
    case 'Y':
        return level_of(y, field->bits, picture->luma.full);
    case 'U':
        return (uint32_t)((128 + 112 * (c.b - y) / (1 - kb)) * scale + 0.5);
    case 'V':
        return (uint32_t)((128 + 112 * (c.r - y) / (1 - kr)) * scale + 0.5);
    case 'R':
        return level_of(c.r, field->bits, true);
    case 'G':
        return level_of(c.g, field->bits, true);
    case 'B':
        return level_of(c.b, field->bits, true);
    default: /* opaque; padding is zero */
        return field->name == 'A' ? (1u << field->bits) - 1 : 0;
    }
}

static struct rgb color_at(const struct picture *picture, uint32_t x, uint32_t y)
{
    static const struct rgb bars[] = {{.75, .75, .75}, {.75, .75, 0}, {0, .75, .75}, {0, .75, 0},
                                      {.75, 0, .75},   {.75, 0, 0},   {0, 0, .75},   {0, 0, 0}};
    const struct code_layout *layout = &picture->layout;
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

static void draw_row(const struct picture *picture, unsigned plane, const struct samples_group *group,
                     uint32_t y, uint8_t *to)
{
    const struct framebus_plane_layout *at = &picture->info->plane[plane];

    for (uint32_t x = 0; x < picture->format.width; x += at->pixels * at->sub_x, to += group->bytes) {
        uint64_t word = 0;

        for (unsigned i = 0; i < group->fields; i++) {
            const struct samples_field *field = &group->field[i];

            word |= (uint64_t)component(picture, field, color_at(picture, x + field->pixel * at->sub_x, y))
                    << field->shift;
        }
        group_store(group, to, word);
    }
}

/* Whether a row looks like the one above it. */
static bool goes_on(const struct picture *picture, uint32_t y, uint32_t step)
{
    const struct code_layout *layout = &picture->layout;
    const uint32_t edges[] = {layout->band, layout->middle, layout->ramp, layout->strip};

    if (y < step)
        return false;
    for (unsigned i = 0; i < sizeof(edges) / sizeof(*edges); i++)
        if (y >= edges[i] && y - step < edges[i])
            return false;
    return true;
}

static void draw_background(struct picture *picture)
{
    const struct framebus_format *format = &picture->format;

    for (unsigned plane = 0; plane < format->planes; plane++) {
        uint32_t step = picture->info->plane[plane].sub_y, stride = format->stride[plane];
        struct samples_group group;
        uint8_t *row = picture->background + format->offset[plane];

        samples_group(format->fourcc, plane, &group);
        for (uint32_t i = 0; i < framebus_format_rows(format, plane); i++, row += stride) {
            if (goes_on(picture, i * step, step))
                memcpy(row, row - stride, stride);
            else
                draw_row(picture, plane, &group, i * step, row);
        }
    }
}

/* ---- What moves ---- */

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

static uint8_t *row_of(const struct framebus_frame *frame, uint32_t y)
{
    return (uint8_t *)frame->plane[0].data + (size_t)y * frame->plane[0].stride;
}

/* Draws each row once and copies it for as many as a dot is high. */
static void draw_text(const struct picture *picture, struct framebus_frame *frame, const char *text)
{
    const struct code_layout *layout = &picture->layout;
    uint32_t length = (uint32_t)strlen(text), wide = length * (GLYPH_COLUMNS + 1) - 1;
    uint32_t dot = picture->format.width / (wide + 2), room = layout->bottom - layout->text;
    uint32_t bytes = framebus_format_row_bytes(&picture->format, 0);

    if (dot > room / (GLYPH_ROWS + 2))
        dot = room / (GLYPH_ROWS + 2);
    uint32_t left = (picture->format.width - wide * dot) / 2;
    uint32_t top = layout->text + (room - GLYPH_ROWS * dot) / 2;

    for (uint32_t j = 0; j < GLYPH_ROWS && dot; j++) {
        uint8_t *row = row_of(frame, top + j * dot);

        for (uint32_t i = 0; i < length * (GLYPH_COLUMNS + 1); i++) {
            uint32_t column = i % (GLYPH_COLUMNS + 1);

            if (column == GLYPH_COLUMNS || !(glyph_of(text[i / (GLYPH_COLUMNS + 1)])[j] >> (4 - column) & 1))
                continue;
            for (uint32_t x = 0; x < dot; x++)
                luma_set(&picture->luma, row, left + i * dot + x, WHITE);
        }
        for (uint32_t y = 1; y < dot; y++)
            memcpy(row_of(frame, top + j * dot + y), row, bytes);
    }
}

static void draw_bar(const struct picture *picture, struct framebus_frame *frame, uint32_t number,
                     uint32_t top, uint32_t end)
{
    uint32_t width = picture->format.width, bytes = framebus_format_row_bytes(&picture->format, 0);
    uint32_t wide = width / 40 + 1, left = (uint32_t)((uint64_t)number * (width / 160 + 1) % width);
    uint8_t *row = row_of(frame, top);

    for (uint32_t x = left; x < left + wide && x < width; x++)
        luma_set(&picture->luma, row, x, WHITE);
    for (uint32_t y = top + 1; y < end; y++)
        memcpy(row_of(frame, y), row, bytes);
}

static void restore(const struct picture *picture, struct framebus_frame *frame, uint32_t top, uint32_t end)
{
    uint32_t stride = picture->format.stride[0];

    memcpy(row_of(frame, top), picture->background + picture->format.offset[0] + (size_t)top * stride,
           (size_t)(end - top - 1) * stride + framebus_format_row_bytes(&picture->format, 0));
}

void picture_paint(struct picture *picture, struct framebus_frame *frame, uint32_t number, const char *clock)
{
    const struct code_layout *layout = &picture->layout;
    uint32_t top = layout->fits ? layout->strip : 0;
    char text[TEXT_MAX + 1];

    if (!picture->drawn[frame->slot])
        memcpy(frame->data, picture->background, picture->format.size);
    else
        restore(picture, frame, top, layout->fits ? layout->bottom : picture->format.height);
    picture->drawn[frame->slot] = true;
    draw_bar(picture, frame, number, top, layout->fits ? layout->text : picture->format.height);
    if (!layout->fits)
        return;
    snprintf(text, sizeof(text), "%06u %s", number % 1000000, clock);
    draw_text(picture, frame, text);
    code_write(&picture->luma, frame, number);
}

/* ---- */

int picture_create(struct picture **result, const struct framebus_format *format)
{
    struct picture *picture = *result = calloc(1, sizeof(*picture));

    if (!picture)
        return -ENOMEM;
    picture->format = *format;
    picture->info = framebus_format_find(format->fourcc);
    picture->layout = code_layout(format->width, format->height);
    picture->background = calloc(1, format->size);
    if (picture->background && luma_init(&picture->luma, format)) {
        draw_background(picture);
        return 0;
    }
    int r = picture->background ? -EINVAL : -ENOMEM;
    picture_destroy(picture);
    *result = NULL;
    return r;
}

void picture_destroy(struct picture *picture)
{
    if (picture)
        free(picture->background);
    free(picture);
}
