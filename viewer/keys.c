/* SPDX-License-Identifier: MIT */
#include "keys.h"
#include "buses.h"
#include "cli/clock.h"
#include "phrase.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define ZOOM_STEP 1.15

static struct view *chosen_view(struct viewer *viewer)
{
    return &viewer->view[viewer->chosen];
}

static void key_quit(struct viewer *viewer)
{
    viewer->quit = true;
}

static void key_fullscreen(struct viewer *viewer)
{
    window_set_fullscreen(&viewer->window, !window_is_fullscreen(&viewer->window));
}

static void key_pause(struct viewer *viewer)
{
    viewer->paused = !viewer->paused;
    for (struct view *view = viewer->view; !viewer->paused && view < viewer->view + viewer->views; view++)
        view->progress_ns = clock_now();
    viewer_notify(viewer, viewer->paused ? "paused" : "playing");
}

static void key_step(struct viewer *viewer)
{
    viewer->paused = true;
    viewer->step = true;
}

static void key_info(struct viewer *viewer)
{
    viewer->info = !viewer->info;
}

static void key_inspector(struct viewer *viewer)
{
    viewer->inspecting = !viewer->inspecting;
    for (struct view *view = viewer->view; !viewer->inspecting && view < viewer->view + viewer->views; view++)
        inspector_finish(&view->inspector);
}

static void key_help(struct viewer *viewer)
{
    viewer->help = !viewer->help;
}

static void key_pointer(struct viewer *viewer)
{
    (void)viewer;
    SDL_ShowCursor(SDL_ShowCursor(SDL_QUERY) ? SDL_DISABLE : SDL_ENABLE);
}

static void key_turn(struct viewer *viewer)
{
    struct pose *pose = &chosen_view(viewer)->pose;
    pose->turns = (pose->turns + 1) % 4;
    pose->zoom = 0;
}

static void key_mirror(struct viewer *viewer)
{
    chosen_view(viewer)->pose.mirrored = !chosen_view(viewer)->pose.mirrored;
}

static void key_set_zoom(struct viewer *viewer, double zoom)
{
    struct view *view = chosen_view(viewer);
    if (view->texture.size.width)
        geometry_set_zoom(&view->pose, view->cell, view->texture.size, zoom);
}

static void key_zoom_100(struct viewer *viewer)
{
    key_set_zoom(viewer, 1);
}

static void key_zoom_200(struct viewer *viewer)
{
    key_set_zoom(viewer, 2);
}

static void key_zoom_fit(struct viewer *viewer)
{
    struct pose *pose = &chosen_view(viewer)->pose;
    pose->zoom = pose->shift_x = pose->shift_y = 0;
}

static void view_zoom(struct viewer *viewer, struct view *view, double factor, double x, double y)
{
    if (!view->texture.size.width)
        return;
    geometry_zoom(&view->pose, view->cell, view->texture.size, factor, x, y);
    viewer->dirty = true;
}

static void key_zoom_by(struct viewer *viewer, double factor)
{
    struct view *view = chosen_view(viewer);
    view_zoom(viewer, view, factor, view->cell.x + view->cell.width / 2,
              view->cell.y + view->cell.height / 2);
}

static void key_zoom_in(struct viewer *viewer)
{
    key_zoom_by(viewer, ZOOM_STEP);
}

static void key_zoom_out(struct viewer *viewer)
{
    key_zoom_by(viewer, 1 / ZOOM_STEP);
}

static void view_choose(struct viewer *viewer, unsigned index)
{
    viewer->chosen = index;
    viewer->dirty = true;
}

static void key_next_view(struct viewer *viewer)
{
    view_choose(viewer, (viewer->chosen + 1) % viewer->views);
}

static void key_previous_view(struct viewer *viewer)
{
    view_choose(viewer, (viewer->chosen + viewer->views - 1) % viewer->views);
}

static void key_grid(struct viewer *viewer)
{
    viewer->alone = !viewer->alone && viewer->views > 1;
}

static void key_save(struct viewer *viewer)
{
    struct view *view = chosen_view(viewer);
    time_t now = time(NULL);
    struct tm local;
    char file[256];
    if (!view->texture.size.width) {
        viewer_notify(viewer, "there is no picture to save");
        return;
    }
    localtime_r(&now, &local);
    phrase_file(view->source.name, &local, view->sample.sequence, file, sizeof file);
    int r = texture_save(&view->texture, &viewer->window, file);
    if (r)
        viewer_notify(viewer, "%s: %s", file, strerror(-r));
    else
        viewer_notify(viewer, "saved as %s", file);
}

static void key_previous_bus(struct viewer *viewer)
{
    picker_move(&viewer->picker, -1);
}

static void key_next_bus(struct viewer *viewer)
{
    picker_move(&viewer->picker, 1);
}

static void key_pick(struct viewer *viewer)
{
    if (*viewer->picker.chosen && viewer->picker.count)
        buses_pick(viewer, viewer->picker.chosen);
}

struct binding {
    SDL_Keycode key;
    void (*act)(struct viewer *viewer);
};

/* An action has two keys where mpv and ffplay differ. */
static const struct binding keys[] = {
    {SDLK_BACKSPACE, buses_unpick},
    {SDLK_q, key_quit},
    {SDLK_ESCAPE, key_quit},
    {SDLK_f, key_fullscreen},
    {SDLK_F11, key_fullscreen},
    {SDLK_SPACE, key_pause},
    {SDLK_p, key_pause},
    {SDLK_PERIOD, key_step},
    {SDLK_i, key_info},
    {SDLK_TAB, key_info},
    {SDLK_h, key_help},
    {SDLK_QUESTION, key_help},
    {SDLK_x, key_inspector},
    {SDLK_o, key_pointer},
    {SDLK_r, key_turn},
    {SDLK_m, key_mirror},
    {SDLK_1, key_zoom_100},
    {SDLK_2, key_zoom_200},
    {SDLK_0, key_zoom_fit},
    {SDLK_PLUS, key_zoom_in},
    {SDLK_EQUALS, key_zoom_in},
    {SDLK_KP_PLUS, key_zoom_in},
    {SDLK_MINUS, key_zoom_out},
    {SDLK_KP_MINUS, key_zoom_out},
    {SDLK_RIGHTBRACKET, key_next_view},
    {SDLK_LEFTBRACKET, key_previous_view},
    {SDLK_g, key_grid},
    {SDLK_s, key_save},
};

/* While a bus is being picked. */
static const struct binding picking_keys[] = {
    {SDLK_UP, key_previous_bus}, {SDLK_k, key_previous_bus}, {SDLK_DOWN, key_next_bus},
    {SDLK_j, key_next_bus},      {SDLK_RETURN, key_pick},    {SDLK_KP_ENTER, key_pick},
    {SDLK_q, key_quit},          {SDLK_ESCAPE, key_quit},    {SDLK_SPACE, key_pick},
    {SDLK_o, key_pointer},       {SDLK_f, key_fullscreen},   {SDLK_h, key_help},
    {SDLK_QUESTION, key_help},   {SDLK_F11, key_fullscreen},
};

static void keys_press(struct viewer *viewer, const SDL_KeyboardEvent *event)
{
    const struct binding *bindings = viewer->views ? keys : picking_keys;
    size_t count = viewer->views ? SDL_arraysize(keys) : SDL_arraysize(picking_keys);
    SDL_Keycode key = event->keysym.sym;
    /* Where people type ? as Shift and /, SDL reports the latter. */
    if (key == SDLK_SLASH && event->keysym.mod & KMOD_SHIFT)
        key = SDLK_QUESTION;
    if (event->keysym.mod & (KMOD_CTRL | KMOD_ALT | KMOD_GUI))
        return;
    for (size_t i = 0; i < count; i++) {
        if (bindings[i].key == key) {
            bindings[i].act(viewer);
            viewer->dirty = true;
            return;
        }
    }
}

static struct view *view_at(struct viewer *viewer, double x, double y)
{
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++)
        if (viewer_shows(viewer, view) && geometry_inside(view->cell, x, y))
            return view;
    return NULL;
}

static void keys_wheel(struct viewer *viewer, const SDL_MouseWheelEvent *event)
{
    double scale = window_scale(&viewer->window), x = event->mouseX * scale, y = event->mouseY * scale;
    struct view *view = view_at(viewer, x, y);
    if (view)
        view_zoom(viewer, view, pow(ZOOM_STEP, event->preciseY), x, y);
}

static void keys_button(struct viewer *viewer, const SDL_MouseButtonEvent *event)
{
    double scale = window_scale(&viewer->window);
    struct view *view = view_at(viewer, event->x * scale, event->y * scale);
    if (event->button != SDL_BUTTON_LEFT)
        return;
    viewer->dragging = event->type == SDL_MOUSEBUTTONDOWN && viewer->views;
    if (!viewer->views && event->type == SDL_MOUSEBUTTONUP &&
        picker_point(&viewer->picker, event->x * scale, event->y * scale))
        key_pick(viewer);
    if (viewer->dragging && view)
        view_choose(viewer, view - viewer->view);
    if (viewer->dragging && event->clicks == 2)
        key_fullscreen(viewer);
}

/* Somebody who moves the pointer over the picture for the first time may want to do something. A pointer that
 * was there before the window does not count. */
static void keys_hint(struct viewer *viewer)
{
    if (viewer->hinted || viewer->pointer_x < 0 || !viewer->views)
        return;
    viewer->hinted = true;
    viewer_notify(viewer, "? lists the keys");
}

static void keys_drag(struct viewer *viewer, const SDL_MouseMotionEvent *event)
{
    double scale = window_scale(&viewer->window);
    struct view *view = chosen_view(viewer);
    keys_hint(viewer);
    viewer->pointer_x = (event->x + 0.5) * scale;
    viewer->pointer_y = (event->y + 0.5) * scale;
    viewer->dirty = viewer->dirty || viewer->inspecting;
    if (!viewer->views && picker_point(&viewer->picker, event->x * scale, event->y * scale))
        viewer->dirty = true;
    if (!viewer->dragging || !viewer->views || view->pose.zoom <= 0)
        return;
    view->pose.shift_x += event->xrel * scale;
    view->pose.shift_y += event->yrel * scale;
    viewer->dirty = true;
}

static void keys_window(struct viewer *viewer, const SDL_WindowEvent *event)
{
    switch (event->event) {
    case SDL_WINDOWEVENT_MINIMIZED:
    case SDL_WINDOWEVENT_HIDDEN:
        viewer->hidden = true;
        break;
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_SHOWN:
    case SDL_WINDOWEVENT_MAXIMIZED:
        viewer->hidden = false;
        viewer->pacer.due_ns = 0;
        break;
    case SDL_WINDOWEVENT_LEAVE:
        viewer->pointer_x = viewer->pointer_y = -1;
        break;
    case SDL_WINDOWEVENT_RESIZED:
        if (event->data1 != viewer->asked.width || event->data2 != viewer->asked.height)
            viewer->auto_size = false;
        break;
    }
    viewer->dirty = true;
}

void keys_handle(struct viewer *viewer, const SDL_Event *event)
{
    switch (event->type) {
    case SDL_QUIT:
        key_quit(viewer);
        break;
    case SDL_KEYDOWN:
        keys_press(viewer, &event->key);
        break;
    case SDL_MOUSEWHEEL:
        keys_wheel(viewer, &event->wheel);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        keys_button(viewer, &event->button);
        break;
    case SDL_MOUSEMOTION:
        keys_drag(viewer, &event->motion);
        break;
    case SDL_WINDOWEVENT:
        keys_window(viewer, &event->window);
        break;
    }
}
