/* SPDX-License-Identifier: MIT */
#include "overlay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SMALLEST 8 /* height of the smallest font that can be read */

const SDL_Color overlay_background = {16, 18, 22, 255};
const SDL_Color overlay_bad = {235, 94, 85, 255};
const SDL_Color overlay_waiting = {240, 180, 70, 255};
const SDL_Color overlay_neutral = {110, 170, 240, 255};

static const SDL_Color bright = {236, 238, 242, 255};
static const SDL_Color medium = {170, 176, 186, 255};
static const SDL_Color dim = {112, 118, 130, 255};
static const SDL_Color faint = {46, 50, 58, 255};
static const SDL_Color panel = {10, 11, 14, 222};
static const SDL_Color shade = {8, 9, 11, 214};

static void overlay_fill(const struct overlay *overlay, SDL_Color color, double x, double y, double width,
                         double height)
{
    SDL_FRect rect = {floor(x), floor(y), ceil(width), ceil(height)};
    SDL_SetRenderDrawBlendMode(overlay->window->renderer, SDL_BLENDMODE_BLEND);
    SDL_SetRenderDrawColor(overlay->window->renderer, color.r, color.g, color.b, color.a);
    SDL_RenderFillRectF(overlay->window->renderer, &rect);
}

/* Pixels of a font that is `size` high in a window of usual size. In a larger one it grows up to `most`
 * times, in a smaller one it shrinks to 12, and to 9 in the cells of a crowded grid. */
static int font_size_up_to(const struct overlay *overlay, struct box cell, double size, double most)
{
    double scale = window_text_scale(overlay->window);
    double share = fmin(cell.width / (960 * scale), cell.height / (540 * scale));
    double least = fmin(size, share < 0.3 ? 9 : 12);
    return (int)lround(fmax(least, size * fmin(most, share)) * scale);
}

static int font_size(const struct overlay *overlay, struct box cell, double size)
{
    return font_size_up_to(overlay, cell, size, 1.6);
}

/* Draws four rising bars, of which only the first is lit. */
static void overlay_draw_bars(const struct overlay *overlay, double x, double y, double size,
                              SDL_Color accent)
{
    double width = floor(size / 6), gap = floor(size / 8);
    x -= (4 * width + 3 * gap) / 2;
    for (int i = 0; i < 4; i++) {
        double height = size * (i + 1.4) / 4.4;
        overlay_fill(overlay, i ? faint : accent, x + i * (width + gap), y + size - height, width, height);
    }
}

/* Text that is too wide is set smaller. */
static double overlay_draw_centered(const struct overlay *overlay, struct box cell, double y,
                                    enum text_face face, int pixels, SDL_Color color, const char *string)
{
    struct text_style style = {face, pixels, color, TEXT_CENTER};
    int width = text_width(overlay->text, &style, string);
    if (width > cell.width * 0.94)
        style.pixels = (int)fmax(7, pixels * cell.width * 0.94 / width);
    return y + text_draw(overlay->text, &style, cell.x + cell.width / 2, y, string);
}

static double overlay_draw_lines(const struct overlay *overlay, struct box cell, double y,
                                 enum text_face face, int pixels, SDL_Color color, const char *string)
{
    while (string && *string) {
        char line[256];
        size_t length = strcspn(string, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, string);
        y = overlay_draw_centered(overlay, cell, y, face, pixels, color, line);
        string += length + (string[length] == '\n');
    }
    return y;
}

static unsigned lines_of(const char *string)
{
    unsigned lines = string && *string ? 1 : 0;
    for (; string && *string; string++)
        lines += *string == '\n' && string[1];
    return lines;
}

void overlay_draw_card(const struct overlay *overlay, struct box cell, const struct overlay_card *card)
{
    int large = font_size(overlay, cell, 40), middle = font_size(overlay, cell, 20);
    int small = font_size(overlay, cell, 15), bars = font_size(overlay, cell, 44);
    double height = bars + large * 0.7 + large * 1.3 + middle * 1.6 + lines_of(card->detail) * small * 1.3 +
                    (card->command ? small * 3 : 0);
    double y = cell.y + fmax(0, (cell.height - height) / 2);
    if (card->over_picture)
        overlay_fill(overlay, shade, cell.x, cell.y, cell.width, cell.height);
    if (cell.height > height)
        overlay_draw_bars(overlay, cell.x + cell.width / 2, y, bars, card->accent);
    y += bars + large * 0.5;
    y = overlay_draw_centered(overlay, cell, y, TEXT_BOLD, large, bright, card->headline) + large * 0.1;
    if (card->name)
        y = overlay_draw_centered(overlay, cell, y, TEXT_SANS, middle, medium, card->name) + middle * 0.2;
    y = overlay_draw_lines(overlay, cell, y, TEXT_SANS, small, dim, card->detail);
    if (card->command)
        overlay_draw_lines(overlay, cell, y + small * 1.2, TEXT_MONO, small * 9 / 10, medium, card->command);
}

#define BAR 3 /* pixels from one bar to the next */

static void graph_draw(const struct overlay *overlay, const struct overlay_graph *graph, struct box box)
{
    unsigned room = (unsigned)(box.width / BAR), count = graph->count < room ? graph->count : room;
    const double *value = graph->value + graph->count - count;
    double expected = graph->expected, top = expected * 2;
    for (unsigned i = 0; i < count; i++)
        top = fmax(top, expected > 0 ? fmin(value[i], expected * 4) : value[i]);
    overlay_fill(overlay, faint, box.x, box.y + box.height, box.width, 1);
    if (top <= 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        double height = fmax(1, round(fmin(1, value[i] / top) * box.height));
        bool late = expected > 0 && value[i] > expected * 1.5;
        overlay_fill(overlay, late ? overlay_bad : overlay_neutral,
                     box.x + box.width - (double)(count - i) * BAR, box.y + box.height - height, BAR - 1,
                     height);
    }
    if (expected > 0)
        overlay_fill(overlay, dim, box.x, box.y + round(box.height * (1 - expected / top)), box.width, 1);
}

struct table {
    struct text_style label, value, head;
    double pad, line, left, head_height, graph_height, width, height;
};

static struct table table_measure(const struct overlay *overlay, int pixels, const char *title,
                                  const struct overlay_row *rows, unsigned count, bool graph)
{
    struct table table = {
        .label = {TEXT_SANS, pixels, medium, TEXT_LEFT},
        .value = {TEXT_SANS, pixels, bright, TEXT_LEFT},
        .head = {TEXT_BOLD, pixels * 6 / 5, bright, TEXT_LEFT},
        .pad = pixels * 0.9,
        .graph_height = graph ? pixels * 5.5 : 0,
    };
    double right = 0;
    for (unsigned i = 0; i < count; i++) {
        if (rows[i].label)
            table.left = fmax(table.left, text_width(overlay->text, &table.label, rows[i].label));
        if (rows[i].value)
            right = fmax(right, text_width(overlay->text, &table.value, rows[i].value));
    }
    table.left += pixels;
    table.line = text_line(overlay->text, &table.value) * 1.08;
    table.head_height = text_line(overlay->text, &table.head) * 1.3;
    table.height = table.head_height + count * table.line + table.graph_height + 2 * table.pad;
    table.width = fmax(table.left + right, text_width(overlay->text, &table.head, title)) + 2 * table.pad;
    /* In steps, so that numbers that change their width do not make the panel tremble. */
    table.width = ceil(table.width / (pixels * 2)) * pixels * 2;
    return table;
}

void overlay_draw_table(const struct overlay *overlay, struct box cell, const char *title,
                        const struct overlay_row *rows, unsigned count, const struct overlay_graph *graph)
{
    double margin = 12 * window_text_scale(overlay->window);
    int pixels = font_size_up_to(overlay, cell, 14, 1), least = (int)(SMALLEST * margin / 12);
    bool with_graph = graph && graph->count;
    struct table table = table_measure(overlay, pixels, title, rows, count, with_graph);
    /* All of it in a small font, rather than a part. */
    while (pixels > least) {
        double fit = fmin(cell.width / (table.width + 2 * margin), cell.height / (table.height + 2 * margin));
        if (fit >= 1)
            break;
        margin = fmin(margin, 4);
        pixels = (int)fmax(least, fmin(pixels - 1, floor(pixels * fit)));
        table = table_measure(overlay, pixels, title, rows, count, with_graph);
    }
    double x = cell.x + margin, y = cell.y + margin;
    overlay_fill(overlay, panel, x, y, table.width, table.height);
    x += table.pad;
    y += table.pad;
    text_draw(overlay->text, &table.head, x, y, title);
    y += table.head_height;
    for (unsigned i = 0; i < count; i++, y += table.line) {
        if (rows[i].label)
            text_draw(overlay->text, &table.label, x, y, rows[i].label);
        if (rows[i].value)
            text_draw(overlay->text, &table.value, x + table.left, y, rows[i].value);
    }
    if (with_graph) {
        text_draw(overlay->text, &table.label, x, y + table.line * 0.2, graph->label);
        graph_draw(overlay, graph,
                   (struct box){x, y + table.line * 1.3, table.width - 2 * table.pad,
                                table.graph_height - table.line * 1.3});
    }
}

void overlay_draw_label(const struct overlay *overlay, struct box cell, const char *name, bool chosen)
{
    struct text_style style = {TEXT_SANS, font_size(overlay, cell, 15), chosen ? bright : medium, TEXT_LEFT};
    double line = text_line(overlay->text, &style), pad = style.pixels * 0.5;
    double width = text_width(overlay->text, &style, name) + 2 * pad;
    if (!text_available(overlay->text))
        return;
    overlay_fill(overlay, panel, cell.x, cell.y + cell.height - line - pad, width, line + pad);
    if (chosen)
        overlay_fill(overlay, overlay_neutral, cell.x, cell.y + cell.height - line - pad, fmax(2, pad * 0.4),
                     line + pad);
    text_draw(overlay->text, &style, cell.x + pad, cell.y + cell.height - line - pad / 2, name);
}

static double clamp_within(double at, double length, double from, double room)
{
    return fmax(from, fmin(at, from + room - length));
}

/* The place right of the pointer and below it, or on the other sides where there is no room. */
static struct box tip_place(struct box cell, double x, double y, double away, double width, double height)
{
    bool left = x + away + width > cell.x + cell.width, above = y + away + height > cell.y + cell.height;
    return (struct box){clamp_within(left ? x - away - width : x + away, width, cell.x, cell.width),
                        clamp_within(above ? y - away - height : y + away, height, cell.y, cell.height),
                        width, height};
}

struct box overlay_draw_tip(const struct overlay *overlay, struct box cell, const struct overlay_tip *tip)
{
    struct text_style style = {TEXT_SANS, font_size_up_to(overlay, cell, 14, 1), bright, TEXT_LEFT};
    struct text_style head = {TEXT_BOLD, style.pixels, bright, TEXT_LEFT};
    double pad = floor(style.pixels * 0.7), line = ceil(text_line(overlay->text, &style) * 1.15);
    double side = line * 4, room = style.pixels * 13; /* the same for all digits */
    struct box box;
    room = fmax(room, fmax(text_width(overlay->text, &style, tip->values),
                           text_width(overlay->text, &style, tip->shown) + line));
    box = tip_place(cell, tip->x, tip->y, style.pixels * 1.5, side + room + 3 * pad, side + 2 * pad);
    overlay_fill(overlay, panel, box.x, box.y, box.width, box.height);

    double x = box.x + side + 2 * pad, y = box.y + pad + line / 2;
    text_draw(overlay->text, &head, x, y, tip->place);
    text_draw(overlay->text, &style, x, y + line, tip->values);
    text_draw(overlay->text, &style, x + line, y + 2 * line, tip->shown);
    overlay_fill(overlay, medium, x, y + 2 * line + 1, line * 0.75, line * 0.75);
    overlay_fill(overlay, (SDL_Color){tip->rgb[0], tip->rgb[1], tip->rgb[2], 255}, x + 1, y + 2 * line + 2,
                 line * 0.75 - 2, line * 0.75 - 2);
    return (struct box){floor(box.x + pad), floor(box.y + pad), side, side};
}

void overlay_draw_mark(const struct overlay *overlay, double x, double y, double side)
{
    double thick = floor(window_text_scale(overlay->window));
    side += 2 * thick;
    x = floor(x - side / 2);
    y = floor(y - side / 2);
    for (int i = 0; i < 2; i++) { /* light within dark can be seen on any colour */
        SDL_Color color = i ? bright : overlay_background;
        double out = i ? 0 : thick;
        overlay_fill(overlay, color, x - out, y - out, side + 2 * out, thick);
        overlay_fill(overlay, color, x - out, y + side - thick + out, side + 2 * out, thick);
        overlay_fill(overlay, color, x - out, y, thick, side);
        overlay_fill(overlay, color, x + side - thick + out, y, thick, side);
    }
}

void overlay_draw_histogram(const struct overlay *overlay, struct box cell, const uint32_t levels[3][256])
{
    static const SDL_Color color[3] = {{215, 50, 45, 255}, {45, 180, 60, 255}, {60, 95, 235, 255}};
    double scale = floor(window_text_scale(overlay->window)), height = 96 * scale, pad = 10 * scale;
    double x = cell.x + cell.width - 256 * scale - 2 * pad - 12 * scale;
    double y = cell.y + cell.height - height - 2 * pad - 12 * scale;
    uint32_t most = 1;
    if (x < cell.x + cell.width * 0.4 || y < cell.y + cell.height * 0.4)
        return;
    overlay_fill(overlay, panel, x, y, 256 * scale + 2 * pad, height + 2 * pad);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 256; k++)
            most = levels[i][k] > most ? levels[i][k] : most;
    SDL_SetRenderDrawBlendMode(overlay->window->renderer, SDL_BLENDMODE_ADD);
    for (int i = 0; i < 3; i++) {
        SDL_SetRenderDrawColor(overlay->window->renderer, color[i].r, color[i].g, color[i].b, 255);
        for (int k = 0; k < 256; k++) {
            /* Square roots, so that a level that fills half of the picture does not hide the others. */
            double tall = levels[i][k] ? fmax(scale, round(sqrt((double)levels[i][k] / most) * height)) : 0;
            SDL_FRect bar = {x + pad + k * scale, y + pad + height - tall, scale, tall};
            SDL_RenderFillRectF(overlay->window->renderer, &bar);
        }
    }
}

void overlay_draw_notice(const struct overlay *overlay, struct box area, const char *message)
{
    double scale = window_text_scale(overlay->window);
    struct text_style style = {TEXT_SANS, font_size(overlay, area, 16), bright, TEXT_CENTER};
    double line = text_line(overlay->text, &style), pad = style.pixels * 0.8;
    double width = text_width(overlay->text, &style, message) + 2 * pad;
    double x = area.x + (area.width - width) / 2, y = area.y + area.height - line - pad - 28 * scale;
    if (!text_available(overlay->text))
        return;
    overlay_fill(overlay, panel, x, y, width, line + pad);
    text_draw(overlay->text, &style, area.x + area.width / 2, y + pad / 2, message);
}

double overlay_entry_height(const struct overlay *overlay, struct box area)
{
    return font_size_up_to(overlay, area, 48, 1.2);
}

void overlay_draw_heading(const struct overlay *overlay, struct box area, const char *heading,
                          const char *hint)
{
    double line = overlay_entry_height(overlay, area), x = area.x + area.width * 0.06;
    struct text_style style = {TEXT_BOLD, (int)(line * 0.5), bright, TEXT_LEFT};
    struct text_style small = {TEXT_SANS, (int)fmax(10, line * 0.28), dim, TEXT_LEFT};
    double y = area.y + line * 0.3;
    y += text_draw(overlay->text, &style, x, y, heading);
    text_draw(overlay->text, &small, x, y, hint);
}

void overlay_draw_entry(const struct overlay *overlay, struct box box, const char *name, const char *detail,
                        bool chosen, bool lit)
{
    struct text_style style = {TEXT_SANS, (int)(box.height * 0.4), lit ? bright : dim, TEXT_LEFT};
    struct text_style small = {TEXT_SANS, (int)fmax(10, box.height * 0.3), lit ? medium : dim, TEXT_RIGHT};
    double gap = floor(box.height * 0.06), pad = box.height * 0.35;
    overlay_fill(overlay, chosen ? faint : panel, box.x, box.y + gap, box.width, box.height - 2 * gap);
    overlay_fill(overlay, chosen ? overlay_neutral : faint, box.x, box.y + gap, fmax(3, box.height * 0.08),
                 box.height - 2 * gap);
    text_draw(overlay->text, &style, box.x + pad, box.y + (box.height - text_line(overlay->text, &style)) / 2,
              name);
    text_draw(overlay->text, &small, box.x + box.width - pad,
              box.y + (box.height - text_line(overlay->text, &small)) / 2, detail);
}
