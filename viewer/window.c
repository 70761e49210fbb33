/* SPDX-License-Identifier: MIT */
#include "window.h"
#include "pixels/png-file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_RATE 60
#define USUAL_DOTS   96.0 /* dots an inch of a display where nothing is enlarged */
#define MOST_SCALE   4.0

static bool variable_is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

/* Left to itself, SDL would fall back to drivers that show nothing, take the console over for a screenshot,
 * and report errors of Wayland where there cannot be one. */
static const char *window_choose_drivers(const struct window_options *options)
{
    bool x11 = variable_is_set("DISPLAY"), wayland = variable_is_set("XDG_RUNTIME_DIR");
    if (options->driver)
        return options->driver;
    if (options->no_display)
        return x11 && wayland ? "x11,wayland,offscreen,dummy"
               : x11          ? "x11,offscreen,dummy"
               : wayland      ? "wayland,offscreen,dummy"
                              : "offscreen,dummy";
    return wayland ? "x11,wayland,KMSDRM" : "x11,KMSDRM";
}

/* On X11 SDL has no units but pixels. The scale that people have set there for all programs is a resource,
 * which Xlib reads; a program with a window on X11 has that library. */
static double x11_text_scale(void)
{
    void *library = SDL_LoadObject("libX11.so.6");
    void *(*open_display)(const char *);
    char *(*get_default)(void *, const char *, const char *);
    int (*close_display)(void *);
    double dots = 0;
    if (!library)
        return 1;
    *(void **)&open_display = SDL_LoadFunction(library, "XOpenDisplay");
    *(void **)&get_default = SDL_LoadFunction(library, "XGetDefault");
    *(void **)&close_display = SDL_LoadFunction(library, "XCloseDisplay");
    void *display = open_display && get_default && close_display ? open_display(NULL) : NULL;
    if (display) {
        const char *text = get_default(display, "Xft", "dpi");
        dots = text ? atof(text) : 0;
        close_display(display);
    }
    SDL_UnloadObject(library);
    return dots > USUAL_DOTS ? SDL_min(dots / USUAL_DOTS, MOST_SCALE) : 1;
}

bool window_start(struct window *window, const struct window_options *options)
{
    SDL_version version;
    *window = (struct window){0};
    SDL_SetHintWithPriority(SDL_HINT_VIDEODRIVER, window_choose_drivers(options),
                            options->driver ? SDL_HINT_OVERRIDE : SDL_HINT_DEFAULT);
    SDL_SetHint(SDL_HINT_APP_NAME, "framebus-view");
    SDL_SetHint("SDL_VIDEO_X11_WMCLASS", "framebus-view");
    SDL_SetHint("SDL_VIDEO_WAYLAND_WMCLASS", "framebus-view");
    SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    /* sdl2-compat sets this to 1, with the usual priority, for programs that do not know dense displays: on
     * Wayland they get pixels for units. */
    SDL_SetHintWithPriority("SDL_VIDEO_WAYLAND_SCALE_TO_DISPLAY", "0", SDL_HINT_OVERRIDE);
    if (SDL_InitSubSystem(SDL_INIT_VIDEO))
        return false;
    SDL_StopTextInput();

    const char *driver = SDL_GetCurrentVideoDriver();
    window->text_scale = strcmp(driver, "x11") == 0 ? x11_text_scale() : 1;
    window->offscreen = strcmp(driver, "offscreen") == 0 || strcmp(driver, "dummy") == 0;
    window->direct = window->offscreen || strcmp(driver, "x11") == 0;
    /* Software drawing must not reach the screen by way of OpenGL. Wayland and KMSDRM have no other way:
     * where it is forbidden, SDL 2 quietly uses another renderer, and SDL 3 none. There SDL before 2.28
     * counts in units, not in pixels. SDL reads this hint once. */
    SDL_GetVersion(&version);
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, window->direct || version.minor < 28 ? "0" : "1");
    return true;
}

static bool window_open_handle(struct window *window, const struct window_options *options)
{
    Uint32 flags = SDL_WINDOW_HIDDEN | SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI;
    if (options->fullscreen)
        flags |= SDL_WINDOW_FULLSCREEN_DESKTOP;
    /* SDL 2.32 crashes if it has to make the window anew for a renderer and finds only then that there is no
     * OpenGL. */
    if (!window->direct)
        flags |= SDL_WINDOW_OPENGL;
    window->handle = SDL_CreateWindow(options->title, options->x, options->y, options->size.width,
                                      options->size.height, flags);
    return window->handle != NULL;
}

static void window_close_handle(struct window *window)
{
    importer_destroy(window->importer);
    if (window->renderer)
        SDL_DestroyRenderer(window->renderer);
    if (window->handle)
        SDL_DestroyWindow(window->handle);
    window->importer = NULL;
    window->renderer = NULL;
    window->handle = NULL;
}

static bool window_is_opengl(const struct window *window)
{
    return strncmp(window->info.name, "opengl", 6) == 0;
}

static bool window_open_renderer(struct window *window, const struct window_options *options,
                                 const char *driver)
{
    /* OpenGL ES has to come by EGL on X11 too: GLX does not know DMA-BUFs. */
    SDL_SetHint(SDL_HINT_VIDEO_X11_FORCE_EGL, driver && strcmp(driver, "opengles2") == 0 ? "1" : "0");
    if (driver)
        SDL_SetHintWithPriority(SDL_HINT_RENDER_DRIVER, driver, SDL_HINT_OVERRIDE);
    window->renderer =
        SDL_CreateRenderer(window->handle, -1, options->no_vsync ? 0 : SDL_RENDERER_PRESENTVSYNC);
    if (!window->renderer || SDL_GetRendererInfo(window->renderer, &window->info))
        return false;
    /* Without OpenGL SDL does not know when the display refreshes. SDL 3 would sleep past the next frame. */
    if (window->direct && strcmp(window->info.name, "software") == 0)
        SDL_RenderSetVSync(window->renderer, 0);
    return true;
}

/* True for an OpenGL that runs on the CPU, which takes six times as long as SDL's own software renderer. */
static bool window_is_slow_opengl(const struct window *window)
{
    static const char *const slow[] = {"llvmpipe", "softpipe", "swrast", "SWR"};
    const unsigned char *(*get_string)(unsigned);
    if (!window_is_opengl(window))
        return false;
    *(void **)&get_string = SDL_GL_GetProcAddress("glGetString");
    const unsigned renderer = 0x1f01; /* GL_RENDERER, in every OpenGL */
    const char *name = get_string ? (const char *)get_string(renderer) : NULL;
    for (unsigned i = 0; name && i < sizeof slow / sizeof *slow; i++)
        if (strstr(name, slow[i]))
            return true;
    return false;
}

static bool window_open_both(struct window *window, const struct window_options *options, const char *driver)
{
    return window_open_handle(window, options) && window_open_renderer(window, options, driver);
}

bool window_open(struct window *window, const struct window_options *options)
{
    bool free_choice = !options->renderer && !variable_is_set("SDL_RENDER_DRIVER");
    bool import = options->dmabuf != WINDOW_DMABUF_NO;
    const char *driver = !free_choice        ? options->renderer
                         : window->offscreen ? "software"
                         : import            ? "opengles2"
                                             : NULL;
    SDL_SetHint(SDL_HINT_RENDER_BATCHING, "1");
    bool open = window_open_both(window, options, driver);
    if (free_choice && window->handle && driver && !window->offscreen &&
        !(open && window_is_opengl(window))) {
        window_close_handle(window); /* there is no EGL */
        open = window_open_both(window, options, "opengl");
    }
    bool slow = open && window_is_slow_opengl(window);
    const char *opengl = window->info.name;
    if (free_choice && window->handle && (slow || !open)) {
        window_close_handle(window);
        open = window_open_both(window, options, "software");
    }
    if (free_choice && window->handle && slow && !open) {
        window_close_handle(window); /* slow is better than nothing */
        open = window_open_both(window, options, opengl);
    }
    if (open && import && (!slow || options->dmabuf == WINDOW_DMABUF_ALWAYS))
        window->importer = importer_create(window->renderer);
    return open;
}

static int x11_ignore_error(void *display, void *error)
{
    (void)display, (void)error;
    return 0;
}

/* SDL wakes its waiting thread by a message to the window, on a connection of its own. With a busy server it
 * can arrive after the window is gone, and Xlib would end the program with status 1. */
static void x11_ignore_errors(void)
{
    void *library = SDL_LoadObject("libX11.so.6"); /* never unloaded: the handler stays */
    void (*set_handler)(int (*handler)(void *, void *)) = NULL;
    if (library)
        *(void **)&set_handler = SDL_LoadFunction(library, "XSetErrorHandler");
    if (set_handler)
        set_handler(x11_ignore_error);
}

void window_close(struct window *window)
{
    const char *driver = SDL_GetCurrentVideoDriver();
    if (driver && strcmp(driver, "x11") == 0)
        x11_ignore_errors();
    window_close_handle(window);
    if (SDL_WasInit(SDL_INIT_VIDEO))
        SDL_QuitSubSystem(SDL_INIT_VIDEO);
    SDL_Quit();
}

struct extent window_usable(const struct window *window)
{
    int display = window->handle ? SDL_GetWindowDisplayIndex(window->handle) : 0;
    SDL_Rect area;
    if (window->offscreen || SDL_GetDisplayUsableBounds(display < 0 ? 0 : display, &area))
        return (struct extent){0, 0};

    struct extent size = {area.w, area.h};
    int top = 0, left = 0, bottom = 0, right = 0;
    if (window->handle && SDL_GetWindowBordersSize(window->handle, &top, &left, &bottom, &right) == 0) {
        size.width -= left + right;
        size.height -= top + bottom;
    }
    return size;
}

double window_refresh_rate(const struct window *window)
{
    int display = SDL_GetWindowDisplayIndex(window->handle);
    SDL_DisplayMode mode;
    if (display >= 0 && SDL_GetCurrentDisplayMode(display, &mode) == 0 && mode.refresh_rate > 0)
        return mode.refresh_rate;
    return DEFAULT_RATE;
}

struct extent window_area(const struct window *window)
{
    struct extent size = {1, 1};
    SDL_GetRendererOutputSize(window->renderer, &size.width, &size.height);
    return size;
}

double window_scale(const struct window *window)
{
    int width = 0;
    SDL_GetWindowSize(window->handle, &width, NULL);
    return width > 0 ? (double)window_area(window).width / width : 1;
}

double window_text_scale(const struct window *window)
{
    return window_scale(window) * window->text_scale;
}

static int clamp_side(int value, int low, int high)
{
    return value > high ? (high > low ? high : low) : value < low ? low : value;
}

void window_resize(struct window *window, struct extent size)
{
    int display = SDL_GetWindowDisplayIndex(window->handle), x, y, width, height;
    SDL_Rect area;
    SDL_GetWindowPosition(window->handle, &x, &y);
    SDL_GetWindowSize(window->handle, &width, &height);
    SDL_SetWindowSize(window->handle, size.width, size.height);
    if (!window->offscreen && display >= 0 && SDL_GetDisplayUsableBounds(display, &area) == 0)
        SDL_SetWindowPosition(
            window->handle, clamp_side(x + (width - size.width) / 2, area.x, area.x + area.w - size.width),
            clamp_side(y + (height - size.height) / 2, area.y, area.y + area.h - size.height));
    SDL_PumpEvents();
}

bool window_is_fullscreen(const struct window *window)
{
    return SDL_GetWindowFlags(window->handle) & SDL_WINDOW_FULLSCREEN;
}

void window_set_fullscreen(struct window *window, bool fullscreen)
{
    SDL_SetWindowFullscreen(window->handle, fullscreen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
}

bool window_has_format(const struct window *window, Uint32 format)
{
    for (Uint32 i = 0; format && i < window->info.num_texture_formats; i++)
        if (window->info.texture_formats[i] == format)
            return true;
    return false;
}

int window_texture_limit(const struct window *window)
{
    int width = window->info.max_texture_width, height = window->info.max_texture_height;
    return width < height ? width : height;
}

int window_save(struct window *window, const char *path)
{
    struct extent size = window_area(window);
    uint8_t *pixels = malloc((size_t)size.width * 3 * size.height);
    int r = -ENOMEM;
    if (!pixels)
        return r;
    r = SDL_RenderReadPixels(window->renderer, NULL, SDL_PIXELFORMAT_RGB24, pixels, size.width * 3) ? -EIO
                                                                                                    : 0;
    if (!r)
        r = png_file_write(path, pixels, size.width, size.height, size.width * 3);
    free(pixels);
    return r;
}
