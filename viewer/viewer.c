/* SPDX-License-Identifier: MIT */
#include "viewer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND     1000000000ll
#define NOTICE_NS  (2 * SECOND)
#define REFRESH_NS (SECOND / 4)
#define HIDDEN_NS  SECOND
#define ROUNDS     3
#define MARGIN     0.92 /* of the display, for a window that would be larger */

/* A display says 60 and means 59.94, or 60.0 and means 60.3: only what is well beyond is held back. */
#define PACE_TOLERANCE 1.05

static const struct extent usual_size = {960, 540};

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
    vsnprintf(viewer->notice, sizeof(viewer->notice), format, arguments);
    va_end(arguments);
    viewer->notice_ns = source_now() + NOTICE_NS;
    viewer->dirty = true;
}

bool viewer_shows(const struct viewer *viewer, const struct view *view)
{
    return !viewer->alone || view == &viewer->view[viewer->chosen];
}

/* ---- Window ---- */

static struct extent limit_size(const struct viewer *viewer, struct extent size)
{
    struct extent room = window_usable(&viewer->window);

    if (!room.width || !room.height)
        return size;
    return geometry_shrink(size, (struct extent){room.width * MARGIN, room.height * MARGIN});
}

/* Asking for the format beforehand saves the window from changing its size at once. */
static struct extent first_size(const struct viewer *viewer)
{
    struct framebus_bus_info *info;
    struct extent size = usual_size;

    if (viewer->views == 1 && framebus_query(viewer->view[0].source.name, &info) == 0) {
        if (info->has_format && info->format.width && info->format.height)
            size = geometry_square(info->format.width, info->format.height, info->format.aspect_num,
                                   info->format.aspect_den);
        framebus_info_free(info, 1);
    }
    return limit_size(viewer, size);
}

static bool open_window(struct viewer *viewer)
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
        options.size = first_size(viewer);
    if (!options.title)
        options.title = viewer->views ? viewer->view[0].source.name : "framebus";
    viewer->asked = options.size;
    if (!window_open(&viewer->window, &options)) {
        viewer_fail(viewer, "no window can be opened: %s", SDL_GetError());
        return false;
    }

    double rate = viewer->options->fps_limit ? viewer->options->fps_limit
                                             : window_refresh_rate(&viewer->window) * PACE_TOLERANCE;
    viewer->pacer.period_ns = (int64_t)(SECOND / rate);
    viewer->text = text_create(viewer->window.renderer);
    viewer->overlay = (struct overlay){&viewer->window, viewer->text};
    viewer->wake = wake_create();
    viewer->inquiry = viewer->wake ? inquiry_create(viewer->wake) : NULL;
    if (!viewer->text || !viewer->inquiry) {
        viewer_fail(viewer, "%s", viewer->wake ? strerror(ENOMEM) : SDL_GetError());
        return false;
    }
    show_caption(viewer);
    SDL_ShowWindow(viewer->window.handle);
    return true;
}

/* The window follows the picture until somebody else has sized it. */
static void follow_size(struct viewer *viewer, const struct view *view)
{
    double scale = window_scale(&viewer->window);
    struct extent size = geometry_turned(view->texture.size, view->pose.turns);

    if (!viewer->auto_size || window_is_fullscreen(&viewer->window) || !size.width)
        return;
    size = limit_size(viewer, (struct extent){size.width / scale, size.height / scale});
    if (size.width == viewer->asked.width && size.height == viewer->asked.height)
        return;
    viewer->asked = size;
    window_resize(&viewer->window, size);
}

/* ---- Frames ---- */

static void note_format(struct view *view, const struct framebus_frame *frame)
{
    const struct framebus_format *format = frame->format;

    framebus_format_describe(format, view->format, sizeof(view->format));
    view->color = color_of(format);
    view->modifier = format->modifier;
    view->opaque = format->fourcc == 0;
}

static void complain(const struct view *view)
{
    char command[256];

    fprintf(stderr, "framebus-view: %s: this cannot be shown: %s\n", view->source.name, view->problem);
    if (view->foreign)
        fprintf(stderr, "What GStreamer can decode is shown by: %s\n",
                show_command(view, command, sizeof(command)));
}

static void take(struct viewer *viewer, struct view *view, const struct framebus_frame *frame)
{
    if (viewer->inspecting)
        inspector_keep(&view->inspector, frame);
    else
        inspector_miss(&view->inspector);
    int r = texture_take(&view->texture, &viewer->window, frame, view->problem, sizeof(view->problem));

    note_format(view, frame);
    view->refused = r != 0;
    view->foreign = r == -ENOTSUP;
    if (r)
        texture_reset(&view->texture);
    if (r && !view->announced)
        complain(view);
    view->announced = view->refused;
    if (view->writers != view->source.writers)
        statistics_restart(&view->statistics);
    view->writers = view->source.writers;
    /* A frame that was replaced before it was presented has been missed too. */
    view->missed = frame->missed + (view->fresh ? view->missed + 1 : 0);
    view->sample = (struct statistics_sample){
        .sequence = frame->sequence,
        .capture_ns = frame->capture_ns,
        .publish_ns = frame->publish_ns,
    };
    view->fresh = true;
}

static void arm(struct viewer *viewer, struct view *view)
{
    view->signalled = false;
    if (view->source.fd >= 0 && wake_arm(viewer->wake, view->source.fd, (int)(view - viewer->view)))
        viewer_fail(viewer, "%s cannot be watched: %s", view->source.name, strerror(errno));
}

static bool is_held(const struct viewer *viewer, const struct view *view)
{
    return viewer->paused && !viewer->step && view->texture.size.width;
}

/* Takes what there is; a frame is held no longer than it takes to upload or to draw it. True: a frame came.
 */
static bool update(struct viewer *viewer, struct view *view)
{
    enum source_state before = view->source.state;
    struct framebus_frame *frame;
    bool taken = false;

    if (source_retry(&view->source))
        view->signalled = true;
    if (!view->signalled || is_held(viewer, view))
        return false;
    for (int round = 0; view->signalled && round < ROUNDS; round++) {
        if (source_take(&view->source, &frame)) {
            arm(viewer, view);
            break;
        }
        take(viewer, view, frame);
        source_release(&view->source, frame);
        follow_size(viewer, view);
        taken = true;
        if (viewer->paused)
            break; /* one step, one frame */
    }
    if (view->source.state != before && view->source.state != SOURCE_LIVE)
        texture_let_go(&view->texture); /* of a pool that nobody else has, perhaps */
    if (taken || view->source.state != before)
        viewer->dirty = true;
    return taken;
}

static void update_all(struct viewer *viewer)
{
    bool taken = false;

    if (pacer_wait(&viewer->pacer, source_now()))
        return;
    for (unsigned i = 0; i < viewer->views; i++)
        taken = update(viewer, &viewer->view[i]) || taken;
    viewer->step = viewer->step && !taken;
}

/* ---- Presenting ---- */

/* True if what is about to be presented is what --frames waits for. */
static bool is_last(const struct viewer *viewer)
{
    uint64_t frames = viewer->options->frames;

    for (unsigned i = 0; i < viewer->views; i++)
        if (viewer->view[i].statistics.shown + viewer->view[i].fresh < frames)
            return false;
    return frames != 0 && viewer->views;
}

static void finish(struct viewer *viewer)
{
    const char *file = viewer->options->screenshot;

    viewer->quit = true;
    for (unsigned i = 0; file && i < viewer->views; i++)
        if (viewer->view[i].refused)
            viewer->status = EXIT_ERROR; /* said already */
    if (!file || viewer->status)
        return;
    int r = window_save(&viewer->window, file);
    if (r)
        viewer_fail(viewer, "%s cannot be written: %s", file, strerror(-r));
}

static void present(struct viewer *viewer)
{
    bool fresh = false, last = is_last(viewer);

    viewer->dirty = false;
    viewer->drawn++;
    show_draw(viewer);
    if (last)
        finish(viewer);
    SDL_RenderPresent(viewer->window.renderer);

    int64_t now = source_now();
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++) {
        if (!view->fresh)
            continue;
        view->sample.shown_ns = now;
        statistics_add(&view->statistics, &view->sample, view->missed);
        view->progress_ns = now;
        view->fresh = false;
        fresh = true;
    }
    if (fresh)
        pacer_shown(&viewer->pacer, now);
    if (viewer->hidden)
        viewer->pacer.due_ns = now + HIDDEN_NS;
    viewer->refresh_ns = viewer->info ? now + REFRESH_NS : 0;
    show_caption(viewer);
}

/* ---- The loop ---- */

static bool is_telling_time(const struct viewer *viewer)
{
    for (unsigned i = 0; i < viewer->views; i++) {
        const struct source *source = &viewer->view[i].source;
        if (source->last_frame_ns && (source->state != SOURCE_LIVE || source_stalled(source)))
            return true;
    }
    return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int64_t until(int64_t due, int64_t now)
{
    return due > now ? due - now : 0;
}

/* How long nothing happens unless something comes from outside; below zero: for ever. */
static int64_t idle_time(const struct viewer *viewer)
{
    int64_t now = source_now(), wait = -1;

    if (viewer->dirty)
        return 0;
    for (unsigned i = 0; i < viewer->views; i++) {
        const struct view *view = &viewer->view[i];
        int64_t pace = pacer_wait(&viewer->pacer, now), change = source_next_change(&view->source);
        if (view->signalled && !is_held(viewer, view))
            wait = sooner(wait, pace);
        if (change >= 0)
            wait = sooner(wait, change > pace ? change : pace);
        if (viewer->options->timeout_ns && !viewer->paused)
            wait = sooner(wait, until(view->progress_ns + viewer->options->timeout_ns, now));
    }
    if (viewer->notice_ns)
        wait = sooner(wait, until(viewer->notice_ns, now));
    if (viewer->refresh_ns)
        wait = sooner(wait, until(viewer->refresh_ns, now));
    if (is_telling_time(viewer))
        wait = sooner(wait, SECOND - now % SECOND);
    return wait;
}

static void handle(struct viewer *viewer, const SDL_Event *event)
{
    if (event->type == wake_event_type(viewer->wake)) {
        if (event->user.code == WAKE_INQUIRY)
            buses_take_answer(viewer);
        else if ((unsigned)event->user.code < viewer->views)
            viewer->view[event->user.code].signalled = true;
    } else if (event->type == SDL_RENDER_DEVICE_RESET || event->type == SDL_RENDER_TARGETS_RESET) {
        text_reset(viewer->text);
        for (unsigned i = 0; i < viewer->views && event->type == SDL_RENDER_DEVICE_RESET; i++)
            texture_reset(&viewer->view[i].texture);
        viewer->dirty = true;
    } else {
        keys_handle(viewer, event);
    }
}

static void look_at_clock(struct viewer *viewer, int64_t before)
{
    int64_t now = source_now();

    if (viewer->notice_ns && now >= viewer->notice_ns) {
        viewer->notice_ns = 0;
        viewer->dirty = true;
    }
    if (viewer->refresh_ns && now >= viewer->refresh_ns)
        viewer->dirty = true;
    for (struct view *view = viewer->view; view < viewer->view + viewer->views; view++) {
        bool stalled = source_stalled(&view->source) > 0;
        viewer->dirty = viewer->dirty || stalled != view->stalled;
        view->stalled = stalled;
    }
    if (now / SECOND != before / SECOND && is_telling_time(viewer))
        viewer->dirty = true;
}

static void look_for_end(struct viewer *viewer)
{
    int64_t now = source_now(), limit = viewer->options->timeout_ns;
    bool over = viewer->options->exit_on_eos && viewer->views, died = false;
    char text[32];

    for (unsigned i = 0; i < viewer->views && !viewer->quit; i++) {
        const struct view *view = &viewer->view[i];
        over = over && (view->source.state == SOURCE_ENDED || view->source.state == SOURCE_LOST);
        died = died || view->source.state == SOURCE_LOST;
        if (limit && !viewer->paused && now - view->progress_ns >= limit) {
            viewer_fail(viewer, "no frame on %s within %s%s%s", view->source.name,
                        phrase_time(limit, text, sizeof(text)),
                        view->source.state == SOURCE_FAILED ? ": " : "",
                        view->source.state == SOURCE_FAILED ? view->source.problem : "");
            viewer->status = EXIT_TIMEOUT;
        }
    }
    if (over && !viewer->quit) {
        viewer->quit = true;
        viewer->status = died ? EXIT_DIED : EXIT_OK;
    }
}

static void loop(struct viewer *viewer)
{
    SDL_Event event;

    viewer->dirty = true;
    while (!viewer->quit) {
        int64_t before = source_now();
        buses_inquire(viewer);
        if (wake_wait(viewer->wake, idle_time(viewer), &event)) {
            do
                handle(viewer, &event);
            while (SDL_PollEvent(&event));
        }
        look_at_clock(viewer, before);
        update_all(viewer);
        if (viewer->dirty && !viewer->quit)
            present(viewer);
        look_for_end(viewer);
    }
}

static void tell_statistics(const struct view *view)
{
    struct statistics_summary s;

    statistics_summarise(&view->statistics, source_now(), &s);
    fprintf(stderr,
            "%s: %llu frames shown, %llu missed; %.2f published, %.2f shown a second; "
            "age mean %.2f ms, 99 %% below %.2f ms; jitter %.2f ms; %llu by dmabuf, %llu by upload\n",
            view->source.name, (unsigned long long)s.shown, (unsigned long long)s.missed, s.publish_rate,
            s.shown_rate, s.age_mean, s.age_p99, s.jitter, (unsigned long long)view->texture.imports,
            (unsigned long long)view->texture.uploads);
}

int viewer_run(const struct options *options)
{
    struct viewer viewer = {.options = options,
                            .info = options->info,
                            .smooth = !options->nearest,
                            .pointer_x = -1,
                            .pointer_y = -1};

    if (buses_open(&viewer) && open_window(&viewer))
        loop(&viewer);
    for (unsigned i = 0; options->statistics && i < viewer.views; i++)
        tell_statistics(&viewer.view[i]);

    inquiry_destroy(viewer.inquiry);
    wake_destroy(viewer.wake);
    buses_close(&viewer);
    picker_finish(&viewer.picker);
    text_destroy(viewer.text);
    window_close(&viewer.window);
    free(viewer.view);
    return viewer.status;
}
