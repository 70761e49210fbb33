/* SPDX-License-Identifier: MIT */
#include "inspector.h"
#include "cli/clock.h"
#include "pixels/formats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE      256 /* pixels along a side of the sample whose levels are counted */
#define PERIOD_NS (100 * NS_PER_MS)
#define LOUPE     11 /* pixels of the picture along a side */

void inspector_keep(struct inspector *inspector, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    struct sample sample[SAMPLES_MAX];
    inspector->stored = false;
    inspector->opaque = !format->fourcc;
    if (!format->fourcc || !frame->data || frame->size < format->size)
        return;
    if (inspector->room < format->size) {
        free(inspector->copy);
        inspector->copy = malloc(format->size);
        inspector->room = inspector->copy ? format->size : 0;
    }
    if (!inspector->copy || framebus_frame_begin_access(frame, false))
        return;
    memcpy(inspector->copy, frame->data, format->size);
    framebus_frame_end_access(frame, false);
    inspector->format = *format;
    inspector->format.caps = NULL;
    inspector->stored = format_read_pixel(&inspector->format, inspector->copy, 0, 0, sample) > 0;
}

void inspector_forget(struct inspector *inspector)
{
    inspector->stored = inspector->opaque = false;
}

static void inspector_count_levels(struct inspector *inspector, struct texture *texture,
                                   struct window *window)
{
    uint8_t *rgb = malloc(SIDE * SIDE * 3);
    memset(inspector->levels, 0, sizeof inspector->levels);
    if (rgb && texture_sample(texture, window, &texture->crop, (struct extent){SIDE, SIDE}, rgb) == 0)
        for (size_t i = 0; i < SIDE * SIDE; i++)
            for (unsigned k = 0; k < 3; k++)
                inspector->levels[k][rgb[i * 3 + k]]++;
    free(rgb);
}

static uint32_t share_of(double share, uint32_t length)
{
    uint32_t at = (uint32_t)(share * length);
    return at < length ? at : length - 1;
}

void inspector_read(struct inspector *inspector, struct texture *texture, struct window *window,
                    const struct placement *placement, double x, double y, int64_t now_ns)
{
    const struct framebus_rect *stored = &texture->stored;
    double u, v;
    if (now_ns >= inspector->due_ns) {
        inspector_count_levels(inspector, texture, window);
        inspector->due_ns = now_ns + PERIOD_NS;
    }
    inspector->over = texture->handle && geometry_pick(placement, x, y, &u, &v);
    if (!inspector->over)
        return;
    inspector->x = stored->x + share_of(u, stored->width);
    inspector->y = stored->y + share_of(v, stored->height);
    inspector->texel = (SDL_Rect){texture->crop.x + (int)share_of(u, (uint32_t)texture->crop.w),
                                  texture->crop.y + (int)share_of(v, (uint32_t)texture->crop.h), 1, 1};
    inspector->over =
        texture_sample(texture, window, &inspector->texel, (struct extent){1, 1}, inspector->rgb) == 0;
}

static void inspector_describe(const struct inspector *inspector, char *text, size_t room)
{
    struct sample sample[SAMPLES_MAX];
    if (inspector->stored) {
        unsigned count =
            format_read_pixel(&inspector->format, inspector->copy, inspector->x, inspector->y, sample);
        format_describe_pixel(sample, count, text, room);
    } else {
        snprintf(text, room, inspector->opaque ? "stored compressed" : "values: next frame (.)");
    }
}

/* Chooses LOUPE texels around one, or as many as there are, all of them inside. */
static void loupe_span(int texel, int from, int room, int *first, int *count)
{
    *count = SDL_min(LOUPE, room);
    *first = SDL_clamp(texel - LOUPE / 2, from, from + room - *count);
}

/* Hands only that part to the renderer: in software, clipped pixels cost as much as visible ones. */
static void loupe_draw(const struct inspector *inspector, const struct overlay *overlay,
                       const struct texture *texture, struct box box, const struct placement *placement)
{
    const SDL_Rect *texel = &inspector->texel;
    struct texture part = *texture;
    struct placement loupe = {.turns = placement->turns, .mirrored = placement->mirrored};
    double side = floor(box.width / LOUPE), x, y;
    loupe_span(texel->x, texture->crop.x, texture->crop.w, &part.crop.x, &part.crop.w);
    loupe_span(texel->y, texture->crop.y, texture->crop.h, &part.crop.y, &part.crop.h);
    double width = part.crop.w * side, height = part.crop.h * side;
    double left = floor(box.x + (box.width - width) / 2), top = floor(box.y + (box.height - height) / 2);
    loupe.box = loupe.shown = (struct box){left, top, width, height};
    if (loupe.turns % 2)
        loupe.shown = (struct box){left + (width - height) / 2, top + (height - width) / 2, height, width};
    texture_draw(&part, overlay->window, &loupe, false);
    geometry_point(&loupe, (texel->x - part.crop.x + 0.5) / part.crop.w,
                   (texel->y - part.crop.y + 0.5) / part.crop.h, &x, &y);
    overlay_draw_mark(overlay, x, y, side);
}

void inspector_draw(const struct inspector *inspector, const struct overlay *overlay, struct texture *texture,
                    struct box cell, const struct placement *placement, double x, double y)
{
    char place[32], values[96], shown[64];
    const uint8_t *c = inspector->rgb;
    struct overlay_tip tip = {.x = x, .y = y, .place = place, .values = values, .shown = shown};
    overlay_draw_histogram(overlay, cell, inspector->levels);
    if (!inspector->over)
        return;
    snprintf(place, sizeof place, "x %u  y %u", inspector->x, inspector->y);
    inspector_describe(inspector, values, sizeof values);
    snprintf(shown, sizeof shown, "%u %u %u  #%02x%02x%02x", c[0], c[1], c[2], c[0], c[1], c[2]);
    memcpy(tip.rgb, c, sizeof tip.rgb);
    loupe_draw(inspector, overlay, texture, overlay_draw_tip(overlay, cell, &tip), placement);
}

void inspector_finish(struct inspector *inspector)
{
    free(inspector->copy);
    *inspector = (struct inspector){0};
}
