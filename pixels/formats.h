/* SPDX-License-Identifier: MIT */
/* The one table of what pixels are made of: values, planes and conversion of a format follow from its row. */
#ifndef PIXELS_FORMATS_H
#define PIXELS_FORMATS_H

#include "framebus.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The way from a format to 32-bit pixels. convert.c has a function for each: band_split() for
 * FORMAT_WAY_SPLIT. */
enum format_way {
    FORMAT_WAY_GRAY,
    FORMAT_WAY_RGB,
    FORMAT_WAY_PACKED_422,
    FORMAT_WAY_PACKED_444,
    FORMAT_WAY_PLANES, /* planes as libyuv takes them */
    FORMAT_WAY_SPLIT,  /* Cb and Cr in turns, which become planes of their own */
    FORMAT_WAY_COARSE, /* one value of chroma for four pixels in a row */
};

struct format_row {
    uint32_t fourcc; /* of the library's format: framebus_format_find() */
    enum format_way way;
    const char *word[3]; /* fields of a group, for each plane */
};

/* NULL: the format is not in the table. */
const struct format_row *format_row_find(uint32_t fourcc);

/* ---- Groups: words of up to 8 bytes, see struct framebus_plane_layout ---- */

/* A component in the word of a group. */
struct format_field {
    char name;     /* Y, U (Cb), V (Cr), R, G, B or A; x: padding */
    uint8_t bits;  /* size */
    uint8_t shift; /* lowest bit in the word */
    uint8_t pixel; /* number of its pixel in the group; 0 also for what all of them share */
};

#define FORMAT_FIELDS_MAX 8

struct format_group {
    uint8_t bytes, fields;
    bool big_endian;
    struct format_field field[FORMAT_FIELDS_MAX];
};

/* Finds what the groups of a plane are made of. False: the format is not known, or has no such plane. */
bool format_group(uint32_t fourcc, unsigned plane, struct format_group *group);

uint64_t format_group_load(const struct format_group *group, const uint8_t *from);
void format_group_store(const struct format_group *group, uint8_t *to, uint64_t word);

/* ---- Components: where all values of a name are ---- */

struct format_component {
    uint8_t plane;
    uint8_t bits;         /* size of a value */
    uint8_t shift;        /* lowest bit of the first value in the word of a group */
    uint8_t step;         /* bits from one value to the next in a row */
    uint8_t sub_x, sub_y; /* columns and rows of pixels that share a value */
};

/* False: the format is not known, or has no component of this name. */
bool format_component(uint32_t fourcc, char name, struct format_component *component);

/* ---- Single pixels as they are stored ---- */

#define SAMPLES_MAX 4

struct sample {
    char name; /* as in struct format_field */
    uint8_t bits;
    uint32_t value;
};

/*
 * Reads what a linear picture stores for the pixel (x, y); chroma that several pixels share is that of each
 * of them. Returns the number of components, in the order in which people read them; 0: the format is not
 * known, or the pixel is outside.
 */
unsigned format_read_pixel(const struct framebus_format *format, const uint8_t *data, uint32_t x, uint32_t y,
                           struct sample sample[SAMPLES_MAX]);

/* In words: "Y 235  Cb 128  Cr 128". Returns text. */
char *format_describe_pixel(const struct sample *sample, unsigned count, char *text, size_t room);

#endif
