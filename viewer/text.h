/* SPDX-License-Identifier: MIT */
/*
 * Words on the screen: fonts that fontconfig finds, and textures of the strings drawn lately. Fonts are
 * searched for when the first word is drawn. If there are none, nothing is drawn and text_available() is
 * false.
 */
#ifndef VIEWER_TEXT_H
#define VIEWER_TEXT_H

#include <SDL.h>
#include <stdbool.h>

enum text_face {
    TEXT_SANS,
    TEXT_BOLD,
    TEXT_MONO,
    TEXT_FACES,
};

enum text_align {
    TEXT_LEFT,
    TEXT_CENTER,
    TEXT_RIGHT,
};

struct text_style {
    enum text_face face;
    int pixels; /* height of the font */
    SDL_Color color;
    enum text_align align;
};

struct text;

struct text *text_create(SDL_Renderer *renderer);
void text_destroy(struct text *text);

bool text_available(struct text *text);

/* Draws one line with its top at y; x is its left edge, middle or right edge. Returns its height. */
int text_draw(struct text *text, const struct text_style *style, double x, double y, const char *string);

/* The width that text_draw() would cover. */
int text_width(struct text *text, const struct text_style *style, const char *string);

/* The distance between lines. */
int text_line(struct text *text, const struct text_style *style);

/* Drops all textures, because the renderer has lost them. */
void text_reset(struct text *text);

#endif
