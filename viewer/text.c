/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <SDL_ttf.h>
#include <fontconfig/fontconfig.h>
#include <stdlib.h>
#include <string.h>

#define FONTS  16
#define LABELS 128

struct font {
    TTF_Font *font;
    enum text_face face;
    int pixels;
};

struct label {
    SDL_Texture *texture;
    char *string;
    enum text_face face;
    int pixels, width, height;
    unsigned long used;
};

struct text {
    SDL_Renderer *renderer;
    bool started, available;
    char *file[TEXT_FACES];
    int index[TEXT_FACES];
    struct font font[FONTS];
    unsigned next_font;
    struct label label[LABELS];
    unsigned long clock;
};

static const char *const pattern[TEXT_FACES] = {
    [TEXT_SANS] = "Inter,Noto Sans,DejaVu Sans,sans-serif:weight=80",
    [TEXT_BOLD] = "Inter,Noto Sans,DejaVu Sans,sans-serif:weight=180",
    [TEXT_MONO] = "JetBrains Mono,Noto Sans Mono,DejaVu Sans Mono,monospace",
};

struct text *text_create(SDL_Renderer *renderer)
{
    struct text *text = calloc(1, sizeof *text);
    if (text)
        text->renderer = renderer;
    return text;
}

static void font_find(struct text *text, FcConfig *config, enum text_face face)
{
    FcResult result;
    FcChar8 *file;
    FcPattern *wish = FcNameParse((const FcChar8 *)pattern[face]), *match = NULL;
    if (!wish)
        return;
    FcPatternAddBool(wish, FC_SCALABLE, FcTrue);
    FcConfigSubstitute(config, wish, FcMatchPattern);
    FcDefaultSubstitute(wish);
    match = FcFontMatch(config, wish, &result);
    if (match && FcPatternGetString(match, FC_FILE, 0, &file) == FcResultMatch) {
        text->file[face] = strdup((const char *)file);
        FcPatternGetInteger(match, FC_INDEX, 0, &text->index[face]);
    }
    if (match)
        FcPatternDestroy(match);
    FcPatternDestroy(wish);
}

static TTF_Font *font_open(struct text *text, enum text_face face, int pixels)
{
    return text->file[face] ? TTF_OpenFontIndex(text->file[face], pixels, text->index[face]) : NULL;
}

static void text_start(struct text *text)
{
    text->started = true;
    if (TTF_Init())
        return;

    FcConfig *config = FcInitLoadConfigAndFonts();
    if (!config)
        return;
    for (int face = 0; face < TEXT_FACES; face++)
        font_find(text, config, face);
    FcConfigDestroy(config);

    TTF_Font *probe = font_open(text, TEXT_SANS, 16);
    text->available = probe != NULL;
    if (probe)
        TTF_CloseFont(probe);
}

bool text_available(struct text *text)
{
    if (!text->started)
        text_start(text);
    return text->available;
}

static TTF_Font *font_get(struct text *text, const struct text_style *style)
{
    int pixels = style->pixels < 6 ? 6 : style->pixels;
    if (!text_available(text))
        return NULL;
    for (unsigned i = 0; i < FONTS; i++)
        if (text->font[i].font && text->font[i].face == style->face && text->font[i].pixels == pixels)
            return text->font[i].font;

    TTF_Font *font = font_open(text, style->face, pixels);
    if (!font)
        font = font_open(text, TEXT_SANS, pixels);
    if (!font)
        return NULL;
    struct font *slot = &text->font[text->next_font++ % FONTS];
    if (slot->font)
        TTF_CloseFont(slot->font);
    *slot = (struct font){font, style->face, pixels};
    return font;
}

static void label_drop(struct label *label)
{
    if (label->texture)
        SDL_DestroyTexture(label->texture);
    free(label->string);
    *label = (struct label){0};
}

static bool label_render(struct text *text, struct label *label, const struct text_style *style,
                         const char *string)
{
    TTF_Font *font = font_get(text, style);
    SDL_Surface *surface =
        font ? TTF_RenderUTF8_Blended(font, string, (SDL_Color){255, 255, 255, 255}) : NULL;
    if (!surface)
        return false;
    label_drop(label);
    label->texture = SDL_CreateTextureFromSurface(text->renderer, surface);
    label->string = strdup(string);
    label->face = style->face;
    label->pixels = style->pixels;
    label->width = surface->w;
    label->height = surface->h;
    SDL_FreeSurface(surface);
    if (label->texture && label->string)
        return true;
    label_drop(label);
    return false;
}

static struct label *label_get(struct text *text, const struct text_style *style, const char *string)
{
    struct label *oldest = &text->label[0];
    for (struct label *label = text->label; label < text->label + LABELS; label++) {
        if (label->string && label->pixels == style->pixels && label->face == style->face &&
            strcmp(label->string, string) == 0) {
            label->used = ++text->clock;
            return label;
        }
        if (label->used < oldest->used)
            oldest = label;
    }
    if (!label_render(text, oldest, style, string))
        return NULL;
    oldest->used = ++text->clock;
    return oldest;
}

int text_draw(struct text *text, const struct text_style *style, double x, double y, const char *string)
{
    struct label *label = *string ? label_get(text, style, string) : NULL;
    if (!label)
        return text_line(text, style);
    x -= style->align == TEXT_CENTER ? label->width / 2 : style->align == TEXT_RIGHT ? label->width : 0;
    SDL_Rect at = {(int)x, (int)y, label->width, label->height};
    SDL_SetTextureColorMod(label->texture, style->color.r, style->color.g, style->color.b);
    SDL_SetTextureAlphaMod(label->texture, style->color.a);
    SDL_RenderCopy(text->renderer, label->texture, NULL, &at);
    return text_line(text, style);
}

int text_width(struct text *text, const struct text_style *style, const char *string)
{
    TTF_Font *font = font_get(text, style);
    int width = 0;
    return font && TTF_SizeUTF8(font, string, &width, NULL) == 0 ? width : 0;
}

int text_line(struct text *text, const struct text_style *style)
{
    TTF_Font *font = font_get(text, style);
    return font ? TTF_FontLineSkip(font) : style->pixels;
}

void text_reset(struct text *text)
{
    for (unsigned i = 0; i < LABELS; i++)
        label_drop(&text->label[i]);
}

void text_destroy(struct text *text)
{
    if (!text)
        return;
    text_reset(text);
    for (unsigned i = 0; i < FONTS; i++)
        if (text->font[i].font)
            TTF_CloseFont(text->font[i].font);
    for (unsigned i = 0; i < TEXT_FACES; i++)
        free(text->file[i]);
    if (TTF_WasInit())
        TTF_Quit();
    free(text);
}
