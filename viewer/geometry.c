/* SPDX-License-Identifier: MIT */
#include "geometry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ZOOM_MIN 0.01
#define ZOOM_MAX 256.0
#define SIDE_MAX 65535

static int side_of(double value)
{
    return value < 1 ? 1 : value > SIDE_MAX ? SIDE_MAX : (int)lround(value);
}

struct extent geometry_square(uint32_t width, uint32_t height, uint32_t aspect_num, uint32_t aspect_den)
{
    double shape = aspect_num && aspect_den ? (double)aspect_num / aspect_den : 1;
    return (struct extent){
        .width = side_of(shape > 1 ? width * shape : width),
        .height = side_of(shape < 1 ? height / shape : height),
    };
}

struct extent geometry_turned(struct extent size, unsigned turns)
{
    return turns % 2 ? (struct extent){size.height, size.width} : size;
}

static double extent_fit(struct extent size, double width, double height)
{
    return fmin(width / size.width, height / size.height);
}

struct extent geometry_shrink(struct extent size, struct extent room)
{
    double scale = fmin(1, extent_fit(size, room.width, room.height));
    return (struct extent){side_of(size.width * scale), side_of(size.height * scale)};
}

struct box geometry_cell(struct extent area, unsigned count, unsigned index, struct extent typical,
                         double gap)
{
    unsigned columns = 1, rows = count ? count : 1;
    double best = -1;
    for (unsigned c = 1; c <= count; c++) {
        unsigned r = (count + c - 1) / c;
        double scale =
            extent_fit(typical, (area.width - gap * (c - 1)) / c, (area.height - gap * (r - 1)) / r);
        if (scale > best) {
            best = scale;
            columns = c;
            rows = r;
        }
    }

    unsigned row = index / columns, column = index % columns;
    unsigned in_row = row == rows - 1 ? count - row * columns : columns;
    double width = (area.width - gap * (columns - 1)) / columns;
    double height = (area.height - gap * (rows - 1)) / rows;
    /* A last row that is not full stands in the middle. Edges on whole pixels keep pictures sharp. */
    double left = (columns - (count ? in_row : 1)) * (width + gap) / 2 + column * (width + gap);
    double top = row * (height + gap);
    double x = round(left), y = round(top);

    return (struct box){x, y, fmax(1, round(left + width) - x), fmax(1, round(top + height) - y)};
}

struct placement geometry_place(struct box cell, struct extent size, const struct pose *pose)
{
    struct extent turned = geometry_turned(size, pose->turns);
    double zoom = pose->zoom > 0 ? pose->zoom : extent_fit(turned, cell.width, cell.height);
    double width = fmax(1, round(turned.width * zoom)), height = fmax(1, round(turned.height * zoom));
    double x = cell.x + (cell.width - width) / 2, y = cell.y + (cell.height - height) / 2;
    if (pose->zoom > 0) {
        x += pose->shift_x;
        y += pose->shift_y;
    }

    struct placement place = {
        .shown = {floor(x), floor(y), width, height},
        .turns = pose->turns % 4,
        .mirrored = pose->mirrored,
    };
    place.box = place.shown;
    if (place.turns % 2) {
        place.box.x += (width - height) / 2;
        place.box.y += (height - width) / 2;
        place.box.width = height;
        place.box.height = width;
    }
    return place;
}

static double pose_zoom(const struct pose *pose, struct box cell, struct extent size)
{
    return pose->zoom > 0 ? pose->zoom
                          : extent_fit(geometry_turned(size, pose->turns), cell.width, cell.height);
}

void geometry_zoom(struct pose *pose, struct box cell, struct extent size, double factor, double x, double y)
{
    double old = pose_zoom(pose, cell, size);
    double zoom = fmin(ZOOM_MAX, fmax(ZOOM_MIN, old * factor));
    double shift_x = pose->zoom > 0 ? pose->shift_x : 0, shift_y = pose->zoom > 0 ? pose->shift_y : 0;
    double from_x = x - (cell.x + cell.width / 2), from_y = y - (cell.y + cell.height / 2);
    pose->shift_x = from_x - (from_x - shift_x) * zoom / old;
    pose->shift_y = from_y - (from_y - shift_y) * zoom / old;
    pose->zoom = zoom;
}

void geometry_set_zoom(struct pose *pose, struct box cell, struct extent size, double zoom)
{
    geometry_zoom(pose, cell, size, zoom / pose_zoom(pose, cell, size), cell.x + cell.width / 2,
                  cell.y + cell.height / 2);
}

bool geometry_pick(const struct placement *place, double x, double y, double *u, double *v)
{
    double a = (x - place->shown.x) / place->shown.width;
    double b = (y - place->shown.y) / place->shown.height;
    const double turned[4][2] = {{a, b}, {b, 1 - a}, {1 - a, 1 - b}, {1 - b, a}};
    if (!geometry_inside(place->shown, x, y))
        return false;
    *u = place->mirrored ? 1 - turned[place->turns][0] : turned[place->turns][0];
    *v = turned[place->turns][1];
    return true;
}

void geometry_point(const struct placement *place, double u, double v, double *x, double *y)
{
    double s = place->mirrored ? 1 - u : u;
    const double turned[4][2] = {{s, v}, {1 - v, s}, {1 - s, 1 - v}, {v, 1 - s}};
    *x = place->shown.x + turned[place->turns][0] * place->shown.width;
    *y = place->shown.y + turned[place->turns][1] * place->shown.height;
}

bool geometry_inside(struct box box, double x, double y)
{
    return x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
}

bool geometry_parse(const char *text, struct extent *size, int *x, int *y)
{
    int width, height, left, top, end = -1;
    if (strspn(text, "0123456789x+-") != strlen(text))
        return false;
    if (sscanf(text, "%6dx%6d%n", &width, &height, &end) != 2 || end < 0)
        return false;
    if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
        return false;
    if (text[end]) {
        const char *rest = text + end;
        if (sscanf(rest, "%7d%7d%n", &left, &top, &end) != 2 || rest[end] || (*rest != '+' && *rest != '-'))
            return false;
        *x = left;
        *y = top;
    }
    *size = (struct extent){width, height};
    return true;
}
