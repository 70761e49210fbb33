/* SPDX-License-Identifier: MIT */
/* How frames get into a texture by the way that their format's plan says, and how the texture is drawn. */
#include "texture.h"
#include "pixels/convert.h"
#include "pixels/jpeg.h"
#include "pixels/png-file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* OpenGL's own order, which SDL does not change when it draws images. */
#define IMPORTED SDL_PIXELFORMAT_BGR888

/* ---- The texture ---- */

/* Global, and read by some renderers when a texture is made, by others when it is filled or drawn. */
static void texture_set_mode(const struct texture *texture)
{
    SDL_SetYUVConversionMode(texture->mode);
}

static int texture_fail(struct texture *texture, const char *what)
{
    snprintf(texture->problem, sizeof texture->problem, "%s: %s", what, SDL_GetError());
    return -EIO;
}

static int texture_report_memory(struct texture *texture, struct extent size)
{
    snprintf(texture->problem, sizeof texture->problem, "not enough memory for %dx%d pixels", size.width,
             size.height);
    return -ENOMEM;
}

static void texture_forget(struct texture *texture)
{
    if (texture->handle)
        SDL_DestroyTexture(texture->handle);
    texture->handle = NULL;
    texture->size = (struct extent){0, 0};
}

static int texture_make(struct texture *texture, struct window *window, Uint32 format, int access,
                        SDL_YUV_CONVERSION_MODE mode, struct extent size)
{
    if (texture->handle && texture->format == format && texture->access == access && texture->mode == mode &&
        texture->width == size.width && texture->height == size.height)
        return 0;
    texture_forget(texture);
    texture->mode = mode;
    texture_set_mode(texture);
    texture->access = access;
    texture->handle = SDL_CreateTexture(window->renderer, format, access, size.width, size.height);
    if (!texture->handle)
        return texture_fail(texture, "no texture can be made");
    SDL_SetTextureBlendMode(texture->handle, SDL_BLENDMODE_NONE);
    texture->format = format;
    texture->width = size.width;
    texture->height = size.height;
    return 0;
}

static struct extent frame_extent(const struct framebus_frame *frame)
{
    return (struct extent){(int)frame->format->width, (int)frame->format->height};
}

/* Notes the part of a picture of `whole` pixels that is to be seen, and its size. JPEG has no crop. */
static void texture_set_view(struct texture *texture, const struct framebus_frame *frame, struct extent whole)
{
    const struct framebus_rect *crop = &frame->crop;
    const struct framebus_format *format = frame->format;
    double scale_x = (double)texture->width / whole.width, scale_y = (double)texture->height / whole.height;
    bool all = texture->plan.opaque || !crop->width || !crop->height;
    struct framebus_rect stored =
        all ? (struct framebus_rect){0, 0, (uint32_t)whole.width, (uint32_t)whole.height} : *crop;
    texture->crop = (SDL_Rect){
        .x = (int)(stored.x * scale_x),
        .y = (int)(stored.y * scale_y),
        .w = SDL_max(1, (int)(stored.width * scale_x)),
        .h = SDL_max(1, (int)(stored.height * scale_y)),
    };
    texture->stored = stored;
    texture->size = geometry_square(stored.width, stored.height, format->aspect_num, format->aspect_den);
}

/* ---- The ways of a plan ---- */

static int texture_import(struct texture *texture, struct window *window, struct framebus_frame *frame)
{
    struct extent whole = frame_extent(frame);
    if (!import_prepare(window->importer, frame))
        return -ENOTSUP;
    int r = texture_make(texture, window, IMPORTED, SDL_TEXTUREACCESS_TARGET, SDL_YUV_CONVERSION_AUTOMATIC,
                         whole);
    if (!r)
        r = import_draw(&texture->import, window->importer, frame, texture->handle);
    if (!r)
        texture_set_view(texture, frame, whole);
    return r;
}

static int texture_upload(struct texture *texture, struct window *window, const struct framebus_frame *frame)
{
    const struct plan_direct *direct = texture->plan.direct;
    const struct framebus_plane *p = frame->plane;
    struct extent whole = frame_extent(frame);
    int r = texture_make(texture, window, direct->texture_format, SDL_TEXTUREACCESS_STREAMING,
                         texture->plan.mode, whole);
    if (r)
        return r;
    texture_set_mode(texture);
    if (direct->u)
        r = SDL_UpdateYUVTexture(texture->handle, NULL, p[0].data, p[0].stride, p[direct->u].data,
                                 p[direct->u].stride, p[direct->v].data, p[direct->v].stride);
    else if (frame->format->planes == 2)
        r = SDL_UpdateNVTexture(texture->handle, NULL, p[0].data, p[0].stride, p[1].data, p[1].stride);
    else
        r = SDL_UpdateTexture(texture->handle, NULL, p[0].data, p[0].stride);
    if (r)
        return texture_fail(texture, "a texture cannot be filled");
    texture_set_view(texture, frame, whole);
    return 0;
}

/* Room for a picture that is larger than the renderer's textures. */
static uint8_t *texture_spare(struct texture *texture, size_t bytes)
{
    if (texture->spare_room < bytes) {
        free(texture->spare);
        texture->spare = malloc(bytes);
        texture->spare_room = texture->spare ? bytes : 0;
    }
    return texture->spare;
}

/* Makes pixels of a raw picture, or of a JPEG one if `jpeg` is not NULL. */
static int texture_make_pixels(struct texture *texture, const struct framebus_frame *frame, struct jpeg *jpeg,
                               uint8_t *pixels, int stride)
{
    int r =
        jpeg ? jpeg_decode(jpeg, pixels, stride) : convert_picture(texture->convert, frame, pixels, stride);
    if (r)
        snprintf(texture->problem, sizeof texture->problem, "%s",
                 jpeg ? "a damaged JPEG picture" : "a stride that cannot be used");
    return r;
}

/* Makes pixels in the texture, shrunk to what the renderer can take. */
static int texture_fill(struct texture *texture, struct window *window, const struct framebus_frame *frame,
                        struct jpeg *jpeg, struct extent whole)
{
    int limit = window_texture_limit(window), stride;
    struct extent size = limit ? geometry_shrink(whole, (struct extent){limit, limit}) : whole;
    bool shrunk = size.width != whole.width || size.height != whole.height;
    void *pixels;
    if (shrunk && !texture_spare(texture, (size_t)whole.width * 4 * whole.height))
        return texture_report_memory(texture, whole);
    int r = texture_make(texture, window, PLAN_CONVERTED, SDL_TEXTUREACCESS_STREAMING,
                         SDL_YUV_CONVERSION_AUTOMATIC, size);
    if (r)
        return r;
    if (SDL_LockTexture(texture->handle, NULL, &pixels, &stride))
        return texture_fail(texture, "a texture cannot be filled");
    if (shrunk) {
        r = texture_make_pixels(texture, frame, jpeg, texture->spare, whole.width * 4);
        convert_scale(texture->spare, whole.width * 4, whole.width, whole.height, pixels, stride, size.width,
                      size.height);
    } else {
        r = texture_make_pixels(texture, frame, jpeg, pixels, stride);
    }
    SDL_UnlockTexture(texture->handle);
    if (!r)
        texture_set_view(texture, frame, whole);
    return r;
}

static int texture_convert(struct texture *texture, struct window *window, const struct framebus_frame *frame)
{
    if (!texture->convert)
        return texture_report_memory(texture, frame_extent(frame));
    return texture_fill(texture, window, frame, NULL, frame_extent(frame));
}

static int texture_decode(struct texture *texture, struct window *window, const struct framebus_frame *frame)
{
    struct extent whole;
    struct jpeg *jpeg;
    int r = jpeg_open(&jpeg, frame->data, frame->size, &whole.width, &whole.height);
    if (r)
        snprintf(texture->problem, sizeof texture->problem, "a damaged JPEG picture");
    else
        r = texture_fill(texture, window, frame, jpeg, whole);
    jpeg_close(jpeg);
    return r;
}

/* By the CPU. */
static int texture_load_mapped(struct texture *texture, struct window *window,
                               const struct framebus_frame *frame)
{
    if (!frame->data) {
        snprintf(texture->problem, sizeof texture->problem,
                 "pictures in memory of a device that programs cannot read");
        return -ENOTSUP;
    }
    switch (texture->plan.way) {
    case PLAN_UPLOAD:
        return texture_upload(texture, window, frame);
    case PLAN_CONVERT:
        return texture_convert(texture, window, frame);
    case PLAN_JPEG:
        return texture_decode(texture, window, frame);
    case PLAN_REFUSE:
        break;
    }
    memcpy(texture->problem, texture->plan.problem, sizeof texture->problem);
    return -ENOTSUP;
}

/* ---- Frames ---- */

static void texture_plan(struct texture *texture, struct window *window, const struct framebus_frame *frame)
{
    import_forget(&texture->import);
    texture->planned = true;
    texture->format_serial = frame->format_serial;
    plan_make(&texture->plan, window, frame->format);
    if (texture->plan.way != PLAN_CONVERT)
        return;
    if (!texture->convert)
        texture->convert = convert_create();
    if (texture->convert && convert_prepare(texture->convert, frame->format)) {
        convert_destroy(texture->convert);
        texture->convert = NULL;
    }
}

int texture_load(struct texture *texture, struct window *window, struct framebus_frame *frame)
{
    if (!texture->planned || texture->format_serial != frame->format_serial)
        texture_plan(texture, window, frame);
    texture->imported = texture->plan.import && texture_import(texture, window, frame) == 0;
    if (texture->imported) {
        texture->imports++;
        return 0;
    }
    texture->uploads++;
    int r = framebus_frame_begin_access(frame, false);
    if (r) {
        snprintf(texture->problem, sizeof texture->problem, "%s", framebus_last_error());
        return r;
    }
    r = texture_load_mapped(texture, window, frame);
    framebus_frame_end_access(frame, false);
    return r;
}

void texture_draw(struct texture *texture, struct window *window, const struct placement *place, bool smooth)
{
    SDL_FRect box = {place->box.x, place->box.y, place->box.width, place->box.height};
    SDL_RendererFlip flip = place->mirrored ? SDL_FLIP_HORIZONTAL : SDL_FLIP_NONE;
    if (!texture->handle)
        return;
    texture_set_mode(texture);
    SDL_SetTextureScaleMode(texture->handle, smooth ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
    if (place->turns || place->mirrored)
        SDL_RenderCopyExF(window->renderer, texture->handle, &texture->crop, &box, place->turns * 90.0, NULL,
                          flip);
    else
        SDL_RenderCopyF(window->renderer, texture->handle, &texture->crop, &box);
    SDL_RenderFlush(window->renderer); /* while the mode is this texture's */
}

void texture_drop_memory(struct texture *texture)
{
    import_forget(&texture->import);
    texture->planned = false; /* another reader may count formats from the beginning again */
}

void texture_reset(struct texture *texture)
{
    texture_forget(texture);
    import_forget(&texture->import);
}

/* Draws into memory of that size and reads it. */
static int texture_read(struct texture *texture, struct window *window, const SDL_Rect *part,
                        struct extent size, SDL_ScaleMode scaling, uint8_t *rgb)
{
    SDL_Texture *target = SDL_CreateTexture(window->renderer, PLAN_CONVERTED, SDL_TEXTUREACCESS_TARGET,
                                            size.width, size.height);
    int r = -EIO;
    if (target && SDL_SetRenderTarget(window->renderer, target) == 0) {
        texture_set_mode(texture);
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
    return texture->handle ? texture_read(texture, window, part, size, SDL_ScaleModeNearest, rgb) : -EIO;
}

int texture_save(struct texture *texture, struct window *window, const char *path)
{
    struct extent size = texture->size;
    uint8_t *pixels = malloc((size_t)size.width * 3 * size.height);
    int r = -EIO;
    if (pixels && texture->handle)
        r = texture_read(texture, window, &texture->crop, size, SDL_ScaleModeLinear, pixels);
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
