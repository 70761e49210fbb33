/* SPDX-License-Identifier: MIT */
#include "show.h"
#include "cli/clock.h"
#include "cli/process.h"
#include "cli/units.h"
#include "phrase.h"

#include <stdio.h>
#include <string.h>

#define GAP  2
#define ROWS 15 /* most rows of information */

static struct extent show_typical_size(const struct viewer *viewer)
{
    for (unsigned i = 0; i < viewer->views; i++)
        if (viewer->view[i].texture.size.width)
            return viewer->view[i].texture.size;
    return (struct extent){16, 9};
}

static void show_place_views(struct viewer *viewer)
{
    struct extent area = window_area(&viewer->window), typical = show_typical_size(viewer);
    unsigned count = viewer->alone ? 1 : viewer->views;
    for (unsigned i = 0; i < viewer->views; i++) {
        struct view *view = &viewer->view[i];
        struct extent size = view->texture.size.width ? view->texture.size : typical;
        view->cell = geometry_cell(area, count, viewer->alone ? 0 : i, typical, GAP);
        view->placement = geometry_place(view->cell, size, &view->pose);
    }
}

/* NULL: the bus is live and its picture is shown. */
static const char *view_headline(const struct view *view)
{
    static const char *const of_state[] = {
        [SOURCE_WAITING] = "Waiting", [SOURCE_LIVE] = NULL,          [SOURCE_ENDED] = "End of stream",
        [SOURCE_LOST] = "No signal",  [SOURCE_FAILED] = "No signal",
    };
    if (view->source.state != SOURCE_LIVE)
        return of_state[view->source.state];
    if (view->refused)
        return "Cannot be shown";
    return source_stalled(&view->source) ? "No signal" : NULL;
}

static void view_describe_silence(const struct view *view, char *text, size_t room)
{
    const struct source *source = &view->source;
    char age[32], writer[PROCESS_ROOM];
    if (source->last_frame_ns)
        snprintf(text, room, "last frame %s ago", units_duration(clock_now() - source->last_frame_ns, age));
    else if (source->has_writer)
        snprintf(text, room, "%s writes to this bus, but has published nothing yet",
                 process_name(source->writer_pid, writer));
    else
        snprintf(text, room, "nobody writes to this bus yet");
}

char *show_command(const struct view *view, char *text, size_t room)
{
    const struct plan *plan = &view->texture.plan;
    const char *before = plan->opaque ? "decodebin ! " : plan->modifier ? "vapostproc ! " : "";

    snprintf(text, room, "gst-launch-1.0 framebussrc bus=%s ! %svideoconvert ! autovideosink",
             view->source.name, before);
    return text;
}

static void view_draw_card(const struct viewer *viewer, const struct view *view, const char *headline)
{
    const struct source *source = &view->source;
    bool live = source->state == SOURCE_LIVE;
    char detail[512], silence[160], command[256];
    struct overlay_card card = {
        .headline = headline,
        .name = source->name,
        .detail = detail,
        .accent = source->state == SOURCE_WAITING ? overlay_waiting
                  : source->state == SOURCE_ENDED ? overlay_neutral
                                                  : overlay_bad,
        .over_picture = live && !view->refused,
    };
    view_describe_silence(view, silence, sizeof silence);
    snprintf(detail, sizeof detail, "%s", silence);
    if (source->state == SOURCE_FAILED)
        snprintf(detail, sizeof detail, "%s%s%s", source->problem, source->last_frame_ns ? "\n" : "",
                 source->last_frame_ns ? silence : "");
    if (source->state == SOURCE_WAITING && !source->has_writer) {
        snprintf(command, sizeof command, "gst-launch-1.0 videotestsrc ! framebussink bus=%s", source->name);
        card.command = command;
    }
    if (live && view->refused)
        snprintf(detail, sizeof detail, "%s", view->texture.problem);
    if (live && view->refused && view->unsupported)
        card.command = show_command(view, command, sizeof command);
    overlay_draw_card(&viewer->overlay, view->cell, &card);
}

static void view_draw(struct viewer *viewer, struct view *view)
{
    SDL_Rect clip = {(int)view->cell.x, (int)view->cell.y, (int)view->cell.width, (int)view->cell.height};
    const char *headline = view_headline(view);
    SDL_RenderSetClipRect(viewer->window.renderer, &clip);
    if (view->source.state == SOURCE_LIVE && !view->refused)
        texture_draw(&view->texture, &viewer->window, &view->placement, viewer->smooth);
    if (headline)
        view_draw_card(viewer, view, headline);
    if (viewer->views > 1 && !headline)
        overlay_draw_label(&viewer->overlay, view->cell, view->source.name,
                           !viewer->alone && view == &viewer->view[viewer->chosen]);
    SDL_RenderSetClipRect(viewer->window.renderer, NULL);
}

static void view_draw_info(const struct viewer *viewer, const struct view *view)
{
    const struct plan *plan = &view->texture.plan;
    struct statistics_summary s;
    double interval[STATISTICS_SAMPLES];
    const struct framebus_bus_info *about =
        viewer->about && strcmp(viewer->about->name, view->source.name) == 0 ? viewer->about : NULL;
    char value[ROWS][160], bytes[96], writer[PROCESS_ROOM];
    unsigned rows = 0;
    struct overlay_row row[ROWS];
    struct overlay_graph graph = {
        .value = interval,
        .expected = view->source.expected_ns * 1e-6,
        .label = "time between frames",
    };
    statistics_summarise(&view->statistics, clock_now(), &s);
    graph.count = statistics_intervals(&view->statistics, interval, 120);

#define ROW(name, ...)                                                                                       \
    do {                                                                                                     \
        snprintf(value[rows], sizeof value[rows], __VA_ARGS__);                                              \
        row[rows] = (struct overlay_row){name, value[rows]};                                                 \
        rows++;                                                                                              \
    } while (0)

    ROW("format", "%s", plan->format);
    ROW("colour", "%s", plan->opaque ? "as the payload says" : color_name(plan->color));
    if (view->flags)
        ROW("flags", "%s", framebus_flags_describe(view->flags, bytes, sizeof bytes));
    ROW("modifier", "%s", phrase_modifier(plan->modifier, bytes, sizeof bytes));
    if (!view->source.has_writer)
        ROW("writer", "none");
    else
        ROW("writer", "%s%s%s", about ? about->label : "", about && *about->label ? ", " : "",
            process_name(view->source.writer_pid, writer));
    if (about && about->state == FRAMEBUS_BUS_LIVE) {
        ROW("readers", "%u", about->readers);
        ROW("memory", "%s in %u slots, of %u at the most", units_bytes(about->memory_bytes, bytes),
            about->slots_used, about->max_slots);
    }
    ROW("frames", "%llu unique, in %llu pictures drawn", (unsigned long long)s.shown,
        (unsigned long long)viewer->drawn);
    ROW("missed", "%llu", (unsigned long long)s.missed);
    if (s.shown_rate > 0) {
        ROW("rate", "%.2f published, %.2f shown a second", s.publish_rate, s.shown_rate);
        ROW("age", "%.1f ms, mean %.1f, 99 %% below %.1f", s.age_now, s.age_mean, s.age_p99);
        ROW("jitter", "%.2f ms", s.jitter);
    }
    ROW("taken by", "%s", view->texture.imported ? "dmabuf" : "upload");
    ROW("drawn by", "SDL %s, %s", viewer->window.info.name, SDL_GetCurrentVideoDriver());
#undef ROW
    overlay_draw_table(&viewer->overlay, view->cell, view->source.name, row, rows, &graph);
}

/* The bus at the pointer, else the chosen one. */
static struct view *show_inspected_view(struct viewer *viewer)
{
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++)
        if (viewer_shows(viewer, view) && geometry_inside(view->cell, viewer->pointer_x, viewer->pointer_y))
            return view;
    return &viewer->view[viewer->chosen];
}

static void show_draw_help(const struct viewer *viewer)
{
    static const struct overlay_row rows[] = {
        {"q, Esc", "quit"},
        {"f", "full screen"},
        {"Space, p", "pause"},
        {".", "next frame, and pause"},
        {"1, 2", "100 %, 200 %"},
        {"0", "fit the window"},
        {"+, -, wheel", "zoom"},
        {"drag", "move the picture"},
        {"r, m", "turn, mirror"},
        {"g", "all buses, or one"},
        {"[, ]", "choose a bus"},
        {"s", "save the picture as PNG"},
        {"i, Tab", "information"},
        {"o", "hide or show the pointer"},
        {"x", "pixel values, histogram"},
        {"h, ?", "these keys"},
        {"Backspace", "back to the list of buses"},
    };
    struct extent area = window_area(&viewer->window);
    overlay_draw_table(&viewer->overlay, (struct box){0, 0, area.width, area.height}, "Keys", rows,
                       sizeof rows / sizeof *rows, NULL);
}

void show_draw(struct viewer *viewer)
{
    SDL_Renderer *renderer = viewer->window.renderer;
    const SDL_Color *color = &overlay_background;
    struct extent area = window_area(&viewer->window);
    struct view *inspected = NULL;

    show_place_views(viewer);
    if (viewer->inspecting && viewer->views && show_inspected_view(viewer)->texture.size.width &&
        !view_headline(show_inspected_view(viewer))) {
        inspected = show_inspected_view(viewer);
        inspector_read(&inspected->inspector, &inspected->texture, &viewer->window, &inspected->placement,
                       viewer->pointer_x, viewer->pointer_y, clock_now());
    }
    SDL_SetRenderDrawColor(renderer, color->r, color->g, color->b, color->a);
    SDL_RenderClear(renderer);
    for (unsigned i = 0; i < viewer->views; i++)
        if (viewer_shows(viewer, &viewer->view[i]))
            view_draw(viewer, &viewer->view[i]);
    if (!viewer->views)
        picker_draw(&viewer->picker, &viewer->overlay, (struct box){0, 0, area.width, area.height});
    if (viewer->help)
        show_draw_help(viewer);
    else if (viewer->info && viewer->views)
        view_draw_info(viewer, &viewer->view[viewer->chosen]);
    if (inspected)
        inspector_draw(&inspected->inspector, &viewer->overlay, &inspected->texture, inspected->cell,
                       &inspected->placement, viewer->pointer_x, viewer->pointer_y);
    if (viewer->notice_ns)
        overlay_draw_notice(&viewer->overlay, (struct box){0, 0, area.width, area.height}, viewer->notice);
}

void show_caption(struct viewer *viewer)
{
    const struct view *view = viewer->views ? &viewer->view[viewer->chosen] : NULL;
    const char *title = viewer->options->window.title, *state = view ? view_headline(view) : NULL;
    char text[sizeof viewer->caption];
    if (!state && viewer->paused)
        state = "paused";
    snprintf(text, sizeof text, "%s%s%s",
             title  ? title
             : view ? view->source.name
                    : "framebus",
             state ? " - " : "", state ? state : "");
    if (strcmp(text, viewer->caption) == 0)
        return;
    memcpy(viewer->caption, text, sizeof text);
    SDL_SetWindowTitle(viewer->window.handle, text);
}
