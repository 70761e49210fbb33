/* SPDX-License-Identifier: MIT */
/* Messages to people, and the window: its size, and how it follows the picture. */
#include "viewer.h"
#include "cli/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NOTICE_NS (2 * NS_PER_S)
#define MARGIN    0.92 /* share of the display that a window may cover if its picture is larger */

/* A display says 60 and means 59.94, or 60.0 and means 60.3: frames that come a little faster are shown. */
#define PACE_TOLERANCE 1.05

static const struct extent window_usual_size = {960, 540};

void viewer_fail(struct viewer *viewer, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "framebus-view: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    viewer->status = EXIT_ERROR;
    viewer->quit = true;
}

void viewer_notify(struct viewer *viewer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(viewer->notice, sizeof viewer->notice, format, arguments);
    va_end(arguments);
    viewer->notice_ns = clock_now() + NOTICE_NS;
    viewer->dirty = true;
}

bool viewer_shows(const struct viewer *viewer, const struct view *view)
{
    return !viewer->alone || view == &viewer->view[viewer->chosen];
}

static struct extent viewer_limit_size(const struct viewer *viewer, struct extent size)
{
    struct extent room = window_usable(&viewer->window);
    if (!room.width || !room.height)
        return size;
    return geometry_shrink(size, (struct extent){room.width * MARGIN, room.height * MARGIN});
}

/* Asks for the format beforehand, so that the window need not change its size at once. */
static struct extent viewer_first_size(const struct viewer *viewer)
{
    struct framebus_bus_info *info;
    struct extent size = window_usual_size;
    if (viewer->views == 1 && framebus_query(viewer->view[0].source.name, &info) == 0) {
        if (info->has_format && info->format.width && info->format.height)
            size = geometry_square(info->format.width, info->format.height, info->format.aspect_num,
                                   info->format.aspect_den);
        framebus_info_free(info, 1);
    }
    return viewer_limit_size(viewer, size);
}

bool viewer_open_window(struct viewer *viewer)
{
    struct window_options options = viewer->options->window;
    if (!window_start(&viewer->window, &options)) {
        if (options.driver)
            viewer_fail(viewer, "the SDL video driver '%s' does not work here: %s", options.driver,
                        SDL_GetError());
        else
            viewer_fail(viewer,
                        "no display can be opened: set DISPLAY or WAYLAND_DISPLAY, or let --screenshot FILE "
                        "write a picture, which needs none (%s)",
                        SDL_GetError());
        return false;
    }
    viewer->auto_size = viewer->options->names <= 1 && !options.size.width && !options.fullscreen;
    if (!options.size.width)
        options.size = viewer_first_size(viewer);
    if (!options.title)
        options.title = viewer->views ? viewer->view[0].source.name : "framebus";
    viewer->asked = options.size;
    if (!window_open(&viewer->window, &options)) {
        /* sdl2-compat forgets why: "Parameter 'renderer' is invalid". */
        if (viewer->window.handle && options.renderer)
            viewer_fail(viewer, "the SDL render driver '%s' does not work here: leave --renderer out",
                        options.renderer);
        else
            viewer_fail(viewer, "no window can be opened: %s", SDL_GetError());
        return false;
    }

    double rate = viewer->options->fps_limit ? viewer->options->fps_limit
                                             : window_refresh_rate(&viewer->window) * PACE_TOLERANCE;
    viewer->pacer.period_ns = (int64_t)(NS_PER_S / rate);
    viewer->text = text_create(viewer->window.renderer);
    viewer->overlay = (struct overlay){&viewer->window, viewer->text};
    viewer->wake = wake_create();
    viewer->inquiry = viewer->wake ? inquiry_create(viewer->wake) : NULL;
    if (!viewer->text || !viewer->inquiry) {
        viewer_fail(viewer, "%s", viewer->wake ? strerror(ENOMEM) : SDL_GetError());
        return false;
    }
    return true;
}

void viewer_follow_size(struct viewer *viewer, const struct view *view)
{
    double scale = window_scale(&viewer->window);
    struct extent size = geometry_turned(view->texture.size, view->pose.turns);
    if (!viewer->auto_size || window_is_fullscreen(&viewer->window) || !size.width)
        return;
    size = viewer_limit_size(viewer, (struct extent){size.width / scale, size.height / scale});
    if (size.width == viewer->asked.width && size.height == viewer->asked.height)
        return;
    viewer->asked = size;
    window_resize(&viewer->window, size);
}
