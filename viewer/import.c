/* SPDX-License-Identifier: MIT */
#include "import.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EGL_NO_X11
#include <SDL_egl.h>
#include <SDL_opengles2.h>

#include "pixels/color.h"

#define FORMATS_MAX    256
#define MODIFIERS_MAX  256
#define ATTRIBUTES_MAX 64

struct importer {
    SDL_Renderer *renderer;
    void *library; /* libEGL, to which SDL has a reference of its own */
    EGLDisplay display;
    EGLint formats, format[FORMATS_MAX]; /* those that the driver says it can import */
    PFNEGLQUERYDMABUFMODIFIERSEXTPROC query_modifiers;
    PFNEGLCREATEIMAGEKHRPROC create_image;
    PFNEGLDESTROYIMAGEKHRPROC destroy_image;
    PFNGLEGLIMAGETARGETTEXTURE2DOESPROC image_to_texture;
    PFNGLGETERRORPROC get_error;
    PFNGLFINISHPROC finish;
};

/* ---- Abilities of the driver ---- */

/* SDL does not hand out its EGL display, but the renderer has made its context the current one. If OpenGL
 * does not come by EGL, there is no current display. */
static bool importer_find_display(struct importer *importer)
{
    PFNEGLGETCURRENTDISPLAYPROC get_current_display;
    PFNEGLQUERYSTRINGPROC query_string;
    PFNEGLQUERYDMABUFFORMATSEXTPROC query_formats;
    *(void **)&get_current_display = SDL_LoadFunction(importer->library, "eglGetCurrentDisplay");
    *(void **)&query_string = SDL_LoadFunction(importer->library, "eglQueryString");
    importer->display = get_current_display ? get_current_display() : EGL_NO_DISPLAY;
    if (importer->display == EGL_NO_DISPLAY || !query_string)
        return false;
    const char *extensions = query_string(importer->display, EGL_EXTENSIONS);
    if (!extensions || !strstr(extensions, "EGL_EXT_image_dma_buf_import_modifiers"))
        return false;

    *(void **)&query_formats = SDL_GL_GetProcAddress("eglQueryDmaBufFormatsEXT");
    *(void **)&importer->query_modifiers = SDL_GL_GetProcAddress("eglQueryDmaBufModifiersEXT");
    *(void **)&importer->create_image = SDL_GL_GetProcAddress("eglCreateImageKHR");
    *(void **)&importer->destroy_image = SDL_GL_GetProcAddress("eglDestroyImageKHR");
    *(void **)&importer->image_to_texture = SDL_GL_GetProcAddress("glEGLImageTargetTexture2DOES");
    *(void **)&importer->get_error = SDL_GL_GetProcAddress("glGetError");
    *(void **)&importer->finish = SDL_GL_GetProcAddress("glFinish");
    return query_formats && importer->query_modifiers && importer->create_image && importer->destroy_image &&
           importer->image_to_texture && importer->get_error && importer->finish &&
           query_formats(importer->display, FORMATS_MAX, importer->format, &importer->formats);
}

/* Only SDL's renderer for OpenGL ES draws textures of the kind that any image can be bound to. */
static bool renderer_draws_images(SDL_Renderer *renderer)
{
    SDL_RendererInfo info;
    bool found = false;
    if (SDL_GetRendererInfo(renderer, &info))
        return false;
    for (Uint32 i = 0; i < info.num_texture_formats; i++)
        found = found || info.texture_formats[i] == SDL_PIXELFORMAT_EXTERNAL_OES;
    return found && SDL_RenderTargetSupported(renderer);
}

struct importer *importer_create(SDL_Renderer *renderer)
{
    struct importer *importer;
    if (!renderer_draws_images(renderer) || !(importer = calloc(1, sizeof *importer)))
        return NULL;
    importer->renderer = renderer;
    importer->library = SDL_LoadObject("libEGL.so.1");
    if (importer->library && importer_find_display(importer))
        return importer;
    importer_destroy(importer);
    return NULL;
}

void importer_destroy(struct importer *importer)
{
    if (importer && importer->library)
        SDL_UnloadObject(importer->library);
    free(importer);
}

static bool importer_lists_format(const struct importer *importer, uint32_t fourcc)
{
    for (EGLint i = 0; i < importer->formats; i++)
        if ((uint32_t)importer->format[i] == fourcc)
            return true;
    return false;
}

static bool importer_lists_modifier(const struct importer *importer, uint32_t fourcc, uint64_t modifier)
{
    EGLuint64KHR modifiers[MODIFIERS_MAX];
    EGLBoolean external[MODIFIERS_MAX];
    EGLint count = 0;
    if (!importer->query_modifiers(importer->display, (EGLint)fourcc, MODIFIERS_MAX, modifiers, external,
                                   &count))
        return false;
    for (EGLint i = 0; i < count; i++)
        if (modifiers[i] == modifier)
            return true;
    return false;
}

/* Grey would be drawn red, and RGB of limited range without being brought to the full one. */
static bool format_is_drawn_right(const struct framebus_format *format)
{
    const struct framebus_format_info *info = framebus_format_find(format->fourcc);
    bool grey = info && strncmp(info->drm, "R", 1) == 0 && strspn(info->drm + 1, "0123456789");
    return info && !grey && (info->yuv || color_of(format).full);
}

/* ---- Images ---- */

struct attributes {
    EGLint list[ATTRIBUTES_MAX];
    unsigned count;
};

static void attributes_add(struct attributes *attributes, EGLint name, uint64_t value)
{
    attributes->list[attributes->count++] = name;
    attributes->list[attributes->count++] = (EGLint)value;
}

static EGLImageKHR image_create(const struct importer *importer, const struct framebus_format *format,
                                const struct framebus_dmabuf *dmabuf)
{
    static const EGLint first[FRAMEBUS_PLANES_MAX][2] = {
        {EGL_DMA_BUF_PLANE0_FD_EXT, EGL_DMA_BUF_PLANE0_MODIFIER_LO_EXT},
        {EGL_DMA_BUF_PLANE1_FD_EXT, EGL_DMA_BUF_PLANE1_MODIFIER_LO_EXT},
        {EGL_DMA_BUF_PLANE2_FD_EXT, EGL_DMA_BUF_PLANE2_MODIFIER_LO_EXT},
        {EGL_DMA_BUF_PLANE3_FD_EXT, EGL_DMA_BUF_PLANE3_MODIFIER_LO_EXT},
    };
    static const EGLint matrices[] = {
        [COLOR_BT601] = EGL_ITU_REC601_EXT,
        [COLOR_BT709] = EGL_ITU_REC709_EXT,
        [COLOR_BT2020] = EGL_ITU_REC2020_EXT,
    };
    /* Drivers without modifiers import linear memory only if no modifier is given. */
    bool has_modifier = importer_lists_modifier(importer, format->fourcc, format->modifier);
    struct color color = color_of(format);
    struct attributes attributes = {.count = 0};
    attributes_add(&attributes, EGL_WIDTH, format->width);
    attributes_add(&attributes, EGL_HEIGHT, format->height);
    attributes_add(&attributes, EGL_LINUX_DRM_FOURCC_EXT, format->fourcc);
    for (unsigned i = 0; i < format->planes; i++) {
        if (dmabuf->plane[i].offset > INT32_MAX || dmabuf->plane[i].stride > INT32_MAX)
            return EGL_NO_IMAGE_KHR;
        attributes_add(&attributes, first[i][0], (uint64_t)dmabuf->plane[i].fd);
        attributes_add(&attributes, first[i][0] + 1, dmabuf->plane[i].offset); /* numbered in this order */
        attributes_add(&attributes, first[i][0] + 2, dmabuf->plane[i].stride);
        if (has_modifier) {
            attributes_add(&attributes, first[i][1], format->modifier & UINT32_MAX);
            attributes_add(&attributes, first[i][1] + 1, format->modifier >> 32);
        }
    }
    if (framebus_format_find(format->fourcc)->yuv) {
        attributes_add(&attributes, EGL_YUV_COLOR_SPACE_HINT_EXT, (uint64_t)matrices[color.matrix]);
        attributes_add(&attributes, EGL_SAMPLE_RANGE_HINT_EXT,
                       color.full ? EGL_YUV_FULL_RANGE_EXT : EGL_YUV_NARROW_RANGE_EXT);
    }
    attributes.list[attributes.count] = EGL_NONE;
    return importer->create_image(importer->display, EGL_NO_CONTEXT, EGL_LINUX_DMA_BUF_EXT, NULL,
                                  attributes.list);
}

/* Kept with the memory of a frame. */
struct image {
    const struct importer *importer;
    EGLImageKHR handle; /* EGL_NO_IMAGE_KHR: it cannot be imported */
};

static void image_clear(struct image *image)
{
    if (image->handle)
        image->importer->destroy_image(image->importer->display, image->handle);
    image->handle = EGL_NO_IMAGE_KHR;
}

static void image_destroy(void *image)
{
    image_clear(image);
    free(image);
}

bool import_knows(const struct importer *importer, const struct framebus_format *format)
{
    return format_is_drawn_right(format) && importer_lists_format(importer, format->fourcc) &&
           (!format->modifier || importer_lists_modifier(importer, format->fourcc, format->modifier));
}

bool import_prepare(struct importer *importer, struct framebus_frame *frame)
{
    struct image *image = framebus_frame_get_user(frame);
    struct framebus_dmabuf dmabuf;
    if (image)
        return image->handle;
    image = malloc(sizeof *image);
    if (!image)
        return false;
    bool is_dmabuf = framebus_frame_dmabuf(frame, &dmabuf) == 0;
    image->importer = importer;
    image->handle = is_dmabuf ? image_create(importer, frame->format, &dmabuf) : EGL_NO_IMAGE_KHR;
    if (framebus_frame_set_user(frame, image, image_destroy) == 0)
        return image->handle;
    image_destroy(image);
    return false;
}

/* ---- Drawing ---- */

static bool import_make_texture(struct import *import, struct importer *importer,
                                const struct framebus_format *format)
{
    int width = (int)format->width, height = (int)format->height;
    if (import->texture && import->width == width && import->height == height)
        return true;
    if (import->texture)
        SDL_DestroyTexture(import->texture);
    import->texture = SDL_CreateTexture(importer->renderer, SDL_PIXELFORMAT_EXTERNAL_OES,
                                        SDL_TEXTUREACCESS_STATIC, width, height);
    import->width = width;
    import->height = height;
    if (!import->texture)
        return false;
    SDL_SetTextureBlendMode(import->texture, SDL_BLENDMODE_NONE);
    SDL_SetTextureScaleMode(import->texture, SDL_ScaleModeNearest);
    return true;
}

/* Done for each frame, so that the driver notices that the content has changed. */
static bool image_bind(struct import *import, struct importer *importer, EGLImageKHR image)
{
    if (SDL_GL_BindTexture(import->texture, NULL, NULL))
        return false;
    importer->get_error(); /* clears errors of others */
    importer->image_to_texture(GL_TEXTURE_EXTERNAL_OES, image);
    bool bound = importer->get_error() == GL_NO_ERROR;
    SDL_GL_UnbindTexture(import->texture);
    return bound;
}

int import_draw(struct import *import, struct importer *importer, const struct framebus_frame *frame,
                SDL_Texture *target)
{
    struct image *image = framebus_frame_get_user(frame);
    if (!import_make_texture(import, importer, frame->format))
        return -ENOTSUP;
    if (!image_bind(import, importer, image->handle)) {
        image_clear(image); /* not tried again */
        return -ENOTSUP;
    }
    if (SDL_SetRenderTarget(importer->renderer, target))
        return -ENOTSUP;
    int r = SDL_RenderCopy(importer->renderer, import->texture, NULL, NULL) ? -ENOTSUP : 0;
    SDL_RenderFlush(importer->renderer);
    importer->finish();
    SDL_SetRenderTarget(importer->renderer, NULL);
    return r;
}

void import_forget(struct import *import)
{
    if (import->texture)
        SDL_DestroyTexture(import->texture);
    *import = (struct import){0};
}
