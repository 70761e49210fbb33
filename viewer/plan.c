/* SPDX-License-Identifier: MIT */
/* The way of pictures to a texture: as they are if SDL has the format and the colours, or converted. */
#include "plan.h"
#include "import.h"
#include "phrase.h"
#include "pixels/convert.h"

#include <drm_fourcc.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* R, G, B in memory, and a byte that is not used. */
#if SDL_BYTEORDER == SDL_LIL_ENDIAN
#define RGBX SDL_PIXELFORMAT_BGR888
#else
#define RGBX SDL_PIXELFORMAT_RGBX8888
#endif

/* Formats that SDL has too. Alpha is ignored. */
static const struct plan_direct directs[] = {
    {DRM_FORMAT_XRGB8888, PLAN_CONVERTED, 0, 0},     {DRM_FORMAT_XBGR8888, RGBX, 0, 0},
    {DRM_FORMAT_ARGB8888, PLAN_CONVERTED, 0, 0},     {DRM_FORMAT_ABGR8888, RGBX, 0, 0},
    {DRM_FORMAT_YUV420, SDL_PIXELFORMAT_IYUV, 1, 2}, {DRM_FORMAT_YVU420, SDL_PIXELFORMAT_IYUV, 2, 1},
    {DRM_FORMAT_NV12, SDL_PIXELFORMAT_NV12, 0, 0},   {DRM_FORMAT_NV21, SDL_PIXELFORMAT_NV21, 0, 0},
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

static bool plan_find_mode(struct plan *plan)
{
    for (unsigned i = 0; i < SDL_arraysize(modes); i++) {
        if (modes[i].color.matrix == plan->color.matrix && modes[i].color.full == plan->color.full) {
            plan->mode = modes[i].mode;
            return true;
        }
    }
    return false;
}

static bool plan_find_direct(struct plan *plan, const struct window *window,
                             const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    for (unsigned i = 0; i < SDL_arraysize(directs); i++) {
        if (directs[i].fourcc != format->fourcc || !window_has_format(window, directs[i].texture_format))
            continue;
        plan->direct = &directs[i];
        return info->yuv ? plan_find_mode(plan) : plan->color.full;
    }
    return false;
}

/* Opaque payloads are what their caps say, up to the first comma. */
static bool format_is_jpeg(const struct framebus_format *format)
{
    static const char *const names[] = {"image/jpeg", "video/x-jpeg"};
    size_t length = format->caps ? strcspn(format->caps, " ,;") : 0;
    for (unsigned i = 0; i < SDL_arraysize(names); i++)
        if (length == strlen(names[i]) && strncasecmp(format->caps, names[i], length) == 0)
            return true;
    return false;
}

static void plan_refuse(struct plan *plan, const struct framebus_format *format)
{
    const char *caps = format->caps ? format->caps : "";
    char modifier[96];
    plan->way = PLAN_REFUSE;
    if (plan->opaque)
        snprintf(plan->problem, sizeof plan->problem, "%.*s", (int)strcspn(caps, ",; "), caps);
    else if (plan->modifier)
        snprintf(plan->problem, sizeof plan->problem, "%s, modifier %s", plan->format,
                 phrase_modifier(plan->modifier, modifier, sizeof modifier));
    else
        snprintf(plan->problem, sizeof plan->problem, "%s", plan->format);
}

void plan_make(struct plan *plan, const struct window *window, const struct framebus_format *format)
{
    int limit = window_texture_limit(window);
    bool fits = !limit || (format->width <= (uint32_t)limit && format->height <= (uint32_t)limit);
    *plan = (struct plan){
        .mode = SDL_YUV_CONVERSION_AUTOMATIC,
        .color = color_of(format),
        .modifier = format->modifier,
        .orientation = format->orientation,
        .opaque = !format->fourcc,
    };
    framebus_format_describe(format, plan->format, sizeof plan->format);
    plan->import = window->importer && !plan->opaque && fits && import_knows(window->importer, format);
    if (plan->opaque && format_is_jpeg(format))
        plan->way = PLAN_JPEG;
    else if (plan->opaque || plan->modifier || !convert_knows(format->fourcc))
        plan_refuse(plan, format);
    else
        plan->way = fits && plan_find_direct(plan, window, format) ? PLAN_UPLOAD : PLAN_CONVERT;
}
