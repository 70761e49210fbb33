/* SPDX-License-Identifier: MIT */
/*
 * The places of things in the window: plain arithmetic, no SDL. Boxes are in output pixels, y downwards.
 */
#ifndef VIEWER_GEOMETRY_H
#define VIEWER_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

struct extent {
    int width, height;
};

struct box {
    double x, y, width, height;
};

/* The way in which a picture is shown. All zero: whole, upright, as large as fits. */
struct pose {
    unsigned turns; /* quarter turns clockwise, 0..3 */
    bool mirrored;  /* left and right are exchanged, before turning */
    double zoom;    /* output pixels for one (square) pixel of the picture; 0: fit */
    double shift_x,
        shift_y; /* distance of the picture's middle from the cell's, in output pixels, if zoom is not 0 */
};

/* Where a picture is drawn: `box` is the unturned rectangle, to be turned about its middle. */
struct placement {
    struct box box;   /* argument of SDL_RenderCopyExF() */
    struct box shown; /* area that it covers after turning */
    unsigned turns;
    bool mirrored;
};

/* The size of a picture in square pixels: the side that its pixels' shape makes too short is
 * lengthened; no side is shortened. */
struct extent geometry_square(uint32_t width, uint32_t height, uint32_t aspect_num, uint32_t aspect_den);

/* The size after `turns` quarter turns. */
struct extent geometry_turned(struct extent size, unsigned turns);

/* The largest size of the same shape inside `room`; `size` itself if it fits. */
struct extent geometry_shrink(struct extent size, struct extent room);

/* Cell `index` of `count` in an area, laid out so that pictures of shape `typical` come out largest. */
struct box geometry_cell(struct extent area, unsigned count, unsigned index, struct extent typical,
                         double gap);

/* Puts a picture of `size` square pixels into a cell. */
struct placement geometry_place(struct box cell, struct extent size, const struct pose *pose);

/* Multiplies the zoom by `factor` so that the point of the picture under (x, y) stays there. */
void geometry_zoom(struct pose *pose, struct box cell, struct extent size, double factor, double x, double y);

/* Sets a zoom; the middle of the cell stays at the same point of the picture. */
void geometry_set_zoom(struct pose *pose, struct box cell, struct extent size, double zoom);

/* The point of the picture under (x, y), each coordinate 0..1. False: beside the picture. */
bool geometry_pick(const struct placement *placement, double x, double y, double *u, double *v);

/* The place of the point (u, v) of the picture: the inverse of geometry_pick(). */
void geometry_point(const struct placement *placement, double u, double v, double *x, double *y);

/* True if (x, y) is inside. */
bool geometry_inside(struct box box, double x, double y);

/* Reads "WxH" or "WxH+X+Y"; without X and Y leaves *x and *y alone. False: it is not of that form. */
bool geometry_parse(const char *text, struct extent *size, int *x, int *y);

#endif
