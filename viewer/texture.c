/* SPDX-License-Identifier: MIT */
#include "texture.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "color.h"
#include "convert.h"
#include "jpeg.h"
#include "phrase.h"
#include "png-file.h"

#define CONVERTED SDL_PIXELFORMAT_RGB888 /* SDL's name of B, G, R, unused in memory */
#define IMPORTED                                                                                             \
    SDL_PIXELFORMAT_BGR888 /* OpenGL's own order, which SDL does not change when it draws images */

/* What SDL has too. Alpha is not looked at. */
static const struct direct {
    uint32_t fourcc;
    Uint32 format;
    uint8_t u, v; /* planes of Cb and Cr where they are planes of their own */
} directs[] = {
    {DRM_FORMAT_XRGB8888, SDL_PIXELFORMAT_RGB888, 0, 0}, {DRM_FORMAT_XBGR8888, SDL_PIXELFORMAT_BGR888, 0, 0},
    {DRM_FORMAT_ARGB8888, SDL_PIXELFORMAT_RGB888, 0, 0}, {DRM_FORMAT_ABGR8888, SDL_PIXELFORMAT_BGR888, 0, 0},
    {DRM_FORMAT_YUV420, SDL_PIXELFORMAT_IYUV, 1, 2},     {DRM_FORMAT_YVU420, SDL_PIXELFORMAT_IYUV, 2, 1},
    {DRM_FORMAT_NV12, SDL_PIXELFORMAT_NV12, 0, 0},       {DRM_FORMAT_NV21, SDL_PIXELFORMAT_NV21, 0, 0},
};

/* SDL's own ways from YUV to RGB. */
static const struct {
    struct color color;
    SDL_YUV_CONVERSION_MODE mode;
} modes[] = {
    {{COLOR_BT601, false}, SDL_YUV_CONVERSION_BT601},
    {{COLOR_BT709, false}, SDL_YUV_CONVERSION_BT709},
    {{COLOR_BT601, true}, SDL_YUV_CONVERSION_JPEG},
};

/* Global, and read by some renderers when a texture is made, by others when it is filled or drawn. */
static void set_mode(const struct texture *texture)
{
    SDL_SetYUVConversionMode(texture->mode);
}

static bool find_mode(struct color color, SDL_YUV_CONVERSION_MODE *mode)
{
    for (unsigned i = 0; i < SDL_arraysize(modes); i++) {
        if (modes[i].color.matrix == color.matrix && modes[i].color.full == color.full) {
            *mode = modes[i].mode;
            return true;
        }
    }
    return false;
}

static const struct direct *find_direct(const struct window *window, const struct framebus_format *format,
                                        SDL_YUV_CONVERSION_MODE *mode)
{
    struct color color = color_of(format);
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);

    for (unsigned i = 0; i < SDL_arraysize(directs); i++) {
        if (directs[i].fourcc != format->fourcc || !window_takes(window, directs[i].format))
            continue;
        return (info->yuv ? find_mode(color, mode) : color.full) ? &directs[i] : NULL;
    }
    return NULL;
}

static const char damaged[] = "a damaged JPEG picture";

static int fail_sdl(char *problem, size_t room, const char *what)
{
    snprintf(problem, room, "%s: %s", what, SDL_GetError());
    return -EIO;
}

static void forget_picture(struct texture *texture)
{
    if (texture->handle)
        SDL_DestroyTexture(texture->handle);
    texture->handle = NULL;
    texture->size = (struct extent){0, 0};
}

static int make_texture(struct texture *texture, struct window *window, Uint32 format, int access,
                        SDL_YUV_CONVERSION_MODE mode, int width, int height, char *problem, size_t room)
{
    if (texture->handle && texture->format == format && texture->access == access && texture->mode == mode &&
        texture->width == width && texture->height == height)
        return 0;
    forget_picture(texture);
    texture->mode = mode;
    set_mode(texture);
    texture->access = access;
    texture->handle = SDL_CreateTexture(window->renderer, format, access, width, height);
    if (!texture->handle)
        return fail_sdl(problem, room, "no texture can be made");
    SDL_SetTextureBlendMode(texture->handle, SDL_BLENDMODE_NONE);
    texture->format = format;
    texture->width = width;
    texture->height = height;
    return 0;
}

static int update(struct texture *texture, const struct framebus_frame *frame, const struct direct *direct)
{
    const struct framebus_plane *p = frame->plane;

    set_mode(texture);
    if (direct->u)
        return SDL_UpdateYUVTexture(texture->handle, NULL, p[0].data, p[0].stride, p[direct->u].data,
                                    p[direct->u].stride, p[direct->v].data, p[direct->v].stride);
    if (frame->format->planes == 2)
        return SDL_UpdateNVTexture(texture->handle, NULL, p[0].data, p[0].stride, p[1].data, p[1].stride);
    return SDL_UpdateTexture(texture->handle, NULL, p[0].data, p[0].stride);
}

/* Room for a picture that cannot go into the texture as it is. */
static uint8_t *get_spare(struct texture *texture, size_t bytes)
{
    if (texture->spare_room < bytes) {
        free(texture->spare);
        texture->spare = malloc(bytes);
        texture->spare_room = texture->spare ? bytes : 0;
    }
    return texture->spare;
}

struct picture {
    const struct framebus_frame *frame;
    struct jpeg *jpeg; /* NULL: a raw picture */
    int width, height;
};

static int convert_into(struct texture *texture, const struct picture *picture, uint8_t *pixels, int stride)
{
    return picture->jpeg ? jpeg_decode(picture->jpeg, pixels, stride)
                         : convert_picture(texture->convert, picture->frame, pixels, stride);
}

static int convert(struct texture *texture, struct window *window, const struct picture *picture,
                   char *problem, size_t room)
{
    int limit = window_texture_limit(window);
    struct extent whole = {picture->width, picture->height};
    struct extent size = limit ? geometry_shrink(whole, (struct extent){limit, limit}) : whole;
    bool shrunk = size.width != whole.width || size.height != whole.height;
    int stride, r;
    void *pixels;

    if (!texture->convert)
        texture->convert = convert_create();
    if (!texture->convert || (shrunk && !get_spare(texture, (size_t)whole.width * 4 * whole.height))) {
        snprintf(problem, room, "not enough memory for %dx%d pixels", whole.width, whole.height);
        return -ENOMEM;
    }
    r = make_texture(texture, window, CONVERTED, SDL_TEXTUREACCESS_STREAMING, SDL_YUV_CONVERSION_AUTOMATIC,
                     size.width, size.height, problem, room);
    if (r)
        return r;
    if (SDL_LockTexture(texture->handle, NULL, &pixels, &stride))
        return fail_sdl(problem, room, "a texture cannot be filled");
    if (shrunk) {
        r = convert_into(texture, picture, texture->spare, whole.width * 4);
        convert_scale(texture->spare, whole.width * 4, whole.width, whole.height, pixels, stride, size.width,
                      size.height);
    } else {
        r = convert_into(texture, picture, pixels, stride);
    }
    SDL_UnlockTexture(texture->handle);
    if (r)
        snprintf(problem, room, r == -EBADMSG ? damaged : "a stride that cannot be used");
    return r;
}

/* Opaque payloads are what their caps say, up to the first comma. */
static bool is_jpeg(const struct framebus_format *format)
{
    static const char *const names[] = {"image/jpeg", "video/x-jpeg"};
    size_t length = format->caps ? strcspn(format->caps, " ,;") : 0;

    for (unsigned i = 0; i < SDL_arraysize(names); i++)
        if (length == strlen(names[i]) && strncasecmp(format->caps, names[i], length) == 0)
            return true;
    return false;
}

static int refuse(const struct framebus_format *format, char *problem, size_t room)
{
    char text[128], modifier[96];

    if (!format->fourcc)
        snprintf(problem, room, "%.*s", (int)strcspn(format->caps ? format->caps : "", ",; "),
                 format->caps ? format->caps : "");
    else if (format->modifier)
        snprintf(problem, room, "%s, modifier %s", framebus_format_describe(format, text, sizeof(text)),
                 phrase_modifier(format->modifier, modifier, sizeof(modifier)));
    else
        snprintf(problem, room, "%s", framebus_format_describe(format, text, sizeof(text)));
    return -ENOTSUP;
}

static void set_view(struct texture *texture, const struct picture *picture)
{
    const struct framebus_rect *crop = &picture->frame->crop;
    const struct framebus_format *format = picture->frame->format;
    double scale_x = (double)texture->width / picture->width,
           scale_y = (double)texture->height / picture->height;
    bool whole = picture->jpeg || !crop->width || !crop->height;
    uint32_t x = whole ? 0 : crop->x, width = whole ? (uint32_t)picture->width : crop->width;
    uint32_t y = whole ? 0 : crop->y, height = whole ? (uint32_t)picture->height : crop->height;

    texture->crop = (SDL_Rect){
        .x = (int)(x * scale_x),
        .y = (int)(y * scale_y),
        .w = SDL_max(1, (int)(width * scale_x)),
        .h = SDL_max(1, (int)(height * scale_y)),
    };
    texture->stored = (struct framebus_rect){x, y, width, height};
    texture->size = geometry_square(width, height, format->aspect_num, format->aspect_den);
}

/* By the graphics processor, from where it is. Whatever it cannot do is uploaded. */
static int import(struct texture *texture, struct window *window, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;
    const struct picture picture = {
        .frame = frame, .width = (int)format->width, .height = (int)format->height};
    int limit = window_texture_limit(window);
    char problem[128];

    texture->importer = window->importer;
    if (!window->importer || !format->fourcc ||
        (limit && (picture.width > limit || picture.height > limit)) ||
        !import_prepare(&texture->import, window->importer, frame))
        return -ENOTSUP;
    int r = make_texture(texture, window, IMPORTED, SDL_TEXTUREACCESS_TARGET, SDL_YUV_CONVERSION_AUTOMATIC,
                         picture.width, picture.height, problem, sizeof(problem));
    if (!r)
        r = import_draw(&texture->import, window->importer, frame, texture->handle);
    if (!r)
        set_view(texture, &picture);
    return r;
}

/* By the CPU. */
static int upload(struct texture *texture, struct window *window, const struct framebus_frame *frame,
                  char *problem, size_t room)
{
    const struct framebus_format *format = frame->format;
    struct picture picture = {.frame = frame, .width = format->width, .height = format->height};
    SDL_YUV_CONVERSION_MODE mode = SDL_YUV_CONVERSION_AUTOMATIC;
    const struct direct *direct = NULL;
    int limit = window_texture_limit(window), r;

    if (!frame->data) {
        snprintf(problem, room, "pictures in memory of a device that programs cannot read");
        return -ENOTSUP;
    }
    if (!format->fourcc) {
        if (!is_jpeg(format))
            return refuse(format, problem, room);
        r = jpeg_open(&picture.jpeg, frame->data, frame->size, &picture.width, &picture.height);
        if (r) {
            snprintf(problem, room, "%s", damaged);
            return r;
        }
    } else if (format->modifier || !convert_knows(format->fourcc)) {
        return refuse(format, problem, room);
    } else if (!limit || (picture.width <= limit && picture.height <= limit)) {
        direct = find_direct(window, format, &mode);
    }

    if (direct) {
        r = make_texture(texture, window, direct->format, SDL_TEXTUREACCESS_STREAMING, mode, picture.width,
                         picture.height, problem, room);
        if (!r && update(texture, frame, direct))
            r = fail_sdl(problem, room, "a texture cannot be filled");
    } else {
        r = convert(texture, window, &picture, problem, room);
    }
    if (!r)
        set_view(texture, &picture);
    jpeg_close(picture.jpeg);
    return r;
}

int texture_take(struct texture *texture, struct window *window, const struct framebus_frame *frame,
                 char *problem, size_t room)
{
    texture->imported = import(texture, window, frame) == 0;
    if (texture->imported) {
        texture->imports++;
        return 0;
    }
    texture->uploads++;
    int r = framebus_frame_begin_access(frame, false);
    if (r) {
        snprintf(problem, room, "%s", framebus_last_error());
        return r;
    }
    r = upload(texture, window, frame, problem, room);
    framebus_frame_end_access(frame, false);
    return r;
}

void texture_draw(struct texture *texture, struct window *window, const struct placement *place, bool smooth)
{
    SDL_FRect box = {place->box.x, place->box.y, place->box.width, place->box.height};
    SDL_RendererFlip flip = place->mirrored ? SDL_FLIP_HORIZONTAL : SDL_FLIP_NONE;

    if (!texture->handle)
        return;
    set_mode(texture);
    SDL_SetTextureScaleMode(texture->handle, smooth ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
    if (place->turns || place->mirrored)
        SDL_RenderCopyExF(window->renderer, texture->handle, &texture->crop, &box, place->turns * 90.0, NULL,
                          flip);
    else
        SDL_RenderCopyF(window->renderer, texture->handle, &texture->crop, &box);
    SDL_RenderFlush(window->renderer); /* while the mode is this texture's */
}

void texture_let_go(struct texture *texture)
{
    if (texture->importer)
        import_forget(&texture->import, texture->importer);
}

void texture_reset(struct texture *texture)
{
    forget_picture(texture);
    texture_let_go(texture);
}

/* Draws into memory of that size and reads it. */
static int read_drawn(struct texture *texture, struct window *window, const SDL_Rect *part,
                      struct extent size, SDL_ScaleMode scaling, uint8_t *rgb)
{
    SDL_Texture *target =
        SDL_CreateTexture(window->renderer, CONVERTED, SDL_TEXTUREACCESS_TARGET, size.width, size.height);
    int r = -EIO;

    if (target && SDL_SetRenderTarget(window->renderer, target) == 0) {
        set_mode(texture);
        SDL_SetTextureScaleMode(texture->handle, scaling);
        SDL_RenderCopy(window->renderer, texture->handle, part, NULL);
        r = SDL_RenderReadPixels(window->renderer, NULL, SDL_PIXELFORMAT_RGB24, rgb, size.width * 3) ? -EIO
                                                                                                     : 0;
        SDL_SetRenderTarget(window->renderer, NULL);
    }
    if (target)
        SDL_DestroyTexture(target);
    return r;
}

int texture_sample(struct texture *texture, struct window *window, const SDL_Rect *part, struct extent size,
                   uint8_t *rgb)
{
    return texture->handle ? read_drawn(texture, window, part, size, SDL_ScaleModeNearest, rgb) : -EIO;
}

int texture_save(struct texture *texture, struct window *window, const char *path)
{
    struct extent size = texture->size;
    uint8_t *pixels = malloc((size_t)size.width * 3 * size.height);
    int r = -EIO;

    if (pixels && texture->handle)
        r = read_drawn(texture, window, &texture->crop, size, SDL_ScaleModeLinear, pixels);
    if (!r)
        r = png_file_write(path, pixels, size.width, size.height, size.width * 3);
    free(pixels);
    return r;
}

void texture_finish(struct texture *texture)
{
    texture_reset(texture);
    convert_destroy(texture->convert);
    free(texture->spare);
    *texture = (struct texture){0};
}
